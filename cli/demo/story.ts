import type { Store } from "../../core/ports/store.ts"
import { cell, columns } from "../table.ts"
import { factStates, whyChanged } from "./facts.ts"
import type { Label, LabelChange } from "./labels.ts"

const saying = (label: Label | undefined): string => {
  if (label === undefined) return "(no row)"
  const { value, reason, rung, grade, evidence } = label
  const facts = evidence.filter(({ role }) => role !== "subject")
  const told = facts.map(({ resourceType, revision, role }) => `${resourceType} revision ${revision} ${role}`)
  const how = [reason, ...(rung === "none" ? [] : [`joined by ${rung}`]), ...(grade === "none" ? [] : [grade]), ...told]
  return `${value} (${how.join("; ")})`
}

const isWithdrawn = ({ before, after }: LabelChange): boolean =>
  before?.value === "positive" && after !== undefined && after.value !== "positive"

const worth = (change: LabelChange): number => {
  if (change.before === undefined || change.after === undefined) return 0
  return (isWithdrawn(change) ? 4 : 1) + (change.before.grade === "pathology" ? 1 : 0)
}

/** The study whose labels tell the most: one of which a positive label was taken back. */
export const studyToShow = (found: readonly LabelChange[]): Label | undefined => {
  const [best] = found.toSorted((a, b) => worth(b) - worth(a))
  return best?.after ?? best?.before
}

/** The labels after the first delivery and after the second, and what changed. */
export interface Looks {
  readonly before: readonly Label[]
  readonly after: readonly Label[]
  readonly found: readonly LabelChange[]
}

/** A released study with its labels before and after the second delivery. */
export async function studyStory(
  store: Store,
  shown: Label,
  { before, after, found }: Looks,
): Promise<readonly string[]> {
  const { columns: names, rows } = await store.query(
    `SELECT modalities, body_parts, to_timestamp(started / 1000.0)::date AS started, released, refused, complete, profile
     FROM limited.curated_studies WHERE study_instance_uid = '${shown.study.replaceAll("'", "''")}'`,
    "limited",
  )
  const own = found.filter(({ before: was, after: is }) => (is ?? was)!.study === shown.study)
  const states = await factStates(store, own)
  const of = (labels: readonly Label[], phenotype: string) =>
    labels.find(({ study, phenotype: name }) => study === shown.study && name === phenotype)
  const phenotypes = [...before, ...after]
    .filter(({ study }) => study === shown.study)
    .map(({ phenotype }) => phenotype)
  return [
    ...columns([
      ["study", shown.study],
      ["person", shown.person],
      ...rows.flatMap((row) => names.map((name, at) => [name.replace("_", " "), cell(row[at])])),
    ]),
    ...[...new Set(phenotypes)]
      .toSorted()
      .flatMap((phenotype) => [
        phenotype,
        `  before  ${saying(of(before, phenotype))}`,
        `  after   ${saying(of(after, phenotype))}`,
        ...own
          .filter((change) => (change.after ?? change.before)!.phenotype === phenotype)
          .map((change) => `  why     ${whyChanged(change, states)}`),
      ]),
  ]
}

/** What the second delivery changed, and why; positive labels that are none any more first. */
export async function retractions(store: Store, found: readonly LabelChange[]): Promise<readonly string[]> {
  const states = await factStates(store, found)
  const withdrawn = found.filter(isWithdrawn)
  const moved = found.filter(
    ({ before, after }) => before !== undefined && after !== undefined && before.person !== after.person,
  )
  const others = found.filter((change) => !isWithdrawn(change) && !moved.includes(change))
  const rows = (listed: readonly LabelChange[]) =>
    columns(
      listed.map((change) => {
        const { before, after } = change
        const { study, phenotype } = (before ?? after)!
        const values = `${before?.value ?? "none"} -> ${after?.value ?? "retracted"}`
        return [`  …${study.slice(-8)}`, phenotype, values, whyChanged(change, states)]
      }),
    )
  const persons = new Set(moved.map(({ before }) => before!.person)).size
  return [
    `${withdrawn.length} positive labels were taken back`,
    ...rows(withdrawn),
    `${moved.length} labels of ${persons} merged ${persons === 1 ? "patient" : "patients"} were retracted, and stand under the other's pseudonym now`,
    `${others.length} other labels came or changed`,
    ...rows(others),
  ]
}
