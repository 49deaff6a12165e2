import { expect } from "vitest"
import { rowId } from "../../../core/index.ts"
import type { Draft, FieldType, Fields, Port, Ports, RecordType } from "../../../core/index.ts"

type Avro = string | readonly unknown[] | { readonly type: string }

const primitives: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  int: (value) => Number.isInteger(value) && Math.abs(value as number) <= 2_147_483_648,
  long: (value) => Number.isSafeInteger(value),
  double: (value) => typeof value === "number",
}

/** The paths of a value at which it is not of a type. */
function faultsOf(type: FieldType<unknown>, value: unknown, path: string): string[] {
  if (type.optional === true) return value === null ? [] : faultsOf(type.item!, value, path)
  if (type.item !== undefined)
    return Array.isArray(value) ? value.flatMap((item, at) => faultsOf(type.item!, item, `${path}[${at}]`)) : [path]
  if (type.fields !== undefined) return fieldFaults(type.fields, value, `${path}.`)
  const check = primitives[type.avro as Avro & string]
  return check === undefined || check(value) ? [] : [path]
}

function fieldFaults(fields: Fields, value: unknown, prefix: string): string[] {
  if (typeof value !== "object" || value === null) return [prefix]
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(fields, name))
  const faults = Object.entries(fields).flatMap(([name, { type }]) =>
    faultsOf(type, (value as Readonly<Record<string, unknown>>)[name], `${prefix}${name}`),
  )
  return [...unknown.map((name) => `${prefix}${name}`), ...faults]
}

const isType = (type: Port<unknown>["type"]): type is RecordType => typeof type === "object"

/** The draft is whole, goes to a declared output, and its value and row id are of that output's record type. */
export function expectConforms(outputs: Ports, to: string, draft: Draft): void {
  expect(Object.keys(outputs), "the declared outputs").toContain(to)
  const { key, id, op, version, value, time, headers } = draft
  expect([typeof key, typeof id, typeof version], "types of key, id and version").toEqual([
    "string",
    "string",
    "bigint",
  ])
  expect(["upsert", "retract"]).toContain(op)
  expect(version >= 0n && version < 1n << 63n, "the version fits 63 bits").toBe(true)
  expect(Number.isSafeInteger(time), "the event time is whole milliseconds").toBe(true)
  for (const header of Object.values(headers ?? {})) expect(typeof header, "type of a header").toBe("string")
  if (op === "upsert") expect(value, "the value of an upsert").not.toBeNull()
  const { type } = outputs[to]!
  if (value === null || !isType(type)) return
  expect(fieldFaults(type.fields, value, ""), `fields that are not as record type ${type.name} has them`).toEqual([])
  const parts = type.id.map((name) => String((value as Readonly<Record<string, unknown>>)[name]))
  expect(rowId(parts) === id, `the row id is ${type.id.join("/")} of the value, percent-encoded`).toBe(true)
}
