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

/** A revision of an assembled study, keyed by person. */
export const study = recordType({
  name: "study",
  doc: "A revision of an assembled imaging study",
  id: ["studyInstanceUid"],
  aggregate: true,
  fields: {
    studyInstanceUid: uid(string, "(0020,000D)"),
    accessionNumber: identifier(string, "(0008,0050), empty when absent"),
    accessionIssuer: identifier(string, "issuer of the accession number, empty when absent"),
    modalities: keep(array(string), "modalities of its series, sorted"),
    bodyParts: keep(array(string), "body parts of its series, sorted"),
    started: date(optional(long), "study date and time, ms since 1970, UTC"),
    startedPrecision: keep(string, "second | minute | hour | day | none"),
    series: group(
      array(
        nested("Series", {
          seriesInstanceUid: uid(string, "(0020,000E)"),
          modality: keep(string, "(0008,0060)"),
          bodyPart: keep(string, "(0018,0015)"),
          instances: keep(int, "instances of the series in this revision"),
        }),
      ),
      "series, sorted by UID",
    ),
    instances: group(
      array(
        nested("StudyInstance", {
          sopInstanceUid: uid(string, "(0008,0018)"),
          revision: keep(long, "revision of the instance record that this study revision counts"),
        }),
      ),
      "instances, sorted by UID",
    ),
    expectedInstances: keep(optional(int), "greatest expected count that any instance states"),
    complete: keep(boolean, "the expected count was reached, or none is stated and it went quiet"),
  },
})
/** A value of `study`. */
export type Study = ValueOf<typeof study>

/** A study below the border: what of it was released, refused and held. */
export const curatedStudy = recordType({
  name: "curated-study",
  doc: "A de-identified study with the verdicts on its instances",
  id: ["studyInstanceUid"],
  aggregate: true,
  fields: {
    studyInstanceUid: uid(string, "mapped Study Instance UID"),
    accessionNumber: identifier(string, "accession pseudonym, empty when absent"),
    modalities: keep(array(string), "modalities of its series, sorted"),
    bodyParts: keep(array(string), "body parts of its series, sorted"),
    started: date(optional(long), "shifted study date and time, ms since 1970, UTC"),
    startedPrecision: keep(string, "second | minute | hour | day | none"),
    released: keep(int, "instances released"),
    refused: keep(int, "instances refused"),
    held: keep(int, "instances held for review"),
    refusals: group(
      array(nested("Refusal", { reason: keep(string, "code"), instances: keep(int, "how many") })),
      "refused and held instances by reason",
    ),
    complete: keep(boolean, "the study was complete and none of its instances was refused or held"),
    profile: keep(string, "profile and options that ran"),
  },
})
/** A value of `curated-study`. */
export type CuratedStudy = ValueOf<typeof curatedStudy>

/** A released instance: the claim check of the de-identified object in its own zone's bucket. */
export const curatedInstance = recordType({
  name: "curated-instance",
  doc: "A de-identified DICOM instance",
  id: ["sopInstanceUid"],
  fields: {
    object: group(
      nested("CuratedObject", {
        key: keep(string, "object key in the zone's bucket"),
        size: keep(long, "bytes"),
        sha256: keep(string, "hex SHA-256 of the bytes"),
        transferSyntax: keep(string, "Transfer Syntax UID"),
      }),
      "the de-identified object",
    ),
    sopInstanceUid: uid(string, "mapped"),
    sopClassUid: keep(string, "(0008,0016)"),
    seriesInstanceUid: uid(string, "mapped"),
    studyInstanceUid: uid(string, "mapped"),
    modality: keep(string, "(0008,0060)"),
    bodyPart: keep(string, "(0018,0015)"),
    instanceNumber: keep(optional(int), "(0020,0013)"),
    profile: keep(string, "profile and options that ran"),
  },
})
/** A value of `curated-instance`. */
export type CuratedInstance = ValueOf<typeof curatedInstance>
