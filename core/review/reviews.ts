import { createHash } from "node:crypto"
import { fatal } from "../errors.ts"
import type { LinkedLine, ReviewBox, ReviewFacts, ReviewTables } from "../ports/reviews.ts"
import { isLineOf } from "../vault/audit.ts"
import { subKey } from "../vault/seal.ts"

/** What a person decided on a verdict. */
export interface ReviewDecision {
  readonly verdict: "accepted" | "redacted" | "rejected"
  /** Of `redacted`: what is to be made black. */
  readonly boxes: readonly ReviewBox[]
}

/** What is held for a person to decide on. */
export interface ReviewHold {
  readonly subject: string
  /** Person key. */
  readonly person: string
  /** Code of the verdict. */
  readonly reason: string
  /** Where it was read, `topic[partition]@offset`. */
  readonly input: string
  readonly facts: ReviewFacts
}

/** A stage's review queue, as its plugin reaches it. */
export interface Reviews {
  /** Decisions on a subject by the reason that was reviewed. Rejects with fatal `review-forged` when one was not written by who has
   * the project key. */
  decisions(subject: string): Promise<ReadonlyMap<string, ReviewDecision>>
  /** Holds until a person decides; again with the same, nothing changes. */
  hold(hold: ReviewHold): Promise<void>
  /** Ends what waits of subjects: it passed without a decision, or is gone. */
  end(subjects: readonly string[], state: "passed" | "gone"): Promise<void>
}

/** Names what a decision is about: these bytes of this instance, under this policy. */
export const reviewSubject = (sopInstanceUid: string, sha256: string, policy: string): string =>
  hashOf(["subject", sopInstanceUid.toWellFormed(), sha256, policy])

/** The id of a review. */
export const reviewId = (stage: string, subject: string, reason: string): string =>
  hashOf(["review", stage, subject, reason]).slice(0, 16)

const hashOf = (parts: readonly string[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex")

/** Where the decisions of a stage are chained, and with what. */
export interface ReviewChain {
  readonly key: Uint8Array
  readonly name: string
}

export const chainOf = (projectKey: Uint8Array, pipeline: string, stage: string): ReviewChain => ({
  key: subKey(projectKey, "review"),
  name: JSON.stringify([pipeline, stage]),
})

/** What a line says besides who and when. */
export interface LineDetail {
  readonly review: string
  readonly boxes: readonly ReviewBox[]
  readonly why: string
}

/** What a line says that takes a decision back. */
export const undone = "undone"

/** The decision of a line; undefined where it takes one back, whatever state the review says that it has. */
function decisionIn({ key, name }: ReviewChain, id: string, { line, before }: LinkedLine): ReviewDecision | undefined {
  const detail = isLineOf(key, name, before, line) ? (JSON.parse(line.detail) as LineDetail) : undefined
  if (detail?.review !== id)
    throw fatal("review-forged", `the decision on review ${id} was not written by weir review, or changed since`, {
      hint: "find out who writes to the Store's schema weir; then ask for a decision again",
    })
  if (line.action === undone) return undefined
  return { verdict: line.action as ReviewDecision["verdict"], boxes: detail.boxes }
}

/** The review queue of a stage. */
export function openReviews(
  tables: ReviewTables,
  { pipeline, stage, projectKey, now }: { pipeline: string; stage: string; projectKey: Uint8Array; now: () => number },
): Reviews {
  const chain = chainOf(projectKey, pipeline, stage)
  return {
    async decisions(subject) {
      const found = await tables.decided(pipeline, stage, subject)
      return new Map(
        [...found].flatMap(([reason, linked]) => {
          const decision = decisionIn(chain, reviewId(stage, subject, reason), linked)
          return decision === undefined ? [] : [[reason, decision] as const]
        }),
      )
    },
    hold: ({ subject, reason, ...rest }) =>
      tables.hold(pipeline, { id: reviewId(stage, subject, reason), stage, subject, reason, held: now(), ...rest }),
    end: async (subjects, state) => {
      if (subjects.length > 0) await tables.end(pipeline, stage, subjects, state)
    },
  }
}
