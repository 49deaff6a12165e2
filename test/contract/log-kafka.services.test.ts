import { Kafka, logLevel } from "kafkajs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import { LogTable } from "../../core/engine/log-table.ts"
import type { Log } from "../../core/ports/log.ts"
import { LIMIT, logContract, messages, text, unique } from "../kit/log-contract.ts"
import { services } from "../services/addresses.ts"

const brokers = services().kafka.split(",")
const open = () => openKafkaLog({ brokers })

logContract("Kafka", open)

describe("Kafka as the Log", () => {
  let log: Log
  beforeAll(async () => {
    log = await open()
  })
  afterAll(() => log.close())

  const topic = async () => {
    const name = unique("t")
    await log.ensureTopics([{ name, partitions: 1 }])
    return name
  }

  it("is caught up behind markers, and on them", async () => {
    const name = await topic()
    const writer = await log.writer(unique("w"))
    for (let i = 0; i < 3; i++) await writer.transact([{ topic: name, partition: 0, messages: messages(i * 10, 10) }])
    const end = 33n
    expect(await log.bounds(name)).toEqual([{ start: 0n, end }])
    const reader = await log.reader(name, 0, 0n)
    expect((await reader.read(LIMIT)).messages).toHaveLength(30)
    expect(await reader.read({ ...LIMIT, waitMs: 0 })).toEqual({ messages: [], next: end, head: end })
    // A reader that begins on the marker itself.
    const marker = await (await log.reader(name, 0, 32n)).read({ ...LIMIT, waitMs: 0 })
    expect(marker).toEqual({ messages: [], next: end, head: end })
    await writer.close()
  })

  it("reads on, and sees leaders, after another topic was removed", async () => {
    const [stays, goes] = [await topic(), await topic()]
    const fresh = await open()
    const [reader, other] = [await fresh.reader(stays, 0, 0n), await fresh.reader(goes, 0, 0n)]
    for (const each of [reader, other]) await each.read(LIMIT)
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.deleteTopics({ topics: [goes] })
    await admin.disconnect()
    await expect(other.read(LIMIT)).rejects.toMatchObject({ code: "topic-missing" })
    const writer = await fresh.writer(unique("w"))
    await writer.transact([{ topic: stays, partition: 0, messages: messages(0, 1) }])
    expect((await reader.read(LIMIT)).messages.map(text)).toEqual(["0"])
    expect(await fresh.bounds(stays)).toEqual([{ start: 0n, end: 2n }])
    await fresh.close()
  })

  it("is read by many from the moment that it is opened", async () => {
    const name = unique("t")
    await log.ensureTopics([{ name, partitions: 8 }])
    for (let round = 0; round < 20; round++) {
      const fresh = await open()
      // Each asks while the connection of the first is being made.
      const all = Array.from({ length: 24 }, async (_, each) => {
        for (let turn = 0; turn < each; turn++) await new Promise((resolve) => setImmediate(resolve))
        return (await fresh.reader(name, each % 8, 0n)).read({ ...LIMIT, waitMs: 0 })
      })
      for (const { next } of await Promise.all(all)) expect(next).toBe(0n)
      await fresh.close()
    }
  })

  it("is a table with all that was committed, also while somebody else's transaction is open before it", async () => {
    const name = await topic()
    const open = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer({ transactionalId: unique("w") })
    await open.connect()
    const transaction = await open.transaction()
    await transaction.send({ topic: name, messages: [{ key: "other", value: '"lost"' }] })
    const table = new LogTable(log, name)
    const writer = await log.writer(unique("w"))
    await writer.transact([table.append([["checkpoint", 7]])])
    await writer.close()
    let done = false
    const refreshed = table.refresh().then(() => (done = true))
    const other = await log.reader(name, 0, 0n)
    expect((await other.read({ ...LIMIT, waitMs: 1000 })).messages).toEqual([])
    // Whoever claims now must not go on without the checkpoint.
    expect(done).toBe(false)
    await transaction.abort()
    await refreshed
    expect([...table.entries("")]).toEqual([["checkpoint", 7]])
    await table.close()
    await open.disconnect()
  })
})
