import type { FactType, ReportCategory } from "./definition.ts"

// What the rows under a person hold; JSON, short names because there are many. Times are ms since 1970, UTC.

/** A quantity as recorded; no unit when none is stated as a UCUM code. */
export interface Measured {
  readonly value: number
  readonly unit?: string
  /** FHIR Quantity.comparator. */
  readonly comparator?: string
}

/** One coded fact. */
export interface StoredFact {
  readonly type: FactType
  readonly id: string
  /** 0: the resource itself; n: component n of an Observation. */
  readonly part: number
  readonly revision: string
  /** Both null when no time is stated. */
  readonly from: number | null
  readonly last: number | null
  readonly says: "yes" | "maybe" | "no"
  readonly why?: string
  /** Percent-encoded `system|code` by which this row is found. */
  readonly code: string
  readonly updated?: number
  readonly encounter?: string
  /** Study Instance UIDs, and ids of ImagingStudy resources, that the resource names. */
  readonly uids?: readonly string[]
  readonly imagingStudies?: readonly string[]
  /** `issuer|number`, issuers as namespaces. */
  readonly accessions?: readonly string[]
  /** ServiceRequest ids. */
  readonly requests?: readonly string[]
  readonly categories?: readonly ReportCategory[]
  readonly measured?: Measured
}

/** A study as one source has it: assembled from DICOM (no id) or a FHIR ImagingStudy. */
export interface StoredStudy {
  readonly uid: string
  readonly id?: string
  readonly revision: string
  readonly from: number | null
  readonly last: number | null
  readonly modalities: readonly string[]
  readonly bodyParts: readonly string[]
  readonly accessions: readonly string[]
  readonly encounter?: string
  readonly updated?: number
}

export interface StoredVisit {
  /** The last possible end; null while none is stated. */
  readonly last: number | null
}

export interface StoredPeriod {
  readonly from: number
  readonly last: number
}
