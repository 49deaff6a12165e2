import { rank } from "./join.ts"
import type { Rung } from "./join.ts"
import type { StoredFact } from "./stored.ts"

export type Value = "positive" | "negative" | "uncertain" | "unknown"
export type Role = "supports" | "refutes" | "uncertain"

/** From the weakest to the strongest. */
export const grades = ["none", "report", "coded-diagnosis", "laboratory", "pathology"] as const
export type Grade = (typeof grades)[number]

export interface Used {
  readonly fact: StoredFact
  readonly role: Role
}

/** What a rule, or a part of it, says of a study. */
export interface Finding {
  readonly value: Value
  /** A code: why this value and no other. */
  readonly reason: string
  readonly rung: Rung
  readonly candidates: number
  readonly grade: Grade
  readonly used: readonly Used[]
}

const gradeRank = (grade: Grade) => grades.indexOf(grade)

const better = (a: Finding, b: Finding): number => rank(b.rung) - rank(a.rung) || a.candidates - b.candidates

/** One of the findings would do: the best tied speaks, in the order of the rule where several are. */
function best(value: Value, carriers: readonly Finding[]): Finding {
  const first = carriers.toSorted(better)[0]!
  const grade = carriers.map((carrier) => carrier.grade).toSorted((a, b) => gradeRank(b) - gradeRank(a))[0]!
  return { ...first, value, grade, used: carriers.flatMap(({ used }) => used) }
}

/** All of them are needed: as good as the worst tied that has evidence. */
function worst(value: Value, carriers: readonly Finding[]): Finding {
  const tied = carriers.filter(({ rung }) => rung !== "none").toSorted(better)
  const last = tied.at(-1) ?? carriers[0]!
  const grade = tied.toSorted((a, b) => gradeRank(a.grade) - gradeRank(b.grade))[0]?.grade ?? "none"
  const candidates = Math.max(0, ...tied.map((finding) => finding.candidates))
  return {
    value,
    reason: carriers[0]!.reason,
    rung: last.rung,
    candidates,
    grade,
    used: carriers.flatMap(({ used }) => used),
  }
}

/** `decisive` alone decides; otherwise what evidence leaves open (uncertain) outweighs what nobody can know (unknown), in both
 * combinators alike, so that De Morgan's laws hold. */
function combine(findings: readonly Finding[], decisive: "positive" | "negative"): Finding {
  for (const value of [decisive, "uncertain", "unknown"] as const) {
    const carriers = findings.filter((finding) => finding.value === value)
    if (carriers.length > 0) return best(value, carriers)
  }
  return worst(decisive === "positive" ? "negative" : "positive", findings)
}

export const any = (findings: readonly Finding[]): Finding => combine(findings, "positive")
export const all = (findings: readonly Finding[]): Finding => combine(findings, "negative")

const turned: Readonly<Record<Value, Value>> = {
  positive: "negative",
  negative: "positive",
  uncertain: "uncertain",
  unknown: "unknown",
}
const turnedRole: Readonly<Record<Role, Role>> = { supports: "refutes", refutes: "supports", uncertain: "uncertain" }

const turnedReason: Readonly<Record<string, string>> = { met: "not-met", "not-met": "met" }

/** The opposite; what is uncertain or unknown stays so. */
export const not = (finding: Finding): Finding => ({
  ...finding,
  value: turned[finding.value],
  reason: turnedReason[finding.reason] ?? finding.reason,
  used: finding.used.map(({ fact, role }) => ({ fact, role: turnedRole[role] })),
})
