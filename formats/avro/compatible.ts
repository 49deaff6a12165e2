import type { Type } from "avsc"
import { typeOf } from "./types.ts"

/** Why a reader with one schema cannot read what was written with another (Avro 1.12, Schema Resolution), each with the path of the
 * field at fault, as `value.words: was string, is int`; empty when it can. */
export function compatible(reader: unknown, writer: unknown): readonly string[] {
  return faults(typeOf(reader), typeOf(writer), "")
}

interface Field {
  readonly name: string
  readonly aliases: readonly string[]
  readonly type: Type
  defaultValue(): unknown
}

/** What the kinds of types have; which of it is there tells the kind. */
interface Parts {
  readonly fields?: readonly Field[]
  readonly itemsType?: Type
  readonly valuesType?: Type
  readonly types?: readonly Type[]
}

const partsOf = (type: Type): Parts => type as unknown as Parts

function resolves(reader: Type, writer: Type): boolean {
  try {
    reader.createResolver(writer)
    return true
  } catch {
    return false
  }
}

/** Resolution says no more than that it failed, so the parts are asked one by one. */
function faults(reader: Type, writer: Type, path: string): readonly string[] {
  if (resolves(reader, writer)) return []
  const inner = innerFaults(reader, writer, path)
  return inner.length > 0 ? inner : [`${path || "the schema"}: was ${nameOf(writer)}, is ${nameOf(reader)}`]
}

function innerFaults(reader: Type, writer: Type, path: string): readonly string[] {
  const [is, was] = [partsOf(reader), partsOf(writer)]
  if (is.fields !== undefined && was.fields !== undefined) return fieldFaults(is.fields, was.fields, path)
  if (is.itemsType !== undefined && was.itemsType !== undefined) return faults(is.itemsType, was.itemsType, `${path}[]`)
  if (is.valuesType !== undefined && was.valuesType !== undefined)
    return faults(is.valuesType, was.valuesType, `${path}{}`)
  const [read, written] = [is.types ?? [reader], was.types ?? [writer]]
  if (is.types === undefined && was.types === undefined) return []
  return written.flatMap((one) => {
    if (resolves(reader, one)) return []
    const same = read.find((type) => kindOf(type) === kindOf(one))
    return same === undefined ? [`${path}: may hold ${nameOf(one)}, which is no longer read`] : faults(same, one, path)
  })
}

function fieldFaults(is: readonly Field[], was: readonly Field[], path: string): readonly string[] {
  return is.flatMap((field) => {
    const at = path === "" ? field.name : `${path}.${field.name}`
    const before = was.find(({ name }) => name === field.name || field.aliases.includes(name))
    if (before !== undefined) return faults(field.type, before.type, at)
    return field.defaultValue() === undefined ? [`${at}: is new, and has no default`] : []
  })
}

/** Records of two versions have the same name. */
const kindOf = (type: Type): string => type.name ?? type.typeName

const nameOf = (type: Type): string => {
  const { types } = partsOf(type)
  return types === undefined ? kindOf(type) : types.map(kindOf).join(" or ")
}
