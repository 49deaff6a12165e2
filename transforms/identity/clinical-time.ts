type Json = Readonly<Record<string, unknown>>

// The elements that say when something was, by preference (FHIR R4); a path into a period or a collection is dotted.
const elements = [
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
  "startDate",
  "recordedDate",
  "authoredOn",
  "dateAsserted",
  "issued",
  "receivedTime",
  "created",
  "date",
].map((path) => path.split("."))

const inside = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Json)[name] : undefined

/** The text of when a resource's fact was: the first of the elements that say it; undefined when none does. */
export function clinicalTime(resource: Json): string | undefined {
  for (const path of elements) {
    const value = path.reduce<unknown>(inside, resource)
    if (typeof value === "string") return value
  }
  return undefined
}
