import { Positions, readings } from "../../core/engine/positions.ts"
import type { Reading } from "../../core/engine/positions.ts"
import { readAll } from "../../core/engine/read-all.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { unknownName } from "../../core/pipeline/faults.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { refuseIfRunning } from "../positions/running.ts"
import { withRuntime } from "../runtime.ts"
import { columns, json } from "../table.ts"

interface Row {
  readonly name: string
  readonly topic: string
  readonly partition: number
  /** The next offset to read; "" where there is none. */
  readonly position: string
  readonly start: string
  readonly end: string
  /** Offsets between the position and the end; markers count too. */
  readonly lag: string
}

async function rowsOf(runtime: Runtime): Promise<readonly Row[]> {
  const positions = new Positions(runtime)
  try {
    const rows: Row[] = []
    for (const reading of readings(runtime.pipeline)) {
      const { name, topic } = reading
      const held = await positions.of(reading)
      for (const [partition, { start, end }] of (await runtime.log.bounds(topic)).entries()) {
        const next = held.get(partition)
        const [position, lag] = [next === undefined ? "" : String(next), String(end - (next ?? start))]
        rows.push({ name, topic, partition, position, start: String(start), end: String(end), lag })
      }
    }
    return rows
  } finally {
    await positions.close()
  }
}

export const positionShow: Command = {
  name: "position show",
  summary: "Shows where each stage and sink stands in each partition that it reads",
  positionals: ["FILE"],
  options: { json: jsonOption },
  more: "Topics with .replay. in their name are those through which dead letters come again.",
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const rows = await withRuntime(pipeline, app, io, rowsOf)
    if (args.flag("json")) io.stdout.write(`${json(rows, 2)}\n`)
    else {
      const head = ["name", "topic", "partition", "position", "start", "end", "lag"]
      const lines = rows.map((row) => Object.values(row).map(String))
      io.stdout.write(`${columns([head, ...lines], new Set([2, 3, 4, 5, 6])).join("\n")}\n`)
    }
    return exit.ok
  },
}

export const positionSet: Command = {
  name: "position set",
  summary: "Moves a stopped stage or sink to another place in a partition; that is written down",
  positionals: ["FILE", "NAME", "TOPIC[PARTITION]", "OFFSET"],
  options: {},
  more: "OFFSET is a number, start or end. What is read again does no harm where versions order it; what is passed over is not read.\nexample: weir position set pipeline.yaml map 'people.events[2]' start",
  async run(args, app, io) {
    const [file, name, place, to] = args.positionals as [string, string, string, string]
    const { pipeline } = await loadPipeline(file, app, io)
    const { reading, partition } = find(pipeline, name, place)
    if (!/^(\d+|start|end)$/.test(to))
      throw new UsageError([`OFFSET is a whole number, start or end, not ${JSON.stringify(to)}`], "position set")
    const told = await withRuntime(pipeline, app, io, async (runtime) => {
      await refuseIfRunning(runtime.log, reading)
      const { start, end } = (await runtime.log.bounds(reading.topic))[partition]!
      const next = to === "start" ? start : to === "end" ? await afterRecords(runtime, reading, partition) : BigInt(to)
      if (next < start || next > end)
        throw new UsageError([`${place} holds ${start} to ${end}; ${next} is not in it`], "position set")
      const positions = new Positions(runtime)
      try {
        const before = (await positions.of(reading)).get(partition)
        const what = `${name} ${place} from ${before ?? "none"} to ${next}`
        await runtime.store.audit("position set", `${pipeline.name}: ${what}`)
        await positions.set(reading, partition, next)
        return what
      } finally {
        await positions.close()
      }
    })
    io.stdout.write(`${told}\n`)
    return exit.ok
  },
}

/** The place after the last record: the notes after it, by which writers tell that they ended, are still to be read. */
async function afterRecords({ log, codecs }: Runtime, { topic }: Reading, partition: number): Promise<bigint> {
  const bounds = (await log.bounds(topic))[partition]!
  const codec = codecs.get(topic)
  if (codec === undefined) return bounds.end
  let next = bounds.start
  await readAll(log, topic, partition, bounds, (message) => {
    if (codec.originOf(message, partition) !== undefined) next = message.offset + 1n
  })
  return next
}

function find(pipeline: CompiledPipeline, name: string, place: string): { reading: Reading; partition: number } {
  const all = readings(pipeline)
  const own = all.filter((reading) => reading.name === name)
  if (own.length === 0)
    throw new UsageError([unknownName("stage or sink", name, new Set(all.map((each) => each.name)))], "position set")
  const [, topic = "", number = ""] = /^(.+)\[(\d+)\]$/.exec(place) ?? []
  const reading = own.find((each) => each.topic === topic)
  const reads = own.map((each) => each.topic)
  if (topic === "") throw new UsageError([`expected a place as ${reads[0]}[0], not ${place}`], "position set")
  if (reading === undefined) throw new UsageError([unknownName("topic", topic, reads)], "position set")
  if (Number(number) >= reading.partitions)
    throw new UsageError([`${topic} has ${reading.partitions} partitions, counted from 0`], "position set")
  return { reading, partition: Number(number) }
}
