import type { Known, Range, Row } from "../../core/index.ts"
import type { Requests } from "./join.ts"
import { subjects } from "./subject.ts"
import type { Subject } from "./subject.ts"
import type { StoredFact, StoredPeriod, StoredVisit } from "./stored.ts"

/** Everything that was read for one label, by kind. */
export interface Pool {
  readonly subjects: ReadonlyMap<string, Subject>
  /** Each row once, in the order of their sorts. */
  readonly facts: readonly StoredFact[]
  readonly visits: ReadonlyMap<string, StoredVisit>
  readonly periods: readonly StoredPeriod[]
  readonly requests: Requests
  /** Whether an event of the person is stored in one of the ranges, which were read. */
  event(ranges: readonly Range[]): boolean
  readonly known: Known
}

/** Sorts the rows that a unit read into kinds. */
export function poolOf(rows: readonly (readonly Row[])[], known: Known): Pool {
  const distinct = new Map(rows.flat())
  const under = (prefix: string) => [...distinct].filter(([sort]) => sort.startsWith(prefix))
  const requests = new Map<string, Set<string>>()
  for (const [sort, id] of under("r/")) {
    const accession = decodeURIComponent(sort.split("/")[1]!)
    requests.set(accession, (requests.get(accession) ?? new Set()).add(id as string))
  }
  const visits = new Map<string, StoredVisit>()
  const facts = new Map<string, StoredFact>()
  for (const [sort, value] of distinct) {
    if (sort.startsWith("n/") && sort.endsWith("/!"))
      visits.set(decodeURIComponent(sort.split("/")[1]!), value as StoredVisit)
    else if (/^[cwn]\//.test(sort)) {
      const fact = value as StoredFact
      facts.set(`${fact.type}/${fact.code}/${fact.id}#${fact.part}`, fact)
    }
  }
  const events = under("o/").map(([sort]) => sort)
  return {
    subjects: subjects(under("s/")),
    facts: [...facts.values()],
    visits,
    periods: under("q/").map(([, value]) => value as StoredPeriod),
    requests,
    event: (ranges) => ranges.some(({ from, to }) => events.some((sort) => sort >= from && sort < to)),
    known,
  }
}
