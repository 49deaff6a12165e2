import { prefixed } from "../../core/index.ts"
import type { Range } from "../../core/index.ts"
import type { CodePattern, FactType } from "./definition.ts"

// Where facts are stored under a person. All names are percent-encoded, so sorts are ASCII and `/` only divides.
//   s/<study uid>/d, s/<study uid>/f/<ImagingStudy id>     studies, as assembled and as FHIR has them
//   c/<type>/<system>|<code>/<time>/<id>#<part>            facts known to about a day, by code and time
//   w/<type>/<system>|<code>/<id>#<part>                   facts of a wider or no time, by code
//   n/<encounter>/<type>/<system>|<code>/<id>#<part>       the same facts by encounter
//   n/<encounter>/!                                        the encounter
//   r/<issuer>|<accession>/<ServiceRequest id>             orders by accession number
//   o/t/<time>/<id>, o/<level>/<block>                     events of the person, and counts of them by blocks of days
//   q/<id>                                                 declared periods of observation

const encode = encodeURIComponent
const epochShift = 100_000_000_000_000
export const earliest = -90_000_000_000_000
export const latest = 800_000_000_000_000

/** A time that sorts as text, also before 1970. */
const padded = (time: number): string =>
  String(Math.min(Math.max(Math.floor(time), earliest), latest) + epochShift).padStart(15, "0")

export const codeSort = (system: string, code: string): string => `${encode(system)}|${encode(code)}`

export interface Placed {
  readonly type: FactType
  readonly id: string
  readonly part: number
}
const tail = ({ id, part }: Placed) => `${encode(id)}#${part}`

export const narrowSort = (fact: Placed, code: string, from: number): string =>
  `c/${fact.type}/${code}/${padded(from)}/${tail(fact)}`
export const wideSort = (fact: Placed, code: string): string => `w/${fact.type}/${code}/${tail(fact)}`
export const encounterSort = (encounter: string, fact: Placed, code: string): string =>
  `n/${encode(encounter)}/${fact.type}/${code}/${tail(fact)}`
export const visitSort = (encounter: string): string => `n/${encode(encounter)}/!`
export const studySort = (uid: string): string => `s/${encode(uid)}/d`
export const imagingStudySort = (uid: string, id: string): string => `s/${encode(uid)}/f/${encode(id)}`
export const requestSort = (accession: string, id: string): string => `r/${encode(accession)}/${encode(id)}`
export const periodSort = (id: string): string => `q/${encode(id)}`

export const allStudies = prefixed("s/")
export const allPeriods = prefixed("q/")
export const requestsOf = (accession: string): Range => prefixed(`r/${encode(accession)}/`)
export const visitOf = (encounter: string): Range => ({ from: visitSort(encounter), to: `n/${encode(encounter)}/"` })

/** A fact counts as narrow up to a day, a longer one when clocks go back. */
export const narrow = 25 * 3_600_000

const under = (head: string, { system, code, prefix }: CodePattern): string =>
  `${head}${codeSort(system, code)}${prefix ? "" : "/"}`

/** Ranges of the facts of a code that may lie in [from, to]. A code prefix reads all times: codes sort before times. */
export function windowReads(type: FactType, pattern: CodePattern, from: number, to: number): readonly Range[] {
  const head = under(`c/${type}/`, pattern)
  const narrowOnes = pattern.prefix
    ? prefixed(head)
    : { from: `${head}${padded(from - narrow)}`, to: `${head}${padded(to + 1)}` }
  return [narrowOnes, prefixed(under(`w/${type}/`, pattern))]
}

/** The range of the facts of a code in an encounter. */
export const encounterReads = (encounter: string, type: FactType, pattern: CodePattern): Range =>
  prefixed(under(`n/${encode(encounter)}/${type}/`, pattern))

const day = 86_400_000
/** Blocks of 1, 32 and 1024 days since 1600 or so, so that a lifetime is read in about 100 rows. */
const levels = [1, 32, 1024] as const
const dayOf = (time: number) => Math.floor((Math.min(Math.max(time, earliest), latest) + epochShift) / day)
const blockSort = (level: number, block: number) => `o/${level}/${String(block).padStart(8, "0")}`

/** Where an event of the person is stored and counted. */
export function eventSorts(time: number, id: string): { readonly sort: string; readonly counts: readonly string[] } {
  const counts = levels.map((days, level) => blockSort(level, Math.floor(dayOf(time) / days)))
  return { sort: `o/t/${padded(time)}/${encode(id)}`, counts }
}

/** Ranges that hold a row exactly when an event at or after `time` is known: the rest of its day, then ever larger blocks. */
export function eventReads(time: number): readonly Range[] {
  const at = dayOf(time)
  const ranges: Range[] = [{ from: `o/t/${padded(time)}`, to: `o/t/${padded((at + 1) * day - epochShift)}` }]
  for (const [level, days] of levels.entries()) {
    const block = Math.floor(at / days)
    const wider = levels[level + 1]
    const end = wider === undefined ? 99_999_999 : (Math.floor(at / wider) + 1) * (wider / days)
    ranges.push({ from: blockSort(level, block + 1), to: blockSort(level, end) })
  }
  return ranges.filter(({ from, to }) => from < to)
}
