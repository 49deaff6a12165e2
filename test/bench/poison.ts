import { createHash } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { Client } from "pg"
import { topicCodec, topicSchema } from "../../core/codec.ts"
import { openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import { bisect } from "../../core/engine/bisect.ts"
import { Pace } from "../../core/engine/pace.ts"
import { runChain } from "../../core/engine/chain.ts"
import type { ChainStep } from "../../core/engine/chain.ts"
import { Counters } from "../../core/engine/counters.ts"
import { Outbound } from "../../core/engine/outbound.ts"
import type { Fetched, Message } from "../../core/ports/log.ts"
import { Blame } from "../../core/engine/blame.ts"
import { SinkWriter } from "../../core/engine/sink-write.ts"
import { Schema, badRecord, defineTransform, keep, long, port, recordType, string } from "../../core/index.ts"
import type { Rec, SinkDelivery, SinkInstance } from "../../core/index.ts"
import { postgres } from "../../sinks/postgres/index.ts"
import { testContext } from "../kit/index.ts"
import type { Figure } from "./figure.ts"

const reading = recordType({
  name: "bench-reading",
  doc: "A number with a text.",
  fields: { text: keep(string, "a text"), number: keep(long, "a number") },
  id: ["text"],
})

const batchRecords = 5000
const batches = 16
const poisoned = (number: number): boolean => number % 100 === 37

/** Records of one topic, one in a hundred of them one that the table refuses where `poison` says so. */
const batchOf = (topic: string, number: number, poison: boolean): Rec[] =>
  Array.from({ length: batchRecords }, (_, index) => {
    const at = { topic, partition: 0, offset: BigInt(number * batchRecords + index) }
    const value = { text: `a text of some length, of number ${index}`, number: poison && poisoned(index) ? -1 : index }
    const id = `${number}/${index}`
    return {
      key: `k${index % 997}`,
      id,
      op: "upsert",
      version: 1n,
      value,
      time: 0,
      at,
      origin: at,
      zone: "phi",
      type: "bench-reading",
    }
  })

const codec = topicCodec("bench", "phi", reading, 1, new Map([[1, topicSchema(reading)]]), undefined as never)

/** As they stand in a topic: what is read of it is part of every hop. */
const messagesOf = (records: readonly Rec[]): readonly Fetched[] =>
  records.map((record) => ({ ...(codec.encode(record, record.origin) as Message), offset: record.at.offset }))

const recordsOf = (messages: readonly Fetched[]): readonly Rec[] =>
  messages.map((message) => (codec.decode(message, 0) as { readonly record: Rec }).record)

type Kept = SinkInstance & Extract<SinkDelivery, { delivery: "transactional" }>

async function sinkFigure(url: string): Promise<Figure> {
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-poison-"))
  const log = await openEmbeddedLog({ dir })
  const client = new Client({ connectionString: url })
  await client.connect()
  const context = testContext({ storeUrl: url, pipeline: "bench", name: "poison" })
  const topics = ["bench.clean", "bench.poison"]
  const inputs = topics.map((topic) => ({ topic, zone: "phi" as const, type: reading }))
  const sink = (await postgres.create({}, context, inputs)) as Kept
  try {
    await client.query(
      `TRUNCATE phi.bench_clean__all, phi.bench_poison__all;
       DELETE FROM weir_sink.positions WHERE sink = 'bench/poison';
       ALTER TABLE phi.bench_clean__all DROP CONSTRAINT IF EXISTS refused;
       ALTER TABLE phi.bench_poison__all DROP CONSTRAINT IF EXISTS refused;
       ALTER TABLE phi.bench_clean__all ADD CONSTRAINT refused CHECK (number >= 0);
       ALTER TABLE phi.bench_poison__all ADD CONSTRAINT refused CHECK (number >= 0)`,
    )
    await log.ensureTopics([{ name: "bench.dead-letters", partitions: 1 }])
    const counters = new Counters()
    const runtime = { pipeline: { name: "bench" } as never, counters, now: () => 0 }
    const writer = await log.writer("bench")
    const compiled = { name: "poison", topics, plugin: postgres, options: {} }
    const rows = new SinkWriter(runtime, compiled, sink, writer, new Blame(() => performance.now()))
    const spent = [0, 0]
    const epochs = [(await sink.claim(topics[0]!, 0)).epoch, (await sink.claim(topics[1]!, 0)).epoch]
    // In turn, so that what else the machine does falls on both.
    for (let number = 0; number < batches; number++)
      for (const [at, topic] of topics.entries()) {
        const messages = messagesOf(batchOf(topic, number, at === 1))
        const from = messages[0]!.offset
        const span = { topic, partition: 0, from, next: from + BigInt(batchRecords), epoch: epochs[at]! }
        const began = performance.now()
        await rows.write(recordsOf(messages), span)
        spent[at]! += performance.now() - began
      }
    const held = await client.query<{ n: string }>("SELECT count(*) AS n FROM phi.bench_poison__all")
    if (Number(held.rows[0]!.n) !== batches * batchRecords * 0.99) throw new Error(`${held.rows[0]!.n} rows`)
    await writer.close()
    const rate = (ms: number) => Math.round((batches * batchRecords * 1000) / ms)
    return {
      name: "postgres sink, 1 % of the rows refused by the server",
      measured: rate(spent[1]!),
      floor: rate(spent[0]!),
      unit: "rows/s",
      target: 0.3,
    }
  } finally {
    await sink.close()
    await client.end()
    await log.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** Throws over the whole batch, as a plugin does that does not know its records' faults apart. */
const thrower = defineTransform({
  name: "thrower",
  summary: "Hashes texts, and throws at one in a hundred.",
  options: Schema.Struct({}),
  inputs: { in: port(reading, "any") },
  outputs: { out: port(reading, "any") },
  create: async () => ({
    apply: (batch, out) => {
      for (const record of batch) {
        const { text, number } = record.value!
        if (number < 0) throw badRecord("negative", "the number is negative", { path: "number" })
        const value = {
          number,
          text: createHash("sha256")
            .update(JSON.stringify([text, number]))
            .digest("hex"),
        }
        out.emit("out", record, { ...record, value })
      }
    },
  }),
})

async function stageFigure(): Promise<Figure> {
  const spent = [0, 0]
  const steps = async (): Promise<ChainStep[]> => [
    { plugin: thrower, instance: (await thrower.create({}, testContext())) as never },
  ]
  const pace = new Pace(
    () => performance.now(),
    () => turn(),
  )
  for (let number = 0; number < batches * 2; number++)
    for (const at of [0, 1]) {
      const messages = messagesOf(batchOf("bench.stage", number, at === 1).slice(0, 1000))
      let made = await steps()
      const began = performance.now()
      const batch = recordsOf(messages).map((record) => Object.assign(record, { input: "in" }))
      const result = await bisect(
        batch,
        (part) => runChain("bench", made, { batch: part, zone: "phi" }, undefined),
        async () => {
          made = await steps()
        },
        "thrower",
        pace,
      )
      const out = new Outbound()
      for (const { root, draft } of result.emitted) out.record(codec, 4, draft, root.origin)
      await out.appends()
      spent[at]! += performance.now() - began
      if (result.failed.length !== (at === 1 ? 10 : 0)) throw new Error(`${result.failed.length} failed`)
    }
  const rate = (ms: number) => Math.round((batches * 2 * 1000 * 1000) / ms)
  return {
    name: "stage, at 1 % of the records a plugin throws",
    measured: rate(spent[1]!),
    floor: rate(spent[0]!),
    unit: "records/s",
    target: 0.3,
  }
}

/** Poison at 1 % against the same without it: rows that the server refuses, and records at which a plugin throws. Uses and empties
 * tables `bench_clean` and `bench_poison` of zone `phi`. */
export const benchPoison = async (url: string): Promise<readonly Figure[]> => [
  await sinkFigure(url),
  await stageFigure(),
]
