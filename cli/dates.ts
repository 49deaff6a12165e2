import { UsageError } from "./exit.ts"

/** The time of `--as-of`, or of another option, ms since 1970, UTC: a day counts from its midnight in UTC; a time needs its zone. */
export function asOfTime(text: string | undefined, command: string, option = "as-of"): number | undefined {
  if (text === undefined) return undefined
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(time))
    throw new UsageError([`--${option} expects a date, as 2024-11-04 or 2024-11-04T12:00:00Z`], command)
  return time
}
