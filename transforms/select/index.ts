import {
  WeirError,
  anyPort,
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
  samePort,
  study,
} from "../../core/index.ts"
import type { Draft, Rec, RecordType } from "../../core/index.ts"
import { zoneOffset } from "../../formats/fhir/time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { options } from "./options.ts"
import { predicateOf, subjectOf } from "./predicate.ts"
import type { Predicate } from "./predicate.ts"

type Options = typeof options.Type

/** Whose versions are a source's, or may be. */
const arrivals: readonly RecordType[] = [dicomInstance, fhirResource] as readonly RecordType[]
/** Whose versions are revisions: 1 is the first that there ever was of a row. */
const derived = [personEvent, study, label, curatedStudy, curatedInstance, curatedResource] as readonly RecordType[]
const arrivalNames = new Set(arrivals.map(({ name }) => name))
const derivedNames = new Set(derived.map(({ name }) => name))
const recordTypes = new Map([...arrivals, ...derived].map((type) => [type.name, type]))

/** Whether no older version of the record's row can have been kept. */
const isFirst = ({ type, version }: Rec): boolean => version === 1n && derivedNames.has(type)

/** Decides which records stay. */
class Selection {
  readonly #given: Options
  readonly #zone: ZoneOffset
  readonly #predicates = new Map<string, Predicate>()

  constructor(given: Options, zone: ZoneOffset) {
    this.#given = given
    this.#zone = zone
  }

  keeps({ type, value }: Rec): boolean {
    if (value === null) throw badRecord("value-missing", "an upsert has no value")
    return this.#predicate(type)(subjectOf(value)) === (this.#given.keep !== undefined)
  }

  #predicate(name: string): Predicate {
    const known = this.#predicates.get(name)
    if (known !== undefined) return known
    const { keep, drop } = this.#given
    const records = { name, type: recordTypes.get(name), zone: this.#zone }
    const made = predicateOf((keep ?? drop)!, records, keep === undefined ? "drop" : "keep")
    this.#predicates.set(name, made)
    return made
  }
}

function draftOf({ key, id, op, version, time, value, headers }: Rec): Draft {
  return { key, id, op, version, time, value, ...(headers === undefined ? {} : { headers }) }
}

/** Takes a row back that an older version may have brought. The retract of an arrival carries its value, which resolve-patient needs
 * to know whose it is. */
const retractOf = (record: Rec): Draft => ({
  ...draftOf(record),
  op: "retract",
  value: arrivalNames.has(record.type) ? record.value : null,
})

/** Keeps or drops records by conditions on their fields and codes, each version on its own, so it needs no state: a version that is
 * not selected becomes a retract of its row, because an older one may have been kept, and order of arrival does not matter. Where
 * it is the row's first revision there was none, and it is dropped as `not-selected`. Retracts pass. */
export const select = defineTransform({
  name: "select",
  summary: "Keeps or drops records by conditions on fields and codes; takes back what is no longer selected",
  options,
  inputs: { in: anyPort },
  outputs: { out: samePort },
  async create(given, context) {
    const zone = zoneOffset(given["time-zone"] ?? "Z")
    if (zone === undefined)
      throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
    const selection = new Selection(given, zone)
    return {
      apply(batch, out) {
        for (const record of batch) {
          try {
            if (record.op === "retract" || selection.keeps(record)) out.emit("out", record, draftOf(record))
            else if (isFirst(record)) out.drop(record, "not-selected")
            else {
              out.emit("out", record, retractOf(record))
              context.count("taken-back", "not-selected")
            }
          } catch (error) {
            if (!(error instanceof WeirError) || error.meaning !== "bad-record") throw error
            out.fail(record, error)
          }
        }
      },
    }
  },
})
