import { movedBack, months, wordLike } from "./calendar.ts"
import type { CalendarWord, Day } from "./calendar.ts"
import { fold, isLetterUnit } from "./fold.ts"

type Part = "year" | "month" | "name" | "day" | "last" | "ordinal"

interface Piece {
  readonly part: Part
  readonly from: number
  readonly to: number
}

/** A date as it stands in a text: what it says, and where. */
export interface DateText {
  readonly start: number
  readonly end: number
  readonly year: number | undefined
  readonly month: number
  readonly day: number | undefined
  /** The last day of a range within the month. */
  readonly last?: number
  /** The year has two digits. */
  readonly shortYear: boolean
  readonly pieces: readonly Piece[]
  readonly word?: CalendarWord
}

/** How dates of digits are read where both orders are possible. */
export type DateOrder = "month-first" | "day-first"

const yearFirst = /(?<year>\d{4})(?<sep>[-/.])(?<month>\d{1,2})\k<sep>(?<day>\d{1,2})(?![\d]|\.\d)/y
const yearLast =
  /(?<a>\d{1,2})(?<gap>\s?)(?<sep>[-/.])\k<gap>(?<b>\d{1,2})\k<gap>\k<sep>\k<gap>(?<year>\d{4}|'?\d{2})(?![\d]|[./-]\d)/y
/** 3/4-19, as it is written in Denmark. */
const danish = /(?<a>\d{1,2})\/(?<b>\d{1,2})-(?<year>(?:20)?\d\d)(?![\d]|[./-]\d)/y
/** 1975-Oct-29. */
const yearName = /(?<year>(?:18|19|20)\d\d)[-/. ](?<name>\p{L}{3,9})[-/. ](?<day>\d{1,2})(?!\d)/uy
const compact =
  /(?<year>(?:18|19|20)\d\d)(?<month>0[1-9]|1[0-2])(?<day>0[1-9]|[12]\d|3[01])(?=(?:[T ]?(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\.\d+)?)?)?(?:[+-]\d{4}|Z)?(?!\d))/y
