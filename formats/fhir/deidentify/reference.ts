import { isObject, text } from "./json.ts"
import type { Json } from "./json.ts"
import type { Mapping } from "./mapping.ts"
import { uidIdentifier } from "./values.ts"

const id = "[A-Za-z0-9.-]{1,64}"
const literal = new RegExp(`(?:^|/)([A-Z][A-Za-z]{1,40})/(${id})(?:/_history/${id})?$`)
const urn = new RegExp(`^urn:(?:uuid|oid):(${id})$`)

/** The person that a resource is about. What says that it is about no Patient (a Group, a Device) goes. */
export function personReference(value: unknown, { person }: Mapping): Json | undefined {
  if (!isObject(value)) return undefined
  const type = literal.exec(text(value["reference"]))?.[1] ?? (text(value["type"]) || "Patient")
  return type === "Patient" ? { reference: `Patient/${person}` } : undefined
}

/** A reference to one of `types`, mapped as the id of its target is. One that states no type (`urn:uuid:`) is taken for the first.
 * A logical reference stays only by UID, a contained one by the new name of what it contains. */
export function mappedReference(
  value: unknown,
  types: readonly string[],
  contained: ReadonlyMap<string, string>,
  mapping: Mapping,
): Json | undefined {
  if (!isObject(value)) return undefined
  const whole = text(value["reference"])
  if (whole.startsWith("#")) {
    const name = contained.get(whole.slice(1))
    return name === undefined ? undefined : { reference: `#${name}` }
  }
  const found = literal.exec(whole)
  const target = found?.[2] ?? urn.exec(whole)?.[1]
  const type = found?.[1] ?? (text(value["type"]) || types[0]!)
  if (target !== undefined && types.includes(type)) return { reference: `${type}/${mapping.identifier(type, target)}` }
  const byUid = isObject(value["identifier"]) ? uidIdentifier(value["identifier"], mapping) : undefined
  if (byUid !== undefined) return { identifier: byUid }
  mapping.left("reference-not-listed")
  return undefined
}
