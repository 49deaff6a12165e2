import { interval } from "../time.ts"

/** From ms since 1970, UTC, to what a clock shows, ms as if UTC. */
export type LocalTime = (utc: number) => number

const dayMs = 86_400_000

/** Dates that stand for "none", "for ever" or a clock that was reset; shifted, they would tell the shift to anybody who knows them. */
export const isPlaceholder = (year: number, day: string): boolean =>
  year <= 1900 || year >= 2100 || day === "1970-01-01"

const mostDays = 50_000
const dayTexts = new Map<number, string | undefined>()

/** The date of a day in ms, `yyyy-mm-dd`; the days of a century are remembered. */
function dayText(ms: number): string | undefined {
  const day = Math.floor(ms / dayMs)
  if (dayTexts.has(day)) return dayTexts.get(day)
  const date = new Date(ms)
  const told = Number.isFinite(ms) && date.getUTCFullYear() >= 1 ? date.toISOString().slice(0, 10) : undefined
  if (dayTexts.size >= mostDays) dayTexts.clear()
  dayTexts.set(day, told)
  return told
}

/** Moves a FHIR date, dateTime or instant back by whole days, at its own precision; undefined for what is none, and for
 * placeholders. The local time of day stays; an offset becomes `Z`, because offsets change with summer time and so would tell the true season. A year or month
 * is moved by its middle day and cut again, so that no true year comes out.
 * @param local the clock whose time of day is told, of texts that state an offset; that of the text unless given */
export function shiftDate(text: string, days: number, local?: LocalTime): string | undefined {
  const [date, time] = text.split("T") as [string, string | undefined]
  if (isPlaceholder(Number(date.slice(0, 4)), date)) return undefined
  const stated = local === undefined || time === undefined || !offset.test(time) ? undefined : interval(text)
  if (stated !== undefined) return shiftInstant(stated.from, time!, days, local!)
  const found = interval(date)
  if (found === undefined || (time !== undefined && interval(text) === undefined)) return undefined
  const middle = found.precision === "day" ? found.from : Math.floor((found.from + found.to) / 2)
  const shifted = dayText(middle - days * dayMs)
  if (shifted === undefined) return undefined
  if (time === undefined) return shifted.slice(0, date.length)
  return `${shifted}T${time.replace(offset, "Z")}`
}

const offset = /(?:Z|[+-]\d\d:\d\d)$/

/** Seconds and fractions stay as they are written: no zone differs from another by less than a minute. */
function shiftInstant(utc: number, time: string, days: number, local: LocalTime): string | undefined {
  const told = local(utc) - days * dayMs
  const day = dayText(told)
  if (day === undefined) return undefined
  return `${day}T${new Date(told).toISOString().slice(11, 16)}${time.slice(5).replace(offset, "Z")}`
}

/** An age in whole years as it may be told: 90 stands for 90 and more. */
export interface ToldAge {
  readonly years: number
  readonly orMore?: true
}

/** The greatest age that is told as it is (45 CFR 164.514(b)(2)(i)(C)). */
export const greatestAge = 89

const localDay = (ms: number): readonly [number, number] => {
  const date = new Date(ms)
  return [date.getUTCFullYear(), date.getUTCMonth() * 100 + date.getUTCDate()]
}

function yearsBetween(birth: number, at: number): number {
  const [[bornYear, bornDay], [year, day]] = [localDay(birth), localDay(at)]
  return year - bornYear - (day < bornDay ? 1 : 0)
}

/** The age at an event, from the local days of a birth date and a date or dateTime. Whoever may be 90 is told as 90 or more;
 * undefined when the texts leave it open or name a day before birth. */
export function ageAt(birthDate: string, event: string): ToldAge | undefined {
  const [born, at] = [interval(birthDate.slice(0, 10)), interval(event.slice(0, 10))]
  if (born === undefined || at === undefined) return undefined
  const [least, greatest] = [yearsBetween(born.to - dayMs, at.from), yearsBetween(born.from, at.to - dayMs)]
  if (greatest < 0) return undefined
  if (greatest > greatestAge) return { years: greatestAge + 1, orMore: true }
  return least === greatest ? { years: least } : undefined
}

/** The year of a FHIR date, dateTime or instant by the clock that is told; undefined for what is none, and for a day on which the person
 * may be 90 or more: beside an age that is told elsewhere its year would tell a greater one (45 CFR 164.514(b)(2)(i)(C)). */
export function yearOf(text: string, birthDate: string | null, local?: LocalTime): string | undefined {
  const told = shiftDate(text, 0, local)
  if (told === undefined || (birthDate !== null && ageAt(birthDate, text)?.orMore === true)) return undefined
  return told.slice(0, 4)
}
