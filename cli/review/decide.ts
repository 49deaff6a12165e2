import { place } from "../../core/codec.ts"
import { deadLetterKey } from "../../core/engine/dead-letter.ts"
import type { DeadLetter } from "../../core/engine/dead-letter.ts"
import { readDeadLetters, readReplays, replay } from "../../core/engine/replays.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import { fatal } from "../../core/errors.ts"
import type { ReviewRow } from "../../core/ports/reviews.ts"
import { ReviewDesk } from "../../core/review/desk.ts"
import type { ReviewDecision } from "../../core/review/reviews.ts"
import type { Act } from "../../core/vault/custodian.ts"
import type { Io } from "../app.ts"
import { reasons, replayLetters, replayOpen } from "../commands/dead-letters-replay.ts"
import type { Outcome } from "../commands/dead-letters-replay.ts"
import { currentLetters } from "../dead-letters/letters.ts"
import type { Known } from "../dead-letters/letters.ts"

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

const inputOf = ({ stage, input }: { readonly stage: string; readonly input: string }): string => `${stage}|${input}`

/** The dead letters of what is held have to be there: only then can their inputs come again. */
async function checkHeld(runtime: Runtime, rows: readonly ReviewRow[]): Promise<void> {
  const pending = rows.filter(({ state }) => state === "pending")
  if (pending.length === 0) return
  const there = new Set((await currentLetters(runtime)).map(({ letter }) => inputOf(letter)))
  if (pending.every((row) => there.has(inputOf(row)))) return
  throw fatal("review-not-settled", "the step that holds it has not ended, or its input came from elsewhere since", {
    hint: "do it again in a moment; nothing was decided",
  })
}

/** Decides on reviews, and hands their inputs to their stages again, which then follow the decisions. Doing the same again goes on
 * where it stopped.
 * @throws fatal `review-stands` when one was decided otherwise, or waits no longer; `review-not-settled` */
export async function decideOn(
  runtime: Runtime,
  rows: readonly ReviewRow[],
  decisionOf: (row: ReviewRow) => ReviewDecision,
  act: Act,
  io: Io,
): Promise<readonly DeskOutcome[]> {
  const decisions = rows.map(decisionOf)
  await checkHeld(runtime, rows)
  const desk = deskOf(runtime)
  const decided: { readonly row: ReviewRow; readonly before: boolean }[] = []
  for (const [at, { id, stage }] of rows.entries()) {
    const found = await desk.decide(id, decisions[at]!, act, projectKeyOf(runtime, stage))
    if (found.kind === "unknown") throw unknown()
    if (found.kind === "stands")
      throw fatal("review-stands", `nothing is changed: this review is ${found.row.state}`, {
        hint: "a decision stands until it is taken back (weir review undo); see: weir review show",
      })
    decided.push({ row: found.row, before: found.kind === "same" })
  }
  const inputs = new Set(decided.map(({ row }) => inputOf(row)))
  const outcomes = await replayOpen(runtime, (letter) => inputs.has(inputOf(letter)), false, io)
  const letters = await currentLetters(runtime)
  return decided.map(({ row, before }) => {
    const own = letters.find(({ letter }) => inputOf(letter) === inputOf(row))
    const outcome = (own === undefined ? undefined : outcomes.get(own.key)) ?? own?.state ?? "expired"
    const ended = row.state === "rejected" && outcome === "failed-again"
    return { row, before, outcome, what: ended ? "it does not pass" : reasons[outcome] }
  })
}

const unknown = () => fatal("review-unknown", "the review is gone", { hint: "see: weir review list" })

/** Of each review the newest dead letter of its input, which may have come again and again; undefined where there is none. */
async function newestLetters(
  { log, pipeline }: Runtime,
  rows: readonly ReviewRow[],
): Promise<readonly (DeadLetter | undefined)[]> {
  const letters = new Map([...(await readDeadLetters(log, pipeline.name)).values()].map((one) => [inputOf(one), one]))
  const replays = await readReplays(log, pipeline)
  const again = (letter: DeadLetter): DeadLetter | undefined => {
    const at = replays.get(inputOf(letter))
    return at === undefined ? undefined : letters.get(inputOf({ stage: letter.stage, input: place(at) }))
  }
  return rows.map((row) => {
    let letter = letters.get(inputOf(row))
    for (let next = letter; next !== undefined; next = again(next)) letter = next
    return letter
  })
}

/** Takes decisions back, and hands their inputs to their stages again, which then hold them anew: what was released is retracted
 * below. Doing it again goes on where it stopped.
 * @throws fatal `review-undecided` where there is no decision; `review-input-gone` where the input cannot come again */
export async function undoOn(
  runtime: Runtime,
  rows: readonly ReviewRow[],
  act: Act,
  io: Io,
): Promise<readonly DeskOutcome[]> {
  const { log, pipeline } = runtime
  const letters = await newestLetters(runtime, rows)
  const wanted = letters.filter((letter) => letter !== undefined)
  const tried = await replay(log, pipeline, async () => wanted, true)
  if (wanted.length < rows.length || [...tried.values()].some((verdict) => verdict !== "replayed"))
    throw fatal("review-input-gone", "its input is no longer in the topic, so that it cannot be decided on anew", {
      hint: "nothing is changed; erase the person (weir erase), or send the instance again as a new version without it",
    })
  const desk = deskOf(runtime)
  const undone: { readonly row: ReviewRow; readonly before: boolean }[] = []
  for (const { id, stage } of rows) {
    const found = await desk.undo(id, act, projectKeyOf(runtime, stage))
    if (found.kind === "unknown") throw unknown()
    if (found.kind === "undecided")
      throw fatal("review-undecided", `nothing is changed: this review is ${found.row.state}`, {
        hint: "see: weir review list",
      })
    undone.push({ row: found.row, before: found.kind === "same" })
  }
  // What was replayed and has not been read yet will be read without the decision.
  const keys = new Set(wanted.map(deadLetterKey))
  const due = (known: readonly Known[]) =>
    known.filter(({ key, state }) => keys.has(key) && state !== "pending").map(({ letter }) => letter)
  const outcomes = await replayLetters(runtime, due, io)
  return undone.map(({ row, before }, at) => {
    const outcome = outcomes.get(deadLetterKey(letters[at]!)) ?? "pending"
    return { row, before, outcome, what: outcome === "failed-again" ? "it is held again" : reasons[outcome] }
  })
}
