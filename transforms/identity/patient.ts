import type { Member, Namespaces } from "./members.ts"
import { patientMember } from "./members.ts"

/** What a Patient says of identity. */
export interface Statement {
  /** The other members that it says are the same person, sorted. */
  readonly names: readonly Member[]
  readonly birthDate?: string
  /** It links to the Patient that replaces it. */
  readonly replaced?: true
}

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const items = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : [])
const text = (value: unknown): string => (typeof value === "string" ? value : "")

/** The Patient id that a reference names; undefined for contained, other types and none. */
function patientId(reference: unknown): string | undefined {
  if (!isObject(reference)) return undefined
  const whole = text(reference["reference"])
  const type = text(reference["type"])
  const urn = /^urn:(?:uuid|oid):([A-Za-z0-9.-]{1,64})$/.exec(whole)
  if (urn !== null) return type === "" || type === "Patient" ? urn[1] : undefined
  return /(?:^|\/)Patient\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/.exec(whole)?.[1]
}

/** The identifiers of declared issuers, the links and the birth date of a Patient (FHIR R4, Patient). Each type of link joins: R4
 * defines Patient.link as another record of the same actual patient, also for `refer` and `seealso`.
 * @param ignored called for each identifier of an undeclared issuer */
export function statementOf(patient: Json, source: string, namespaces: Namespaces, ignored: () => void): Statement {
  const own = patientMember(source, text(patient["id"]))
  const names = new Set<Member>()
  const identified = (identifier: unknown): void => {
    if (!isObject(identifier) || text(identifier["value"]).trim() === "") return
    const member = namespaces.ofFhir(text(identifier["system"]), text(identifier["value"]))
    if (member === undefined) ignored()
    else names.add(member)
  }
  items(patient["identifier"]).forEach(identified)
  let replaced = false
  for (const link of items(patient["link"])) {
    if (link["type"] === "replaced-by") replaced = true
    const id = patientId(link["other"])
    if (id !== undefined) names.add(patientMember(source, id))
    else if (isObject(link["other"])) identified(link["other"]["identifier"])
  }
  names.delete(own)
  const birthDate = text(patient["birthDate"])
  return {
    names: [...names].sort(),
    ...(birthDate === "" ? {} : { birthDate }),
    ...(replaced ? { replaced: true as const } : {}),
  }
}
