/** A report for those who answer for privacy: what de-identification applied, and what came of it. It holds names of the pipeline
 * file, codes, numbers and pseudonyms; never a value of a record, nor the name of a file. This is the shape of its JSON. */
export interface PrivacyReport {
  /** Shape of this document; raised when a field changes its meaning or goes. */
  readonly format: "weir-privacy-report-1"
  readonly subject: Subject
  readonly pipeline: string
  /** Of the Weir that wrote the report; what the results were made with stands with each stage. */
  readonly tool: string
  /** ISO 8601, UTC. */
  readonly made: string
  /** The privacy stages that the subject comes from, in order of the pipeline. */
  readonly stages: readonly StageReport[]
}

/** What a report is about. A study is named by its pseudonym (the UID below `phi`), also when it was asked for by its original. */
export type Subject =
  | { readonly kind: "pipeline" }
  | { readonly kind: "study"; readonly study: string }
  | {
      readonly kind: "data-set"
      readonly topic: string
      readonly zone: string
      /** Rows that stand in the topic: of each the record of the greatest version, of several the last read, unless it is a retract. */
      readonly rows: number
      /** Those rows by the profile that they state; empty for a record type that states none. */
      readonly profiles: Readonly<Record<string, number>>
    }

/** What one privacy stage did. */
export interface StageReport {
  readonly stage: string
  /** The privacy transforms of the stage, with what they say of their outputs, as manifests do. */
  readonly transforms: readonly { readonly plugin: string; readonly statement: string }[]
  /** Absent for a stage of which no state is kept by instance. */
  readonly images?: ImageReport
  /** Resources, messages and other records of the stage; absent where it made none, and for a study. */
  readonly records?: RecordReport
  /** What waits for a person to look at it, or did; absent where nothing was ever held. */
  readonly reviews?: ReviewReport
  /** Dead letters of the stage by code that are open: nothing was made of their record since. Of the whole stage; absent for a study. */
  readonly deadLetters?: Readonly<Record<string, number>>
  /** Dead letters whose record passed when it was replayed. */
  readonly deadLettersFixed?: number
}

/** Images of a deidentify-dicom stage: what stands now, counted from its committed state, so that nothing counts twice that came
 * again and nothing counts that was taken back. */
export interface ImageReport {
  readonly released: number
  readonly refused: number
  /** Not decided on: their study was not assembled yet. */
  readonly waiting: number
  /** Had been released, and are not below any more. */
  readonly takenBack: number
  /** Everything that released instances were made with; several where it changed. */
  readonly applied: readonly Applied[]
  /** Elements of the released instances by what was done. */
  readonly actions: Readonly<Record<string, number>>
  /** Released instances of which actions are not counted: an older version of Weir made them, or a newer version of them waits. */
  readonly uncounted: number
  /** Refused instances by reason. */
  readonly refusals: Readonly<Record<string, number>>
}

/** The review queue of a stage: what it holds now, and what people decided, as the chain of decisions has it. */
export interface ReviewReport {
  /** Reviews by state: pending, accepted, redacted, rejected; passed (without a decision) or gone (it left, or came with other bytes). */
  readonly states: Readonly<Record<string, number>>
  /** Since when the oldest waits, ISO 8601, UTC; absent where nothing waits. */
  readonly oldest?: string
  /** The newest line of each review that was decided on, the oldest first. What was written as a reason is not here: it may say
   * anything. */
  readonly decisions: readonly {
    readonly review: string
    /** Code of the verdict that was reviewed; empty where the review was erased with its person. */
    readonly reason: string
    readonly decision: "accepted" | "redacted" | "rejected" | "undone"
    readonly by: string
    /** ISO 8601, UTC. */
    readonly at: string
  }[]
}

/** Records of a stage that de-identifies FHIR, HL7 v2 or records of other types: of each that it read the newest version that it
 * released, committed with what was released. What came again counts once; what was taken back or refused does not count. */
export interface RecordReport {
  /** Records that stand below, of which it is kept how they were made; what a Weir made that kept nothing of it is not among them. */
  readonly released: number
  /** Had been released, and were taken back. */
  readonly takenBack: number
  /** Everything that they were made with; several where it changed. */
  readonly applied: readonly {
    readonly tool: string
    readonly rules: string
    readonly keyId: string
    readonly records: number
  }[]
  /** Elements and fields by what was done. */
  readonly actions: Readonly<Record<string, number>>
  /** Passages of texts that were replaced, by kind. */
  readonly findings: Readonly<Record<string, number>>
}

/** One way in which instances were de-identified. */
export interface Applied {
  /** Version of Weir; empty where it was not kept. */
  readonly tool: string
  /** Tells what was made under one project key from what was made under another; empty where it was not kept. */
  readonly keyId: string
  readonly standard: string
  /** Edition of PS3.15 whose Table E.1-1 was applied. */
  readonly edition: string
  /** Codes of CID 7050 with their meanings. */
  readonly codes: readonly { readonly code: string; readonly meaning: string }[]
  readonly options: readonly string[]
  /** Instances whose face may be rendered were let through. */
  readonly facesAllowed: boolean
  readonly instances: number
}
