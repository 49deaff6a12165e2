import {
  array,
  date,
  group,
  identifier,
  int,
  keep,
  long,
  nested,
  optional,
  quasi,
  recordType,
  string,
  text,
  uid,
} from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"

/** Where an object's bytes are, in the bucket of the record's zone. Bytes never pass through a topic. */
export const claimCheck = nested("ClaimCheck", {
  key: keep(string, "object key in the zone's bucket"),
  size: keep(long, "bytes"),
  sha256: keep(string, "hex SHA-256 of the bytes"),
  transferSyntax: keep(string, "Transfer Syntax UID (0002,0010)"),
})

/** One DICOM instance: the claim check of its object and the few attributes that joins need; every other element stays in the
 * object. Arrivals are keyed by StudyInstanceUID, assembled instances by person. */
export const dicomInstance = recordType({
  name: "dicom-instance",
  doc: "A DICOM instance: claim check, UIDs, and what joins and assembly need",
  id: ["sopInstanceUid"],
  fields: {
    object: group(claimCheck, "the original object, in the phi bucket"),
    sopInstanceUid: uid(string, "(0008,0018)"),
    sopClassUid: keep(string, "(0008,0016)"),
    seriesInstanceUid: uid(string, "(0020,000E)"),
    studyInstanceUid: uid(string, "(0020,000D)"),
    patientId: identifier(string, "(0010,0020), empty when absent"),
    issuerOfPatientId: identifier(string, "(0010,0021), empty when absent"),
    accessionNumber: identifier(string, "(0008,0050), empty when absent"),
    accessionIssuer: identifier(string, "(0008,0051) Local Namespace or Universal Entity ID, empty when absent"),
    modality: keep(string, "(0008,0060)"),
    bodyPart: keep(string, "(0018,0015), upper case, empty when absent"),
    studyDate: date(optional(string), "(0008,0020) as YYYYMMDD"),
    studyTime: quasi(optional(string), "(0008,0030)"),
    timezoneOffset: text(optional(string), "(0008,0201); beside a shifted date it would tell the true season"),
    imageType: keep(array(string), "(0008,0008)"),
    burnedInAnnotation: keep(optional(string), "(0028,0301)"),
    conversionType: keep(optional(string), "(0008,0064)"),
    seriesNumber: keep(optional(int), "(0020,0011)"),
    instanceNumber: keep(optional(int), "(0020,0013)"),
    expectedInstances: keep(optional(int), "(0020,1208) Number of Study Related Instances"),
    expectedSeriesInstances: keep(optional(int), "(0020,1209) Number of Series Related Instances"),
    rows: keep(optional(int), "(0028,0010)"),
    columns: keep(optional(int), "(0028,0011)"),
    frames: keep(optional(int), "(0028,0008)"),
    file: text(string, "path of the file under the source's folder, or the sender's AE title"),
  },
})
/** A value of `dicom-instance`. */
export type DicomInstance = ValueOf<typeof dicomInstance>
