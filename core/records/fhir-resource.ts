import { identifier, keep, long, optional, recordType, string, text } from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"

/** One FHIR resource as it arrived, keyed by its Patient reference (`Patient/<id>`; empty when it names no person). */
export const fhirResource = recordType({
  name: "fhir-resource",
  doc: "A FHIR R4 resource as it arrived",
  id: ["resourceType", "resourceId"],
  fields: {
    source: keep(string, "name of the source; with it a Patient id is the namespace fhir:<source>"),
    resourceType: keep(string, "FHIR resource type"),
    resourceId: identifier(string, "Resource.id"),
    versionId: text(optional(string), "Resource.meta.versionId"),
    lastUpdated: text(optional(string), "Resource.meta.lastUpdated"),
    body: text(string, "the resource, FHIR JSON"),
    file: text(string, "path of the file under the source's folder"),
    line: keep(long, "line in the file, from 1"),
  },
})
/** A value of `fhir-resource`. */
export type FhirResource = ValueOf<typeof fhirResource>
