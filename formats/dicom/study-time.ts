/** When a study began, as exactly as its date and time say it. */
export interface Started {
  /** The earliest moment that is meant, ms since 1970, UTC. */
  readonly from: number
  readonly precision: "second" | "minute" | "hour" | "day"
}

const datePattern = /^(\d{4})([.]?)(\d\d)\2(\d\d)$/
const timePattern = /^(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?$/

function midnight(date: string): number | undefined {
  const match = datePattern.exec(date.trim())
  if (match === null) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[3]), Number(match[4])]
  const found = new Date(0)
  found.setUTCFullYear(year, month - 1, day)
  return year > 0 && found.getUTCMonth() === month - 1 && found.getUTCDate() === day ? found.getTime() : undefined
}

function ofDay(time: string): { readonly ms: number; readonly precision: Started["precision"] } {
  const match = timePattern.exec(time.trim())
  const [hour, minute, second] = [Number(match?.[1]), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)]
  if (match === null || hour > 23 || minute > 59 || second > 60) return { ms: 0, precision: "day" }
  const fraction = Number((match[4] ?? "").slice(0, 3).padEnd(3, "0"))
  const precision = match[3] !== undefined ? "second" : match[2] !== undefined ? "minute" : "hour"
  return { ms: hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction, precision }
}

/** Minutes of (0008,0201), `+hhmm` or `-hhmm`; undefined for what is not one (PS3.3 C.12.1.1.8: -1200 to +1400). */
function statedOffset(offset: string): number | undefined {
  const match = /^([+-])(\d\d)(\d\d)$/.exec(offset.trim())
  if (match === null || Number(match[3]) > 59) return undefined
  const minutes = (Number(match[2]) * 60 + Number(match[3])) * (match[1] === "-" ? -1 : 1)
  return minutes >= -720 && minutes <= 840 ? minutes : undefined
}

/** The moment of Study Date (0008,0020), also in the old dotted form, and Study Time (0008,0030), also with colons (PS3.5 6.2, DA
 * and TM); undefined without a readable date. An unreadable time leaves the day.
 * @param offset (0008,0201) Timezone Offset From UTC
 * @param zone minutes east of UTC for instances that state no offset: one, or by the local time in ms as if UTC */
export function studyStarted(
  date: string | null,
  time: string | null,
  offset: string | null,
  zone: number | ((local: number) => number),
): Started | undefined {
  const day = midnight(date ?? "")
  if (day === undefined) return undefined
  const { ms, precision } = ofDay(time ?? "")
  const local = day + ms
  const minutes = statedOffset(offset ?? "") ?? (typeof zone === "number" ? zone : zone(local))
  return { from: local - minutes * 60_000, precision }
}
