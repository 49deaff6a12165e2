import { reviewSubject } from "../../core/index.ts"
import type { FoundBox, ReviewBox, ReviewDecision, ReviewFacts, Reviews } from "../../core/index.ts"
import { isRegisteredUid } from "../../formats/dicom/index.ts"
import type { Reviewed } from "../../formats/dicom/index.ts"
import type { FrameArea } from "../../formats/pixels/index.ts"
import { examine } from "./dicom-original.ts"
import type { Original } from "./dicom-original.ts"
import type { Refusal, Stated } from "./dicom-rows.ts"
import type { ReviewedPixels } from "./pixels/clean-pixels.ts"

const ofText: ReadonlySet<string> = new Set(["burned-in-text-risk", "burned-in-text-unsure", "pixels-unreadable"])

/** Reasons that are a risk of pictures, which a person can see; nothing of the header is decided by looking. */
export const isReviewable = (reason: string): boolean => ofText.has(reason) || reason === "face-risk"

/** Whether parts of a picture can be made black for a reason: a face is in all slices of a series. */
const isRedactable = (reason: string): boolean => ofText.has(reason)

/** Whether a decision can be followed: black where a person named places, and nowhere else. */
export const canFollow = (reason: string, { verdict, boxes }: ReviewDecision): boolean =>
  verdict === "accepted" ? boxes.length === 0 : isRedactable(reason) && boxes.length > 0

/** Code of what a person does not let pass. */
export const rejectedReason = "review-rejected"

/** What people decided on an instance so far: reasons that hold it no more, and what is to be made black. */
export interface Lifted extends ReviewedPixels {
  /** For formats/dicom; undefined when nothing was decided. */
  readonly reviewed: Reviewed | undefined
}

export const nothingLifted: Lifted = { lifts: new Set(), areas: [], reviewed: undefined }

const areaOf = ({ frame, x, y, width, height }: ReviewBox): FrameArea => {
  const area = { x, y, width, height }
  return frame === undefined ? area : { ...area, frame: frame - 1 }
}

/** The same with one more decision, which lets its reason pass. */
export function lifting(before: Lifted, reason: string, { boxes }: ReviewDecision): Lifted {
  const lifts = new Set([...before.lifts, reason])
  return {
    lifts,
    areas: [...before.areas, ...boxes.map(areaOf)],
    reviewed: { text: [...lifts].some((one) => ofText.has(one)), face: lifts.has("face-risk") },
  }
}

/** An instance that may be held. */
export interface Reviewable {
  readonly person: string
  readonly sop: string
  readonly stated: Stated
  /** Where it was read, `topic[partition]@offset`. */
  readonly input: string
}

/** The review queue of a stage under its policy. */
export class ReviewQueue {
  readonly #reviews: Reviews
  readonly #policy: string

  /** @param policy changes when anything does that verdicts depend on */
  constructor(reviews: Reviews, policy: string) {
    this.#reviews = reviews
    this.#policy = policy
  }

  subject = (sop: string, { object }: Stated): string => reviewSubject(sop, object.sha256, this.#policy)

  /** What people decided on these bytes under this policy, by reason. */
  decisions = ({ sop, stated }: Reviewable): Promise<ReadonlyMap<string, ReviewDecision>> =>
    this.#reviews.decisions(this.subject(sop, stated))

  async hold(held: Reviewable, refusal: Refusal, boxes: readonly FoundBox[], original: Original): Promise<void> {
    const { person, sop, stated, input } = held
    const facts = await factsOf(sop, stated, refusal, boxes, original)
    await this.#reviews.hold({ subject: this.subject(sop, stated), person, reason: refusal.reason, input, facts })
  }

  /** Of those that waited, these do no more. */
  end = (subjects: readonly string[], state: "passed" | "gone"): Promise<void> => this.#reviews.end(subjects, state)
}

async function factsOf(
  sop: string,
  { object, study, series }: Stated,
  { reason, detail, path }: Refusal,
  boxes: readonly FoundBox[],
  original: Original,
): Promise<ReviewFacts> {
  const found = await examine(original)
  const summary = found.kind === "examined" ? found.summary : undefined
  // A UID of nobody's list may name somebody.
  const isKnown = (uid: string | undefined): uid is string => uid !== undefined && isRegisteredUid(uid)
  const numbers = { rows: summary?.rows, columns: summary?.columns, frames: summary?.numberOfFrames }
  return {
    sopInstanceUid: sop,
    studyInstanceUid: study,
    seriesInstanceUid: series,
    object,
    redactable: isRedactable(reason),
    ...(detail === undefined ? {} : { detail }),
    ...(path === undefined ? {} : { path }),
    ...(isKnown(summary?.sopClassUid) ? { sopClassUid: summary.sopClassUid } : {}),
    ...(isKnown(summary?.transferSyntax) ? { transferSyntax: summary.transferSyntax } : {}),
    ...(Object.fromEntries(
      Object.entries(numbers).filter(([, number]) => number !== undefined),
    ) as Partial<ReviewFacts>),
    boxes,
  }
}
