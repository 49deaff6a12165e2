import { fatal } from "../../core/index.ts"
import type { LocalTime } from "../../formats/fhir/deidentify/index.ts"
import type { Field, FieldType, Fields, RecordType } from "../../core/index.ts"
import { Decisions } from "./decisions.ts"
import type { Action } from "./decisions.ts"
import { kindBeside, mapIdentifier } from "./record-identifiers.ts"
import type { Beside, Identifiers } from "./record-identifiers.ts"
import { shiftText, shiftTime } from "./record-dates.ts"
import type { Profile } from "./profile.ts"
import { OwnIdentifiers } from "./record-self-check.ts"

/** What is done alike to all records. */
export interface Rules extends Identifiers {
  /** The clock whose time of day is told. */
  readonly local: LocalTime
  /** How dates are told. */
  readonly profile: Profile
  /** Counts what was dropped because it could not be read, by field. */
  readonly unread: (field: string) => void
}

/** One record on its way: the shift of its person, and what the self-check needs. */
export class Passage {
  readonly rules: Rules
  readonly days: number
  readonly own = new OwnIdentifiers()
  readonly kept: (readonly [path: string, text: string])[] = []
  readonly told = new Decisions()

  /** @param days by which the person's dates move backwards */
  constructor(rules: Rules, days: number) {
    this.rules = rules
    this.days = days
  }

  /** The path of a kept text that says an identifier of the record; undefined when none does. */
  leak(): string | undefined {
    return this.kept.find(([, text]) => this.own.in(text))?.[0]
  }
}

type Map = (value: unknown, beside: Beside, passage: Passage) => unknown

/** A record type compiled to what its marks ask for. */
export interface Plan {
  readonly parts: number
  value(value: object, passage: Passage): object
  /** @param parts of the row id, decoded */
  id(parts: readonly string[], passage: Passage): string[]
}

/** The plain type inside optional and array. */
const plain = (type: FieldType<unknown>): string => (type.item === undefined ? String(type.avro) : plain(type.item))

const isArray = (type: FieldType<unknown>): boolean =>
  type.item !== undefined && (type.optional === true ? isArray(type.item) : true)

/** What stands for a value that is dropped. */
function nothing(type: FieldType<unknown>): unknown {
  if (type.optional === true) return null
  if (isArray(type)) return []
  const kind = plain(type)
  return kind === "string" ? "" : kind === "boolean" ? false : 0
}

/** Applies a map of single values to a value that may be optional or an array. */
const each =
  (type: FieldType<unknown>, map: Map): Map =>
  (value, beside, passage) => {
    if (value === null || value === undefined) return type.optional === true ? null : map(value, beside, passage)
    if (!Array.isArray(value)) return map(value, beside, passage)
    return value.map((item) => map(item, beside, passage))
  }

const text = (value: unknown): string => (typeof value === "string" ? value : "")

/** The order of an array by its original identifiers would tell something of them. */
const reordered =
  (map: Map): Map =>
  (value, beside, passage) => {
    const mapped = map(value, beside, passage)
    if (!Array.isArray(mapped)) return mapped
    const keyed = mapped.map((item: unknown) => [JSON.stringify(item), item] as const)
    return keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, item]) => item)
  }

const identifierMap =
  (name: string): Map =>
  (value, beside, passage) => {
    const mapped = mapIdentifier(name, text(value), beside, passage.rules)
    // A UID that stays is nobody's identifier.
    if (mapped !== value) passage.own.add(text(value), kindBeside(name, beside) !== undefined)
    return mapped
  }

const uidMap: Map = (value, _, passage) => {
  const mapped = passage.rules.uid(text(value))
  if (mapped !== value) passage.own.addUid(text(value))
  return mapped
}

const dateMap =
  (path: string, missing: unknown): Map =>
  (value, _, passage) => {
    const { profile } = passage.rules
    if (profile === "limited-data-set") return value
    if (value === "") return ""
    if (profile === "safe-harbor") return missing
    const shifted =
      typeof value === "number"
        ? shiftTime(value, passage.days, passage.rules.local)
        : typeof value === "string"
          ? shiftText(value, passage.days, passage.rules.local)
          : undefined
    if (shifted === undefined) passage.rules.unread(path)
    return shifted ?? missing
  }

