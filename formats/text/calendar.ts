import table from "./data/months.json" with { type: "json" }
import { fold } from "./fold.ts"
import { inCaseOf } from "./surrogates.ts"

/** A day as texts name it; the year may be left open. */
export interface Day {
  readonly year: number
  readonly month: number
  readonly day: number
}

const dayMs = 86_400_000

/** A day moved back by whole days. */
export function movedBack({ year, month, day }: Day, days: number): Day {
  const moved = new Date(utc(year, month, day) - days * dayMs)
  return { year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1, day: moved.getUTCDate() }
}

function utc(year: number, month: number, day: number): number {
  // Date.UTC takes the years before 100 for those of the last century.
  if (year > 99) return Date.UTC(year, month - 1, day)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.getTime()
}

/** Days since 1970. */
export const dayNumber = ({ year, month, day }: Day): number => Math.round(utc(year, month, day) / dayMs)

/** 0 for Sunday. */
export const weekdayOf = (day: Day): number => (((dayNumber(day) + 4) % 7) + 7) % 7

type Form = "full" | "short" | "days" | "shortDays"
const languages: Readonly<Record<string, Readonly<Record<Form, string>>>> = table.languages

/** A month or weekday as a language writes it. */
export interface CalendarWord {
  readonly language: string
  readonly form: Form
  /** Months from 1, weekdays from 0. */
  readonly number: number
}

function wordsOf(forms: readonly Form[], from: number): ReadonlyMap<string, readonly CalendarWord[]> {
  const found = new Map<string, readonly CalendarWord[]>()
  for (const [language, lists] of Object.entries(languages))
    for (const form of forms)
      for (const [at, word] of lists[form].split(" ").entries()) {
        const folded = fold(word)
        found.set(folded, [...(found.get(folded) ?? []), { language, form, number: at + from }])
      }
  return found
}

const englishSept: CalendarWord = { language: "en", form: "short", number: 9 }

/** Names of months of languages that have no table: they are read, and written in English. */
const read = {
  1: "januari ledna tammikuuta",
  2: "februari unora helmikuuta",
  3: "mars marts brezna maaliskuuta",
  4: "dubna huhtikuuta",
  5: "maj kvetna toukokuuta",
  6: "cervna kesakuuta",
  7: "cervence heinakuuta",
  8: "augusti srpna elokuuta",
  9: "zari syyskuuta",
  10: "rijna lokakuuta",
  11: "listopadu marraskuuta",
  12: "prosince joulukuuta",
} as const
const others = Object.entries(read).flatMap(([number, words]) =>
  words.split(" ").map((word) => [word, [{ language: "en", form: "full", number: Number(number) } as const]] as const),
)

/** Months by their folded names, in the order of the languages. */
export const months: ReadonlyMap<string, readonly CalendarWord[]> = new Map<string, readonly CalendarWord[]>([
  ...others,
  ...wordsOf(["full", "short"], 1),
  ["sept", [englishSept]],
])

/** Weekdays by their folded names; short ones are words as well, so they count beside a date only. */
export const weekdays: ReadonlyMap<string, readonly CalendarWord[]> = new Map([
  ...wordsOf(["days", "shortDays"], 0),
  ...(
    [
      ["tues", 2],
      ["weds", 3],
      ["thurs", 4],
      ["thur", 4],
    ] as const
  ).map(([word, number]) => [word, [{ language: "en", form: "shortDays", number } as const]] as const),
])

/** Another month or weekday, in the language, form and case of a given one. */
export function wordLike({ language, form, number }: CalendarWord, to: number, original: string): string {
  const from = form === "full" || form === "short" ? 1 : 0
  const made = languages[language]![form].split(" ")[to - from]!
  return number === to ? original : inCaseOf(original, lowered(made, original))
}

/** Languages that write months with a small letter may begin a sentence with one. */
function lowered(made: string, original: string): string {
  const capital = original[0] !== original[0]!.toLowerCase()
  return capital ? made[0]!.toUpperCase() + made.slice(1) : made
}
