import * as Schema from "effect/Schema"
import {
  badRecord,
  boolean,
  defineSink,
  defineSource,
  defineStateful,
  defineTransform,
  foldDeriveDiff,
  keep,
  long,
  fatal,
  partial,
  port,
  prefixed,
  recordType,
  retryable,
  string,
} from "../../core/index.ts"
import type { Logger, WeirError } from "../../core/index.ts"
import { compile } from "../../core/pipeline/compile.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { pluginSet } from "../../core/pipeline/plugins.ts"
import type { Objects } from "../../core/ports/objects.ts"
import type { Store } from "../../core/ports/store.ts"
import type { Event, Histories, Plan } from "./events.ts"
import { windowOf } from "./events.ts"
import type { SimMap, SimTable } from "./tables.ts"
import { perform, turnBefore } from "./world.ts"
import type { SimProcess, SimWorld } from "./world.ts"

/** An event as it arrives, and as the first stage passes it on under another key. */
export const event = recordType({
  name: "event",
  doc: "an event of the torture pipeline",
  id: ["slot"],
  fields: {
    id: keep(long, "number"),
    slot: keep(long, "the row"),
    account: keep(string, "what it is joined by"),
    fate: keep(string, "what becomes of it"),
    amount: keep(long, "a quantity"),
    blob: keep(long, "content of its object"),
  },
})
/** A row of the join. */
export const pair = recordType({
  name: "pair",
  doc: "what stands of a slot on both sides",
  id: ["slot"],
  fields: {
    slot: keep(long, "the row"),
    sum: keep(long, "of both amounts"),
    late: keep(boolean, "the window is over"),
    full: keep(boolean, "the feed is complete"),
  },
})
/** A row of the counter. */
export const total = recordType({
  name: "total",
  doc: "how many changes of an account were counted",
  id: ["what"],
  fields: { what: keep(string, "count or summary"), count: keep(long, "changes") },
})

/** Where a feed is complete to, once all of it was read. */
const completeTo = 7

/** What plugins are known to do wrong, for showing that the seeds find it. */
export interface PluginBugs {
  /** The sink moves its position, then writes. */
  readonly commitBeforeWrite?: boolean
  readonly retractDropped?: boolean
}

/** What the plugins of one process reach: the world's files and tables, and the process that they run in. */
export interface Surroundings {
  readonly world: SimWorld
  readonly process: SimProcess
  readonly histories: () => Histories
  readonly table: SimTable
  readonly map: SimMap
  readonly store: Store
  readonly bugs: PluginBugs
}

/** By the logger of the run, which every plugin is given. */
const surroundings = new WeakMap<Logger, Surroundings>()

/** Tells the plugins of a run where they are. */
export const surround = (logger: Logger, given: Surroundings): void => void surroundings.set(logger, given)
const around = ({ log }: { readonly log: Logger }): Surroundings => surroundings.get(log)!

const lost = () => retryable("unknown-outcome", "the answer was lost")

const draftOf = (event: Event, key: string) => {
  const { id, slot, account, fate, amount, blob, op } = event
  const value = { id, slot, account, fate, amount, blob }
  return { key, id: String(slot), op, version: BigInt(id + 1), value, time: id }
}

/** Reads each channel from its checkpoint, a few events at a time. */
const feed = defineSource({
  name: "feed",
  summary: "Reads events, with exact checkpoints.",
  options: Schema.Struct({}),
  runs: "once",
  outputs: { out: port(event, "person", "phi") },
  create: async (_, context) => ({
    async run({ append, fail, complete, checkpoint, signal }) {
      const { world, process, histories } = around(context)
      const read = async (file: readonly Event[], channel: number) => {
        let at = Number(checkpoint.get(String(channel)) ?? 0)
        while (at < file.length && !signal.aborted) {
          await perform(world, process, "source.read", `feed ${channel}@${at}`, lost, () => {})
          const refused = file[at]!.fate === "refuse"
          const to = refused ? at + 1 : wholeUntil(file, at, at + 1 + world.dice.below(3))
          const mark = { [channel]: String(to) }
          if (refused) await fail(`${channel}:${at}`, badRecord("refused-here", "no record can be made of it"), mark)
          else
            await append(
              "out",
              file.slice(at, to).map((each) => draftOf(each, each.person)),
              mark,
            )
          at = to
        }
      }
      await Promise.all(histories().feed.map(read))
      if (!signal.aborted) await complete("feed/all", completeTo)
    },
  }),
})

