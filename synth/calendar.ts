/** Everything that happens, happens in 2024, so that no date shifted back by a year or more can equal a true one. */
export const firstDay = "2024-01-01"
export const timeZone = "America/New_York"

/** The two deliveries: what is known at the end of the day before `asOf`. */
export const waves = [
  { name: "wave1", asOf: "2024-11-04", completeThrough: "2024-11-04" },
  { name: "wave2", asOf: "2024-12-16", completeThrough: "2024-12-16" },
] as const
export type WaveName = (typeof waves)[number]["name"]

const minute = 60_000
const dayMs = 1440 * minute
const origin = Date.UTC(2024, 0, 1)

/** A moment of the hospital: minutes of wall clock since the first day's midnight. */
export type Moment = number

/** @param hour may have a fraction, and exceed a day */
export const moment = (day: number, hour: number): Moment => day * 1440 + Math.round(hour * 60)

const iso = (at: Moment) => new Date(origin + at * minute).toISOString()

// United States, Energy Policy Act of 2005: from 02:00 on 10 March to 02:00 on 3 November in 2024.
const summerStarts = (Date.UTC(2024, 2, 10, 2) - origin) / minute
const summerEnds = (Date.UTC(2024, 10, 3, 2) - origin) / minute
const isSummer = (at: Moment) => at >= summerStarts && at < summerEnds

/** YYYY-MM-DD. */
export const dateOf = (at: Moment): string => iso(at).slice(0, 10)
/** YYYY-MM-DDThh:mm:00-05:00, with the offset of the day. */
export const dateTimeOf = (at: Moment): string => `${iso(at).slice(0, 19)}${isSummer(at) ? "-04:00" : "-05:00"}`
/** With milliseconds, as a server stamps `meta.lastUpdated`. */
export const instantOf = (at: Moment, ms: number): string =>
  dateTimeOf(at).replace(/:00([+-])/, `:00.${String(ms).padStart(3, "0")}$1`)
/** DA: YYYYMMDD. */
export const dicomDate = (at: Moment): string => dateOf(at).replaceAll("-", "")
/** TM: HHMMSS.FFFFFF. */
export const dicomTime = (at: Moment, second = 0): string =>
  `${iso(at).slice(11, 16).replace(":", "")}${String(second).padStart(2, "0")}.000000`
/** (0008,0201). */
export const dicomOffset = (at: Moment): string => (isSummer(at) ? "-0400" : "-0500")

/** Whole years at the first day of 2024. */
export const ageOf = (birthDate: string): number => Math.floor((origin - Date.parse(birthDate)) / (dayMs * 365.2425))
