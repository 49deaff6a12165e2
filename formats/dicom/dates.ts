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

const plain = /^(\d{4})(\d\d)(\d\d)$/
const dotted = /^(\d{4})\.(\d\d)\.(\d\d)$/
/** YYYYMMDD, then what may follow of time and offset. */
const dateTime = /^(\d{4})(\d\d)(\d\d)((?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d|60)?(?:\.\d{1,6})?)?)?([+-]\d{4})?$/

function shiftOne(text: string, days: number): string | undefined {
  const simple = plain.exec(text)
  if (simple !== null) return shifted(Number(simple[1]), Number(simple[2]), Number(simple[3]), days)?.join("")
  const old = dotted.exec(text)
  if (old !== null) return shifted(Number(old[1]), Number(old[2]), Number(old[3]), days)?.join(".")
  const full = dateTime.exec(text)
  if (full === null) return undefined
  const date = shifted(Number(full[1]), Number(full[2]), Number(full[3]), days)
  return date === undefined ? undefined : date.join("") + (full[4] ?? "")
}

/** Moves the dates of a DA or DT value back by whole days; times of day and fractions stay; an offset
 * from UTC goes, because offsets change with summer time and so would tell the true season. Read are YYYYMMDD, the old
 * YYYY.MM.DD (PS3.5 6.2) and date times from the day on; several values are parted by backslashes, empty ones stay empty.
 * Undefined when any value is something else, names no day of the calendar, or is a placeholder (before 1901, after 2099,
 * 1970-01-01), as shifting what everybody knows would tell the shift. */
export function shiftDates(text: string, days: number): string | undefined {
  const out: string[] = []
  for (const value of text.split("\\")) {
    const one = value.trim()
    const moved = one === "" ? "" : shiftOne(one, days)
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
