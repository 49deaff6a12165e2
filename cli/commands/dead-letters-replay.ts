import { setTimeout as sleep } from "node:timers/promises"
import { Positions, readings } from "../../core/engine/positions.ts"
import { replay } from "../../core/engine/replays.ts"
import type { Verdict } from "../../core/engine/replays.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import type { Io } from "../app.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { choosing, chosenBy, lettersAt } from "../dead-letters/letters.ts"
import type { Known } from "../dead-letters/letters.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { columns, json } from "../table.ts"
import { withRuntime } from "../runtime.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"

/** How long a run that is on has for what was replayed, ms; then the report says that it is pending. */
const patience = 30_000
const pollMs = 200

/** What became of a chosen dead letter: as it stands after the replay, or why it was not replayed. */
export type Outcome = Known["state"] | Exclude<Verdict, "replayed"> | "would-be-replayed"

/** What an outcome means. */
export const reasons: Readonly<Record<Outcome, string>> = {
  fixed: "passed",
  "failed-again": "failed again: see its new dead letter",
  pending: "its stage has not come to it: start the pipeline, or look again later",
  open: "not replayed",
  expired: "its input is no longer in the topic (retention or compaction)",
  source: "read by a source: mend the file and append it to what the source reads",
  "no-such-stage": "the pipeline has no such stage, or it no longer reads that topic",
  "would-be-replayed": "would be replayed",
}

/** Replays the open dead letters that are chosen, and tells what became of each by its key. */
export async function replayOpen(
  runtime: Runtime,
  chosen: (letter: Known["letter"]) => boolean,
  dryRun: boolean,
  io: Io,
): Promise<ReadonlyMap<string, Outcome>> {
  const choose = (known: readonly Known[]) =>
    known.filter(({ letter, state }) => state === "open" && chosen(letter)).map(({ letter }) => letter)
  return replayLetters(runtime, choose, io, dryRun)
}

/** Replays dead letters, whatever became of them before, and tells what became of each by its key.
 * @param choose tells which, of all as they stand */
export async function replayLetters(
  runtime: Runtime,
  choose: (known: readonly Known[]) => readonly Known["letter"][],
  io: Io,
  dryRun = false,
): Promise<ReadonlyMap<string, Outcome>> {
  const { log, pipeline } = runtime
  const positions = new Positions(runtime)
  const look = () => lettersAt(log, pipeline, positions)
  try {
    const verdicts = await replay(log, pipeline, async () => choose(await look()), dryRun)
    const outcomes = new Map<string, Outcome>()
    for (const [key, verdict] of verdicts)
      outcomes.set(key, verdict !== "replayed" ? verdict : dryRun ? "would-be-replayed" : "pending")
    if (dryRun) return outcomes
    for (const until = io.now() + patience; ;) {
      for (const { key, state } of await look()) if (outcomes.get(key) === "pending") outcomes.set(key, state)
      const waiting = [...outcomes].filter(([, outcome]) => outcome === "pending").map(([key]) => key.split("|")[0]!)
      if (waiting.length === 0 || io.now() > until || !(await running(runtime, new Set(waiting)))) return outcomes
      await sleep(pollMs, undefined, { signal: io.signal })
    }
  } finally {
    await positions.close()
  }
}

async function running({ log, pipeline }: Runtime, names: ReadonlySet<string>): Promise<boolean> {
  const groups = new Set(
    readings(pipeline)
      .filter(({ name }) => names.has(name))
      .map(({ group }) => group),
  )
  for (const group of groups) if ((await log.members(group)) > 0) return true
  return false
}

export const replayDeadLetters: Command = {
  name: "dead-letters replay",
  summary:
    "Gives the inputs of dead letters to their stages again, also while the pipeline runs, and tells what passed",
  positionals: ["FILE"],
  options: { ...choosing, "dry-run": { doc: "only tell what would be replayed" }, json: jsonOption },
  more: "What failed is read again at its place in the stage's input and goes to that stage alone, as it was. Sinks keep the newer version of a row.",
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const chosen = chosenBy(args, "dead-letters replay")
    const outcomes = await withRuntime(pipeline, app, io, (runtime) =>
      replayOpen(runtime, chosen, args.flag("dry-run"), io),
    )
    report(pipeline, outcomes, args.flag("json"), io)
    return exit.ok
  },
}

/** Keys that name what a source read may name files: those are only counted. */
function report({ sources }: CompiledPipeline, outcomes: ReadonlyMap<string, Outcome>, asJson: boolean, io: Io): void {
  const counts = new Map<string, number>()
  for (const [key, outcome] of outcomes) {
    const slot = `${key.split("|")[0]}|${outcome}`
    counts.set(slot, (counts.get(slot) ?? 0) + 1)
  }
  const own = new Set(sources.map(({ name }) => name))
  const rows = [...counts].map(([slot, count]) => {
    const [stage, outcome] = slot.split("|") as [string, Outcome]
    return { stage, outcome, count, what: reasons[outcome] }
  })
  if (asJson) {
    const letters = [...outcomes].flatMap(([key, outcome]) => (own.has(key.split("|")[0]!) ? [] : [{ key, outcome }]))
    io.stdout.write(`${json({ outcomes: rows, letters }, 2)}\n`)
    return
  }
  if (rows.length === 0) return void io.stdout.write("no open dead letters were chosen\n")
  const lines = rows.map((row) => Object.values(row).map(String))
  io.stdout.write(`${columns([["stage", "outcome", "count", ""], ...lines], new Set([2])).join("\n")}\n`)
}
