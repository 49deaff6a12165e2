import { months, weekdays } from "./calendar.ts"
import table from "./data/cues.json" with { type: "json" }
import { HashFilter } from "./fold.ts"
import { firstPlaceWords } from "./gazetteer.ts"

const lists = {
  title: table.title,
  weakTitle: table.weakTitle,
  credential: table.credential,
  weakCredential: table.weakCredential,
  label: table.label,
  joins: "by with to",
  informs: table.informs,
  closing: table.closing,
  relative: table.relative,
  phone: table.phone,
  id: table.id,
  weakId: table.weakId,
  birth: table.birth,
  age: table.age,
  streetLast: table.streetLast,
  dwells: table.dwells,
  facility: table.facility,
  facilityFirst: table.facilityFirst,
  streetFirst: table.streetFirst,
  month: [...months.keys()].join(" "),
  weekday: [...weekdays.keys()].join(" "),
  numberWord: "ninety hundred nonagenarian centenarian",
  domain: "com org net edu gov www http https ftp",
  role: table.role,
  postal: "po box zip zipcode postcode postal plz",
  place: firstPlaceWords.join(" "),
  saint: table.saint,
  facilityLast: table.facilityLast,
  siteLast: table.siteLast,
  siteLabel: table.siteLabel,
  company: table.company,
  ward: table.ward,
} as const

/** A kind of word that something is known to stand beside. */
export type Cue = keyof typeof lists

const names = Object.keys(lists) as Cue[]

/** The bit of each kind of cue. */
export const cue = Object.fromEntries(names.map((name, at) => [name, 1 << at])) as Readonly<Record<Cue, number>>

const cueBits = new Map<string, number>()
/** Which words may be cues, by hash. */
export const cueFilter = new HashFilter(17)

/** Which words may be cues with a capital alone, by hash. */
export const capitalFilter = new HashFilter(17)
const withCapital: ReadonlySet<Cue> = new Set([
  "place",
  "facility",
  "facilityFirst",
  "facilityLast",
  "siteLast",
  "saint",
  "company",
  "role",
  "streetLast",
])
/** Kinds of institutions that count in small letters as well. */
export const smallKinds: ReadonlySet<string> = new Set(
  "school daycare shelter college surgery prison academy nursery".split(" "),
)

for (const name of names)
  for (const word of lists[name].split(" ")) {
    cueBits.set(word, (cueBits.get(word) ?? 0) | cue[name])
    if (withCapital.has(name) && !smallKinds.has(word)) capitalFilter.add(word)
    else cueFilter.add(word)
  }

/** The kinds of cue that a folded word is, as bits; 0 for none. */
export const cuesOf = (folded: string): number => cueBits.get(folded) ?? 0

const setOf = (list: string): ReadonlySet<string> => new Set(list.split(" "))

/** Words before by, with and to that make what follows a name. */
export const beforeJoin: Readonly<Record<string, ReadonlySet<string>>> = {
  by: setOf(table.by),
  with: setOf(table.with),
  to: setOf(table.to),
}
/** Short forms of what people are, in capitals before a name: RN Kylie. */
export const roles = setOf(table.role)
/** Words of the names of institutions. */
export const facilityBefore = setOf(table.facilityBefore)
export const facilityAfter = setOf(table.facilityAfter)
export const facilityEnd = setOf(table.facilityEnd)
export const facilityPart = setOf(table.facilityPart)
/** Words that are no name of an institution however they are written. */
export const facilityPlain = setOf(table.facilityPlain)
/** Words after which a place stands. */
export const beforePlace = setOf(table.beforePlace)
/** Kinds of streets, after their names. */
export const streets = table.street
/** Kinds of streets, before their names. */
export const streetsFirst = table.streetFirst
/** States of the US, in two letters. */
export const states = setOf(table.state)