/** Puts an object that is there perhaps. */
async function putBlob(objects: Objects, blob: number, id: number): Promise<void> {
  const [key, bytes] = [`blob/${blob}`, Buffer.from(String(blob))]
  if (id % 2 === 0) await objects.put(key, bytes)
  else await objects.putIfAbsent(key, bytes)
  if (id % 4 > 1 && (await objects.head(key)) === undefined) throw fatal("object-gone", `${key} is gone`)
}

/** Reads an object that a record names, in one of three ways. */
async function fetchBlob(objects: Objects, blob: number, id: number): Promise<void> {
  const key = `blob/${blob}`
  if (id % 2 === 0) await objects.bytes(key)
  else for await (const _ of await objects.get(key));
  if (id % 4 > 1) return
  let found = false
  for await (const each of objects.list(key)) found ||= each.key === key
  if (!found) throw fatal("object-gone", `${key} is gone`)
}

/** Where a run of events without a refused one ends. */
function wholeUntil(file: readonly Event[], from: number, to: number): number {
  const refused = file.findIndex(({ fate }, at) => at >= from && at < to && fate === "refuse")
  return Math.min(refused === -1 ? to : refused, file.length)
}

/** Forgets what it sent last when it starts again: everything in doubt comes twice. */
const push = defineSource({
  name: "push",
  summary: "Reads events, some of them again.",
  options: Schema.Struct({}),
  runs: "once",
  outputs: { out: port(event, "account", "phi") },
  create: async (_, context) => ({
    async run({ append, checkpoint, signal }) {
      const { world, process, histories } = around(context)
      for (const [channel, file] of histories().push.entries()) {
        const sent = Number(checkpoint.get(String(channel)) ?? 0)
        let at = Math.max(0, sent - world.dice.below(4))
        if (at < sent) world.hit("duplicate delivery")
        while (at < file.length && !signal.aborted) {
          await perform(world, process, "source.read", `push ${channel}@${at}`, lost, () => {})
          const some = file.slice(at, at + 1 + world.dice.below(3))
          at += some.length
          const records = some.map((each) => draftOf(each, each.account))
          await append("out", records, { [channel]: String(at) })
        }
      }
    },
  }),
})

const sift = defineTransform({
  name: "sift",
  summary: "Passes, drops and fails events as they ask for, and gives them another key.",
  options: Schema.Struct({}),
  inputs: { in: port(event, "person") },
  outputs: { out: port(event, "account") },
  create: async (_, context) => ({
    async apply(batch, out) {
      for (const record of batch) {
        const { fate, account, blob } = record.value!
        if (fate === "poison") throw badRecord("poison", "this event cannot be read")
        if (fate === "drop") out.drop(record, "unwanted")
        else if (fate === "fail") out.fail(record, badRecord("failed", "this event failed"))
        else {
          if (blob >= 0) await putBlob(context.objects("phi"), blob, Number(record.value!.id))
          out.emit("out", record, { ...record, key: account })
        }
      }
    },
  }),
})

const sides = { left: port(event, "account"), right: port(event, "account") }

