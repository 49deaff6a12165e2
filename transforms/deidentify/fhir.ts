import {
  WeirError,
  Schema,
  badRecord,
  curatedResource,
  defineTransform,
  personEvent,
  port,
  refused,
  rowId,
  rowIdParts,
} from "../../core/index.ts"
import type { Context, CuratedResource, Draft, Made, PersonEvent, Rec } from "../../core/index.ts"
import type { Asking } from "./codes.ts"
import { Decisions } from "./decisions.ts"
import { profileFaults, profileSecrets, profileStatement, projectFields, projectOf } from "./profile.ts"
import type { Project } from "./profile.ts"
import { allowed, isCode } from "../../formats/fhir/deidentify/index.ts"
import type { Mapping } from "../../formats/fhir/deidentify/index.ts"
import { clinicalTime, codings } from "../../formats/fhir/resource.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import { interval } from "../../formats/fhir/time.ts"
import { cleanResource, mappingOf } from "./fhir-resource.ts"
import type { FhirPolicy } from "./fhir-resource.ts"
import { clockOf } from "./local-time.ts"

const options = Schema.Struct(projectFields)
type Options = typeof options.Type

const rules = "weir-fhir-r4-1"
/** How the row ids of instances begin. */
const instances = `${rowId(["instance"])}/`
/** How those of HL7 v2 messages begin. */
const messages = `${rowId(["message"])}/`

/** What de-identifying needs, made once an instance. */
interface Setting extends Project, FhirPolicy {
  /** What records say of how they were made. */
  readonly said: string
}

async function settingOf(given: Options, context: Context): Promise<Setting> {
  const project = await projectOf(given, context)
  const retainUids = given["retain-uids"] === true
  return {
    ...project,
    local: given["time-zone"] === undefined ? undefined : clockOf(given["time-zone"]),
    retainUids,
    said: `${rules} ${project.profile}${retainUids ? " retain-uids" : ""}`,
  }
}

function parsed(event: PersonEvent): unknown {
  try {
    return JSON.parse(event.body ?? "")
  } catch {
    // The parser's text quotes the body, so it goes nowhere.
    throw badRecord("body-not-json", "the body of a resource is not JSON", { path: "body" })
  }
}

/** Codes as recorded, where they may be told, and as mapped. */
function codesOf(event: PersonEvent, output: Resource): readonly string[] {
  const mapped = event.codes.flatMap(({ system, code, fromSystem, fromCode }) => [
    { system, code },
    { system: fromSystem, code: fromCode },
  ])
  const told = [...codings(output), ...mapped].filter(({ system, code }) => isCode(system, code))
  return [...new Set(told.map(({ system, code }) => `${system}|${code}`))].sort()
}

/** A record without a readable clinical time gets none, and event time 0: the time that stands in for it in `phi` is when it came,
 * and beside its arrival below that would tell the shift. */
function curated(
  record: Rec<PersonEvent>,
  event: PersonEvent,
  mapping: Mapping,
  { retainUids, said }: Setting,
): Draft<CuratedResource> {
  const identifiers = event.identifiers.map(({ value }) => value)
  const about = { identifiers, birthDate: event.birthDate }
  const output = cleanResource(parsed(event) as Resource, about, mapping, retainUids)
  const time = interval(clinicalTime(output) ?? "")?.from
  const resourceType = output.resourceType
  const value: CuratedResource = {
    resourceType,
    resourceId: output.id!,
    time: time ?? null,
    codes: codesOf(event, output),
    body: JSON.stringify(output),
    profile: said,
  }
  const id = rowId([resourceType, output.id!])
  return { key: mapping.person, id, op: "upsert", version: record.version, value, time: time ?? 0 }
}

function draftOf(record: Rec<PersonEvent>, mapping: Mapping, setting: Setting): Draft<CuratedResource> | undefined {
  if (record.op === "upsert") {
    if (record.value === null) throw badRecord("value-missing", "an upsert has no value")
    return curated(record, record.value, mapping, setting)
  }
  const [, type, name] = rowIdParts(record.id) as [string, string, string]
  if (!allowed.has(type)) return undefined
  const id = rowId([type, mapping.identifier(type, name)])
  return { key: mapping.person, id, op: "retract", version: record.version, value: null, time: 0 }
}

/** How a record ends: as a draft, as one of a type that is never released, or as a bad record. */
type End = Draft<CuratedResource> | undefined | WeirError

/** One pass over a batch. */
class Pass {
  readonly ends = new Map<Rec<PersonEvent>, End>()
  readonly left: string[] = []
  readonly made = new Map<Rec<PersonEvent>, Made>()
  readonly #setting: Setting
  readonly #asking: Asking
  readonly #mappings = new Map<string, Mapping>()

  constructor(setting: Setting, asking: Asking, batch: readonly Rec<PersonEvent>[]) {
    this.#setting = setting
    this.#asking = asking
    for (const record of batch)
      if (!record.id.startsWith(instances) && !record.id.startsWith(messages)) this.ends.set(record, this.#end(record))
  }

  #end(record: Rec<PersonEvent>): End {
    try {
      if (record.key === "") throw refused("no-person", "a record without a person does not pass")
      this.#asking.note(record.key, record.value?.identifiers ?? [])
      const decisions = new Decisions()
      const { decided, undone } = decisions
      const draft = draftOf(record, { ...this.#mapping(record.key), decided, undone }, this.#setting)
      this.made.set(record, decisions.made(this.#setting.said, this.#setting.keyId))
      return draft
    } catch (error) {
      if (!(error instanceof WeirError) || error.meaning !== "bad-record") throw error
      return error
    }
  }

  #mapping(key: string): Mapping {
    const known = this.#mappings.get(key)
    if (known !== undefined) return known
    const made = mappingOf(key, this.#setting, this.#asking.of(key), (reason) => this.left.push(reason))
    this.#mappings.set(key, made)
    return made
  }
}

/** De-identifies FHIR resources by an allow-list of elements, with the codes of the project, under one of three profiles. */
export const deidentifyFhir = defineTransform({
  name: "deidentify-fhir",
  summary:
    "De-identifies FHIR resources: allowed elements only, ids mapped, dates by the profile, ages for birth dates",
  options,
  secrets: profileSecrets,
  inputs: { in: port(personEvent, "person", "phi") },
  outputs: { out: port(curatedResource, "pseudonym") },
  privacy: true,
  faults: profileFaults,
  states: (given) => profileStatement("deidentify-fhir", given),
  async create(given, context) {
    const setting = await settingOf(given, context)
    return {
      async apply(batch, out) {
        const { ends, left, made } = await setting.codes.settle((asking) => new Pass(setting, asking, batch))
        for (const reason of left) context.count("elements-dropped", reason)
        for (const record of batch) {
          const end = ends.get(record)
          if (end instanceof WeirError) out.fail(record, end)
          else if (end !== undefined) {
            out.emit("out", record, end)
            out.made(record, made.get(record)!)
          } else out.drop(record, ends.has(record) ? "never-released" : "not-read")
        }
      },
    }
  },
})
