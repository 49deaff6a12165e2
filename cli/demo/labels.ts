import { pseudonymizer } from "../../core/privacy.ts"
import type { Store } from "../../core/ports/store.ts"
import type { Truth } from "./folder.ts"

/** A fact that a label was made of. */
export interface Evidence {
  readonly resourceType: string
  readonly resourceId: string
  readonly revision: number
  readonly role: string
}

/** A released label, as it stands in Postgres. */
export interface Label {
  /** Pseudonym of the person. */
  readonly person: string
  readonly study: string
  readonly phenotype: string
  readonly value: string
  readonly reason: string
  readonly rung: string
  readonly grade: string
  readonly evidence: readonly Evidence[]
}

/** A label that is another than before; one of the two is missing where a row came or went. */
export interface LabelChange {
  readonly before: Label | undefined
  readonly after: Label | undefined
}

const query = `SELECT _key, study_instance_uid, phenotype, value, reason, rung, grade, evidence
  FROM limited.curated_labels ORDER BY _key, study_instance_uid, phenotype`

/** The labels that stand now, as a role that sees nothing above `limited`. */
export async function labelsNow(store: Store): Promise<readonly Label[]> {
  const { rows } = await store.query(query, "limited")
  return rows.map(([person, study, phenotype, value, reason, rung, grade, evidence]) => ({
    ...({ person, study, phenotype, value, reason, rung, grade } as Record<keyof Omit<Label, "evidence">, string>),
    evidence: evidence as Label["evidence"],
  }))
}

const slotOf = ({ person, study, phenotype }: Label): string => `${person} ${study} ${phenotype}`

/** What changed between two looks. A row that went and one that came for the same study and phenotype are one change: the study
 * has another person now. */
export function changes(before: readonly Label[], after: readonly Label[]): readonly LabelChange[] {
  const old = new Map(before.map((label) => [slotOf(label), label]))
  const now = new Map(after.map((label) => [slotOf(label), label]))
  const came = after.filter((label) => !old.has(slotOf(label)))
  const found: LabelChange[] = []
  for (const [slot, label] of old) {
    const same = now.get(slot)
    const at = same === undefined ? came.findIndex((one) => isSame(one, label)) : -1
    const next = same ?? (at < 0 ? undefined : came.splice(at, 1)[0])
    if (next?.value !== label.value || next.reason !== label.reason || next.person !== label.person)
      found.push({ before: label, after: next })
  }
  return [...found, ...came.map((label) => ({ before: undefined, after: label }))]
}

const isSame = (a: Label, b: Label): boolean => a.study === b.study && a.phenotype === b.phenotype

/** How many labels are what the truth says, of those that it speaks of; patients whom images do not name are left out, because
 * their records make studies of their own. */
export function compared(labels: readonly Label[], truth: Truth, wave: string, projectKey: Uint8Array) {
  const { uid: mapped } = pseudonymizer(projectKey)
  const said = new Map(labels.map(({ study, phenotype, value }) => [`${study} ${phenotype}`, value]))
  const expected = truth.persons
    .filter(({ imagesLinked }) => imagesLinked)
    .flatMap(({ studies }) => studies)
    .flatMap(({ uid, labels: by }) =>
      Object.entries(by[wave] ?? {}).map(([phenotype, value]) => [`${mapped(uid)} ${phenotype}`, value] as const),
    )
  return { equal: expected.filter(([slot, value]) => said.get(slot) === value).length, of: expected.length }
}
