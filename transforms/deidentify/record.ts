import {
  Schema,
  WeirError,
  badRecord,
  curatedInstance,
  curatedResource,
  curatedStudy,
  defineTransform,
  dicomInstance,
  fatal,
  fhirResource,
  label,
  personEvent,
  refused,
  rowId,
  rowIdParts,
  study,
} from "../../core/index.ts"
import type { Context, Draft, Made, Port, Rec, RecordType } from "../../core/index.ts"
import { isRegisteredUid } from "../../formats/dicom/index.ts"
import type { Asking } from "./codes.ts"
import { profileFaults, profileSecrets, profileStatement, projectFields, projectOf } from "./profile.ts"
import type { Project } from "./profile.ts"
import { Passage, planOf } from "./record-plan.ts"
import type { Plan, Rules } from "./record-plan.ts"
import { clockOf } from "./local-time.ts"
import { shiftTime } from "./record-dates.ts"

const options = Schema.Struct(projectFields)
type Options = typeof options.Type

const builtIns: ReadonlyMap<string, RecordType> = new Map(
  [dicomInstance, fhirResource, personEvent, study, label, curatedStudy, curatedInstance, curatedResource].map(
    (type) => [type.name, type as RecordType],
  ),
)

/** Versions from here on hold the time that a source stated (core/version.ts). */
const statedVersions = 1n << 40n

interface Setting extends Pick<Project, "pseudonyms" | "codes" | "keyId"> {
  /** All but the codes of a person. */
  readonly rules: Omit<Rules, "pseudonyms" | "uid" | "unread">
  /** UIDs that stay. */
  readonly stays: (uid: string) => boolean
  readonly keepQuasi: boolean
  /** Record types by name: built-in ones, and those of the stage's inputs, whichever package declares them. */
  readonly types: ReadonlyMap<string, RecordType>
  /** What their marks ask for. */
  readonly plans: Map<string, Plan>
}

async function settingOf(given: Options, context: Context): Promise<Setting> {
  const { pseudonyms, codes, profile, issuer, keyId } = await projectOf(given, context)
  const zones = Object.values(context.outputs).map(({ zone }) => zone)
  const types = new Map([...builtIns, ...Object.values(context.inputs).map(({ type }) => [type.name, type] as const)])
  return {
    pseudonyms,
    codes,
    keyId,
    stays: (uid) => uid === "" || given["retain-uids"] === true || isRegisteredUid(uid),
    rules: {
      issuer,
      local: clockOf(given["time-zone"] ?? "Z"),
      profile,
    },
    keepQuasi: profile !== "safe-harbor" && zones.length > 0 && !zones.includes("clean"),
    types,
    plans: new Map(),
  }
}

/** How a record ends. */
type End = Draft | WeirError

/** One pass over a batch. */
class Pass {
  readonly ends: readonly End[]
  readonly unread: string[] = []
  readonly made = new Map<Rec, Made>()
  readonly #setting: Setting
  readonly #asking: Asking
  readonly #persons = new Map<string, { readonly pseudonym: string; readonly days: number; readonly rules: Rules }>()

  constructor(setting: Setting, asking: Asking, batch: readonly Rec[]) {
    this.#setting = setting
    this.#asking = asking
    this.ends = batch.map((record) => this.#end(record))
  }

  #end(record: Rec): End {
    try {
      return this.#draft(record)
    } catch (error) {
      if (!(error instanceof WeirError) || error.meaning !== "bad-record") throw error
      return error
    }
  }

