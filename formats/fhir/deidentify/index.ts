import { clinicalTime } from "../resource.ts"
import type { Resource } from "../resource.ts"
import { ageCodes, allowed, birthDateCodes } from "./allow-list.ts"
import { ageAt } from "./date.ts"
import { tellUnlisted } from "./decision.ts"
import type { ElementAction } from "./decision.ts"
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
export type { ElementAction } from "./decision.ts"
export { bundleServer, closeBundle } from "./bundle.ts"
export type { BundleAbout, BundleOutputs } from "./bundle.ts"
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

/** Ages and birth dates that an Observation tells as its value.
 * @param placeOf where it stood
 * @param revised told where what a rule let pass is changed or goes */
function guarded(
  observation: Json,
  placeOf: (kept: Json) => string,
  revised: (path: string, rule: string, action: ElementAction) => void,
): Json {
  const { component, ...own }: Record<string, unknown> = observation
  const components = Array.isArray(component)
    ? { component: component.map((one) => guarded(one as Json, placeOf, revised)) }
    : {}
  const place = placeOf(observation)
  const drop = (names: readonly string[], rule: string) => {
    for (const name of names.filter((each) => own[each] !== undefined)) {
      delete own[name]
      revised(`${place}.${name}`, rule, "removed")
    }
  }
  if (hasCode(own["code"], birthDateCodes)) {
    drop(["valueDateTime", "valuePeriod"], "birth-date-code")
    return { ...own, ...components }
  }
  const isAge = hasCode(own["code"], ageCodes)
  if (isAge) drop(["valueRange", "valueRatio"], "age-code")
  const { valueQuantity: quantity, valueInteger: integer } = own
  const inYears = isObject(quantity) && quantity["code"] === "a"
  const capped = isObject(quantity) && (isAge || inYears) ? { valueQuantity: cappedAge(quantity) } : {}
  if (capped.valueQuantity !== undefined && capped.valueQuantity !== quantity)
    revised(`${place}.valueQuantity`, "age-code", "reduced")
  const whole = isAge && typeof integer === "number" ? { valueInteger: Math.min(integer, 90) } : {}
  if (whole.valueInteger !== undefined && whole.valueInteger !== integer)
    revised(`${place}.valueInteger`, "age-code", "reduced")
  return { ...own, ...capped, ...whole, ...components }
}

const dealtWith = ["resourceType", "id", "contained"]

/** A year has no form as an instant, but as a dateTime. */
function withYears(observation: Json): Json {
  const { effectiveInstant, ...rest } = observation
  return effectiveInstant === undefined ? observation : { ...rest, effectiveDateTime: effectiveInstant }
}

function only(
  given: Json,
  type: string,
  contained: ReadonlyMap<string, string>,
  mapping: OwnMapping,
  path: string,
): Json {
  const rule = allowed.get(type)
  if (rule?.kind !== "elements") return {}
  const resource = type === "Observation" && mapping.profile === "safe-harbor" ? withYears(given) : given
  tellUnlisted(resource, rule.elements, path, mapping, dealtWith)
  const { decided, undone } = mapping
  const places = decided === undefined ? undefined : new Map<unknown, string>()
  const kept = elements(resource, rule, { mapping, contained, places }, path) ?? demands(resource, rule)
  if (type !== "Observation") return kept
  return guarded(
    kept,
    (one) => places?.get(one) ?? path,
    (place, name, action) => {
      undone?.(place)
      decided?.(place, name, action)
    },
  )
}

/** Contained resources that say something, renamed c1, c2 ...; a Patient inside is the person and goes. */
function containedOf(
  resource: Json,
  mapping: OwnMapping,
  path: string,
): readonly [names: ReadonlyMap<string, string>, kept: Json[]] {
  const { decided } = mapping
  const placed = objects(resource["contained"]).map((inner, at) => ({ inner, place: `${path}.contained[${at}]` }))
  const isListed = ({ resourceType, id }: Json) =>
    text(resourceType) !== "Patient" && allowed.has(text(resourceType)) && text(id) !== ""
  for (const { inner, place } of placed) if (!isListed(inner)) decided?.(place, "contained-not-listed", "removed")
  const listed = placed.filter(({ inner }) => isListed(inner))
  const names = new Map(listed.map(({ inner }, at) => [text(inner["id"]), `c${at + 1}`]))
  const kept = listed.map(({ inner, place }) => {
    const type = text(inner["resourceType"])
    decided?.(`${place}.resourceType`, "type", "kept")
    decided?.(`${place}.id`, "id", "mapped")
    return { resourceType: type, id: names.get(text(inner["id"])), ...only(inner, type, names, mapping, place) }
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
  const { decided } = mapping
  decided?.(`${type}.resourceType`, "type", "kept")
  decided?.(`${type}.id`, "id", "mapped")
  const [names, contained] = containedOf(resource, mapping, type)
  const { extension, ...kept } = only(resource, type, names, mapping, type)
  const age = ageOf(resource, birthDate)
  if (age !== undefined) decided?.(`${type}.extension`, "age-at-event", "added")
  if (type === "Patient") decided?.(`${type}.identifier`, "person", "added")
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
