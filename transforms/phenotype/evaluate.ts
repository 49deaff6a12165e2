import { leafTypes } from "./definition.ts"
import type { CodePattern, Definition, Leaf, Rule } from "./definition.ts"
import { all, any, not } from "./finding.ts"
import type { Finding, Grade, Role, Used } from "./finding.ts"
import { match, rank } from "./join.ts"
import type { Match, Rung } from "./join.ts"
import { measure } from "./measure.ts"
import { negativeGate } from "./negative.ts"
import type { Gate } from "./negative.ts"
import type { Pool } from "./pool.ts"
import { codeSort } from "./sorts.ts"
import type { StoredFact } from "./stored.ts"
import type { Subject } from "./subject.ts"

/** What one fact says to one leaf. */
interface Vote {
  readonly match: Match
  readonly says: "yes" | "maybe" | "no" | "unknown"
  /** Of maybe and unknown: a code. */
  readonly why: string
}

const holds = (patterns: readonly CodePattern[], code: string): boolean =>
  patterns.some(({ system, code: wanted, prefix }) => {
    const sort = codeSort(system, wanted)
    return prefix ? code.startsWith(sort) : code === sort
  })

/** The facts of a leaf, each part of a resource once; by an exact code where it has one. */
function factsOf(leaf: Leaf, pool: Pool): readonly StoredFact[] {
  const type = leafTypes[leaf.kind]
  const found = new Map<string, StoredFact>()
  for (const fact of pool.facts) {
    if (fact.type !== type || !holds(leaf.codes, fact.code)) continue
    if (leaf.kind === "report" && leaf.category !== undefined && fact.categories?.includes(leaf.category) !== true)
      continue
    const slot = `${fact.id}#${fact.part}`
    const rival = found.get(slot)
    if (rival === undefined || rival.why === "inexact-code") found.set(slot, fact)
  }
  return [...found.values()]
}

/** undefined: a fact that says nothing, since it may lie outside the window. */
function voteOf(leaf: Leaf, found: Match): Vote | undefined {
  const { fact, timely } = found
  const verdict = leaf.kind === "lab" ? measure(fact.measured, leaf) : "pass"
  if (verdict !== "pass" && verdict !== "fail") return { match: found, says: "unknown", why: verdict }
  if (fact.says === "maybe") return { match: found, says: "maybe", why: fact.why ?? "" }
  const against = verdict === "fail" || fact.says === "no"
  if (!timely) return against ? undefined : { match: found, says: "maybe", why: "time-undecided" }
  return { match: found, says: against ? "no" : "yes", why: "" }
}

function gradeOf(leaf: Leaf, votes: readonly Vote[]): Grade {
  if (votes.length === 0) return "none"
  if (leaf.kind === "lab") return "laboratory"
  if (leaf.kind === "condition") return "coded-diagnosis"
  return votes.some(({ match: { fact } }) => fact.categories?.includes("pathology") === true) ? "pathology" : "report"
}

const roles: Readonly<Record<Vote["says"], Role>> = {
  yes: "supports",
  no: "refutes",
  maybe: "uncertain",
  unknown: "uncertain",
}

/** A finding that `decisive` votes make; all of `shown` are its evidence. */
function finding(
  leaf: Leaf,
  value: Finding["value"],
  reason: string,
  decisive: readonly Vote[],
  shown: readonly Vote[] = decisive,
): Finding {
  const rung = decisive.reduce<Rung>((top, { match: { rung } }) => (rank(rung) > rank(top) ? rung : top), "none")
  const onRung = decisive.filter(({ match }) => match.rung === rung)
  const used: Used[] = shown.map(({ match: { fact }, says }) => ({ fact, role: roles[says] }))
  const candidates = Math.max(0, ...onRung.map(({ match }) => match.candidates))
  return { value, reason, rung, candidates, grade: gradeOf(leaf, decisive), used }
}

const firstReason = (votes: readonly Vote[]): string => votes.map(({ why }) => why).toSorted()[0]!

/** Decides a leaf by counting votes: sure ones, then open ones, then unreadable ones, then whether a negative may be said. */
function leafFinding(definition: Definition, leaf: Leaf, subject: Subject, pool: Pool, gates: Gate[]): Finding {
  if (leaf.window !== undefined && subject.from === null) return finding(leaf, "unknown", "study-time-unknown", [])
  const votes = factsOf(leaf, pool)
    .map((fact) => match(fact, subject, leaf, pool.subjects, pool.requests))
    .flatMap((found) => (found === undefined ? [] : (voteOf(leaf, found) ?? [])))
  const [yes, maybe, unknown, no] = (["yes", "maybe", "unknown", "no"] as const).map((says) =>
    votes.filter((vote) => vote.says === says),
  ) as [Vote[], Vote[], Vote[], Vote[]]
  if (yes.length >= leaf.count) {
    const conflict = leaf.kind !== "lab" && no.length > 0
    return conflict
      ? finding(leaf, "uncertain", "conflicting-evidence", [...yes, ...no])
      : finding(leaf, "positive", "met", yes)
  }
  if (yes.length + maybe.length >= leaf.count) return finding(leaf, "uncertain", firstReason(maybe), [...yes, ...maybe])
  if (yes.length + maybe.length + unknown.length >= leaf.count)
    return finding(leaf, "unknown", firstReason(unknown), unknown, votes)
  return withoutEvidence(definition, leaf, subject, pool, gates, votes, no)
}

function withoutEvidence(
  definition: Definition,
  leaf: Leaf,
  subject: Subject,
  pool: Pool,
  gates: Gate[],
  votes: readonly Vote[],
  no: readonly Vote[],
): Finding {
  const gate = negativeGate(definition, leaf, subject, pool)
  gates.push(gate)
  if (gate.reason !== undefined) return finding(leaf, "unknown", gate.reason, [], votes)
  const measuredAtAll = votes.some(({ says }) => says === "yes" || says === "no")
  if (leaf.kind === "lab" && !measuredAtAll) return finding(leaf, "unknown", "no-evidence", [], votes)
  return finding(leaf, "negative", leaf.kind !== "lab" && no.length > 0 ? "refuted" : "not-met", no, votes)
}

/** What a rule says of a study; what it waits for is added to `gates`. */
export function evaluate(definition: Definition, rule: Rule, subject: Subject, pool: Pool, gates: Gate[]): Finding {
  if (rule.kind === "leaf") return leafFinding(definition, rule.leaf, subject, pool, gates)
  if (rule.kind === "not") return not(evaluate(definition, rule.rule, subject, pool, gates))
  const findings = rule.rules.map((inner) => evaluate(definition, inner, subject, pool, gates))
  return rule.kind === "any" ? any(findings) : all(findings)
}
