import { randomUUID } from "node:crypto"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import type { Log, Writer } from "../../core/ports/log.ts"
import { toHead } from "../kit/log-contract.ts"
import { services } from "../services/addresses.ts"

const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`

/** Bytes between two cuts: every request of a transaction is cut several times. */
const stride = 23

describe("a transaction of Kafka whose connection is cut after so many bytes", () => {
  /** What may yet be sent; undefined: all. */
  let left: number | undefined
  let sent = 0
  const watch = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket }
    // Connecting puts back the write of sockets.
    socket.once("connect", () => lessen(socket))
  }
  const lessen = (socket: Socket) => {
    const write = socket.write.bind(socket) as (bytes: Uint8Array, done?: () => void) => boolean
    let isCut = false
    socket.write = ((bytes: Uint8Array) => {
      sent += bytes.length
      if (isCut) return true
      if (left === undefined || left >= bytes.length) {
        if (left !== undefined) left -= bytes.length
        return write(bytes)
      }
      const rest = bytes.subarray(0, left)
      ;[left, isCut] = [undefined, true]
      return write(rest, () => socket.destroy(Object.assign(new Error("cut"), { code: "ECONNRESET" })))
    }) as Socket["write"]
  }
  let log: Log
  beforeAll(async () => {
    subscribe("net.client.socket", watch)
    log = await openKafkaLog({ brokers: services().kafka.split(",") })
  })
  afterAll(async () => {
    unsubscribe("net.client.socket", watch)
    await log?.close()
  })

  it("is there whole, offsets included, or not at all, wherever that is", async () => {
    const [topic, id] = [unique("t"), unique("w")]
    await log.ensureTopics([{ name: topic, partitions: 2 }])
    const transact = (writer: Writer, number: number) => {
      const message = { key: null, value: Buffer.from(String(number)), timestamp: 0 }
      const appends = [0, 1].map((partition) => ({ topic, partition, messages: [message, message] }))
      return writer.transact(appends, [{ group: id, next: [{ topic, partition: 0, offset: BigInt(number + 1) }] }])
    }
    let writer = await log.writer(id)
    await transact(writer, 0)
    const before = sent
    await transact(writer, 1)
    const bytes = sent - before
    const committed = ["0", "0", "1", "1"]
    let failed = 0
    for (let cut = 0; cut < bytes; cut += stride) {
      const number = committed.length / 2
      left = cut
      const outcome = await transact(writer, number).then(
        () => "committed",
        (error: unknown) => (error as { code?: string }).code,
      )
      left = undefined
      expect(["committed", "unreachable", "unknown-outcome", "fenced"], `cut after ${cut}`).toContain(outcome)
      if (outcome !== "committed") {
        failed++
        await writer.close()
        writer = await log.writer(id)
      }
      const next = Number((await log.committed(id, topic)).get(0))
      if (outcome === "committed") expect(next).toBe(number + 1)
      if (next === number + 1) committed.push(String(number), String(number))
      else expect(next, `cut after ${cut}`).toBe(number)
      for (const partition of [0, 1]) {
        const reader = await log.reader(topic, partition, 0n)
        const found = (await toHead(reader)).map(({ value }) => Buffer.from(value!).toString())
        expect(found, `cut after ${cut}`).toEqual(committed)
        await reader.close()
      }
    }
    expect(failed).toBeGreaterThan(0)
    expect(committed.length).toBeGreaterThan(4)
    await writer.close()
  }, 120_000)
})
