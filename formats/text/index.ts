import type { Draft, FindingKind, Times } from "./draft.ts"
import type { Day } from "./calendar.ts"
import { dayNumber } from "./calendar.ts"
import type { DateOrder } from "./date-text.ts"
import { fold } from "./fold.ts"
import { OwnIds } from "./ids.ts"
import { learned } from "./learned.ts"
import { OwnNames } from "./person.ts"
import type { TextPerson } from "./person.ts"
import { Scan } from "./scan.ts"
import type { Known } from "./scan.ts"
import { Maker } from "./surrogates.ts"
import type { Surrogates } from "./surrogates.ts"

export type { FindingKind } from "./draft.ts"
export type { DateOrder } from "./date-text.ts"
export { nameOf } from "./name-of.ts"
export type { TextId, TextName, TextPerson } from "./person.ts"
export { ownFinder } from "./own.ts"
export type { Surrogates } from "./surrogates.ts"

/** A passage of a text that was replaced; it tells places and the surrogate, never what was there. */
export interface Finding {
  readonly kind: FindingKind
  /** From and to in the text as it was, UTF-16 units. */
  readonly start: number
  readonly end: number
  readonly surrogate: string
}

/** A text without identity. */
export interface CleanText {
  readonly text: string
  readonly findings: readonly Finding[]
}

/** How texts are read. */
export interface TextOptions {
  /** How dates such as 3/4/2019 are read: where both orders are possible this one counts. Default month-first. */
  readonly dates?: DateOrder
  /** The day of the text, yyyy-mm-dd: the year of dates without one, and what ages are counted to. */
  readonly at?: string
}

/** Cleans the texts of one person; each may state a day of its own, yyyy-mm-dd. */
export type TextCleaner = (text: string, at?: string) => CleanText

/** A year for dates without one where the text names none and nobody told it. */
const anyYear = 2001

function dayIn(text: string | undefined): Day | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d)/.exec(text ?? "")
  return found === null ? undefined : { year: Number(found[1]), month: Number(found[2]), day: Number(found[3]) }
}

/** What the whole text says of time: for each place the date with a year that stands nearest before it, else the first. */
function timesOf(drafts: readonly Draft[], at: Day | undefined): Times {
  const dated = drafts.filter(({ day }) => day !== undefined)
  let newest = at
  for (const { day } of dated) if (newest === undefined || dayNumber(day!) > dayNumber(newest)) newest = day
  return {
    newest,
    yearAt(position) {
      if (at !== undefined) return at.year
      let [low, high] = [0, dated.length]
      while (low < high) {
        const middle = (low + high) >> 1
        if (dated[middle]!.start < position) low = middle + 1
        else high = middle
      }
      return (dated[low - 1] ?? dated[0])?.day?.year ?? anyYear
    },
  }
}

/** Findings in order, none over another: of two that overlap the one that begins first and is longer stands, the other is cut. */
function settled(drafts: readonly Draft[]): readonly Draft[] {
  const sorted = drafts.toSorted((a, b) => a.start - b.start || b.end - a.end)
  const kept: Draft[] = []
  let end = 0
  for (const draft of sorted) {
    if (draft.end <= end) continue
    kept.push(draft.start < end ? { ...draft, start: end } : draft)
    end = draft.end
  }
  return kept
}

/** Compiles what is known of a person for any number of texts. Pure: no clock, no chance, no I/O.
 * @param surrogates keyed functions of the person's project */
export function textCleaner(person: TextPerson, surrogates: Surrogates, options: TextOptions = {}): TextCleaner {
  const names = new OwnNames(person.names)
  const places = (person.places ?? [])
    .map((place) => (place.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).map(fold))
    .filter((words) => words.join("").length > 2)
  for (const [first] of places) names.filter.add(first!)
  const known: Known = {
    names,
    ids: new OwnIds(person.ids),
    places,
    numberedPlaces: places.filter(([first]) => /^\d/.test(first!)),
    birthDays: person.birthDates.flatMap((birth) => dayIn(birth) ?? []),
    maker: new Maker(surrogates, names.has),
    order: options.dates ?? "month-first",
  }
  return (text, at = options.at) => {
    const scanned = new Scan(text, known).run()
    if (scanned.length === 0) return { text, findings: [] }
    const more = learned(text, scanned, names.has, known.maker)
    const drafts = settled(more.length === 0 ? scanned : [...scanned, ...more])
    if (drafts.length === 0) return { text, findings: [] }
    const times = timesOf(drafts, dayIn(at))
    const findings: Finding[] = []
    let [out, done] = ["", 0]
    for (const { kind, start, end, make } of drafts) {
      const surrogate = typeof make === "string" ? make : make(times)
      out += text.slice(done, start) + surrogate
      done = end
      findings.push({ kind, start, end, surrogate })
    }
    return { text: out + text.slice(done), findings }
  }
}

/** De-identifies a report: the person's own identifiers, and names, dates, ages over 89, numbers and places by their form, each
 * replaced by a surrogate of its kind that is the same wherever it is met under the same key. Clinical words and eponyms stay. */
export const deidentifyText = (
  text: string,
  person: TextPerson,
  surrogates: Surrogates,
  options: TextOptions = {},
): CleanText => textCleaner(person, surrogates, options)(text)
