import type { DicomInstance } from "../../core/index.ts"
import type { Started } from "../../formats/dicom/study-time.ts"

/** What a study needs of one of its instances; one small row each, so that a late instance costs one row. */
export interface Part {
  readonly sop: string
  /** Decimal: the revision of the instance as it was emitted. */
  readonly revision: string
  readonly series: string
  readonly modality: string
  readonly bodyPart: string
  readonly accession: string
  readonly issuer: string
  readonly expected: number | null
  readonly started: Started | null
  /** Event time, ms. */
  readonly time: number
}

/** What is known of a SOP instance of a person, also after it left. */
export interface Held {
  /** Decimal: the newest version that was read. */
  readonly version: string
  /** Of its content; empty when it left. */
  readonly hash: string
  readonly study: string
  /** Decimal: the number of the newest record emitted of it. */
  readonly revision: string
}

export function partOf(value: DicomInstance, revision: string, started: Started | undefined, time: number): Part {
  return {
    sop: value.sopInstanceUid,
    revision,
    series: value.seriesInstanceUid,
    modality: value.modality,
    bodyPart: value.bodyPart,
    accession: value.accessionNumber,
    issuer: value.accessionIssuer,
    expected: value.expectedInstances,
    started: started ?? null,
    time,
  }
}