/** Joins both sides by slot, and counts the objects that it is first to hear of. */
const join = defineStateful({
  name: "join",
  summary: "Joins events of both sides.",
  options: Schema.Struct({}),
  inputs: sides,
  outputs: { out: port(pair, "account") },
  create: async (_, context) => {
    const { store, bugs } = around(context)
    const folded = foldDeriveDiff<typeof sides, { out: ReturnType<typeof port<PairValue>> }, PairValue>("out", {
      fact: ({ input, value }) => ({
        id: `${input}/${value!.slot}`,
        rows: [[`${input}/${value!.slot}`, value!.amount]],
      }),
      index: () => [prefixed("left/")],
      units: (_key, changed, [known]) => {
        const slots = new Set((changed ?? known!).map(([sort]) => sort.split("/")[1]!))
        return [...slots].map((id) => ({ id, reads: [exactly(`left/${id}`), exactly(`right/${id}`)] }))
      },
      derive: (_key, { id }, [left, right], { reached, completeThrough }) => {
        if (left!.length === 0 || right!.length === 0) return { rows: [] }
        const slot = Number(id)
        const wakeAt = windowOf(slot)
        const full = (completeThrough.get("feed/all") ?? 0) >= completeTo
        const sum = Number(left![0]![1]) + Number(right![0]![1])
        const value = { slot, sum, late: (reached ?? 0) >= wakeAt, full }
        return { rows: [{ id, value, time: slot }], wakeAt, waitsForFeeds: !full }
      },
    })
    return {
      ...folded,
      async apply(batch, out, state) {
        const blobs = batch.flatMap(({ input, value }) => (input === "left" && value!.blob >= 0 ? [value!.blob] : []))
        if (blobs.length > 0)
          await store.objects.count(
            "phi",
            blobs.map((blob) => `blob/${blob}`),
            1,
          )
        for (const { input, value } of batch)
          if (input === "left" && value!.blob >= 0)
            await fetchBlob(context.objects("phi"), Number(value!.blob), Number(value!.id))
        const kept: typeof out =
          bugs.retractDropped === true
            ? { ...out, emit: (to, from, draft) => void (draft.op === "retract" || out.emit(to, from, draft)) }
            : out
        await folded.apply(batch, kept, state)
      },
    }
  },
})
interface PairValue {
  readonly slot: number
  readonly sum: number
  readonly late: boolean
  readonly full: boolean
}
const exactly = (sort: string) => ({ from: sort, to: `${sort}\u0000` })

/** Counts by adding one: nothing about it is idempotent. */
const counter = defineStateful({
  name: "counter",
  summary: "Counts changes by account.",
  options: Schema.Struct({}),
  inputs: { in: port(pair, "account") },
  outputs: { out: port(total, "account") },
  create: async () => ({
    async apply(batch, out, state) {
      const keys = [...new Set(batch.map(({ key }) => key))]
      const found = await state.get<number>(keys.map((key) => [key, "count"]))
      const counts = new Map(keys.map((key, at) => [key, found[at] ?? 0]))
      await state.shared.lock(["all", `odd${batch.length % 2}`])
      const [all = 0] = await state.shared.get<number>([["all", "count"]])
      state.shared.put([["all", "count", all + batch.length]])
      if (all % 2 === 0) await state.shared.scan([{ key: "all" }])
      for (const record of batch) {
        const count = counts.get(record.key)! + 1
        counts.set(record.key, count)
        out.emit("out", record, draftOfTotal(record.key, "count", count))
        if (count % 3 === 1) state.timer({ key: record.key, name: "sum", due: state.now + 500, clock: "quiet" }, record)
      }
      state.put([...counts].map(([key, count]) => [key, "count", count]))
    },
    async onTimer(fired, out, state) {
      const found = await state.get<number>(fired.map(({ key }) => [key, "fired"]))
      for (const [at, timer] of fired.entries()) {
        const times = (found[at] ?? 0) + 1
        state.put([[timer.key, "fired", times]])
        out.emit("out", timer, draftOfTotal(timer.key, "summary", times))
      }
    },
  }),
})

const draftOfTotal = (key: string, what: string, count: number) => ({
  key,
  id: what,
  op: "upsert" as const,
  version: BigInt(count),
  value: { what, count },
  time: 0,
})

/** Which rows a sink can never write. */
export const badTotal = ({ count }: { readonly count: number }): boolean => count % 7 === 5
export const badPair = (value: { readonly sum: number } | null): boolean => value !== null && value.sum % 11 === 3

function refuse(bad: readonly number[], more: ReadonlyMap<number, WeirError>): void {
  if (bad.length + more.size === 0) return
  throw partial(new Map([...bad.map((at) => [at, badRecord("bad-row", "a row of its own")] as const), ...more]))
}

