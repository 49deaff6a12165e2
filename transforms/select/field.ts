import { fatal } from "../../core/index.ts"
import type { Field, FieldType, Fields, RecordType } from "../../core/index.ts"
import { interval } from "../../formats/fhir/time.ts"
import type { Interval, ZoneOffset } from "../../formats/fhir/time.ts"
import type { Condition } from "./options.ts"

type Scalar = string | number | boolean
type Test = (value: Scalar) => boolean

/** True of a record's value. */
export type FieldPredicate = (value: unknown) => boolean

const unknownField = (path: string, at: string, type: string, hint?: string) =>
  fatal("unknown-field", `records of type ${type} have no field ${path} to test`, {
    path: at,
    ...(hint === undefined ? {} : { hint }),
  })

/** The plain type inside optional and array. */
const plain = (type: FieldType<unknown>): FieldType<unknown> => (type.item === undefined ? type : plain(type.item))

function fieldAt(type: RecordType, path: string, at: string): Field<unknown> {
  let fields = type.fields
  let field: Field<unknown> | undefined
  for (const step of path.split(".")) {
    field = Object.hasOwn(fields, step) ? fields[step] : undefined
    if (field === undefined) throw unknownField(path, at, type.name, hintOf(step, fields))
    fields = field.type.fields ?? {}
  }
  if (field!.type.fields === undefined) return field!
  throw unknownField(path, at, type.name, `${path} holds ${Object.keys(fields).join(", ")}`)
}

const hintOf = (step: string, fields: Fields): string => {
  const names = Object.keys(fields)
  return names.length === 0
    ? `what is before ${step} holds no fields`
    : `in place of ${step} there are ${names.join(", ")}`
}

/** Throws fatal `wrong-type` where a test can never hold, or always, for the type of the field. */
function checkTests({ type, mark }: Field<unknown>, condition: Condition, at: string): void {
  const { avro } = plain(type)
  const kind = avro === "string" || avro === "boolean" ? avro : "number"
  const wrong = (test: string) =>
    fatal("wrong-type", `${test} does not fit a field of type ${String(avro)}`, { path: at })
  if (condition.in?.some((value) => typeof value !== kind) === true) throw wrong("in")
  if (condition.prefix !== undefined && kind !== "string") throw wrong("prefix")
  const ranged = condition["at-least"] !== undefined || condition["at-most"] !== undefined
  if (ranged && kind !== "number") throw wrong("at-least, at-most")
  const dated = condition.before !== undefined || condition.after !== undefined
  if (dated && (kind === "boolean" || (kind === "number" && mark !== "date"))) throw wrong("before, after")
}

/** The values at a path that are there; lists on the way are entered. `missing` is called for a name that an object has not. */
function gather(value: unknown, steps: readonly string[], depth: number, found: Scalar[], missing: () => never): void {
  if (value === null || value === undefined) return
  if (Array.isArray(value)) {
    for (const item of value) gather(item, steps, depth, found, missing)
  } else if (typeof value === "object") {
    const step = steps[depth]
    if (step === undefined || !Object.hasOwn(value, step)) missing()
    gather((value as Readonly<Record<string, unknown>>)[step], steps, depth + 1, found, missing)
  } else if (depth < steps.length) missing()
  else if (value !== "" && typeof value !== "bigint") found.push(value as Scalar)
}

function dateOf(text: string | undefined, zone: ZoneOffset, at: string): Interval | undefined {
  if (text === undefined) return undefined
  const found = interval(text, zone)
  if (found === undefined) throw fatal("date-unreadable", "no FHIR date or dateTime", { path: at })
  return found
}

/** The time that a field's value means: ms since 1970, YYYYMMDD, or a FHIR date; undefined for what is none. */
function timeOf(value: Scalar, zone: ZoneOffset): Pick<Interval, "from" | "to"> | undefined {
  if (typeof value === "number") return { from: value, to: value + 1 }
  if (typeof value !== "string") return undefined
  return interval(value.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3"), zone)
}

function dateTests(condition: Condition, zone: ZoneOffset, at: string): Test[] {
  const before = dateOf(condition.before, zone, `${at}.before`)
  const after = dateOf(condition.after, zone, `${at}.after`)
  if (before === undefined && after === undefined) return []
  return [
    (value) => {
      const time = timeOf(value, zone)
      if (time === undefined) return false
      return (before === undefined || time.to <= before.from) && (after === undefined || time.from >= after.to)
    },
  ]
}

function testsOf(condition: Condition, zone: ZoneOffset, at: string): readonly Test[] {
  const found = dateTests(condition, zone, at)
  const { in: listed, prefix, "at-least": least, "at-most": most } = condition
  if (listed !== undefined) {
    const values = new Set<Scalar>(listed)
    found.push((value) => values.has(value))
  }
  if (prefix !== undefined) {
    const prefixes = typeof prefix === "string" ? [prefix] : prefix
    found.push((value) => typeof value === "string" && prefixes.some((one) => value.startsWith(one)))
  }
  if (least !== undefined) found.push((value) => typeof value === "number" && value >= least)
  if (most !== undefined) found.push((value) => typeof value === "number" && value <= most)
  return found
}

/** Makes the test of a field: one value at its path passes all that is asked. A date of which only a part is in the range is not in
 * it.
 * @param type undefined for record types of packages, whose fields are seen in the records only
 * @param at path of the condition in the options
 * @throws fatal `unknown-field`, `wrong-type`, `date-unreadable` */
export function fieldPredicate(
  condition: Condition & { readonly field: string },
  type: RecordType | undefined,
  zone: ZoneOffset,
  at: string,
): FieldPredicate {
  const path = condition.field
  if (type !== undefined) checkTests(fieldAt(type, path, at), condition, at)
  const asked = testsOf(condition, zone, at)
  const steps = path.split(".")
  const missing = (): never => {
    throw unknownField(path, at, type?.name ?? "this topic")
  }
  return (value) => {
    const found: Scalar[] = []
    gather(value, steps, 0, found, missing)
    if (condition.exists === false) return found.length === 0
    return found.some((one) => asked.every((test) => test(one)))
  }
}
