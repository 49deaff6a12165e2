import {
  Schema,
  WeirError,
  badRecord,
  curatedMessage,
  defaultShift,
  defineTransform,
  fatal,
  personEvent,
  port,
  pseudonymizer,
  refused,
  rowId,
  rowIdParts,
} from "../../core/index.ts"
import type { Context, CuratedMessage, Draft, PersonEvent, Rec } from "../../core/index.ts"
import { interval } from "../../formats/fhir/time.ts"
import { Hl7Error, dayOfMessage, parseText, writeText } from "../../formats/hl7v2/index.ts"
import { clockOf, timeZoneOption } from "./local-time.ts"
import { OwnIdentifierLeft, cleanMessage } from "./texts.ts"
import type { TextPolicy } from "./texts.ts"

const text = (description: string) => Schema.String.annotate({ description })
const days = (description: string) => Schema.Int.annotate({ description })

const options = Schema.Struct({
  key: text("name of the secret that holds the project key, 32 bytes or more"),
  segments: Schema.optionalKey(
    Schema.Array(Schema.Literals(["ZDS"])).annotate({
      description:
        "Z-segments that pass by the table's rules for them: ZDS, the Study Instance UID of IHE (default none)",
    }),
  ),
  "dates-in-text": Schema.optionalKey(
    Schema.Literals(["month-first", "day-first"]).annotate({
      description: "how dates such as 3/4/2019 in texts are read (default month-first)",
    }),
  ),
  shift: Schema.optionalKey(
    Schema.Struct({ "min-days": days("least days back, 1 or more"), "max-days": days("most days back") }).annotate({
      description:
        "range of the date shift, backwards in whole days (default 365 to 3650); the same in all of a project",
    }),
  ),
  "accession-issuers": Schema.optionalKey(
    Schema.Array(Schema.Array(Schema.String)).annotate({
      description:
        "lists of issuers of accession numbers (DICOM issuers, FHIR systems, HL7 v2 namespace ids) that mean the same one; the first gives the pseudonym",
    }),
  ),
  "retain-uids": Schema.optionalKey(
    Schema.Boolean.annotate({
      description: "keeps DICOM UIDs as they are, as deidentify-dicom's option does (default false)",
    }),
  ),
  "time-zone": timeZoneOption,
})
type Options = typeof options.Type

const profile = "weir-hl7v2-1"
/** How the row ids of messages begin. */
const messages = `${rowId(["message"])}/`

interface Setting {
  readonly policy: TextPolicy
  readonly profile: string
  readonly count: Context["count"]
}

function settingOf(given: Options, context: Context): Setting {
  const key = context.secret(given.key)
  if (key.length < 32)
    throw fatal("key-too-short", "the project key has less than 32 bytes", {
      path: "key",
      hint: "make one of 32 random bytes",
    })
  const shift = given.shift ?? { "min-days": defaultShift.minDays, "max-days": defaultShift.maxDays }
  const range = { minDays: shift["min-days"], maxDays: shift["max-days"] }
  if (range.minDays < 1 || range.maxDays < range.minDays)
    throw fatal("shift-range", "the date shift needs 1 <= min-days <= max-days", { path: "shift" })
  const names = new Map((given["accession-issuers"] ?? []).flatMap((same) => same.map((issuer) => [issuer, same[0]!])))
  const zone = given["time-zone"]
  const order = given["dates-in-text"]
  const pseudonyms = pseudonymizer(key, range)
  return {
    policy: {
      pseudonyms: given["retain-uids"] === true ? { ...pseudonyms, uid: (uid) => uid } : pseudonyms,
      issuer: (issuer) => names.get(issuer) ?? issuer,
      ...(zone === undefined ? {} : { local: clockOf(zone) }),
      ...(order === undefined ? {} : { texts: { dates: order } }),
      hl7: { allow: given.segments ?? [] },
    },
    profile: given["retain-uids"] === true ? `${profile} retain-uids` : profile,
    count: context.count,
  }
}

const idOf = ({ policy }: Setting, name: string): string => policy.pseudonyms.identifier("hl7v2-message", name)

/** A message without a readable clinical day gets none, and event time 0: its own time beside its arrival below would tell the shift. */
function curated(record: Rec<PersonEvent>, event: PersonEvent, setting: Setting): Draft<CuratedMessage> {
  const { policy, count } = setting
  const message = parseText(event.body ?? "")
  const known = {
    birthDates: event.birthDate === null ? [] : [event.birthDate],
    ids: event.identifiers.map(({ value }) => value),
  }
  const left = (_path: string, reason: string) => count("fields-dropped", reason)
  const cleaned = cleanMessage(message, policy, record.key, left, known)
  const time = interval(dayOfMessage(cleaned) ?? "")?.from
  const messageId = idOf(setting, event.name)
  const value: CuratedMessage = {
    messageId,
    messageType: cleaned.segments[0]!.fields[9] ?? "",
    time: time ?? null,
    body: writeText(cleaned),
    profile: setting.profile,
  }
  const key = policy.pseudonyms.person(record.key)
  return { key, id: rowId([messageId]), op: "upsert", version: record.version, value, time: time ?? 0 }
}

function draftOf(record: Rec<PersonEvent>, setting: Setting): Draft<CuratedMessage> {
  if (record.key === "") throw refused("no-person", "a record without a person does not pass")
  if (record.op === "upsert") {
    if (record.value === null) throw badRecord("value-missing", "an upsert has no value")
    return curated(record, record.value, setting)
  }
  const [, , name] = rowIdParts(record.id) as [string, string, string]
  const id = rowId([idOf(setting, name)])
  const key = setting.policy.pseudonyms.person(record.key)
  return { key, id, op: "retract", version: record.version, value: null, time: 0 }
}

/** Their texts name places and codes alone. */
function refusalOf(error: unknown): WeirError {
  if (error instanceof Hl7Error) return refused(error.code, error.message, { path: error.path })
  if (error instanceof OwnIdentifierLeft) return refused("self-check", error.message)
  if (error instanceof WeirError && error.meaning === "bad-record") return error
  throw error
}

/** De-identifies HL7 v2 messages by a table of segments and fields, their texts by the search of what identifies, with the
 * pseudonyms, UIDs and date shift of the project. */
export const deidentifyHl7v2 = defineTransform({
  name: "deidentify-hl7v2",
  summary: "De-identifies HL7 v2 messages: listed fields only, ids mapped, dates shifted, texts cleaned",
  options,
  secrets: ({ key }) => [key],
  inputs: { in: port(personEvent, "person", "phi") },
  outputs: { out: port(curatedMessage, "pseudonym") },
  privacy: true,
  async create(given, context) {
    const setting = settingOf(given, context)
    return {
      apply(batch, out) {
        for (const record of batch) {
          if (!record.id.startsWith(messages)) {
            out.drop(record, "not-read")
            continue
          }
          try {
            out.emit("out", record, draftOf(record, setting))
          } catch (error) {
            out.fail(record, refusalOf(error))
          }
        }
      },
    }
  },
})