const inserter = defineSink({
  name: "inserter",
  summary: "Only inserts, with the position beside the rows.",
  options: Schema.Struct({}),
  delivery: "transactional",
  create: async (_, context) => {
    const { table, world, process, bugs } = around(context)
    return {
      delivery: "transactional",
      claim: (topic, partition) =>
        perform(world, process, "sink.claim", topic, lost, () => table.claim(topic, partition)),
      async write(batch, at) {
        if (bugs.commitBeforeWrite === true) {
          await world.step(process, "sink write", "position first")
          table.check(at, process)
          table.move(at)
        }
        await perform(world, process, "sink.write", at.topic, lost, () => {
          table.check(at, process)
          refuse(
            batch.flatMap(({ value }, row) => (badTotal(value as never) ? [row] : [])),
            new Map(),
          )
          for (const { key, id, version } of batch) table.rows.push({ key, id, version })
          table.move(at)
        })
      },
      close: async () => {},
    }
  },
})

const mapper = defineSink({
  name: "mapper",
  summary: "Writes rows over older ones.",
  options: Schema.Struct({}),
  delivery: "idempotent",
  create: async (_, context) => {
    const { map, world, process } = around(context)
    return {
      delivery: "idempotent",
      async write(batch) {
        const mishap = world.befalls("map.write")
        await world.step(process, "map.write", "", turnBefore(mishap))
        if (mishap === "refused") throw lost()
        const bad = batch.flatMap(({ value }, row) => (badPair(value as PairValue | null) ? [row] : []))
        if (bad.length > 0 && batch.length === 1) throw badRecord("bad-row", "the only row")
        // A part of the batch is written, and then no more of it.
        const until = mishap === "torn" ? world.dice.below(batch.length) : batch.length
        for (const [row, { key, id, version, op }] of batch.entries())
          if (row < until && !bad.includes(row)) map.write(key, id, version, op)
        if (mishap === "torn") throw lost()
        if (mishap === "crash after") await world.step(process, "map.write", "", "crash")
        if (mishap === "answer lost" && (batch.length === 1 || world.dice.chance(0.5))) throw lost()
        const late = new Map<number, WeirError>()
        if (mishap === "answer lost") late.set(bad.includes(0) ? 1 : 0, retryable("busy", "the row is locked"))
        if (bad.length + late.size > 0) world.hit("partial failure")
        refuse(bad, late)
      },
      close: async () => {},
    }
  },
})

const file = (partitions: number, sinks: Plan["sinks"]) => `
name: torture
topics:
  arrivals: { zone: phi, partitions: ${partitions} }
  pushed: { zone: phi, partitions: ${partitions} }
  kept: { zone: phi, partitions: ${partitions} }
  pairs: { zone: phi, partitions: ${partitions} }
  totals: { zone: phi, partitions: ${partitions} }
sources:
  feed: { use: feed, to: arrivals }
  push: { use: push, to: pushed }
stages:
  sift: { from: arrivals, through: [{ use: sift }], to: kept }
  join: { from: { left: kept, right: pushed }, through: [{ use: join }], to: pairs }
  count: { from: pairs, through: [{ use: counter }], to: totals }
sinks:
${sinks === "map" ? "" : "  table: { use: inserter, from: [totals] }"}
${sinks === "table" ? "" : "  map: { use: mapper, from: [pairs] }"}
`

const compiled = new Map<string, CompiledPipeline>()

/** The torture pipeline, with this many partitions in each topic. */
export function torture({ partitions, sinks }: Pick<Plan, "partitions" | "sinks">): CompiledPipeline {
  const slot = `${sinks}/${partitions}`
  const known = compiled.get(slot)
  if (known !== undefined) return known
  const plugins = pluginSet([feed, push, sift, join, counter, inserter, mapper])
  const pipeline = compile("torture.yaml", file(partitions, sinks), { plugins, environment: {} })
  compiled.set(slot, pipeline)
  return pipeline
}
