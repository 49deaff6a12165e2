import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import type { Log, Member, Reader, Writer } from "../../core/ports/log.ts"
import { LIMIT, until } from "../kit/log-contract.ts"
import { type Broker, startKafka } from "../services/kafka.ts"
import { freePort, stop } from "../services/processes.ts"

const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`

/** What somebody does who listens and, from now on, takes no connection: the system holds two, and lets further ones wait. */
const LISTENER = `require("node:net").createServer(() => {}).listen(+process.argv[1], "127.0.0.1", 1, () => console.log("up"))`

describe("the sockets of a Log of Kafka", () => {
  const open = new Set<Socket>()
  let made = 0
  let most = 0
  const count = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket }
    made++
    most = Math.max(most, open.add(socket).size)
    socket.once("close", () => open.delete(socket))
  }
  beforeEach(() => {
    ;[made, most] = [0, 0]
    subscribe("net.client.socket", count)
  })
  afterEach(() => unsubscribe("net.client.socket", count))

  it("are one at a time to a server that takes no connection, and none once it is given up", async () => {
    const port = await freePort()
    const listener = spawn(process.execPath, ["-e", LISTENER, String(port)], { stdio: ["ignore", "pipe", "ignore"] })
    try {
      await once(listener.stdout, "data")
      listener.kill("SIGSTOP")
      const log = openKafkaLog({ brokers: [`127.0.0.1:${port}`], retries: 2 })
      await expect(log).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
      expect(made).toBeGreaterThan(2)
      expect(most).toBe(1)
      await until(() => open.size === 0)
    } finally {
      listener.kill("SIGKILL")
    }
  })

  it("do not grow in number while a broker is frozen; it is found again, and none is left after closing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weir-kafka-"))
    const cluster = await startKafka(folder, 1, undefined, { "socket.listen.backlog.size": 1 })
    const [{ process: broker }] = cluster.brokers as [Broker]
    const log = await openKafkaLog({ brokers: [cluster.address] })
    const ending = new AbortController()
    try {
      const [topic, partitions] = [unique("t"), 4]
      await log.ensureTopics([{ name: topic, partitions }])
      const group = unique("g")
      const member = await log.join({ group, topics: [topic], partitions, onAssigned: () => {} })
      const steps = Array.from({ length: partitions }, () => 0)
      const each = steps.map((_, at) => work(log, member, { group, topic, at }, ending.signal, () => steps[at]!++))
      const goOn = async () => {
        const before = [...steps]
        await until(() => steps.every((now, at) => now > before[at]! + 2), 60_000)
      }
      await goOn()
      const [before, connected] = [made, open.size]
      process.kill(broker.pid, "SIGSTOP")
      // As many as a minute's trying makes.
      await until(() => made > before + 40, 150_000)
      // Of each connection to a broker one that waits in the queue of the frozen one, and one that is tried.
      expect(most).toBeLessThanOrEqual(2 * connected)
      process.kill(broker.pid, "SIGCONT")
      await goOn()
      await until(() => open.size <= connected)
      ending.abort()
      await Promise.all(each)
      await log.close()
      await until(() => open.size === 0)
    } finally {
      ending.abort()
      await stop(broker, "SIGKILL")
      await log.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }, 300_000)
})

/** Reads and writes a partition as a task does: what failed is closed, and opened anew. */
async function work(
  log: Log,
  member: Member,
  { group, topic, at }: { readonly group: string; readonly topic: string; readonly at: number },
  end: AbortSignal,
  done: () => void,
): Promise<void> {
  const message = { key: null, value: Buffer.from("x"), timestamp: 0 }
  while (!end.aborted) {
    let writer: Writer | undefined
    let reader: Reader | undefined
    try {
      writer = await log.writer(`${group}-${at}`)
      reader = await member.reader(topic, at, (await log.committed(group, topic)).get(at) ?? 0n)
      while (!end.aborted) {
        const { next } = await reader.read(LIMIT)
        const offsets = [{ group, next: [{ topic, partition: at, offset: next }] }]
        await writer.transact([{ topic, partition: at, messages: [message] }], offsets)
        await log.bounds(topic)
        done()
      }
    } catch (error) {
      expect(["unreachable", "unknown-outcome", "fenced", "revoked", "left"]).toContain(
        (error as { code?: string }).code,
      )
    }
    await reader?.close()
    await writer?.close()
  }
}
