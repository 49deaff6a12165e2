import { shiftDates } from "../../formats/dicom/dates.ts"
import { isPlaceholder, shiftDate } from "../../formats/fhir/deidentify/index.ts"
import type { LocalTime } from "../../formats/fhir/deidentify/index.ts"

const dayMs = 86_400_000

const utcTime: LocalTime = (utc) => utc

/** A time in ms since 1970, UTC, as a clock showed it (as if UTC), moved back by whole days; undefined for what is no time of a record: a placeholder (before 1901,
 * after 2099, any time of 1970-01-01, which includes the 0 of an unknown event time), or not a safe integer. */
export function shiftTime(ms: number, days: number, local: LocalTime = utcTime): number | undefined {
  if (!Number.isSafeInteger(ms) || Math.abs(ms) > 8e15) return undefined
  const date = new Date(ms)
  return isPlaceholder(date.getUTCFullYear(), date.toISOString().slice(0, 10)) ? undefined : local(ms) - days * dayMs
}

/** A date text moved back by whole days, at its own precision: YYYYMMDD, or a FHIR date or dateTime. A year or a month is moved by
 * its middle day and cut again, so that no day that was not stated comes out. Undefined for all else, and for placeholders. */
export function shiftText(text: string, days: number, local?: LocalTime): string | undefined {
  if (/^\d{8}$/.test(text)) return shiftDates(text, days)
  return shiftDate(text, days, local)
}