const dayName =
  /(?<day>\d{1,2})(?<ordinal>st|nd|rd|th|er|º|ª|\.)?(?:\s?[-–]\s?(?<last>\d{1,2})(?:st|nd|rd|th|\.)?)?(?:\s+(?:day\s+)?(?:of|de|do)\s+|\s*[-/.]?\s*)(?<name>\p{L}{3,11})(?!\p{L})\.?(?:(?:\s+(?:of|de|do|del)\s+|\s*[-/.,]?\s*)(?<year>\d{4}(?!\d)|'\d\d(?!\d)|(?<=[-/]|\d\p{L}{3})\d\d(?!\d)|(?<=\d[ ]\p{L}{3,4}[ ])\d\d(?![\d:,/-]|\.\d|\s?(?:mm|cm|ml|mg|%))))?/uy
const nameDay =
  /(?<name>\p{L}{3,11})\.?(?:\s*[-/]\s*|\s+)(?<day>\d{1,2})(?<ordinal>st|nd|rd|th)?(?![\d:]|\.\d)(?:\s?(?:[-–]|to|through|and|&)\s?(?<last>\d{1,2})(?:st|nd|rd|th)?(?![\d:/]))?(?:(?:\s*,\s*|\s*[-/]\s*|\s+(?:of\s+)?|\s+\d\d:\d\d(?::\d\d)?(?:\s[A-Z]{3,4})?\s+(?=(?:19|20)\d\d))(?<year>\d{4}(?!\d)|'\d\d(?!\d)|(?<=[-/])\d\d(?!\d)))?/uy
const nameYear =
  /(?<name>\p{L}{3,11})\.?(?:\s+(?:of|de|do|del)\s+|\s*[-/,]?\s*)(?<year>(?:18|19|20)\d\d(?!\d)|'\d\d(?!\d))/uy
const monthYear = /(?<month>0?[1-9]|1[0-2])(?<sep>[-/])(?<year>(?:19|20)\d\d)(?![\d]|[./-]\d)/y
const yearMonth = /(?<year>(?:19|20)\d\d)-(?<month>0[1-9]|1[0-2])(?![\d]|[./-]\d|\s?(?:mm|cm|ml))/y
const noYear = /(?<a>\d{1,2})\/(?<b>\d{1,2})(?![\d/]|\.\d|-\d{3})/y
const germanNoYear = /(?<day>\d{1,2})\.\s?(?<month>\d{1,2})\.(?!\d)/y
const quarter = /(?:(?<a>(?:19|20)\d\d)[- ]?Q(?<b>[1-4])|Q(?<c>[1-4])[- /]?(?<d>(?:19|20)\d\d))(?![\p{L}\d])/uy

function run(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/** Two digits are of 1950 to 2049. */
const wholeYear = (digits: string): number => {
  const bare = digits.replace("'", "")
  const year = Number(bare)
  return bare.length > 2 ? year : year < 50 ? 2000 + year : 1900 + year
}

const isDay = (month: number, day: number): boolean => month >= 1 && month <= 12 && day >= 1 && day <= 31

/** Groups of a pattern in the order in which they stand, and what each is. */
type Groups = readonly (readonly [string, Part])[]

const dayMonth: Groups = [
  ["a", "day"],
  ["b", "month"],
  ["year", "year"],
]
const monthDay: Groups = [
  ["a", "month"],
  ["b", "day"],
  ["year", "year"],
]
/** Of groups that are called by what they are. */
const groupsOf = (...parts: readonly Part[]): Groups => parts.map((part) => [part, part])
const yearMonthDay = groupsOf("year", "month", "day")
const yearDayMonth: Groups = [
  ["year", "year"],
  ["month", "day"],
  ["day", "month"],
]
const yearNameDay = groupsOf("year", "name", "day")
const monthThenYear = groupsOf("month", "year")
const yearThenMonth = groupsOf("year", "month")
const dayNameGroups = groupsOf("day", "ordinal", "last", "name", "year")
const nameDayGroups = groupsOf("name", "day", "ordinal", "last", "year")
const nameYearGroups = groupsOf("name", "year")
const dayThenMonth = groupsOf("day", "month")

function found(match: RegExpExecArray, given: Partial<DateText> & { readonly month: number }, as: Groups): DateText {
  const groups = match.groups!
  const pieces: Piece[] = []
  // Groups are given in the order in which they stand, and what stands between them is none of them.
  let at = 0
  for (const [group, part] of as) {
    const text = groups[group]
    if (text === undefined) continue
    at = match[0].indexOf(text, at)
    pieces.push({ part, from: match.index + at, to: match.index + at + text.length })
    at += text.length
  }
  const year = match.groups!["year"]
  return {
    start: match.index,
    end: match.index + match[0].length,
    year: year === undefined ? undefined : wholeYear(year),
    shortYear: year !== undefined && year.replace("'", "").length === 2,
    day: undefined,
    ...given,
    pieces,
  }
}

/** Reads two numbers as day and month: by value where one way alone is possible, by the order given where both are. */
function ordered(match: RegExpExecArray, order: DateOrder): DateText | undefined {
  const [a, b] = [Number(match.groups!["a"]), Number(match.groups!["b"])]
  const dayFirst = isDay(b, a) && (order === "day-first" || !isDay(a, b))
  if (!dayFirst && !isDay(a, b)) return undefined
  return dayFirst ? found(match, { month: b, day: a }, dayMonth) : found(match, { month: a, day: b }, monthDay)
}

/** A quarter of a year, as 2019-Q2 or Q2 2019. */
export interface QuarterText {
  readonly end: number
  readonly year: number
  readonly quarter: number
}

/** A quarter of a year that begins here. */
export function quarterAt(text: string, at: number): QuarterText | undefined {
  const match = run(quarter, text, at)
  if (match === null) return undefined
  const { a, b, c, d } = match.groups as Record<string, string | undefined>
  return { end: at + match[0].length, year: Number(a ?? d), quarter: Number(b ?? c) }
}

/** A date of digits with its year, at a place where a number begins.
 * @param expected whether a date is expected here: 3.4.19 is one then and no version */
export function numericDate(text: string, at: number, order: DateOrder, expected = false): DateText | undefined {
  const figures = figuresAt(text, at)
  if (figures >= 8) {
    const match = run(compact, text, at)
    return match === null
      ? undefined
      : found(match, { month: Number(match.groups!["month"]), day: Number(match.groups!["day"]) }, yearMonthDay)
  }
  if (figures === 4) return yearBefore(text, at)
  if (figures > 2 || !isSignAfter(text, at + figures)) return undefined
  const match = run(yearLast, text, at)
  if (match !== null && isWritten(match, expected))
    return ordered(match, match.groups!["sep"] === "." ? "day-first" : order)
  const inDanish = run(danish, text, at)
  if (inDanish !== null) return ordered(inDanish, "day-first")
  const short = run(monthYear, text, at)
  return short === null ? undefined : found(short, { month: Number(short.groups!["month"]) }, monthThenYear)
}

const isSign = (char: string | undefined): boolean => char === "/" || char === "-" || char === "."

/** Whether a sign that joins the parts of a date stands here, or behind one blank. */
const isSignAfter = (text: string, at: number): boolean => isSign(text[at]) || isSign(text[at + 1])

function figuresAt(text: string, start: number): number {
  let at = start
  for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt(at)) at++
  return at - start
}

/** 2019-03-04, 2019-03. */
function yearBefore(text: string, at: number): DateText | undefined {
  const match = run(yearFirst, text, at)
  if (match !== null && plausible(match.groups!["year"]!)) {
    const [month, day] = [Number(match.groups!["month"]), Number(match.groups!["day"])]
    if (isDay(month, day)) return found(match, { month, day }, yearMonthDay)
    if (isDay(day, month)) return found(match, { month: day, day: month }, yearDayMonth)
  }
  const named = run(yearName, text, at)
  const words = named === null ? undefined : months.get(fold(named.groups!["name"]!))
  if (named !== null && words !== undefined && Number(named.groups!["day"]) <= 31) {
    const word = wordIn(words, named.groups!["name"]!, text, at)
    const given = { month: word.number, day: Number(named.groups!["day"]), word }
    return found(named, given, yearNameDay)
  }
  const short = run(yearMonth, text, at)
  return short === null ? undefined : found(short, { month: Number(short.groups!["month"]) }, yearThenMonth)
}

const plausible = (year: string): boolean => year >= "1800" && year < "2200"

/** Three numbers with dots or blanks between them are a version or a measure unless they have a date's shape. */
function isWritten({ groups }: RegExpExecArray, expected: boolean): boolean {
  const { a, b, sep, gap, year } = groups as Record<string, string>
  if (year!.length === 4) return plausible(year!)
  if (gap !== "") return false
  return sep !== "." || expected || (a!.length === 2 && b!.length === 2)
}

/** A date that begins with its day and names its month, as 4th of March 2019, 04-MAR-19, 4. März. */
export function dayFirstDate(text: string, at: number): DateText | undefined {
  if (!mayNameMonth(text, at + figuresAt(text, at))) return undefined
  const match = run(dayName, text, at)
  if (match === null) return undefined
  const { day, last, name, ordinal } = match.groups as Record<string, string | undefined>
  const words = months.get(fold(name!))
  if (words === undefined || Number(day) < 1 || Number(day) > 31) return undefined
  const word =
    (ordinal === "." ? words.find(({ language }) => language === "de") : undefined) ??
    wordIn(words, name!, text, match.index)
  return found(
    match,
    { month: word.number, day: Number(day), word, ...(last === undefined ? {} : { last: Number(last) }) },
    dayNameGroups,
  )
}

/** Words between a day and its month. */
const betweenDays: ReadonlySet<string> = new Set(["day", "of", "de", "do"])

/** Whether the word after a blank is a month or stands before one; where anything else follows it is not told here. */
function mayNameMonth(text: string, at: number): boolean {
  if (text[at] !== " ") return true
  let end = at + 1
  while (isLetterUnit(text.charCodeAt(end))) end++
  if (end === at + 1 || isSurrogate(text.charCodeAt(end))) return true
  const word = fold(text.slice(at + 1, end))
  return months.has(word) || betweenDays.has(word)
}

const isSurrogate = (code: number): boolean => code >= 0xd800 && code < 0xe000

/** Of languages that share a word: English and German write months with a capital, the others with a small letter. */
function wordIn(words: readonly CalendarWord[], name: string, text: string, at: number): CalendarWord {
  const capital = name[0] !== name[0]!.toLowerCase()
  const spanish = / de \d{4}/.test(text.slice(at, at + 40))
  const fits =
    words.find(
      ({ language }) => spanish === (language === "es" || language === "pt") && capital === writesCapital(language),
    ) ?? words.find(({ language }) => capital === writesCapital(language))
  return formIn(words, fits ?? words[0]!, name, text, at)
}

const writesCapital = (language: string): boolean => language === "en" || language === "de"

/** May is its own short form: between hyphens or figures it stands for a short one. */
function formIn(
  words: readonly CalendarWord[],
  word: CalendarWord,
  name: string,
  text: string,
  at: number,
): CalendarWord {
  const start = text.indexOf(name, at)
  const isTight = /[-\d]/.test(text[start - 1] ?? "") || /[-\d]/.test(text[start + name.length] ?? "")
  const short = words.find(({ language, form }) => language === word.language && form === "short")
  return isTight && short !== undefined ? short : word
}

/** A date that begins with the name of its month, as March 4, 2019 or Mar 2019. */
export function monthFirstDate(text: string, at: number): DateText | undefined {
  let match = run(nameDay, text, at)
  if (match !== null) {
    const { day, last, name } = match.groups as Record<string, string | undefined>
    const words = months.get(fold(name!))
    if (words !== undefined && Number(day) >= 1 && Number(day) <= 31) {
      const word = wordIn(words, name!, text, at)
      return found(
        match,
        { month: word.number, day: Number(day), word, ...(last === undefined ? {} : { last: Number(last) }) },
        nameDayGroups,
      )
    }
  }
  match = run(nameYear, text, at)
  const words = match === null ? undefined : months.get(fold(match.groups!["name"]!))
  if (match === null || words === undefined) return undefined
  const word = wordIn(words, match.groups!["name"]!, text, at)
  return found(match, { month: word.number, word }, nameYearGroups)
}

/** A day and month of digits without a year, as 3/4; what stands beside it has to say that it is none of the many other things. */
export function yearlessDate(text: string, at: number, order: DateOrder): DateText | undefined {
  const match = run(noYear, text, at)
  return match === null ? undefined : ordered(match, order)
}

/** The same as 4.3. */
export function germanYearless(text: string, at: number): DateText | undefined {
  const match = run(germanNoYear, text, at)
  if (match === null) return undefined
  const [month, day] = [Number(match.groups!["month"]), Number(match.groups!["day"])]
  return isDay(month, day) ? found(match, { month, day }, dayThenMonth) : undefined
}

/** A month by its name alone. */
export function monthAlone(text: string, start: number, end: number): DateText | undefined {
  const name = text.slice(start, end)
  const words = months.get(fold(name))
  if (words === undefined) return undefined
  const word = wordIn(words, name, text, start)
  const pieces: Piece[] = [{ part: "name", from: start, to: end }]
  return { start, end, year: undefined, month: word.number, day: undefined, shortYear: false, pieces, word }
}

function ordinalOf(day: number, like: string): string {
  if (!/^(?:st|nd|rd|th|er)$/i.test(like)) return like
  if (like.toLowerCase() === "er") return day === 1 ? like : ""
  const teen = day % 100 >= 11 && day % 100 <= 13
  const made = teen ? "th" : (["th", "st", "nd", "rd"][day % 10] ?? "th")
  return like === like.toUpperCase() ? made.toUpperCase() : made
}

/** Whether days and months below 10 have a zero before them, from what the text shows of it. */
function pads(text: string, { pieces }: DateText): boolean {
  const named = pieces.some(({ part }) => part === "name")
  return pieces
    .filter(({ part }) => part === "day" || part === "month")
    .every(({ from, to }) => to - from === 2 && (!named || text[from] === "0" || /[-\p{L}]/u.test(text[to] ?? "")))
}

const figures = (value: number, two: boolean): string => (two ? String(value).padStart(2, "0") : String(value))

/** Writes another day in the form of a date of a text. */
export function writtenAs(text: string, date: DateText, made: Day, last?: Day): string {
  let out = ""
  let at = date.start
  const two = pads(text, date)
  for (const { part, from, to } of date.pieces) {
    const like = text.slice(from, to)
    out += text.slice(at, from)
    if (part === "year") out += yearLike(made.year, like)
    else if (part === "month") out += figures(made.month, two)
    else if (part === "name") out += wordLike(date.word!, made.month, like)
    else if (part === "day") out += figures(made.day, two)
    else if (part === "last") out += figures((last ?? made).day, two)
    else out += ordinalOf(made.day, like)
    at = to
  }
  return out + text.slice(at, date.end)
}

function yearLike(year: number, like: string): string {
  if (like.length === 4) return String(year).padStart(4, "0")
  return (like.startsWith("'") ? "'" : "") + String(year % 100).padStart(2, "0")
}

/** The day that a date of a text means; the middle of a month that names none. */
export const dayOf = (date: DateText, year: number): Day => ({ year, month: date.month, day: date.day ?? 15 })

/** A date moved back by days, in its own form. */
export function shifted(text: string, date: DateText, year: number, days: number): string {
  const last = date.last === undefined ? undefined : movedBack({ year, month: date.month, day: date.last }, days)
  return writtenAs(text, date, movedBack(dayOf(date, year), days), last)
}
