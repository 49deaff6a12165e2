import type { ReviewDecision, ReviewHold, Reviews } from "../../core/index.ts"

/** A review queue in memory, for tests of transforms: what is held, and decisions that the test makes. */
export class MemoryReviews implements Reviews {
  readonly held: ReviewHold[] = []
  readonly ended: (readonly [subject: string, state: "passed" | "gone"])[] = []
  /** By reason, whatever the subject. */
  readonly decided = new Map<string, ReviewDecision>()

  async decisions(): Promise<ReadonlyMap<string, ReviewDecision>> {
    return new Map(this.decided)
  }

  async hold(hold: ReviewHold): Promise<void> {
    this.held.push(hold)
  }

  async end(subjects: readonly string[], state: "passed" | "gone"): Promise<void> {
    this.ended.push(...subjects.map((subject) => [subject, state] as const))
  }
}