const keepMap =
  (path: string): Map =>
  (value, _, passage) => {
    if (typeof value === "string") passage.kept.push([path, value])
    return value
  }

const kindsOf: Readonly<Record<string, readonly string[]>> = {
  identifier: ["string"],
  uid: ["string"],
  date: ["string", "long"],
}

function mapOf(name: string, field: Field<unknown>, path: string, keepQuasi: boolean): Map {
  const { type, mark } = field
  const kinds = kindsOf[mark]
  if (kinds !== undefined && !kinds.includes(plain(type)))
    throw fatal("mark-unusable", `a field of Avro type ${plain(type)} cannot be marked ${mark}`, { path })
  const drop = nothing(type)
  switch (mark) {
    case "nested":
      return nestedMap(type, path, keepQuasi)
    case "identifier":
      return reordered(each(type, identifierMap(name)))
    case "uid":
      return reordered(each(type, uidMap))
    case "date":
      return each(type, dateMap(path, isArray(type) ? null : drop))
    case "keep":
      return each(type, keepMap(path))
    case "quasi":
      return keepQuasi ? each(type, keepMap(path)) : () => drop
    case "text":
      return () => drop
    default:
      throw fatal("mark-unknown", "a field has no mark that is known", { path })
  }
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0)

const isSame = (before: unknown, after: unknown): boolean =>
  before === after || (typeof before === "object" && JSON.stringify(before) === JSON.stringify(after))

/** A map that also tells what it did to a field that holds something; of a nested field its own fields tell. */
function told({ mark, type }: Field<unknown>, path: string, map: Map): Map {
  if (mark === "nested") return map
  const drop = nothing(type)
  const done = mark === "date" ? "shifted" : "mapped"
  const act = (before: unknown, after: unknown): Action => {
    if (isSame(before, after)) return "kept"
    return isEmpty(after) || after === drop ? "removed" : done
  }
  return (value, beside, passage) => {
    const mapped = map(value, beside, passage)
    if (!isEmpty(value) && !(mark === "date" && value === 0)) passage.told.decided(path, mark, act(value, mapped))
    return mapped
  }
}

const tells = (fields: Fields): boolean =>
  Object.values(fields).some(
    ({ mark, type }) => mark === "identifier" || mark === "uid" || (type.fields !== undefined && tells(type.fields)),
  )

function nestedMap(type: FieldType<unknown>, path: string, keepQuasi: boolean): Map {
  const inner = fieldsMap(type.fields!, `${path}.`, keepQuasi)
  const map = each(type, (value, _, passage) => inner(value as object, passage))
  return isArray(type) && tells(type.fields!) ? reordered(map) : map
}

function fieldsMap(fields: Fields, prefix: string, keepQuasi: boolean) {
  const maps = Object.entries(fields).map(([name, field]) => {
    const path = `${prefix}${name}`
    return [name, told(field, path, mapOf(name, field, path, keepQuasi))] as const
  })
  return (value: object, passage: Passage): object => {
    const record = value as Readonly<Record<string, unknown>>
    const beside: Beside = (name) => (typeof record[name] === "string" ? record[name] : undefined)
    return Object.fromEntries(maps.map(([name, map]) => [name, map(record[name], beside, passage)]))
  }
}

/** Compiles a record type; only declared fields pass. Throws fatal `mark-unknown`, `mark-unusable`, `id-not-mappable` (a part of
 * the row id would be dropped). */
export function planOf(type: RecordType, keepQuasi: boolean): Plan {
  const parts = type.id.map((name) => {
    const field = type.fields[name]
    if (field === undefined || !["identifier", "uid", "keep"].includes(field.mark) || plain(field.type) !== "string")
      throw fatal("id-not-mappable", `record type ${type.name}: a part of the row id is no kept or mapped text`, {
        path: name,
      })
    return [name, mapOf(name, field, `id.${name}`, keepQuasi)] as const
  })
  return {
    parts: parts.length,
    value: fieldsMap(type.fields, "", keepQuasi),
    id(given, passage) {
      const beside: Beside = (name) => given[type.id.indexOf(name)]
      return parts.map(([, map], at) => text(map(given[at], beside, passage)))
    },
  }
}
