import type { CuratedInstance, Op, Position, Study } from "../../core/index.ts"
import type { SeriesEvidence } from "../../formats/dicom/index.ts"
import type { Risk } from "./dicom-series.ts"

/** A position as JSON keeps it. */
export interface StoredPosition {
  readonly topic: string
  readonly partition: number
  /** Decimal. */
  readonly offset: string
}

export const storedPosition = ({ topic, partition, offset }: Position): StoredPosition => ({
  topic,
  partition,
  offset: String(offset),
})

export const positionOf = ({ topic, partition, offset }: StoredPosition): Position => ({
  topic,
  partition,
  offset: BigInt(offset),
})

/** What the newest record of an instance states. */
export interface Stated {
  readonly study: string
  readonly series: string
  readonly object: { readonly key: string; readonly size: number; readonly sha256: string }
  /** Event time, ms. */
  readonly time: number
}

/** Why an instance is refused: a code, with what people need to find it; no values. */
export interface Refusal {
  readonly reason: string
  readonly path?: string
  readonly detail?: string
}

/** The verdict on an instance's bytes under a decision on its series. */
export interface Verdict {
  readonly risk: Risk
  readonly refused?: Refusal
  /** What is released: the claim check of the result and what is kept of the header. */
  readonly released?: CuratedInstance
}

/** What was last emitted of a row; kept for ever, as revisions go on past a retract. */
export interface Emitted {
  /** Row id below the border. */
  readonly id: string
  /** Decimal. */
  readonly revision: string
  readonly op: Op
  readonly stamp: string
}

/** All that is known of a SOP instance of a person. */
export interface InstanceRow {
  /** Decimal: newest version that was read. */
  readonly version: string
  readonly origin: StoredPosition
  /** Absent when it left. */
  readonly stated?: Stated
  /** Of the bytes that `stated` names; absent when they could not be read. */
  readonly evidence?: SeriesEvidence
  readonly verdict?: Verdict
  readonly out?: Emitted
}

/** An instance as a part of its study: what counting verdicts reads. */
export interface PartRow {
  /** Decimal: the version that the verdict is of. */
  readonly version: string
  /** Code of the refusal; empty when released. */
  readonly refused: string
  /** Of a released instance. */
  readonly modality?: string
  readonly bodyPart?: string
}

/** All that is known of a study of a person. */
export interface StudyRow {
  readonly version: string
  readonly origin: StoredPosition
  /** Event time, ms. */
  readonly time: number
  /** Absent when it left. */
  readonly value?: Study
  readonly out?: Emitted
}

// Rows under a person, parts percent-encoded.
const encoded = (uid: string): string => encodeURIComponent(uid.toWellFormed())

/** Of what is known of an instance (InstanceRow). */
export const instanceSort = (sop: string): string => `i/${encoded(sop)}`
/** Of an instance as a part of its study (PartRow). */
export const partSort = (study: string, series: string, sop: string): string =>
  `p/${encoded(study)}/${encoded(series)}/${encoded(sop)}`
/** Of the decision on a series (SeriesCounts). */
export const seriesSort = (study: string, series: string): string => `s/${encoded(study)}/${encoded(series)}`
/** Of a study (StudyRow). */
export const studySort = (study: string): string => `t/${encoded(study)}`

/** All parts of a study, or of one series of it. */
export function partsOf(key: string, study: string, series?: string) {
  const prefix = `p/${encoded(study)}${series === undefined ? "" : `/${encoded(series)}`}`
  return { key, from: `${prefix}/`, to: `${prefix}0` }
}

/** The SOP Instance UID of a part's row. */
export const sopOf = (sort: string): string => decodeURIComponent(sort.slice(sort.lastIndexOf("/") + 1))

/** Under what policy this task's state was made. */
export const policyRow = ["~policy", ""] as const
/** Never written: reading it keeps the step's transaction from going idle. */
export const pulseRow = ["~pulse", ""] as const
