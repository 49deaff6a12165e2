const dayMs = 86_400_000

/** A value that reads as a date but stands for "none" or a reset clock: shifted, it would tell the shift. */
function placeholder(year: number, month: number, day: number): boolean {
  return year <= 1900 || year >= 2100 || (year === 1970 && month === 1 && day === 1)
}

function shifted(
  year: number,
  month: number,
  day: number,
  days: number,
): readonly [string, string, string] | undefined {
  const time = Date.UTC(year, month - 1, day)
  const date = new Date(time)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || placeholder(year, month, day)) return undefined
  date.setTime(time - days * dayMs)
  const two = (number: number) => (number < 10 ? `0${number}` : `${number}`)
  return [String(date.getUTCFullYear()).padStart(4, "0"), two(date.getUTCMonth() + 1), two(date.getUTCDate())]
}

/** From ms since 1970, UTC, to what a clock shows, ms as if UTC. */
export type LocalTime = (utc: number) => number

/** What every offset from UTC becomes: times are those of the clock, which is no longer told. */
export const noOffset = "+0000"

const plain = /^(\d{4})(\d\d)(\d\d)$/
const dotted = /^(\d{4})\.(\d\d)\.(\d\d)$/
/** A year or a month, perhaps with an offset (PS3.5 6.2, DT). */
const partial = /^(\d{4})(\.?)(0[1-9]|1[0-2])?([+-]\d{4})?$/
/** YYYYMMDD, then what may follow of time and offset. */
const dateTime = /^(\d{4})(\d\d)(\d\d)((?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d|60)?(?:\.\d{1,6})?)?)?([+-]\d{4})?$/
const clock = /^(\d\d)(\d\d)(.*)$/

/** A year or month is moved by its middle day and cut again, so that no true year comes out. */
function shiftPartial(found: RegExpExecArray, days: number): string | undefined {
  const [, year, dot, month, offset] = found
  if (dot !== "" && month === undefined) return undefined
  const moved = month === undefined ? shifted(Number(year), 7, 2, days) : shifted(Number(year), Number(month), 15, days)
  if (moved === undefined) return undefined
  const date = month === undefined ? moved[0] : `${moved[0]}${dot}${moved[1]}`
  return offset === undefined ? date : date + noOffset
}

/** A date time as a clock showed it at its moment; the text itself where it has no offset or no minutes. */
function toClock(found: RegExpExecArray, local: LocalTime | undefined): RegExpExecArray {
  const [, year, month, day, time, offset] = found
  const parts = clock.exec(time ?? "")
  if (local === undefined || offset === undefined || parts === null) return found
  const minutes = (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3))) * (offset[0] === "-" ? -1 : 1)
  const stated = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(parts[1]), Number(parts[2]))
  const told = new Date(local(stated - minutes * 60_000))
  if (Number.isNaN(told.getTime()) || told.getUTCFullYear() > 9999) return found
  const text = told.toISOString().slice(0, 16).replaceAll(/[-T:]/g, "")
  return dateTime.exec(`${text}${parts[3]}${offset}`) ?? found
}

function shiftOne(text: string, days: number, local: LocalTime | undefined): string | undefined {
  const simple = plain.exec(text)
  if (simple !== null) return shifted(Number(simple[1]), Number(simple[2]), Number(simple[3]), days)?.join("")
  const old = dotted.exec(text)
  if (old !== null) return shifted(Number(old[1]), Number(old[2]), Number(old[3]), days)?.join(".")
  const part = partial.exec(text)
  if (part !== null) return shiftPartial(part, days)
  const full = dateTime.exec(text)
  if (full === null) return undefined
  // The day as it is written says whether it is one, and no placeholder.
  if (shifted(Number(full[1]), Number(full[2]), Number(full[3]), days) === undefined) return undefined
  const [, year, month, day, time = "", offset] = toClock(full, local)
  const date = shifted(Number(year), Number(month), Number(day), days)
  return date === undefined ? undefined : date.join("") + time + (offset === undefined ? "" : noOffset)
}

/** Moves the dates of a DA or DT value back by whole days; times of day and fractions stay; an offset from UTC becomes `+0000`,
 * because offsets change with summer time and so would tell the true season. Read are YYYYMMDD, the old YYYY.MM.DD (PS3.5 6.2), date
 * times, and years and months alone, at their own precision; several values are parted by backslashes, empty ones stay empty.
 * Undefined when any value is something else, names no day of the calendar, or is a placeholder (before 1901, after 2099,
 * 1970-01-01), as shifting what everybody knows would tell the shift.
 * @param local the clock whose time of day is told of date times with an offset; that of each text unless given */
export function shiftDates(text: string, days: number, local?: LocalTime): string | undefined {
  const out: string[] = []
  for (const value of text.split("\\")) {
    const one = value.trim()
    const moved = one === "" ? "" : shiftOne(one, days, local)
    if (moved === undefined) return undefined
    out.push(moved)
  }
  return out.join("\\")
}

/** An age string (AS) with all from 90 years on as `090Y`; undefined for what is none. */
export function capAge(text: string): string | undefined {
  const found = /^(\d{1,3})([DWMY])$/.exec(text.trim())
  if (found === null) return undefined
  const perYear = { D: 365.25, W: 52.18, M: 12, Y: 1 }[found[2] as "D" | "W" | "M" | "Y"]
  return Number(found[1]) / perYear >= 90 ? "090Y" : text.trim()
}
