import type { Derivation, Known, Label, Row } from "../../core/index.ts"
import { evaluate } from "./evaluate.ts"
import type { Finding } from "./finding.ts"
import type { Gate } from "./negative.ts"
import type { LabelUnit } from "./plan.ts"
import { poolOf } from "./pool.ts"
import { labels } from "./subject.ts"
import type { Subject } from "./subject.ts"

type Evidence = Label["evidence"][number]

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const ordered = (a: Evidence, b: Evidence): number =>
  byText(a.resourceType, b.resourceType) || byText(a.resourceId, b.resourceId) || byText(a.role, b.role)

/** The facts of a finding and the study itself (role `subject`), each once, sorted. */
function evidenceOf({ used }: Finding, { uid, sources }: Subject): readonly Evidence[] {
  const entries: Evidence[] = used.map(({ fact, role }) => ({
    resourceType: fact.type,
    resourceId: fact.id,
    revision: Number(fact.revision),
    time: fact.from,
    role,
  }))
  for (const { id, revision, from } of sources)
    entries.push({
      resourceType: id === undefined ? "Study" : "ImagingStudy",
      resourceId: id ?? uid,
      revision: Number(revision),
      time: from,
      role: "subject",
    })
  const distinct = new Map(entries.map((one) => [`${one.resourceType}/${one.resourceId}/${one.role}`, one]))
  return [...distinct.values()].sort(ordered)
}

function newest({ used }: Finding, { sources }: Subject): number | null {
  const stated = [...used.map(({ fact }) => fact.updated), ...sources.map(({ updated }) => updated)]
  return stated.reduce<number | null>((top, one) => (one === undefined ? top : Math.max(top ?? one, one)), null)
}

const labelOf = ({ definition }: LabelUnit, subject: Subject, finding: Finding): Label => ({
  phenotype: definition.name,
  ruleVersion: definition.ruleVersion,
  studyInstanceUid: subject.uid,
  value: finding.value,
  reason: finding.reason,
  rung: finding.rung,
  ambiguous: finding.candidates > 1,
  candidates: finding.candidates,
  clinicalTime: subject.from,
  knownTime: newest(finding, subject),
  grade: finding.grade,
  evidence: evidenceOf(finding, subject),
})

/** The label of a study from what was read for it; none for a study that is gone or that the definition does not mean. */
export function deriveLabel(unit: LabelUnit, rows: readonly (readonly Row[])[], known: Known): Derivation<Label> {
  const pool = poolOf(rows, known)
  const subject = pool.subjects.get(unit.uid)
  if (subject === undefined || !labels(unit.definition, subject)) return { rows: [] }
  const gates: Gate[] = []
  const finding = evaluate(unit.definition, unit.definition.rule, subject, pool, gates)
  const wakes = gates.flatMap(({ wakeAt }) => wakeAt ?? [])
  return {
    rows: [{ id: unit.id, value: labelOf(unit, subject, finding), time: subject.from ?? 0 }],
    ...(wakes.length > 0 ? { wakeAt: Math.min(...wakes) } : {}),
    ...(gates.some(({ waitsForFeeds }) => waitsForFeeds === true) ? { waitsForFeeds: true } : {}),
  }
}
