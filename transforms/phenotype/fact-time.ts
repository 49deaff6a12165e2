import { interval } from "../../formats/fhir/time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { at, object, text } from "./json.ts"
import type { Json } from "./json.ts"
import { earliest, latest } from "./sorts.ts"

/** All times that a fact may have: from <= t <= last, ms since 1970, UTC. One to the second is a point. */
export interface Span {
  readonly from: number
  readonly last: number
}

function ofText(value: unknown, zone: ZoneOffset): Span | undefined {
  const found = typeof value === "string" ? interval(value, zone) : undefined
  if (found === undefined) return undefined
  return { from: found.from, last: found.precision === "second" ? found.from : found.to - 1 }
}

/** A fact somewhere in a period; an end that is not stated is open. One that ends before it starts cannot be read. */
function ofPeriod(value: unknown, zone: ZoneOffset): Span | undefined {
  const { start, end } = object(value)
  const [first, final] = [ofText(start, zone), ofText(end, zone)]
  if (first === undefined && final === undefined) return undefined
  const [from, last] = [first?.from ?? earliest, final?.last ?? latest]
  return from <= last ? { from, last } : undefined
}

/** The elements that say when a fact was, the first readable one counts (FHIR R4). A Condition without a readable onset counts
 * from when it was recorded. */
const factElements = {
  Observation: ["effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued"],
  DiagnosticReport: ["effectiveDateTime", "effectivePeriod", "issued"],
  Condition: ["onsetDateTime", "onsetPeriod", "recordedDate"],
  ImagingStudy: ["started"],
} as const

/** When a fact was; undefined when it states no readable time. */
export function factTime(type: keyof typeof factElements, resource: Json, zone: ZoneOffset): Span | undefined {
  for (const element of factElements[type]) {
    const value = resource[element]
    const span = element.endsWith("Period") ? ofPeriod(value, zone) : ofText(value, zone)
    if (span !== undefined) return span
  }
  return undefined
}

/** The elements that show a person was seen, by type; the first readable one counts. Plans and goals show nobody. */
const eventElements: Readonly<Record<string, readonly (readonly string[])[]>> = {
  AllergyIntolerance: [["recordedDate"]],
  Condition: [["recordedDate"], ["onsetDateTime"], ["onsetPeriod", "start"]],
  DiagnosticReport: [["effectiveDateTime"], ["effectivePeriod", "start"], ["issued"]],
  Encounter: [
    ["period", "end"],
    ["period", "start"],
  ],
  ImagingStudy: [["started"]],
  Immunization: [["occurrenceDateTime"]],
  MedicationAdministration: [["effectiveDateTime"], ["effectivePeriod", "start"]],
  MedicationRequest: [["authoredOn"]],
  Observation: [["effectiveDateTime"], ["effectiveInstant"], ["effectivePeriod", "start"], ["issued"]],
  Procedure: [["performedDateTime"], ["performedPeriod", "start"]],
  ServiceRequest: [["authoredOn"]],
  Specimen: [["collection", "collectedDateTime"], ["collection", "collectedPeriod", "start"], ["receivedTime"]],
}

/** The earliest time at which the person was surely seen by this resource. */
export function eventTime(type: string, resource: Json, zone: ZoneOffset): number | undefined {
  for (const path of eventElements[type] ?? []) {
    const value = text(at(resource, path))
    const span = value === undefined ? undefined : ofText(value, zone)
    if (span !== undefined) return span.from
  }
  return undefined
}

/** A period with both ends certain: from the last possible start to the first possible end; an open end is for ever. */
export function surePeriod(value: unknown, zone: ZoneOffset): Span | undefined {
  const { start, end } = object(value)
  const [first, final] = [ofText(start, zone), ofText(end, zone)]
  if (first === undefined || (end !== undefined && final === undefined)) return undefined
  return { from: first.last, last: final?.from ?? latest }
}

/** A moment in ms; undefined when it cannot be read. */
export const moment = (value: string | undefined): number | undefined =>
  value === undefined ? undefined : interval(value)?.from

/** When a visit may end: the last possible end; undefined while none is stated. */
export const visitEnd = (resource: Json, zone: ZoneOffset): number | undefined =>
  ofText(at(resource, ["period", "end"]), zone)?.last
