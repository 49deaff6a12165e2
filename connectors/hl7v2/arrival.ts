import { createHash } from "node:crypto"
import { badRecord, rowId, statedVersion } from "../../core/index.ts"
import type { Draft, Hl7v2Message, WeirError } from "../../core/index.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { interval } from "../../formats/fhir/time.ts"
import { Hl7Error, dayOfMessage, patientIds, writeText } from "../../formats/hl7v2/index.ts"
import type { Message } from "../../formats/hl7v2/index.ts"

/** Milliseconds since 1970, UTC, of a TS or DTM, at its own precision; undefined for what is none. */
function momentOf(text: string, zone: ZoneOffset): number | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(\.\d{1,3})?\d*)?([+-]\d{4})?$/.exec(text.trim())
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second = "00", fraction = "", offset] = found
  const date = `${year}-${month}-${day}`
  if (hour === undefined) return interval(date, zone)?.from
  const stated = offset === undefined ? "" : `${offset.slice(0, 3)}:${offset.slice(3)}`
  return interval(`${date}T${hour}:${minute}:${second}${fraction}${stated}`, zone)?.from
}

/** The record of a message. Its id is its content, so that one that is sent again is the same row; its version is its own time
 * (MSH-7), its event time the clinical day, else that.
 * @param now stands in for a time that is not stated, ms since 1970, UTC */
export function arrivalOf(
  message: Message,
  bytes: Uint8Array,
  { source, zone, now }: { readonly source: string; readonly zone: ZoneOffset; readonly now: number },
): Draft<Hl7v2Message> {
  const head = message.segments[0]!.fields
  const ids = patientIds(message)
  const sent = momentOf((head[7] ?? "").split(message.delimiters.component)[0]!, zone)
  const clinical = interval(dayOfMessage(message) ?? "", zone)?.from
  const sha256 = createHash("sha256").update(bytes).digest("hex")
  const value: Hl7v2Message = {
    source,
    sha256,
    messageType: head[9] ?? "",
    controlId: head[10] ?? "",
    sender: `${head[3] ?? ""}|${head[4] ?? ""}`,
    sent: head[7] ?? null,
    patientIds: ids,
    body: writeText(message),
  }
  const [first] = ids
  return {
    key: first === undefined ? "" : `${first.authority}|${first.value}`,
    id: rowId([sha256]),
    op: "upsert",
    version: statedVersion(sent ?? now, undefined),
    value,
    time: clinical ?? sent ?? now,
  }
}

/** The error of a message that cannot be read, as dead letters have it. */
export const unreadable = (error: Hl7Error): WeirError =>
  badRecord(`hl7v2-${error.code}`, error.message, {
    path: error.path,
    hint: "the sender was told, and keeps the message",
  })
