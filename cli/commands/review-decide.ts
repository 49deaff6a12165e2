import type { Runtime } from "../../core/engine/runtime.ts"
import { fatal } from "../../core/errors.ts"
import type { ReviewRow } from "../../core/ports/reviews.ts"
import type { ReviewDecision } from "../../core/review/reviews.ts"
import type { Act } from "../../core/vault/custodian.ts"
import type { App, Io } from "../app.ts"
import type { Arguments, Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { boxFault, boxFrom, foundBoxes } from "../review/boxes.ts"
import { byReason, choiceOf, confirming, isConfirmed, isOf } from "../review/choose.ts"
import type { Choice } from "../review/choose.ts"
import { decideOn, deskOf, reviewOf, undoOn } from "../review/decide.ts"
import type { DeskOutcome } from "../review/decide.ts"
import { withRuntime } from "../runtime.ts"
import { json } from "../table.ts"
import { actOf, reasonOption } from "../vault/open.ts"

type Acting = (runtime: Runtime, rows: readonly ReviewRow[], act: Act) => Promise<readonly DeskOutcome[]>

/** Throws fatal `review-unknown` where there is nothing of what was named. */
async function chosen(runtime: Runtime, { key, states }: Choice, args: Arguments): Promise<readonly ReviewRow[]> {
  const desk = deskOf(runtime)
  if (key !== undefined) return [await reviewOf(desk, key)]
  const found = (await desk.list()).filter(isOf(args)).filter(({ state }) => states.includes(state))
  if (found.length > 0) return found
  throw fatal("review-unknown", `nothing of it is ${states.join(", ")}`, {
    hint: "see: weir review list; what an older Weir held is found by KEY alone",
  })
}

/** Acts on one review, or on all of a series or study once their number is confirmed. */
async function acting(args: Arguments, app: App, io: Io, command: string, choice: Choice, work: Acting) {
  const act = actOf(args, io, command)
  const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
  return withRuntime(pipeline, app, io, async (runtime) => {
    const rows = await chosen(runtime, choice, args)
    if (choice.key === undefined && !isConfirmed(args, rows.length)) return askFor(rows, args, io)
    const outcomes = await work(runtime, rows, act)
    tell(outcomes, choice, args, io)
    return exit.ok
  })
}

function askFor(rows: readonly ReviewRow[], args: Arguments, io: Io): number {
  const [number, reasons] = [rows.length, byReason(rows)]
  if (args.flag("json")) io.stdout.write(`${json({ done: 0, found: number, reasons }, 2)}\n`)
  else {
    const said = Object.entries(reasons).map(([reason, count]) => `${reason} ${count}`)
    io.stdout.write(`${number} found: ${said.join(", ")}\n`)
    io.stdout.write(`nothing is changed: repeat it with --count ${number} or --yes\n`)
  }
  return exit.failed
}

function tell(outcomes: readonly DeskOutcome[], { key }: Choice, args: Arguments, io: Io): void {
  const rows = outcomes.map(({ row: { id, state }, before, outcome }) => ({ key: id, state, before, outcome }))
  if (args.flag("json")) {
    io.stdout.write(`${json(key === undefined ? { done: rows.length, reviews: rows } : rows[0], 2)}\n`)
    return
  }
  const line = ({ row, before, what }: DeskOutcome) => `${row.state}${before ? " before" : ""}: ${what}`
  if (key !== undefined) return void io.stdout.write(`${line(outcomes[0]!)}\n`)
  const counts = new Map<string, number>()
  for (const one of outcomes) counts.set(line(one), (counts.get(line(one)) ?? 0) + 1)
  for (const [said, count] of counts) io.stdout.write(`${count} ${said}\n`)
}

function decided(
  args: Arguments,
  app: App,
  io: Io,
  command: string,
  decision: (row: ReviewRow) => ReviewDecision,
): Promise<number> {
  const choice = choiceOf(args, command, ["pending"])
  return acting(args, app, io, command, choice, (runtime, rows, act) => decideOn(runtime, rows, decision, act, io))
}

const positionals = ["FILE", "[KEY]"]
const options = { reason: reasonOption, ...confirming, json: jsonOption }

export const reviewAccept: Command = {
  name: "review accept",
  summary: "Lets a held instance pass as it is; who looked and why is written down, and its stage is given it again",
  positionals,
  options,
  more: "It lifts the verdict that was reviewed, for these bytes under these options, and no other: what is found with certainty is still made black, and what else may hold it does.",
  run: (args, app, io) => decided(args, app, io, reviewAccept.name, () => ({ verdict: "accepted", boxes: [] })),
}

export const reviewReject: Command = {
  name: "review reject",
  summary: "Ends a held instance: it never passes with these bytes under these options",
  positionals,
  options,
  run: (args, app, io) => decided(args, app, io, reviewReject.name, () => ({ verdict: "rejected", boxes: [] })),
}

export const reviewRedact: Command = {
  name: "review redact",
  summary: "Makes places of a held instance's pictures black, then lets it pass as accept does",
  positionals,
  options: {
    ...options,
    box: {
      value: "FRAME,X,Y,WIDTH,HEIGHT",
      doc: "what to make black, in pixels; frames from 1, * for every one; as often as needed (default: what was found)",
      repeated: true,
    },
  },
  more: "With --series or --study the same boxes are made black in each; where one cannot be, nothing is decided.",
  run(args, app, io) {
    const given = args.texts("box")
    const boxes = given.map(boxFrom)
    const wrong = given.filter((_, at) => boxes[at] === undefined)
    if (wrong.length > 0)
      throw new UsageError(
        wrong.map((text) => `--box expects FRAME,X,Y,WIDTH,HEIGHT, not ${JSON.stringify(text)}`),
        reviewRedact.name,
      )
    return decided(args, app, io, reviewRedact.name, (row) => {
      const named = boxes.length > 0 ? boxes.map((box) => box!) : foundBoxes(row)
      const fault = row.facts.redactable
        ? named.length === 0
          ? "nothing was found in its pictures: name what to make black with --box"
          : boxFault(named, row)
        : `what is held for ${row.reason} cannot be redacted: accept or reject it`
      const which = args.positionals[1] === undefined ? `${row.id}: ` : ""
      if (fault !== undefined) throw new UsageError([`${which}${fault}`], reviewRedact.name)
      return { verdict: "redacted", boxes: named }
    })
  },
}

export const reviewUndo: Command = {
  name: "review undo",
  summary: "Takes a decision back: what was released by it is taken back below, and the instance waits again",
  positionals,
  options,
  more: "Its stage is given the input again; while that does not run, what was released stands. That it was taken back is written down like the decision.",
  run(args, app, io) {
    const choice = choiceOf(args, reviewUndo.name, ["accepted", "redacted", "rejected"])
    return acting(args, app, io, reviewUndo.name, choice, (runtime, rows, act) => undoOn(runtime, rows, act, io))
  },
}
