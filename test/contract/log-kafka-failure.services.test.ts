import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kafka, logLevel, Partitioners } from "kafkajs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import type { Fetched, Log, Message, Reader, Writer } from "../../core/ports/log.ts"
import { until } from "../kit/log-contract.ts"
import { services } from "../services/addresses.ts"
import type { Started } from "../services/cache.ts"
import { type Broker, startKafka } from "../services/kafka.ts"
import { stop } from "../services/processes.ts"

const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`
const message = (value: string): Message => ({ key: null, value: Buffer.from(value), timestamp: 0 })
const text = ({ value }: Fetched) => Buffer.from(value ?? []).toString()
const LIMIT = { maxBytes: 1 << 20, maxMessages: 1000, waitMs: 100 }
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))

async function toHead(reader: Reader): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const { messages, next, head } = await reader.read(LIMIT)
    all.push(...messages.map(text))
    if (messages.length === 0 && next === head) return all
  }
}

/** Publishes 0, 1, 2 ... as the engine's outbox does: the number is the offset committed with the record. */
async function publish(log: Log, topic: string, count: number, progress: (at: number) => void): Promise<void> {
  const id = unique("publisher")
  let writer: Writer | undefined
  for (let at = 0; at < count;) {
    try {
      if (writer === undefined) {
        writer = await log.writer(id)
        at = Number((await log.committed(id, topic)).get(0) ?? 0n)
        continue
      }
      const offsets = [{ group: id, next: [{ topic, partition: 0, offset: BigInt(at + 1) }] }]
      await writer.transact([{ topic, partition: 0, messages: [message(String(at))] }], offsets)
      progress(++at)
    } catch (error) {
      expect(["unreachable", "unknown-outcome", "fenced"]).toContain((error as { code?: string }).code)
      await writer?.close()
      writer = undefined
    }
  }
  await writer?.close()
}

/** Reads on from where it was after each error that may pass. */
async function follow(log: Log, topic: string, count: number): Promise<string[]> {
  const all: string[] = []
  let next = 0n
  while (all.length < count) {
    const reader = await log.reader(topic, 0, next)
    try {
      while (all.length < count) {
        const batch = await reader.read(LIMIT)
        all.push(...batch.messages.map(text))
        next = batch.next
      }
    } catch (error) {
      expect((error as { code?: string }).code).toBe("unreachable")
    }
    await reader.close()
  }
  return all
}

describe("Kafka in trouble", () => {
  const brokers = services().kafka.split(",")

  it("passes over what was aborted, and is not caught up before a transaction that is still open", async () => {
    const log = await openKafkaLog({ brokers })
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
    const producer = kafka.producer({
      transactionalId: unique("raw"),
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    const openId = unique("raw")
    const other = kafka.producer({ transactionalId: openId, createPartitioner: Partitioners.DefaultPartitioner })
    await Promise.all([producer.connect(), other.connect()])
    const topic = unique("aborted")
    await log.ensureTopics([{ name: topic, partitions: 1 }])
    for (const [value, commits] of Object.entries({ a: true, b: false, c: false, d: true, e: false })) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: `${value}1` }, { value: `${value}2` }] })
      await (commits ? transaction.commit() : transaction.abort())
    }
    const reader = await log.reader(topic, 0, 0n)
    expect(await toHead(reader)).toEqual(["a1", "a2", "d1", "d2"])
    const open = await other.transaction()
    await open.send({ topic, messages: [{ value: "open" }] })
    const writer = await log.writer(unique("w"))
    await writer.transact([{ topic, partition: 0, messages: [message("behind")] }])
    const waiting = await reader.read(LIMIT)
    expect(waiting.messages).toEqual([])
    expect(waiting.next < waiting.head).toBe(true)
    await (await log.writer(openId)).close()
    expect(await toHead(reader)).toEqual(["behind"])
    await Promise.all([producer.disconnect(), other.disconnect(), log.close()])
  })

  it("copies each record once, through kill -9 of either of two processes", async () => {
    const log = await openKafkaLog({ brokers })
    const [from, to, group] = [unique("from"), unique("to"), unique("copy")]
    const [partitions, count] = [4, 3000]
    await log.ensureTopics([from, to].map((name) => ({ name, partitions })))
    const writer = await log.writer(unique("w"))
    for (let at = 0; at < count; at += 100)
      await writer.transact(
        Array.from({ length: partitions }, (_, partition) => ({
          topic: from,
          partition,
          messages: numbers(100).map((n) => message(String(Number(n) + at))),
        })),
      )
    const script = join(import.meta.dirname, "../services/copy-child.ts")
    const start = (): ChildProcess =>
      spawn(process.execPath, [script, brokers.join(","), group, from, to, String(partitions)], { stdio: "ignore" })
    const children = [start(), start()]
    try {
      const copied = async () => (await log.bounds(to)).reduce((sum, { end }) => sum + Number(end), 0)
      for (let kill = 0; kill < 6; kill++) {
        // Offsets, which a transaction's mark takes one of, too.
        const before = await copied()
        await until(async () => (await copied()) > before + (kill + 1) * 100, 40_000)
        children[kill % 2]!.kill("SIGKILL")
        children[kill % 2] = start()
      }
      for (let partition = 0; partition < partitions; partition++) {
        const reader = await log.reader(to, partition, 0n)
        const copied: string[] = []
        for (const end = Date.now() + 40_000; copied.length < count && Date.now() < end;)
          copied.push(...(await reader.read(LIMIT)).messages.map(text))
        expect(copied).toEqual(numbers(count))
      }
    } finally {
      for (const child of children) child.kill("SIGKILL")
      await log.close()
    }
  }, 120_000)
})

describe.each([1, 3])("a cluster of %i brokers that are killed", (count) => {
  let folder = ""
  let cluster: { readonly address: string; readonly brokers: readonly Broker[] } = { address: "", brokers: [] }
  const running = new Map<Broker, Started>()
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "weir-kafka-"))
    cluster = await startKafka(folder, count)
    for (const broker of cluster.brokers) running.set(broker, broker.process)
  })
  afterAll(async () => {
    await Promise.all([...running.values()].map((each) => stop(each, "SIGKILL")))
    if (folder !== "") rmSync(folder, { recursive: true, force: true })
  })

  it("loses nothing, doubles nothing, and keeps the order; a follower and a member go on by themselves", async () => {
    const log = await openKafkaLog({ brokers: cluster.address.split(",") })
    const [topic, records] = [unique("t"), 600]
    await log.ensureTopics([{ name: topic, partitions: 1 }])
    const member = await log.join({ group: unique("g"), topics: [topic], partitions: 1, onAssigned: () => {} })
    const kill = async (which: number) => {
      const broker = cluster.brokers[which % count]!
      await stop(running.get(broker)!, "SIGKILL")
      running.set(broker, await broker.start())
    }
    const kills: Promise<void>[] = []
    const following = follow(log, topic, records)
    following.catch(() => {})
    await publish(log, topic, records, (at) => {
      if (at % 200 === 100) kills.push((kills.at(-1) ?? Promise.resolve()).then(() => kill(at / 100)))
    })
    expect(kills.length).toBeGreaterThanOrEqual(3)
    await Promise.all(kills)
    expect(await following).toEqual(numbers(records))
    expect(await toHead(await log.reader(topic, 0, 0n))).toEqual(numbers(records))
    expect(await member.confirm(0)).toBe(true)
    await log.close()
  }, 120_000)

  it("writes once to each of several brokers, whichever of them asks to try again", async () => {
    const log = await openKafkaLog({ brokers: cluster.address.split(",") })
    const [topic, partitions, transactions] = [unique("t"), 6, 150]
    await log.ensureTopics([{ name: topic, partitions }])
    const writer = await log.writer(unique("w"))
    // One follows the other at once, so that the coordinator is often still busy with the one before.
    for (const number of numbers(transactions)) {
      const each = Array.from({ length: partitions }, (_, partition) => partition)
      await writer.transact(each.map((partition) => ({ topic, partition, messages: [message(number)] })))
    }
    for (let partition = 0; partition < partitions; partition++)
      expect(await toHead(await log.reader(topic, partition, 0n))).toEqual(numbers(transactions))
    await log.close()
  }, 120_000)
})

describe("a cluster that asks for a login", () => {
  let folder = ""
  const login = { username: "alice", password: "of-a-test" }
  let cluster: { readonly address: string; readonly brokers: readonly Broker[] } = { address: "", brokers: [] }
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "weir-kafka-"))
    cluster = await startKafka(folder, 1, login)
  })
  afterAll(async () => {
    await Promise.all(cluster.brokers.map(({ process }) => stop(process, "SIGKILL")))
    if (folder !== "") rmSync(folder, { recursive: true, force: true })
  })
  const open = (password: string) =>
    openKafkaLog({ brokers: [cluster.address], sasl: { mechanism: "scram-sha-512", ...login, password } })

  it("is written and read by who has it", async () => {
    const log = await open(login.password)
    const topic = unique("t")
    await log.ensureTopics([{ name: topic, partitions: 1 }])
    const writer = await log.writer(unique("w"))
    await writer.transact([{ topic, partition: 0, messages: [message("0")] }])
    expect(await toHead(await log.reader(topic, 0, 0n))).toEqual(["0"])
    const member = await log.join({ group: unique("g"), topics: [topic], partitions: 1, onAssigned: () => {} })
    expect(member.assigned()).toEqual([0])
    await log.close()
  })

  it("is called a refused login, which no record is to blame for, by who has not", async () => {
    await expect(open("wrong")).rejects.toMatchObject({ meaning: "systemic", code: "login-refused" })
  })
})

it("says that nobody answers, which may pass", async () => {
  await expect(openKafkaLog({ brokers: ["127.0.0.1:1"] })).rejects.toMatchObject({
    meaning: "retryable",
    code: "unreachable",
  })
}, 60_000)
