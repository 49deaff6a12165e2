import {
  array,
  boolean,
  date,
  group,
  identifier,
  int,
  keep,
  long,
  nested,
  optional,
  recordType,
  string,
  uid,
} from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"

/** What a phenotype rule says of one study, with the evidence for it. */
export const label = recordType({
  name: "label",
  doc: "The value of a phenotype for an imaging study, with its evidence",
  id: ["phenotype", "studyInstanceUid"],
  aggregate: true,
  fields: {
    phenotype: keep(string, "name of the phenotype"),
    ruleVersion: keep(string, "version of the definition and hash of its text"),
    studyInstanceUid: uid(string, "the study that is labelled"),
    value: keep(string, "positive | negative | uncertain | unknown"),
    reason: keep(string, "code: why this value and no other"),
    rung: keep(string, "how the evidence was joined: study-uid | accession | encounter | patient-time | none"),
    ambiguous: keep(boolean, "several matches on the rung: each is a candidate"),
    candidates: keep(int, "matches on the rung"),
    clinicalTime: date(optional(long), "time of the study, ms since 1970, UTC"),
    knownTime: date(optional(long), "newest stated lastUpdated among the inputs, ms since 1970, UTC"),
    grade: keep(string, "grade of truth: pathology | laboratory | coded-diagnosis | report | none"),
    evidence: group(
      array(
        nested("Evidence", {
          resourceType: keep(string, "FHIR resource type, or Study"),
          resourceId: identifier(string, "resource id"),
          revision: keep(long, "revision of the fact that was used"),
          time: date(optional(long), "clinical time of the fact, ms since 1970, UTC"),
          role: keep(string, "supports | refutes | uncertain"),
        }),
      ),
      "the facts that made the value, sorted",
    ),
  },
})
/** A value of `label`. */
export type Label = ValueOf<typeof label>
