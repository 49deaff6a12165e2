import { array, date, group, identifier, keep, nested, optional, recordType, string, text } from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"
import { dicomInstance } from "./dicom-instance.ts"

/** One match of a code in a code table (FHIR ConceptMap, R4 equivalence). */
export const mappedCode = nested("MappedCode", {
  system: keep(string, "code system URI of the target"),
  code: keep(string, "target code"),
  display: keep(optional(string), "target display of the table, not of the record"),
  fromSystem: keep(string, "code system URI as recorded"),
  fromCode: keep(string, "code as recorded"),
  relationship: keep(string, "FHIR R4 ConceptMap equivalence: equal, equivalent, wider, narrower, ..."),
  table: keep(string, "name of the code table"),
})

/** What is known of one person by one record, keyed by person: the person itself, one of their instances, one of their FHIR
 * resources, or a message about them. A stage passes over the kinds that it does not read. */
export const personEvent = recordType({
  name: "person-event",
  doc: "A person, an instance or a resource of a person, keyed by person",
  id: ["kind", "subtype", "name"],
  fields: {
    kind: keep(string, "person | instance | resource | message"),
    subtype: keep(string, "FHIR resource type; `dicom` for instances, `hl7v2` for messages"),
    name: identifier(string, "resource id, SOP Instance UID of instances, SHA-256 of messages"),
    source: keep(string, "name of the source"),
    sourceVersion: text(string, "the version that the source stated, as a decimal; below phi only revisions pass"),
    instance: group(optional(nested("Instance", dicomInstance.fields)), "of an instance"),
    body: text(optional(string), "of a person or resource: FHIR JSON; of a message: HL7 v2"),
    codes: group(array(mappedCode), "matches in code tables, by map-codes"),
    identifiers: group(
      array(
        nested("PersonIdentifier", {
          namespace: keep(string, "declared namespace"),
          value: identifier(string, "identifier in it"),
        }),
      ),
      "of a person: the whole set that makes the person",
    ),
    birthDate: date(optional(string), "birth date of the person as known, FHIR date"),
    flags: keep(array(string), "conflict, person-of-study, ..."),
  },
})
/** A value of `person-event`. */
export type PersonEvent = ValueOf<typeof personEvent>
