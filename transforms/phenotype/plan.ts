import { rowId } from "../../core/index.ts"
import type { Range, Row, Unit } from "../../core/index.ts"
import { leavesOf, leafTypes, shift } from "./definition.ts"
import type { Definition, Leaf } from "./definition.ts"
import { allPeriods, allStudies, encounterReads, eventReads, requestsOf, visitOf, windowReads } from "./sorts.ts"
import { labels, subjects } from "./subject.ts"
import type { Subject } from "./subject.ts"

/** A study under a definition; its id is that of the label's row. */
export interface LabelUnit extends Unit {
  readonly definition: Definition
  readonly uid: string
}

function leafReads(leaf: Leaf, { from, last, encounters }: Subject): readonly Range[] {
  const type = leafTypes[leaf.kind]
  const { window } = leaf
  if (leaf.sameEncounter)
    return [...encounters].flatMap((encounter) => [
      visitOf(encounter),
      ...leaf.codes.map((code) => encounterReads(encounter, type, code)),
    ])
  if (window === undefined || from === null || last === null) return []
  const [first, final] = [shift(from, window.from), shift(last, window.to)]
  return leaf.codes.flatMap((code) => windowReads(type, code, first, final))
}

/** Events from the end of a leaf's window on; without a window the visit itself is the observation. */
const endReads = ({ window }: Leaf, { last }: Subject): readonly Range[] =>
  window === undefined || last === null ? [] : eventReads(shift(last, window.to))

function readsOf(definition: Definition, subject: Subject, all: ReadonlyMap<string, Subject>): readonly Range[] {
  if (!labels(definition, subject)) return [allStudies]
  const leaves = leavesOf(definition.rule)
  const accessions = new Set([...all.values()].flatMap((other) => [...other.accessions]))
  const ranges = [
    allStudies,
    allPeriods,
    ...[...accessions].map(requestsOf),
    ...leaves.flatMap((leaf) => [...leafReads(leaf, subject), ...endReads(leaf, subject)]),
  ]
  return [...new Map(ranges.map((range) => [`${range.from}\u0000${range.to}`, range])).values()]
}

/** Whether one of the sorts, which are in order, lies in a range. */
function touches(sorts: readonly string[], { from, to }: Range): boolean {
  let [low, high] = [0, sorts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorts[middle]! < from) low = middle + 1
    else high = middle
  }
  return low < sorts.length && sorts[low]! < to
}

/** The labels of a person that changed rows may change: those whose reads hold one of them. */
export function labelUnits(
  definitions: readonly Definition[],
  changed: readonly Row[] | undefined,
  studies: readonly Row[],
): readonly LabelUnit[] {
  const all = subjects(studies)
  const gone = subjects((changed ?? []).filter(([sort]) => sort.startsWith("s/")))
  const sorts = changed?.map(([sort]) => sort).sort()
  const units: LabelUnit[] = []
  for (const definition of definitions) {
    const unit = (uid: string, reads: readonly Range[]) => ({
      id: rowId([definition.name, uid]),
      reads,
      definition,
      uid,
    })
    for (const subject of all.values()) {
      const reads = readsOf(definition, subject, all)
      if (sorts === undefined || reads.some((range) => touches(sorts, range))) units.push(unit(subject.uid, reads))
    }
    for (const uid of gone.keys()) if (!all.has(uid)) units.push(unit(uid, []))
  }
  return units
}
