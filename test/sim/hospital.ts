import {
  badRecord,
  defineSink,
  defineSource,
  defineStateful,
  defineTransform,
  port,
  retryable,
} from "../../core/index.ts"
import { keep, long, recordType, string } from "../../core/index.ts"
import * as Schema from "effect/Schema"
import { compile } from "../../core/pipeline/compile.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { pluginSet } from "../../core/pipeline/plugins.ts"
import type { SimProcess, SimWorld } from "./world.ts"

/** An event of the torture pipeline; every one carries an id, so that each can be asked after. */
export interface Event {
  readonly id: number
  readonly key: string
  /** What the rekeying stage does with it. */
  readonly fate: "pass" | "drop" | "fail" | "poison"
}

const event = recordType({
  name: "event",
  doc: "an event of the torture pipeline",
  id: ["id"],
  fields: { id: keep(long, "number"), fate: keep(string, "what becomes of it") },
})
const total = recordType({
  name: "total",
  doc: "how many events of a key were counted, in which order",
  id: ["what"],
  fields: { what: keep(string, "count or summary"), count: keep(long, "events"), last: keep(long, "id of the last") },
})

/** Makes the events of a seed: a file each for two channels. */
export function eventsOf(count: number, keys: number): readonly (readonly Event[])[] {
  const files: Event[][] = [[], []]
  for (let id = 0; id < count; id++) {
    const fate = id % 13 === 7 ? "poison" : id % 11 === 5 ? "fail" : id % 7 === 3 ? "drop" : "pass"
    files[id % 2]!.push({ id, key: `k${(id * 7) % keys}`, fate })
  }
  return files
}

/** What a sink that only inserts was told, with positions beside the rows: a database of its own. */
export class SimTable {
  readonly world: SimWorld
  readonly rows: { readonly key: string; readonly id: string; readonly version: bigint; readonly count: number }[] = []
  readonly positions = new Map<string, { epoch: bigint; next: bigint | undefined }>()
  constructor(world: SimWorld) {
    this.world = world
  }
}

/** What the plugins of one process reach: the files, the table, and the process that they run in. */
export interface Surroundings {
  readonly files: readonly (readonly Event[])[]
  readonly table: SimTable
  readonly process: SimProcess
  /** What the sink is known to do wrong. */
  readonly writesLater?: boolean
}

const source = ({ files, table: { world }, process }: Surroundings) =>
  defineSource({
    name: "events",
    summary: "Reads the events.",
    options: Schema.Struct({}),
    runs: "once",
    outputs: { out: port(event, "event", "phi") },
    create: async () => ({
      async run({ append, checkpoint, signal }) {
        await Promise.all(
          files.map(async (file, channel) => {
            let at = Number(checkpoint.get(String(channel)) ?? 0)
            while (at < file.length && !signal.aborted) {
              await world.step(process, `source reads ${channel}@${at}`)
              const some = file.slice(at, at + 1 + world.dice.below(3))
              at += some.length
              const records = some.map(({ id, key, fate }) => ({
                key,
                id: String(id),
                op: "upsert" as const,
                version: BigInt(id),
                value: { id, fate },
                time: id,
              }))
              await append("out", records, { [channel]: String(at) })
            }
          }),
        )
      },
    }),
  })

const sieve = defineTransform({
  name: "sieve",
  summary: "Passes, drops and fails events as they ask for.",
  options: Schema.Struct({}),
  inputs: { in: port(event, "event") },
  outputs: { out: port(event, "event") },
  create: async () => ({
    apply(batch, out) {
      for (const record of batch) {
        const { fate } = record.value!
        if (fate === "poison") throw badRecord("poison", "this event cannot be read")
        if (fate === "drop") out.drop(record, "unwanted")
        else if (fate === "fail") out.fail(record, badRecord("failed", "this event failed"))
        else out.emit("out", record, record)
      }
    },
  }),
})

