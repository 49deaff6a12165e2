/** How exactly a FHIR date, dateTime or instant says its time. */
export type Precision = "year" | "month" | "day" | "minute" | "second"

/** All the time that a text may mean: from <= t < to, ms since 1970, UTC. */
export interface Interval {
  readonly from: number
  readonly to: number
  readonly precision: Precision
}

/** Minutes east of UTC: one offset, or the offset at a local time given in ms as if it were UTC. */
export type ZoneOffset = number | ((local: number) => number)

const pattern = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/

/** Midnight of a day in ms, or undefined for a day that no calendar has. */
function midnight(year: number, month: number, day: number): number | undefined {
  // Every month has these days, and Date.UTC moves years below 100.
  if (year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= 28) return Date.UTC(year, month - 1, day)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined
}

/** Minutes of `+hh:mm`, `-hh:mm` or `Z`; undefined beyond 14:00 (FHIR R4, datatypes, dateTime). */
function statedOffset(text: string): number | undefined {
  if (text === "Z") return 0
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(4, 6))
  if (minutes > 840 || Number(text.slice(4, 6)) > 59) return undefined
  return text.startsWith("-") ? -minutes : minutes
}

/** The local start and end of what the parts state, ms as if UTC. */
function local(parts: readonly (string | undefined)[]): Interval | undefined {
  const [year, month, day, hour, minute, second, fraction] = parts
  const y = Number(year)
  const from = midnight(y, Number(month ?? 1), Number(day ?? 1))
  if (from === undefined || Number(month ?? 1) > 12) return undefined
  if (month === undefined) return { from, to: midnight(y + 1, 1, 1)!, precision: "year" }
  if (day === undefined)
    return { from, to: midnight(month === "12" ? y + 1 : y, (Number(month) % 12) + 1, 1)!, precision: "month" }
  if (hour === undefined) return { from, to: from + 86_400_000, precision: "day" }
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 60) return undefined
  const start = from + Number(hour) * 3_600_000 + Number(minute) * 60_000
  if (second === undefined) return { from: start, to: start + 60_000, precision: "minute" }
  const digits = Math.min(fraction?.length ?? 0, 3)
  const at = start + Number(second) * 1000 + Number((fraction ?? "").slice(0, 3).padEnd(3, "0"))
  return { from: at, to: at + 10 ** (3 - digits), precision: "second" }
}

/** The interval that a FHIR date, dateTime or instant means (FHIR R4, datatypes): half-open, ms since 1970, UTC; undefined for
 * what is none of these or names no real date. A leap second counts as the second after it.
 * @param zone for texts without an offset; UTC when not given */
export function interval(text: string, zone: ZoneOffset = 0): Interval | undefined {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const span = local(match.slice(1, 8))
  if (span === undefined) return undefined
  const stated = match[8] === undefined ? zone : statedOffset(match[8])
  if (stated === undefined) return undefined
  const utc = (time: number) => time - (typeof stated === "number" ? stated : stated(time)) * 60_000
  return { from: utc(span.from), to: Math.max(utc(span.to), utc(span.from) + 1), precision: span.precision }
}

/** The offset of a time zone: `Z`, `+hh:mm`, `-hh:mm`, or an IANA name as this runtime's tables know it; undefined for others. A
 * local time that happens twice is the earlier one; one that never happens is read with the offset before the gap. */
export function zoneOffset(name: string): ZoneOffset | undefined {
  if (/^(Z|[+-]\d\d:\d\d)$/.test(name)) return statedOffset(name)
  const format = formatter(name)
  if (format === undefined) return undefined
  const at = (utc: number): number => offsetAt(format, utc)
  return (time) => {
    const [before, after] = [at(time - 86_400_000), at(time + 86_400_000)]
    return at(time - before * 60_000) === before ? before : at(time - after * 60_000) === after ? after : before
  }
}

/** The local time of a time zone: ms since 1970, UTC, to what a clock there shows, ms as if UTC. `Z`, `+hh:mm`, `-hh:mm` or an IANA
 * name; undefined for others. */
export function localTime(name: string): ((utc: number) => number) | undefined {
  const fixed = /^(Z|[+-]\d\d:\d\d)$/.test(name) ? statedOffset(name) : undefined
  if (fixed !== undefined) return (utc) => utc + fixed * 60_000
  const format = formatter(name)
  return format === undefined ? undefined : (utc) => utc + offsetAt(format, utc) * 60_000
}

/** Minutes east of UTC at a time. */
function offsetAt(format: Intl.DateTimeFormat, utc: number): number {
  const part = Object.fromEntries(format.formatToParts(utc).map(({ type, value }) => [type, Number(value)]))
  const day = midnight(part["year"]!, part["month"]!, part["day"]!)!
  const shown = day + part["hour"]! * 3_600_000 + part["minute"]! * 60_000 + part["second"]! * 1000
  return (shown - Math.floor(utc / 1000) * 1000) / 60_000
}

function formatter(timeZone: string): Intl.DateTimeFormat | undefined {
  const fields = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric" } as const
  try {
    const calendar = { calendar: "iso8601", numberingSystem: "latn", hourCycle: "h23" } as const
    return new Intl.DateTimeFormat("en", { timeZone, ...calendar, ...fields, minute: "numeric", second: "numeric" })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
