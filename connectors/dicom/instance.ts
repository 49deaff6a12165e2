import { rowId } from "../../core/index.ts"
import type { DicomInstance, Draft } from "../../core/index.ts"
import type { Summary } from "../../formats/dicom/index.ts"
import { studyStarted } from "../../formats/dicom/study-time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"

/** A stored object. */
export interface Stored {
  readonly key: string
  readonly size: number
  readonly sha256: string
}

/** A draft without the version, which the order of arrival gives. */
export type Unnumbered = Omit<Draft<DicomInstance>, "version">

const orNull = (text: string): string | null => (text === "" ? null : text)
const well = (text: string): string => text.toWellFormed()

/** The old form with dots (PS3.5 6.2, DA) as YYYYMMDD; what is neither stays out of the record, and in the object. */
const plainDate = (text: string): string | null =>
  /^\d{4}\.\d\d\.\d\d$/.test(text) ? text.replaceAll(".", "") : /^\d{8}$/.test(text) ? text : null

const int32 = (value: number | undefined): number | null =>
  value === undefined || Math.abs(value) > 0x7fffffff ? null : value

/** The record of an instance whose bytes are stored.
 * @param file path under the source's folder
 * @param zone of study times that state no offset */
export function instanceOf(summary: Summary, object: Stored, file: string, zone: ZoneOffset): Unnumbered {
  const { sopInstanceUid, studyInstanceUid, studyDate, studyTime, timezoneOffset } = summary
  const value: DicomInstance = {
    object: { ...object, transferSyntax: summary.transferSyntax },
    sopInstanceUid: well(sopInstanceUid),
    sopClassUid: well(summary.sopClassUid),
    seriesInstanceUid: well(summary.seriesInstanceUid),
    studyInstanceUid: well(studyInstanceUid),
    patientId: well(summary.patientId),
    issuerOfPatientId: well(summary.issuerOfPatientId),
    accessionNumber: well(summary.accessionNumber),
    accessionIssuer: well(summary.accessionIssuer),
    modality: well(summary.modality),
    bodyPart: well(summary.bodyPart),
    studyDate: plainDate(studyDate),
    studyTime: orNull(well(studyTime)),
    timezoneOffset: orNull(well(timezoneOffset)),
    imageType: summary.imageType.map(well),
    burnedInAnnotation: orNull(well(summary.burnedInAnnotation)),
    conversionType: orNull(well(summary.conversionType)),
    seriesNumber: int32(summary.seriesNumber),
    instanceNumber: int32(summary.instanceNumber),
    expectedInstances: int32(summary.numberOfStudyRelatedInstances),
    expectedSeriesInstances: int32(summary.numberOfSeriesRelatedInstances),
    rows: int32(summary.rows),
    columns: int32(summary.columns),
    frames: int32(summary.numberOfFrames),
    file: well(file),
  }
  const started = studyStarted(studyDate, studyTime, timezoneOffset, zone)
  return {
    key: value.studyInstanceUid,
    id: rowId([value.sopInstanceUid]),
    op: "upsert",
    time: started?.from ?? 0,
    value,
  }
}
