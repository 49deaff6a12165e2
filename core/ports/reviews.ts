import type { VaultLine } from "./vault.ts"

/** What became of something that was held: it waits; a person decided; or it waits no longer, because it passed without a decision, or
 * left. */
export type ReviewState = "pending" | "accepted" | "redacted" | "rejected" | "passed" | "gone"

/** A rectangle in pixels of a frame; frames from 1 as in DICOM, every frame where none is named. */
export interface ReviewBox {
  readonly frame?: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What a reader found: how sure it was, 0 to 1, and whether it would have been made black. Never what stands there. */
export interface FoundBox extends ReviewBox {
  readonly score: number
  readonly judgement: "redact" | "unsure"
}

/** What is known of what is held, for who decides on it: sizes, codes and places; UIDs and `object` are phi. */
export interface ReviewFacts {
  readonly sopInstanceUid: string
  /** Absent of what an older Weir held. */
  readonly studyInstanceUid?: string
  readonly seriesInstanceUid?: string
  /** Claim check of the original. */
  readonly object: { readonly key: string; readonly size: number; readonly sha256: string }
  /** Whether parts of it can be made black. */
  readonly redactable: boolean
  /** More of the reason: a code and a tag path. */
  readonly detail?: string
  readonly path?: string
  readonly sopClassUid?: string
  readonly transferSyntax?: string
  readonly rows?: number
  readonly columns?: number
  readonly frames?: number
  readonly boxes: readonly FoundBox[]
}

/** Something that is held until a person decides. */
export interface ReviewRow {
  /** Hex; a function of stage, subject and reason. */
  readonly id: string
  readonly stage: string
  /** Person key. */
  readonly person: string
  /** Hex: these bytes of this instance, under this policy. */
  readonly subject: string
  /** Code of the verdict that holds it. */
  readonly reason: string
  readonly state: ReviewState
  /** Where the stage read it, `topic[partition]@offset`: its dead letter is of the same place. */
  readonly input: string
  /** Since when it is held, ms since 1970, UTC. */
  readonly held: number
  readonly facts: ReviewFacts
}

/** A line of the decisions on a stage's reviews: a chain as the vault's audit is, under a key that the Store does not have. */
export interface ReviewLine extends VaultLine {
  /** The review's id. */
  readonly review: string
}

/** A line, and the hash of the one before it. */
export interface LinkedLine {
  readonly line: ReviewLine
  readonly before: Uint8Array | undefined
}

/** How many of a stage's reviews are in a state, and since when the oldest of them is held, ms. */
export interface ReviewCount {
  readonly stage: string
  readonly state: ReviewState
  readonly count: number
  readonly oldest: number
}

/** How the state of a review changes: from one of these, and not otherwise. */
export interface ReviewChange {
  readonly from: readonly ReviewState[]
  readonly to: ReviewState
}

/** The review queue's tables on the Store. Errors are the Store's. */
export interface ReviewTables {
  /** Holds, or holds again: one that passed or left is pending anew; one that waits keeps its time and takes the rest. What was decided
   * stays decided. */
  hold(pipeline: string, row: Omit<ReviewRow, "state">): Promise<void>
  /** Ends what waits of subjects. */
  end(pipeline: string, stage: string, subjects: readonly string[], state: "passed" | "gone"): Promise<void>
  /** The newest line on each decided review of a subject, by reason. */
  decided(pipeline: string, stage: string, subject: string): Promise<ReadonlyMap<string, LinkedLine>>
  /** Reviews, the oldest first. */
  list(pipeline: string): Promise<readonly ReviewRow[]>
  find(pipeline: string, id: string): Promise<ReviewRow | undefined>
  /** All decisions of a stage, in order. */
  lines(pipeline: string, stage: string): Promise<readonly ReviewLine[]>
  /** Changes the state of a review, and appends the line that `next` makes of the last one; all or nothing, one at a time.
   * @returns the review as it was; nothing is changed unless that is a state to change from */
  decide(
    pipeline: string,
    id: string,
    change: ReviewChange,
    next: (last: ReviewLine | undefined) => ReviewLine,
  ): Promise<ReviewRow | undefined>
  counts(pipeline: string): Promise<readonly ReviewCount[]>
  /** Removes the reviews of persons. Gives how many there were. */
  erase(pipeline: string, persons: readonly string[]): Promise<number>
}