  /** Throws bad records `refused.no-person`, `refused.stated-version`, `refused.id-shape`, `refused.self-check`; fatal
   * `unknown-record-type`. */
  #draft(record: Rec): Draft {
    const plan = planFor(this.#setting, record.type)
    if (record.key === "") throw refused("no-person", "a record without a person does not pass")
    if (record.version >= statedVersions || record.version < 0n)
      throw refused("stated-version", "the record's version is a time, not a revision")
    if (record.op === "upsert" && record.value === null) throw badRecord("value-missing", "an upsert has no value")
    const { pseudonym, days, rules } = this.#person(record.key)
    const passage = new Passage(rules, days)
    passage.own.add(record.key)
    const id = rowId(plan.id(partsOf(record.id, plan.parts), passage))
    const value = record.op === "upsert" ? plan.value(record.value as object, passage) : null
    const leak = passage.leak()
    if (leak !== undefined)
      throw refused("self-check", "a kept field still says an identifier of its record", { path: leak })
    this.made.set(record, passage.told.made(`weir-record-1 ${rules.profile}`, this.#setting.keyId))
    return { key: pseudonym, id, op: record.op, version: record.version, value, time: this.#time(record, days) }
  }

  /** A retract happens when something is learnt; beside its arrival that would tell the shift. */
  #time({ op, time }: Rec, days: number): number {
    const { profile, local } = this.#setting.rules
    if (profile === "limited-data-set") return time
    if (profile === "safe-harbor") return 0
    return op === "retract" ? 0 : (shiftTime(time, days, local) ?? 0)
  }

  #person(key: string) {
    const known = this.#persons.get(key)
    if (known !== undefined) return known
    const { pseudonyms, stays, rules } = this.#setting
    const codes = this.#asking.of(key)
    const person = {
      pseudonym: codes.person,
      days: pseudonyms.shiftDays(key),
      rules: {
        ...rules,
        pseudonyms: codes,
        uid: (uid: string) => (stays(uid) ? uid : codes.uid(uid)),
        unread: (field: string) => void this.unread.push(field),
      },
    }
    this.#persons.set(key, person)
    return person
  }
}

function planFor({ types, plans, keepQuasi }: Setting, name: string): Plan {
  const known = plans.get(name)
  if (known !== undefined) return known
  const type = types.get(name)
  if (type === undefined)
    throw fatal("unknown-record-type", "a record is of a type whose marks are not known, so nothing of it may pass", {
      hint: "put a topic between the transform that makes such records and this one",
    })
  const plan = planOf(type, keepQuasi)
  plans.set(name, plan)
  return plan
}

function partsOf(id: string, count: number): readonly string[] {
  let parts: readonly string[] | undefined
  try {
    parts = rowIdParts(id)
  } catch {
    // Malformed percent-encoding; the error would quote the id.
  }
  if (parts?.length !== count) throw refused("id-shape", "the row id has not the parts that its record type names")
  return parts
}

const input: Port<unknown> = { key: "person", zone: "phi", type: "any" }
const output: Port<unknown> = { key: "pseudonym", zone: "any", type: "same" }

/** De-identifies records by the marks in their schemas, of built-in types and of those of its stage's inputs: identifiers and UIDs
 * get the project's codes (registered UIDs stay), dates are told as the profile says (safe-harbor: none, as a record does not say how
 * old its person was; those that cannot be read, or stand for none, are dropped and counted), text dropped, quasi-identifiers kept in
 * `limited` only, headers dropped. Kept texts are searched for the record's own identifiers before it is emitted. */
export const deidentifyRecord = defineTransform({
  name: "deidentify-record",
  summary: "De-identifies records by the privacy marks in the schemas of their types",
  options,
  secrets: profileSecrets,
  inputs: { in: input },
  outputs: { out: output },
  privacy: true,
  faults: profileFaults,
  states: (given) => profileStatement("deidentify-record", given),
  async create(given, context) {
    const setting = await settingOf(given, context)
    return {
      async apply(batch, out) {
        const { ends, unread, made } = await setting.codes.settle((asking) => new Pass(setting, asking, batch))
        for (const field of unread) context.count("dates-dropped", field)
        for (const [at, record] of batch.entries()) {
          const end = ends[at]!
          if (end instanceof WeirError) out.fail(record, end)
          else {
            out.emit("out", record, end)
            out.made(record, made.get(record)!)
          }
        }
      },
    }
  },
})
