/** From ms since 1970, UTC, to what a clock shows, ms as if UTC. */
export type LocalTime = (utc: number) => number

const dayMs = 86_400_000
const written = /^(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?(\d\d)?(\.\d{1,9})?)?)?)?([+-]\d{4})?$/

/** A time as its parts; undefined for what is none (HL7 v2.5.1 ch. 2A, DTM). */
function read(text: string) {
  const found = written.exec(text)
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second, fraction, offset] = found
  const [m, d, h] = [Number(month ?? 1), Number(day ?? 1), Number(hour ?? 0)]
  if (
    Number(year) < 1 ||
    m < 1 ||
    m > 12 ||
    d < 1 ||
    d > 31 ||
    h > 23 ||
    Number(minute ?? 0) > 59 ||
    Number(second ?? 0) > 60
  )
    return undefined
  const date = new Date(0)
  date.setUTCFullYear(Number(year), m - 1, d)
  if (date.getUTCMonth() !== m - 1) return undefined
  return {
    day: date.getTime(),
    precision: day === undefined ? (month === undefined ? 4 : 6) : 8,
    time: `${hour ?? ""}${minute ?? ""}${second ?? ""}${fraction ?? ""}`,
    offset,
  }
}

/** Times that stand for "none", "for ever" or a clock that was reset, and those of two figures of the year; shifted, they would tell the
 * shift to anybody who knows them. */
function isPlaceholder(day: number, precision: number): boolean {
  const year = new Date(day).getUTCFullYear()
  return year <= 1900 || year >= 2100 || (day === 0 && precision === 8)
}

const dayText = (ms: number): string => new Date(ms).toISOString().slice(0, 10).replaceAll("-", "")

/** Moves a DT, TS or DTM back by whole days, at its own precision; undefined for what is none, and for placeholders. The time of day stays and an offset
 * goes, because offsets change with summer time and so would tell the true season. A year or month is moved by its middle day.
 * @param local the clock whose time of day is told, of texts that state an offset */
export function shiftTime(text: string, days: number, local?: LocalTime): string | undefined {
  const found = read(text)
  if (found === undefined) return undefined
  const { day, precision, time, offset } = found
  if (isPlaceholder(day, precision)) return undefined
  if (precision < 8) return dayText(day + (precision === 6 ? 14 : 182) * dayMs - days * dayMs).slice(0, precision)
  if (offset === undefined || local === undefined || time.length < 4) return dayText(day - days * dayMs) + time
  const minutes = Number(offset.slice(0, 3)) * 60 + Number(offset[0] + offset.slice(3))
  const clock = Number(time.slice(0, 2)) * 60 + Number(time.slice(2, 4))
  const told = local(day + (clock - minutes) * 60_000)
  return dayText(told - days * dayMs) + new Date(told).toISOString().slice(11, 16).replace(":", "") + time.slice(4)
}

/** The day of a time as yyyy-mm-dd; undefined unless it is known to the day. */
export function dayOf(text: string): string | undefined {
  const found = read(text)
  return found === undefined || found.precision < 8 ? undefined : new Date(found.day).toISOString().slice(0, 10)
}

/** What begins a time, as the text of a day, a month or a year with hyphens; empty for what is none. */
export function startOf(text: string): string {
  const found = read(text)
  if (found === undefined) return ""
  const day = new Date(found.day).toISOString()
  return day.slice(0, found.precision === 8 ? 10 : found.precision === 6 ? 7 : 4)
}

/** The year of a time; undefined for what is none, and for one at which the person may be 90 or more: beside an age that is told
 * elsewhere it would tell a greater one (45 CFR 164.514(b)(2)(i)(C)).
 * @param born birth dates, yyyy-mm-dd or the start of one */
export function yearOf(text: string, born: readonly string[]): string | undefined {
  const [at, found] = [startOf(text), read(text)]
  if (found === undefined || isPlaceholder(found.day, found.precision)) return undefined
  // The end of what is meant, so that a year alone is that of the greatest age.
  const end =
    `${at}-12-31`.slice(0, 4) + (at.length === 4 ? "-12-31" : at.length === 7 ? `${at.slice(4)}-31` : at.slice(4))
  return born.some((birth) => yearsBetween(birth, end) >= 90) ? undefined : at.slice(0, 4)
}

/** Whole years between two days, yyyy-mm-dd. */
export const yearsBetween = (born: string, at: string): number =>
  Number(at.slice(0, 4)) - Number(born.slice(0, 4)) - (at.slice(5) < born.slice(5) ? 1 : 0)
