import type { CuratedInstance, Op, Position, Study } from "../../core/index.ts"
import type { InstanceEvidence, Risk } from "./dicom-series.ts"

/** A position as JSON keeps it: topic, partition, offset in decimal. */
export type Place = readonly [topic: string, partition: number, offset: string]

export const placeOf = ({ topic, partition, offset }: Position): Place => [topic, partition, String(offset)]

/** The same as dead letters tell it. */
export const placeText = ([topic, partition, offset]: Place): string => `${topic}[${partition}]@${offset}`

export const positionOf = ([topic, partition, offset]: Place): Position => ({
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

/** What a released instance was made with, for reports; nothing of the instance is in it. */
export interface Made {
  /** Version of Weir. */
  readonly tool: string
  /** Of the project key; see {@link keyIdOf}. */
  readonly key: string
  /** Elements by what was done, those that are not none. */
  readonly counts: Readonly<Record<string, number>>
}

/** The verdict on an instance's bytes under a decision on its series. */
export interface Verdict {
  readonly risk: Risk
  readonly refused?: Refusal
  /** What is released: the claim check of the result and what is kept of the header. */
  readonly released?: CuratedInstance
  /** Of what is released; absent where an older version of Weir made it. */
  readonly made?: Made
}

/** What was last emitted of a row; kept for ever, as revisions go on past a retract. */
export interface Emitted {
  /** Row id below the border. */
  readonly id: string
  /** Decimal. */
  readonly revision: string
  readonly op: Op
  readonly stamp: string
  /** Key of the object of an instance that stands. */
  readonly object?: string
  /** Where the chain of the record began that was released; a retract has it too. */
  readonly origin: Place
}

/** All that is known of a SOP instance of a person. */
export interface InstanceRow {
  /** Decimal: newest version that was read. */
  readonly version: string
  /** Where it was read, and where its chain began: what its dead letter tells. */
  readonly at: Place
  readonly origin: Place
  /** Absent when it left. */
  readonly stated?: Stated
  /** Nothing was decided since it came. */
  readonly waits?: true
  /** It has had its dead letter. */
  readonly failed?: true
  /** Of the bytes that `stated` names; absent until they are read. */
  readonly evidence?: InstanceEvidence
  /** Of the same bytes, made anew once what was released is taken back. */
  readonly verdict?: Verdict
  readonly out?: Emitted
}

/** Keys of the originals, and of the released objects, that a row names. What stands below goes on standing while its next verdict
 * waits. */
export const originalsOf = (row: InstanceRow | undefined): readonly string[] =>
  row?.stated === undefined ? [] : [row.stated.object.key]
export const releasedOf = (row: InstanceRow | undefined): readonly string[] =>
  [row?.verdict?.released?.object.key, row?.out?.object].filter((key) => key !== undefined)

/** What became of an instance under a decision on its series. */
export interface Ended {
  readonly risk: Risk
  /** Code of the refusal; empty when released. */
  readonly refused: string
  /** Decimal: the version of the study under which it was decided. */
  readonly study: string
  /** Of a released instance. */
  readonly modality?: string
  readonly bodyPart?: string
}

/** An instance as a part of its study: the small row that deciding on a study reads of each. */
export interface PartRow {
  /** Decimal: the version that the rest is of. */
  readonly version: string
  readonly evidence?: InstanceEvidence
  /** Why its header could not be read, under which version of the study. */
  readonly unread?: { readonly refusal: Refusal; readonly study: string }
  readonly ended?: Ended
}

/** All that is known of a study of a person. */
export interface StudyRow {
  readonly version: string
  readonly origin: Place
  /** Event time, ms. */
  readonly time: number
  /** Absent when it left. */
  readonly value?: Study
  /** It stands in the work list. */
  readonly queued?: true
  readonly out?: Emitted
}

// Rows under a person, parts percent-encoded.
const encoded = (uid: string): string => encodeURIComponent(uid.toWellFormed())

/** Of what is known of an instance (InstanceRow). */
export const instanceSort = (sop: string): string => `i/${encoded(sop)}`
/** Of an instance as a part of its study (PartRow). */
export const partSort = (study: string, series: string, sop: string): string =>
  `p/${encoded(study)}/${encoded(series)}/${encoded(sop)}`
/** Of a study (StudyRow). */
export const studySort = (study: string): string => `t/${encoded(study)}`

/** All parts of a study of a person. */
export const partsOf = (key: string, study: string) => ({
  key,
  from: `p/${encoded(study)}/`,
  to: `p/${encoded(study)}0`,
})

/** The Series and SOP Instance UIDs of a part's row. */
export function partUids(sort: string): { readonly series: string; readonly sop: string } {
  const [, , series, sop] = sort.split("/").map(decodeURIComponent)
  return { series: series!, sop: sop! }
}

/** Under what policy this task's state was made. */
export const policyRow = ["~policy", ""] as const
/** The work list: how far it is (WorkCounts), and under `q/<number>` a study each. */
export const workKey = "~work"
/** Never written: reading it keeps the step's transaction from going idle. */
export const pulseRow = ["~pulse", ""] as const
