import type { Store } from "../../core/ports/store.ts"
import type { Evidence, LabelChange } from "./labels.ts"

/** What a released resource says of itself now: `entered-in-error`, `amended`, `refuted` ... */
export type FactStates = ReadonlyMap<string, string>

const slot = ({ resourceType, resourceId }: Pick<Evidence, "resourceType" | "resourceId">): string =>
  `${resourceType}/${resourceId}`

/** The states of all released resources that changes of labels name. */
export async function factStates(store: Store, found: readonly LabelChange[]): Promise<FactStates> {
  const ids = new Set(found.flatMap(({ before, after }) => [before, after]).flatMap((label) => idsOf(label?.evidence)))
  if (ids.size === 0) return new Map()
  const { rows } = await store.query(
    `SELECT resource_type || '/' || resource_id, coalesce(body::jsonb #>> '{verificationStatus,coding,0,code}', body::jsonb ->> 'status')
     FROM limited.curated_resources WHERE resource_id IN (${[...ids].map((id) => `'${id}'`).join(", ")})`,
    "limited",
  )
  return new Map(rows.map(([name, state]) => [String(name), String(state)]))
}

/** Ids as they stand in SQL; pseudonyms have no other characters. */
const idsOf = (evidence: readonly Evidence[] = []): readonly string[] =>
  evidence.map(({ resourceId }) => resourceId).filter((id) => /^[a-z2-7]+$/.test(id))

/** Why a label is another: which of its facts say something else now. */
export function whyChanged({ before, after }: LabelChange, states: FactStates): string {
  const was = new Map((before?.evidence ?? []).map((fact) => [slot(fact), fact]))
  const now = new Map((after?.evidence ?? []).map((fact) => [slot(fact), fact]))
  const decides = ({ role }: Evidence) => role !== "subject"
  const told = (fact: Evidence) => {
    const state = states.get(slot(fact))
    return `${fact.resourceType}${state === undefined ? "" : ` (${state})`}`
  }
  const lost = [...was].filter(([id, fact]) => decides(fact) && now.get(id)?.role !== fact.role)
  const won = [...now].filter(([id, fact]) => decides(fact) && was.get(id)?.role !== fact.role)
  const parts = [
    ...won.map(([, fact]) => `${told(fact)} ${fact.role}`),
    ...lost.filter(([id]) => !now.has(id)).map(([, fact]) => `${told(fact)} no longer ${fact.role}`),
  ]
  if (before !== undefined && after !== undefined && before.person !== after.person) parts.push("the person was merged")
  return parts.length === 0 ? (after?.reason ?? "the row was retracted") : [...new Set(parts)].join(", ")
}
