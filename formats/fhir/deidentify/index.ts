import { clinicalTime } from "../resource.ts"
import type { Resource } from "../resource.ts"
import { ageCodes, allowed, birthDateCodes } from "./allow-list.ts"
import { ageAt } from "./date.ts"
import { FhirDeidentifyError } from "./errors.ts"
import { isObject, objects, text } from "./json.ts"
import type { Json } from "./json.ts"
import type { Mapping } from "./mapping.ts"
import { cappedAge } from "./values.ts"
import type { OwnMapping } from "./values.ts"
import { personSystem } from "./reference.ts"
import { demands, elements } from "./walk.ts"

export { allowed } from "./allow-list.ts"
export type { Rule } from "./allow-list.ts"
export { isPlaceholder, shiftDate } from "./date.ts"
export { broadAddress, townAddress, zip3 } from "./geography.ts"
export type { LocalTime } from "./date.ts"
export { FhirDeidentifyError } from "./errors.ts"
export type { FhirDeidentifyCode } from "./errors.ts"
export type { Mapping, Profile } from "./mapping.ts"
export { isCode } from "./values.ts"
export { personSystem } from "./reference.ts"
export { findsOwn, isOwnIn, ownOf } from "./self-check.ts"
export type { Own } from "./self-check.ts"

/** The extension in which a resource tells the age of its person at the event: `valueAge` in whole years, `>= 90` for 90 and more.
 * It stands for the birth date, which goes. */
export const ageExtension = "urn:weir:fhir:age-at-event"

const ucum = "http://unitsofmeasure.org"

function ageOf(resource: Json, birthDate: string | null): Json | undefined {
  const isPatient = resource["resourceType"] === "Patient"
  const event = isPatient ? text(resource["deceasedDateTime"]) : clinicalTime(resource as Resource)
  const age = birthDate === null || !event ? undefined : ageAt(birthDate, event)
  if (age === undefined) return undefined
  const comparator = age.orMore === true ? { comparator: ">=" } : {}
  return { url: ageExtension, valueAge: { value: age.years, ...comparator, unit: "a", system: ucum, code: "a" } }
}

const hasCode = (concept: unknown, codes: ReadonlySet<string>): boolean =>
  isObject(concept) && objects(concept["coding"]).some(({ code }) => codes.has(text(code)))

/** Ages and birth dates that an Observation tells as its value. */
function guarded(observation: Json): Json {
  const { component, ...own }: Record<string, unknown> = observation
  const components = Array.isArray(component) ? { component: component.map((one) => guarded(one as Json)) } : {}
  if (hasCode(own["code"], birthDateCodes)) {
    const { valueDateTime: _, valuePeriod: __, ...rest } = own
    return { ...rest, ...components }
  }
  const quantity = own["valueQuantity"]
  const isAge = hasCode(own["code"], ageCodes)
  if (isAge) {
    delete own["valueRange"]
    delete own["valueRatio"]
  }
  const inYears = isObject(quantity) && quantity["code"] === "a"
  const capped = isObject(quantity) && (isAge || inYears) ? { valueQuantity: cappedAge(quantity) } : {}
  const whole =
    isAge && typeof own["valueInteger"] === "number" ? { valueInteger: Math.min(own["valueInteger"], 90) } : {}
  return { ...own, ...capped, ...whole, ...components }
}

/** A year has no form as an instant, but as a dateTime. */
function withYears(observation: Json): Json {
  const { effectiveInstant, ...rest } = observation
  return effectiveInstant === undefined ? observation : { ...rest, effectiveDateTime: effectiveInstant }
}

function only(given: Json, type: string, contained: ReadonlyMap<string, string>, mapping: OwnMapping): Json {
  const rule = allowed.get(type)
  if (rule?.kind !== "elements") return {}
  const resource = type === "Observation" && mapping.profile === "safe-harbor" ? withYears(given) : given
  const kept = elements(resource, rule, { mapping, contained }) ?? demands(resource, rule)
  return type === "Observation" ? guarded(kept) : kept
}

/** Contained resources that say something, renamed c1, c2 ...; a Patient inside is the person and goes. */
function containedOf(resource: Json, mapping: OwnMapping): readonly [names: ReadonlyMap<string, string>, kept: Json[]] {
  const listed = objects(resource["contained"]).filter(({ resourceType, id }) => {
    return text(resourceType) !== "Patient" && allowed.has(text(resourceType)) && text(id) !== ""
  })
  const names = new Map(listed.map(({ id }, at) => [text(id), `c${at + 1}`]))
  const kept = listed.map((inner) => {
    const type = text(inner["resourceType"])
    return { resourceType: type, id: names.get(text(inner["id"])), ...only(inner, type, names, mapping) }
  })
  return [names, kept]
}

/** De-identifies a FHIR R4 resource: allowed elements only, ids and references mapped, dates and places as the mapping's profile tells
 * them, the birth date replaced by the age at the event.
 * @param birthDate of the person, FHIR date
 * @throws FhirDeidentifyError for types that are not in the allow-list */
export function deidentifyResource(resource: unknown, birthDate: string | null, given: Mapping): Json {
  if (!isObject(resource) || typeof resource["resourceType"] !== "string" || typeof resource["id"] !== "string")
    throw new FhirDeidentifyError("not-a-resource", "the body is no resource with a type and an id")
  const type = resource["resourceType"]
  if (!allowed.has(type))
    throw new FhirDeidentifyError("resource-type", "the type of the resource is not in the allow-list")
  const when = clinicalTime(resource as Resource) ?? text(resource["authored"])
  const isOld = birthDate !== null && ageAt(birthDate, when)?.orMore === true
  const mapping: OwnMapping = { ...given, birthDate, isOld }
  const [names, contained] = containedOf(resource, mapping)
  const { extension, ...kept } = only(resource, type, names, mapping)
  const age = ageOf(resource, birthDate)
  const extensions = [...(Array.isArray(extension) ? (extension as Json[]) : []), ...(age === undefined ? [] : [age])]
  return {
    resourceType: type,
    id: mapping.identifier(type, resource["id"]),
    ...(contained.length === 0 ? {} : { contained }),
    ...(extensions.length === 0 ? {} : { extension: extensions }),
    ...(type === "Patient" ? { identifier: [{ system: personSystem, value: mapping.person }] } : {}),
    ...kept,
  }
}
