import { Positions, readings } from "../../core/engine/positions.ts"
import { readAll } from "../../core/engine/read-all.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import { unknownName } from "../../core/pipeline/faults.ts"
import type { Log } from "../../core/ports/log.ts"
import type { Command } from "../command.ts"
import { asOfTime } from "../dates.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { refuseIfRunning } from "../positions/running.ts"
import { withRuntime } from "../runtime.ts"
import { columns } from "../table.ts"

/** Where to read on from in a partition. */
type From = (log: Log, topic: string, partition: number, bounds: { start: bigint; end: bigint }) => Promise<bigint>

/** The first message whose event time is not before it: all that are of that time or later stand from there on. */
const sinceTime =
  (time: number): From =>
  async (log, topic, partition, bounds) => {
    let first: bigint | undefined
    await readAll(log, topic, partition, bounds, ({ offset, timestamp }) => {
      if (timestamp >= time) first ??= offset
    })
    return first ?? bounds.end
  }

function fromOf(text: string | undefined): From {
  if (text === "earliest") return async (_log, _topic, _partition, { start }) => start
  if (text !== undefined && /^\d+$/.test(text)) {
    const wanted = BigInt(text)
    return async (_log, _topic, _partition, { start, end }) => (wanted < start ? start : wanted > end ? end : wanted)
  }
  const time = asOfTime(text, "replay", "from")
  if (time === undefined) throw new UsageError(["missing --from: earliest, an offset, or a date"], "replay")
  return sinceTime(time)
}

async function moveBack(runtime: Runtime, name: string, from: From): Promise<readonly (readonly string[])[]> {
  const { log, pipeline, store } = runtime
  const own = readings(pipeline).filter((reading) => reading.name === name && pipeline.topics.has(reading.topic))
  for (const reading of own) await refuseIfRunning(log, reading)
  const positions = new Positions(runtime)
  try {
    const moved: (readonly string[])[] = []
    for (const reading of own) {
      const held = await positions.of(reading)
      for (const [partition, bounds] of (await log.bounds(reading.topic)).entries()) {
        const before = held.get(partition)
        const next = await from(log, reading.topic, partition, bounds)
        // Only back: what was not read yet is not passed over.
        if (before === undefined || next >= before) continue
        const place = `${reading.topic}[${partition}]`
        await store.audit("replay", `${pipeline.name}: ${name} ${place} from ${before} to ${next}`)
        await positions.set(reading, partition, next)
        moved.push([place, String(before), String(next)])
      }
    }
    return moved
  } finally {
    await positions.close()
  }
}

export const replayStage: Command = {
  name: "replay",
  summary:
    "Sets a stopped stage without state, or a sink, back in all its inputs, so that the next run goes through them again",
  positionals: ["FILE", "NAME"],
  options: {
    from: { value: "WHERE", doc: "earliest, an offset, or a date: from the first record of that event time or later" },
  },
  more: "Rows are written by version, so what comes again changes only what is different. A stage with state derives again by itself when its definition changed.",
  async run(args, app, io) {
    const [file, name] = args.positionals as [string, string]
    const from = fromOf(args.text("from"))
    const { pipeline } = await loadPipeline(file, app, io)
    const stage = pipeline.stages.find((each) => each.name === name)
    const known = [...pipeline.stages, ...pipeline.sinks].map((each) => each.name)
    if (!known.includes(name)) throw new UsageError([unknownName("stage or sink", name, known)], "replay")
    if (stage?.stateful === true)
      throw new UsageError(
        [
          `stage ${name} keeps state: a changed definition is derived again from what it keeps, at its next start`,
          "to build its state anew, give it a new name and a new topic beside the old ones (docs/guides/change.md)",
        ],
        "replay",
      )
    const moved = await withRuntime(pipeline, app, io, (runtime) => moveBack(runtime, name, from))
    const lines = columns([["partition", "from", "to"], ...moved], new Set([1, 2]))
    io.stdout.write(moved.length === 0 ? "nothing to set back\n" : `${lines.join("\n")}\n`)
    return exit.ok
  },
}