/** Counts by adding one: nothing about it is idempotent. */
const counter = defineStateful({
  name: "counter",
  summary: "Counts events by key.",
  options: Schema.Struct({}),
  inputs: { in: port(event, "event") },
  outputs: { out: port(total, "event") },
  create: async () => ({
    async apply(batch, out, state) {
      const keys = [...new Set(batch.map(({ key }) => key))]
      const found = await state.get<number>(keys.map((key) => [key, "count"]))
      const counts = new Map(keys.map((key, at) => [key, found[at] ?? 0]))
      await state.shared.lock(["all"])
      const [all = 0] = await state.shared.get<number>([["all", "count"]])
      state.shared.put([["all", "count", all + batch.length]])
      for (const record of batch) {
        const count = counts.get(record.key)! + 1
        counts.set(record.key, count)
        out.emit("out", record, {
          key: record.key,
          id: "count",
          op: "upsert",
          version: BigInt(count),
          value: { what: "count", count, last: record.value!.id },
          time: record.time,
        })
        if (count % 3 === 1) state.timer({ key: record.key, name: "sum", due: state.now + 500, clock: "quiet" }, record)
      }
      state.put([...counts].map(([key, count]) => [key, "count", count]))
    },
    async onTimer(fired, out, state) {
      const found = await state.get<number>(fired.map(({ key }) => [key, "fired"]))
      for (const [at, timer] of fired.entries()) {
        const times = (found[at] ?? 0) + 1
        state.put([[timer.key, "fired", times]])
        out.emit("out", timer, {
          key: timer.key,
          id: "summary",
          op: "upsert",
          version: BigInt(times),
          value: { what: "summary", count: times, last: 0 },
          time: 0,
        })
      }
    },
  }),
})

const inserter = ({ table, process, writesLater }: Surroundings) =>
  defineSink({
    name: "inserter",
    summary: "Only inserts, with the position beside the rows.",
    options: Schema.Struct({}),
    create: async () => ({
      delivery: "transactional",
      async claim(topic, partition) {
        await table.world.step(process, `sink claims ${topic}[${partition}]`)
        const place = `${topic}[${partition}]`
        const was = table.positions.get(place)
        const epoch = (was?.epoch ?? 0n) + 1n
        table.positions.set(place, { epoch, next: was?.next })
        return { epoch, next: was?.next }
      },
      async write(batch, { topic, partition, next, epoch }) {
        const { world } = table
        const write = async () => {
          await world.step(process, `sink writes ${topic}[${partition}]`)
          if (world.fault("sink unreachable")) throw retryable("unreachable", "the table is away")
          const position = table.positions.get(`${topic}[${partition}]`)!
          if (position.epoch !== epoch) throw retryable("fenced", "another owner claimed")
          for (const { key, id, version, value } of batch)
            table.rows.push({ key, id, version, count: (value as { count: number }).count })
          position.next = next
          await world.step(process, `sink wrote ${topic}[${partition}]`)
          if (world.fault("sink answer lost")) throw retryable("unknown-outcome", "the answer was lost")
        }
        if (writesLater !== true) return write()
        // The planted bug: the position moves first.
        table.positions.get(`${topic}[${partition}]`)!.next = next
        await world.step(process, "sink waits")
        await write()
      },
      close: async () => {},
    }),
  })

const file = `
name: torture
topics:
  arrivals: { zone: phi, partitions: 2 }
  kept: { zone: phi, partitions: 2 }
  totals: { zone: phi, partitions: 2 }
sources:
  feed: { use: events, to: arrivals }
stages:
  sift: { from: arrivals, through: [{ use: sieve }], to: kept }
  count: { from: kept, through: [{ use: counter }], to: totals }
sinks:
  table: { use: inserter, from: [totals] }
`

/** The torture pipeline for one process. */
export const torture = (surroundings: Surroundings): CompiledPipeline =>
  compile("torture.yaml", file, {
    plugins: pluginSet([source(surroundings), sieve, counter, inserter(surroundings)]),
    environment: {},
  })
