import type { Store } from "../../core/ports/store.ts"
import { cell, columns } from "../table.ts"
import type { Label, LabelChange } from "./labels.ts"

/** Lines of text, and why a label says what it says. */
const because = (label: Label | undefined): string => {
  if (label === undefined) return "(no row)"
  const { value, reason, rung, grade, evidence } = label
  const facts = evidence.map(({ resourceType, revision, role }) => `${resourceType} r${revision} ${role}`)
  const how = [reason, ...(rung === "none" ? [] : [`by ${rung}`]), ...(grade === "none" ? [] : [grade])]
  return `${value} (${how.join(", ")})${facts.length === 0 ? "" : ` from ${[...new Set(facts)].join(", ")}`}`
}

const worth = ({ before, after }: LabelChange): number => {
  if (before === undefined || after === undefined) return 0
  const taken = before.value === "positive" && after.value !== "positive" ? 4 : 1
  return taken + (before.grade === "pathology" || after.grade === "pathology" ? 1 : 0)
}

/** The study whose labels tell the most: one of which a positive label was taken back. */
export const studyToShow = (found: readonly LabelChange[]): Label | undefined => {
  const [best] = found.toSorted((a, b) => worth(b) - worth(a))
  return best?.after ?? best?.before
}

/** A released study with its labels before and after the second delivery. */
export async function studyStory(
  store: Store,
  shown: Label,
  before: readonly Label[],
  after: readonly Label[],
): Promise<readonly string[]> {
  const { columns: names, rows } = await store.query(
    `SELECT modalities, body_parts, to_timestamp(started / 1000.0)::date AS started, released, refused, complete, profile
     FROM limited.curated_studies WHERE study_instance_uid = '${shown.study.replaceAll("'", "''")}'`,
    "limited",
  )
  const of = (labels: readonly Label[], phenotype: string) =>
    labels.find(({ study, phenotype: name }) => study === shown.study && name === phenotype)
  const phenotypes = [...before, ...after]
    .filter(({ study }) => study === shown.study)
    .map(({ phenotype }) => phenotype)
  return [
    `study ${shown.study}`,
    `person ${shown.person}`,
    ...rows.flatMap((row) => columns(names.map((name, at) => [`  ${name}`, cell(row[at])]))),
    ...[...new Set(phenotypes)]
      .toSorted()
      .flatMap((phenotype) => [
        `  ${phenotype}`,
        `    before: ${because(of(before, phenotype))}`,
        `    after:  ${because(of(after, phenotype))}`,
      ]),
  ]
}

/** What the second delivery took back, and why. */
export function retractions(found: readonly LabelChange[]): readonly string[] {
  const withdrawn = found.filter(
    ({ before, after }) => before?.value === "positive" && after !== undefined && after.value !== "positive",
  )
  const gone = found.filter(({ after }) => after === undefined)
  const rows = withdrawn.map(({ before, after }) => [
    `  …${before!.study.slice(-8)}`,
    before!.phenotype,
    `positive -> ${after!.value}`,
    after!.reason,
  ])
  const persons = new Set(gone.map(({ before }) => before!.person))
  return [
    `${withdrawn.length} positive labels are none any more:`,
    ...columns(rows),
    ...(gone.length === 0
      ? []
      : [
          `${gone.length} labels of ${persons.size} ${persons.size === 1 ? "person" : "persons"} were retracted: a merge or a late Patient gave their studies another person,`,
          `  under whom they stand now`,
        ]),
    `${found.length - withdrawn.length - gone.length} other labels came or changed`,
  ]
}
