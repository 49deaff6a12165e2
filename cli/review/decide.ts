import type { Runtime } from "../../core/engine/runtime.ts"
import { fatal } from "../../core/errors.ts"
import type { ReviewRow } from "../../core/ports/reviews.ts"
import { ReviewDesk } from "../../core/review/desk.ts"
import type { ReviewDecision } from "../../core/review/reviews.ts"
import type { Act } from "../../core/vault/custodian.ts"
import type { Io } from "../app.ts"
import { reasons, replayOpen } from "../commands/dead-letters-replay.ts"
import type { Outcome } from "../commands/dead-letters-replay.ts"
import { currentLetters } from "../dead-letters/letters.ts"

/** What came of a command: the review, and what became of the instance since. */
export interface DeskOutcome {
  readonly row: ReviewRow
  /** Decided now, or before in the same way. */
  readonly before: boolean
  readonly outcome: Outcome
  readonly what: string
}

/** The desk of a pipeline. Throws fatal `review-unsupported`. */
export function deskOf({ store, pipeline }: Pick<Runtime, "store" | "pipeline">): ReviewDesk {
  if (store.reviews === undefined) throw fatal("review-unsupported", "this Store keeps no review queue")
  return new ReviewDesk(store.reviews, pipeline.name)
}

/** A review by its key. Throws fatal `review-unknown`. */
export async function reviewOf(desk: ReviewDesk, id: string): Promise<ReviewRow> {
  const row = await desk.find(id)
  if (row !== undefined) return row
  throw fatal("review-unknown", "there is no review with this key", { hint: "see: weir review list" })
}

/** The project key of a stage that holds something. */
function projectKeyOf({ pipeline, secrets }: Runtime, stage: string): Uint8Array {
  const steps = pipeline.stages.find(({ name }) => name === stage)?.steps ?? []
  for (const { options } of steps) {
    const { key } = (options ?? {}) as Readonly<Record<string, unknown>>
    const bytes = typeof key === "string" ? secrets.get(key) : undefined
    if (bytes !== undefined) return bytes
  }
  throw fatal("review-stage", `the pipeline has no stage ${stage} with a project key any more`, {
    hint: "decide with the pipeline file that held it",
  })
}

/** The dead letter of what is held has to be there: only then can its input come again. */
async function checkHeld(runtime: Runtime, row: ReviewRow): Promise<void> {
  const letters = await currentLetters(runtime)
  if (letters.some(({ letter }) => letter.stage === row.stage && letter.input === row.input)) return
  throw fatal("review-not-settled", "the step that holds it has not ended, or its input came from elsewhere since", {
    hint: "do it again in a moment; nothing was decided",
  })
}

/** Decides on a review, and hands its input to its stage again, which then follows the decision. Doing the same again goes on where it stopped.
 * @throws fatal `review-stands` when it was decided otherwise, or waits no longer; `review-not-settled` */
export async function decideOn(
  runtime: Runtime,
  row: ReviewRow,
  decision: ReviewDecision,
  act: Act,
  io: Io,
): Promise<DeskOutcome> {
  if (row.state === "pending") await checkHeld(runtime, row)
  const desk = deskOf(runtime)
  const found = await desk.decide(row.id, decision, act, projectKeyOf(runtime, row.stage))
  if (found.kind === "unknown") throw fatal("review-unknown", "the review is gone", { hint: "see: weir review list" })
  if (found.kind === "stands")
    throw fatal("review-stands", `nothing is changed: this review is ${found.row.state}`, {
      hint: "a decision stands; see: weir review show",
    })
  const now = found.row
  const before = found.kind === "same"
  const { stage, input } = now
  const outcomes = await replayOpen(runtime, (letter) => letter.stage === stage && letter.input === input, false, io)
  const own = (await currentLetters(runtime)).find(({ letter }) => letter.stage === stage && letter.input === input)
  const outcome = [...outcomes.values()][0] ?? own?.state ?? "expired"
  const ended = decision.verdict === "rejected" && outcome === "failed-again"
  return { row: now, before, outcome, what: ended ? "it does not pass" : reasons[outcome] }
}
