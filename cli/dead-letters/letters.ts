import type { DeadLetter } from "../../core/engine/dead-letter.ts"
import { Positions, readings } from "../../core/engine/positions.ts"
import { placeOf, readDeadLetters, readReplays, replayed } from "../../core/engine/replays.ts"
import type { Replayed } from "../../core/engine/replays.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { Log } from "../../core/ports/log.ts"
import type { Position } from "../../core/record.ts"
import type { App, Io } from "../app.ts"
import type { Arguments, Option } from "../command.ts"
import { asOfTime } from "../dates.ts"
import { withLog } from "../ports.ts"
import { withRuntime } from "../runtime.ts"

/** A dead letter, and what became of it. */
export interface Known {
  readonly key: string
  readonly letter: DeadLetter
  readonly state: Replayed
}

/** Every dead letter of a pipeline, and what became of it; positions are asked for only where something was replayed. */
export async function knownLetters(pipeline: CompiledPipeline, app: App, io: Io): Promise<readonly Known[]> {
  const found = await withLog(pipeline, app, async (log) => ({
    letters: await readDeadLetters(log, pipeline.name),
    replays: await readReplays(log, pipeline),
  }))
  if (found.replays.size > 0) return withRuntime(pipeline, app, io, currentLetters)
  return [...found.letters].map(([key, letter]) => ({ key, letter, state: "open" }))
}

/** The same with what a run uses. */
export async function currentLetters(runtime: Runtime): Promise<readonly Known[]> {
  const positions = new Positions(runtime)
  try {
    return await lettersAt(runtime.log, runtime.pipeline, positions)
  } finally {
    await positions.close()
  }
}

/** The same with positions that are open. */
export async function lettersAt(log: Log, pipeline: CompiledPipeline, positions: Positions): Promise<readonly Known[]> {
  const all = readings(pipeline)
  const asked = new Map<string, Promise<ReadonlyMap<number, bigint>>>()
  const nextOf = async (stage: string, at: Position): Promise<bigint> => {
    const reading = all.find(({ name, topic }) => name === stage && topic === at.topic)
    if (reading === undefined) return 0n
    if (!asked.has(at.topic)) asked.set(at.topic, positions.of(reading))
    return (await asked.get(at.topic)!).get(at.partition) ?? 0n
  }
  const letters = await readDeadLetters(log, pipeline.name)
  const states = await replayed(letters, await readReplays(log, pipeline), nextOf)
  return [...letters].map(([key, letter]) => ({ key, letter, state: states.get(key)! }))
}

/** Options by which dead letters are chosen. */
export const choosing: Readonly<Record<string, Option>> = {
  stage: { value: "NAME", doc: "of this source, stage or sink alone" },
  code: { value: "CODE", doc: "with this code alone" },
  since: { value: "DATE", doc: "written since then alone: YYYY-MM-DD or a time with its zone" },
}

/** Whether a dead letter is one of those that the options choose. */
export function chosenBy(args: Arguments, command: string): (letter: DeadLetter) => boolean {
  const since = asOfTime(args.text("since"), command, "since") ?? Number.NEGATIVE_INFINITY
  return ({ stage, code, time }) =>
    stage === (args.text("stage") ?? stage) && code === (args.text("code") ?? code) && time >= since
}

/** A place in a topic says nothing of anybody; what a source read is named by files, and those may be. */
export function shown(letter: DeadLetter, phi: boolean): DeadLetter {
  if (phi || (placeOf(letter.origin) !== undefined && placeOf(letter.input) !== undefined)) return letter
  const origin =
    placeOf(letter.origin) === undefined ? `${letter.origin.split(":")[0]}:(file not shown)` : letter.origin
  return { ...letter, origin, input: placeOf(letter.input) === undefined ? "(not shown)" : letter.input }
}

/** A key that names what a source read is shown in short. */
export const shownKey = ({ key, letter }: Known, phi: boolean): string =>
  phi || placeOf(letter.input) !== undefined ? key : `${letter.stage}|(not shown)`
