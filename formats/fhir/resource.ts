/** A FHIR R4 resource as JSON. */
export interface Resource {
  readonly resourceType: string
  readonly id?: string
  readonly [element: string]: unknown
}

/** A code that a resource states, and the element that states it, as `component[1].code.coding[0]`. */
export interface StatedCoding {
  /** Empty when the coding states none. */
  readonly system: string
  readonly code: string
  readonly display?: string
  readonly path: string
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const stated = (value: unknown): string | undefined =>
  typeof value === "string" && value.length > 0 ? value : undefined

const types = (list: string): readonly string[] => list.trim().split(/\s+/)

/** The element that says whom a resource is about (FHIR R4, CompartmentDefinition/patient; of several elements the one that names
 * the subject of care). Types that are not listed are about no person. */
const personElements: ReadonlyMap<string, string> = new Map(
  Object.entries({
    subject: types(`
      Account AdverseEvent Basic CarePlan CareTeam ChargeItem ClinicalImpression Communication CommunicationRequest
      Composition Condition DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference
      Encounter Flag Goal GuidanceResponse ImagingStudy Invoice List MeasureReport Media MedicationAdministration
      MedicationDispense MedicationRequest MedicationStatement Observation Procedure QuestionnaireResponse RequestGroup
      RiskAssessment ServiceRequest Specimen`),
    patient: types(`
      AllergyIntolerance BodyStructure Claim ClaimResponse Consent CoverageEligibilityRequest
      CoverageEligibilityResponse DetectedIssue Device EpisodeOfCare ExplanationOfBenefit FamilyMemberHistory
      Immunization ImmunizationEvaluation ImmunizationRecommendation MolecularSequence NutritionOrder RelatedPerson
      SupplyDelivery VisionPrescription`),
    beneficiary: types("Coverage"),
    candidate: types("EnrollmentRequest"),
    individual: types("ResearchSubject"),
    for: types("Task"),
  }).flatMap(([element, names]) => names.map((name) => [name, element] as const)),
)

const id = "[A-Za-z0-9.-]{1,64}"
const literal = new RegExp(`(?:^|/)Patient/(${id})(?:/_history/${id})?$`)
const urn = new RegExp(`^urn:(?:uuid|oid):(${id})$`)

/** `Patient/<id>` of a Reference; undefined for contained ones, other types, and those with an identifier alone. */
function patientOf(reference: unknown): string | undefined {
  if (!isObject(reference)) return undefined
  const text = stated(reference["reference"]) ?? ""
  const type = stated(reference["type"])
  if (type !== undefined && type !== "Patient") return undefined
  const found = (literal.exec(text) ?? urn.exec(text))?.[1]
  return found === undefined ? undefined : `Patient/${found}`
}

/** `Patient/<id>` of the person that a resource is about: itself for a Patient, else what its subject of care refers to, relative,
 * absolute or as `urn:uuid:<id>`, which may be any type unless the reference says. Undefined when it names no person: a Group,
 * a Device, a type of resource that is about no one. */
export function patientReference(resource: Resource): string | undefined {
  if (resource.resourceType === "Patient") return resource.id === undefined ? undefined : `Patient/${resource.id}`
  if (resource.resourceType === "Appointment") return onlyParticipant(resource)
  const element = personElements.get(resource.resourceType)
  return element === undefined ? undefined : patientOf(resource[element])
}

/** The one Patient among the participants of an Appointment; a group appointment is about no single person. */
function onlyParticipant(appointment: Resource): string | undefined {
  const participants = Array.isArray(appointment["participant"]) ? (appointment["participant"] as unknown[]) : []
  const actors = participants.map((participant) => (isObject(participant) ? participant["actor"] : undefined))
  const explicit = actors.filter((actor) => isObject(actor) && /Patient/.test(`${actor["type"]} ${actor["reference"]}`))
  const named = new Set(explicit.flatMap((actor) => patientOf(actor) ?? []))
  return named.size === 1 ? [...named][0] : undefined
}

/** Elements of type CodeableConcept or Coding that say what a resource is clinically (FHIR R4); arrays on the way are entered. */
const codeElements = [
  "code",
  "category",
  "type",
  "class",
  "serviceType",
  "conclusionCode",
  "valueCodeableConcept",
  "interpretation",
  "reasonCode",
  "bodySite",
  "method",
  "severity",
  "modality",
  "procedureCode",
  "series.modality",
  "series.bodySite",
  "component.code",
  "component.valueCodeableConcept",
  "component.interpretation",
  "medicationCodeableConcept",
  "vaccineCode",
  "evidence.code",
  "stage.summary",
  "stage.type",
  "reaction.substance",
  "reaction.manifestation",
  "description",
  "activity.detail.code",
  "collection.bodySite",
  "complication",
  "outcome",
  "orderDetail",
].map((path) => path.split("."))

function codingsAt(value: unknown, steps: readonly string[], depth: number, path: string, into: StatedCoding[]): void {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) if (isObject(item)) codingsAt(item, steps, depth, `${path}[${at}]`, into)
    return
  }
  if (!isObject(value)) return
  const step = steps[depth]
  if (step !== undefined) {
    if (value[step] !== undefined)
      codingsAt(value[step], steps, depth + 1, path === "" ? step : `${path}.${step}`, into)
    return
  }
  if (!Array.isArray(value["coding"])) return codingOf(value, path, into)
  for (const [at, item] of value["coding"].entries()) if (isObject(item)) codingOf(item, `${path}.coding[${at}]`, into)
}

function codingOf(value: Json, path: string, into: StatedCoding[]): void {
  const code = stated(value["code"])
  if (code === undefined) return
  const display = stated(value["display"])
  into.push({ system: stated(value["system"]) ?? "", code, ...(display === undefined ? {} : { display }), path })
}

/** The codes of a resource's clinical elements, in the order of the elements; what has no code is passed over. */
export function codings(resource: Resource): readonly StatedCoding[] {
  const found: StatedCoding[] = []
  for (const steps of codeElements) codingsAt(resource, steps, 0, "", found)
  return found
}

/** Elements that say when a fact was, by preference (FHIR R4); a path into a period or a collection is dotted. */
const timeElements = [
  "effectiveDateTime",
  "effectiveInstant",
  "effectivePeriod.start",
  "started",
  "onsetDateTime",
  "onsetPeriod.start",
  "performedDateTime",
  "performedPeriod.start",
  "occurrenceDateTime",
  "occurrencePeriod.start",
  "collection.collectedDateTime",
  "collection.collectedPeriod.start",
  "period.start",
  "billablePeriod.start",
  "start",
  "startDate",
  "recordedDate",
  "authoredOn",
  "dateAsserted",
  "issued",
  "receivedTime",
  "created",
  "date",
].map((path) => path.split("."))

/** The text of when a resource's fact was, as recorded: the first element that says it; undefined when none does. */
export function clinicalTime(resource: Resource): string | undefined {
  for (const [name, inside] of timeElements) {
    const value = resource[name!]
    const told = inside === undefined ? value : isObject(value) ? value[inside] : undefined
    if (typeof told === "string") return told
  }
  return undefined
}
