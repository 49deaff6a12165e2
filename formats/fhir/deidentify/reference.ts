import { isObject, text } from "./json.ts"
import type { Json } from "./json.ts"
import type { Mapping } from "./mapping.ts"
import { uidIdentifier } from "./values.ts"

/** The system of the identifier by which a Patient is the person that other resources refer to. */
export const personSystem = "urn:weir:fhir:person"

const id = "[A-Za-z0-9.-]{1,64}"
const literal = new RegExp(`(?:^|/)([A-Z][A-Za-z]{1,40})/(${id})(?:/_history/${id})?$`)
const urn = new RegExp(`^urn:(?:uuid|oid):(${id})$`)

/** The id of the Patient that a reference names: relative, absolute, or `urn:uuid:` unless it states another type. */
function patientId(value: Json): string | undefined {
  const whole = text(value["reference"])
  const found = literal.exec(whole)
  return found === null ? urn.exec(whole)?.[1] : found[2]
}

/** The person that a resource is about: the record of theirs that it names, as that record's id is mapped, and the pseudonym. What says that
 * it is about no Patient (a Group, a Device) goes. */
export function personReference(value: unknown, { person, identifier }: Mapping): Json | undefined {
  if (!isObject(value)) return undefined
  const type = literal.exec(text(value["reference"]))?.[1] ?? (text(value["type"]) || "Patient")
  if (type !== "Patient") return undefined
  const id = patientId(value)
  return {
    ...(id === undefined ? {} : { reference: `Patient/${identifier("Patient", id)}` }),
    identifier: { system: personSystem, value: person },
  }
}

/** A reference that names a Patient and says so; all others go. */
export function patientReference(value: unknown, { identifier }: Mapping): Json | undefined {
  if (!isObject(value)) return undefined
  const type = literal.exec(text(value["reference"]))?.[1] ?? text(value["type"])
  const id = type === "Patient" ? patientId(value) : undefined
  return id === undefined ? undefined : { reference: `Patient/${identifier("Patient", id)}` }
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
