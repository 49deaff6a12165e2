import {
  Schema,
  WeirError,
  badRecord,
  curatedMessage,
  defineTransform,
  personEvent,
  port,
  refused,
  rowId,
  rowIdParts,
} from "../../core/index.ts"
import type { Context, CuratedMessage, Draft, Made, PersonEvent, Rec } from "../../core/index.ts"
import { interval } from "../../formats/fhir/time.ts"
import { Hl7Error, dayOfMessage, parseText, writeText } from "../../formats/hl7v2/index.ts"
import type { PatientId } from "../../formats/hl7v2/index.ts"
import type { Asking, Codes } from "./codes.ts"
import { Decisions } from "./decisions.ts"
import { clockOf } from "./local-time.ts"
import { profileFaults, profileSecrets, profileStatement, projectFields, projectOf } from "./profile.ts"
import { OwnIdentifierLeft, cleanMessage, personCodes } from "./texts.ts"
import type { TextPolicy } from "./texts.ts"

const options = Schema.Struct({
  ...projectFields,
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
})
type Options = typeof options.Type

const rules = "weir-hl7v2-1"
/** How the row ids of messages begin. */
const messages = `${rowId(["message"])}/`

interface Setting {
  readonly policy: TextPolicy
  readonly codes: Codes
  /** What records say. */
  readonly said: string
  readonly keyId: string
}

async function settingOf(given: Options, context: Context): Promise<Setting> {
  const { profile, pseudonyms, codes, issuer, keyId } = await projectOf(given, context)
  const zone = given["time-zone"]
  const order = given["dates-in-text"]
  const retainUids = given["retain-uids"] === true
  const named = given.profile === undefined ? rules : `${rules} ${profile}`
  return {
    policy: {
      pseudonyms,
      profile,
      retainUids,
      issuer,
      ...(zone === undefined ? {} : { local: clockOf(zone) }),
      ...(order === undefined ? {} : { texts: { dates: order } }),
      hl7: { allow: given.segments ?? [] },
    },
    codes,
    said: retainUids ? `${named} retain-uids` : named,
    keyId,
  }
}

/** How a record ends; undefined: it is no message. */
type End = Draft<CuratedMessage> | WeirError | undefined

/** One pass over a batch. */
class Pass {
  readonly ends: readonly End[]
  /** Why fields were left out. */
  readonly left: string[] = []
  readonly made = new Map<Rec<PersonEvent>, Made>()
  readonly #setting: Setting
  readonly #asking: Asking
  readonly #policy: TextPolicy

  constructor(setting: Setting, asking: Asking, batch: readonly Rec<PersonEvent>[]) {
    this.#setting = setting
    this.#asking = asking
    this.#policy = { ...setting.policy, codes: (person) => asking.of(person) }
    this.ends = batch.map((record) => (record.id.startsWith(messages) ? this.#end(record) : undefined))
  }

  #end(record: Rec<PersonEvent>): End {
    try {
      const told = new Decisions()
      const draft = this.#draft(record, told)
      this.made.set(record, told.made(this.#setting.said, this.#setting.keyId))
      return draft
    } catch (error) {
      return refusalOf(error)
    }
  }

  #draft(record: Rec<PersonEvent>, told: Decisions): Draft<CuratedMessage> {
    if (record.key === "") throw refused("no-person", "a record without a person does not pass")
    this.#asking.note(record.key, record.value?.identifiers ?? [])
    if (record.op === "upsert") {
      if (record.value === null) throw badRecord("value-missing", "an upsert has no value")
      return this.#curated(record, record.value, told)
    }
    const [, , name] = rowIdParts(record.id) as [string, string, string]
    const { person, identifier } = personCodes(this.#policy, record.key)
    const id = rowId([identifier("hl7v2-message", name)])
    return { key: person, id, op: "retract", version: record.version, value: null, time: 0 }
  }

  /** A message without a readable clinical day gets none, and event time 0: its own time beside its arrival below would tell the shift. */
  #curated(record: Rec<PersonEvent>, event: PersonEvent, told: Decisions): Draft<CuratedMessage> {
    const message = parseText(event.body ?? "")
    const ids = event.identifiers.map(({ value }) => value)
    const known = {
      birthDates: event.birthDate === null ? [] : [event.birthDate],
      ids,
      // Of others than those that are known to be the same person nothing is known here.
      merged: (prior: readonly PatientId[]) =>
        prior.some(({ value }) => ids.includes(value)) ? record.key : undefined,
    }
    const left = (_path: string, reason: string) => void this.left.push(reason)
    const cleaned = cleanMessage(message, this.#policy, record.key, left, known, told)
    const time = interval(dayOfMessage(cleaned) ?? "")?.from
    const { person, identifier } = personCodes(this.#policy, record.key)
    const messageId = identifier("hl7v2-message", event.name)
    const value: CuratedMessage = {
      messageId,
      messageType: cleaned.segments[0]!.fields[9] ?? "",
      time: time ?? null,
      body: writeText(cleaned),
      profile: this.#setting.said,
    }
    return { key: person, id: rowId([messageId]), op: "upsert", version: record.version, value, time: time ?? 0 }
  }
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
  secrets: profileSecrets,
  inputs: { in: port(personEvent, "person", "phi") },
  outputs: { out: port(curatedMessage, "pseudonym") },
  privacy: true,
  faults: profileFaults,
  states: (given) => profileStatement("deidentify-hl7v2", given),
  async create(given, context) {
    const setting = await settingOf(given, context)
    return {
      async apply(batch, out) {
        const { ends, left, made } = await setting.codes.settle((asking) => new Pass(setting, asking, batch))
        for (const reason of left) context.count("fields-dropped", reason)
        for (const [at, record] of batch.entries()) {
          const end = ends[at]
          if (end === undefined) out.drop(record, "not-read")
          else if (end instanceof WeirError) out.fail(record, end)
          else {
            out.emit("out", record, end)
            out.made(record, made.get(record)!)
          }
        }
      },
    }
  },
})
