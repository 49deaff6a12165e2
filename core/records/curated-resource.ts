import { array, date, identifier, keep, long, optional, recordType, string } from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"

/** A de-identified FHIR resource; its body holds allowed elements only. */
export const curatedResource = recordType({
  name: "curated-resource",
  doc: "A de-identified FHIR R4 resource",
  id: ["resourceType", "resourceId"],
  fields: {
    resourceType: keep(string, "FHIR resource type"),
    resourceId: identifier(string, "pseudonymous id"),
    time: date(optional(long), "shifted clinical time, ms since 1970, UTC"),
    codes: keep(array(string), "system|code, as recorded and as mapped, sorted"),
    body: keep(string, "the resource, FHIR JSON, allowed elements only"),
    profile: keep(string, "profile and options that ran"),
  },
})
/** A value of `curated-resource`. */
export type CuratedResource = ValueOf<typeof curatedResource>
