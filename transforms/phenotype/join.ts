import { shift } from "./definition.ts"
import type { Leaf, Window } from "./definition.ts"
import type { StoredFact } from "./stored.ts"
import type { Subject } from "./subject.ts"

/** How a fact is tied to a study, from the weakest to the strongest. */
export const rungs = ["none", "patient-time", "encounter", "accession", "study-uid"] as const
export type Rung = (typeof rungs)[number]
export const rank = (rung: Rung): number => rungs.indexOf(rung)

/** Orders (ServiceRequest ids) by the accession number that they carry. */
export type Requests = ReadonlyMap<string, ReadonlySet<string>>

export interface Match {
  readonly fact: StoredFact
  readonly rung: Rung
  /** Studies of the person that the fact fits at least as well. */
  readonly candidates: number
  /** False when the fact may lie outside the window. */
  readonly timely: boolean
}

const meet = (names: readonly string[] | undefined, known: ReadonlySet<string>): boolean =>
  names?.some((name) => known.has(name)) === true

function rungOf(fact: StoredFact, subject: Subject, requests: Requests): Rung {
  if (fact.uids?.includes(subject.uid) === true || meet(fact.imagingStudies, subject.imagingStudies)) return "study-uid"
  const ordered = [...subject.accessions].some((number) => meet(fact.requests, requests.get(number) ?? new Set()))
  if (ordered || meet(fact.accessions, subject.accessions)) return "accession"
  return fact.encounter !== undefined && subject.encounters.has(fact.encounter) ? "encounter" : "patient-time"
}

/** Whether a fact lies in the window for every time, no time, or some of the times that it and the study may have. */
export function fits(fact: StoredFact, subject: Subject, { from, to }: Window): "in" | "out" | "maybe" {
  if (subject.from === null || subject.last === null) return "maybe"
  if (fact.from === null || fact.last === null) return "maybe"
  if (fact.last < shift(subject.from, from) || fact.from > shift(subject.last, to)) return "out"
  return fact.from >= shift(subject.last, from) && fact.last <= shift(subject.from, to) ? "in" : "maybe"
}

/** How a leaf ties a fact to a study by itself, other studies apart; undefined when it does not. */
function tie(fact: StoredFact, subject: Subject, leaf: Leaf, requests: Requests) {
  if (leaf.sameEncounter && (fact.encounter === undefined || !subject.encounters.has(fact.encounter))) return undefined
  const fit = leaf.window === undefined ? "in" : fits(fact, subject, leaf.window)
  const rung = rungOf(fact, subject, requests)
  // A study without a time would fit every fact of the person.
  if (fit === "out" || (subject.from === null && rung === "patient-time")) return undefined
  return { rung, timely: fit === "in" }
}

/** True when the fact names a study by UID or accession number, and it is another one. */
function namesAnother(
  fact: StoredFact,
  own: Rung,
  subject: Subject,
  all: Iterable<Subject>,
  requests: Requests,
): boolean {
  if (rank(own) >= rank("accession")) return false
  if (fact.uids !== undefined) return true
  for (const other of all)
    if (other.uid !== subject.uid && rank(rungOf(fact, other, requests)) >= rank("accession")) return true
  return false
}

/** The join ladder: ties a fact to a study by the highest rung that holds, and counts the studies that it fits as well. With
 * `join: study` a fact that fits another study on a higher rung is not tied at all. */
export function match(
  fact: StoredFact,
  subject: Subject,
  leaf: Leaf,
  all: ReadonlyMap<string, Subject>,
  requests: Requests,
): Match | undefined {
  const own = tie(fact, subject, leaf, requests)
  if (own === undefined || namesAnother(fact, own.rung, subject, all.values(), requests)) return undefined
  let candidates = 0
  for (const other of all.values()) {
    const theirs = other === subject ? own : tie(fact, other, leaf, requests)
    if (theirs === undefined || rank(theirs.rung) < rank(own.rung)) continue
    if (leaf.join === "study" && rank(theirs.rung) > rank(own.rung)) return undefined
    candidates++
  }
  return { fact, rung: own.rung, candidates, timely: own.timely }
}
