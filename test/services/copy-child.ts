import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import type { Member } from "../../core/ports/log.ts"

/** A process that copies one topic to another by a consumer group, until it is killed: brokers, group, from, to, partitions. */
const [brokers = "", group = "", from = "", to = "", count = "1"] = process.argv.slice(2)
const log = await openKafkaLog({ brokers: brokers.split(",") })
const running = new Map<number, AbortController>()

const member: Promise<Member> = log.join({
  group,
  topics: [from, to],
  partitions: Number(count),
  onAssigned(partitions) {
    for (const each of running.values()) each.abort()
    running.clear()
    for (const partition of partitions) {
      const stop = new AbortController()
      running.set(partition, stop)
      void copy(partition, stop.signal)
    }
  },
})

async function copy(partition: number, stop: AbortSignal): Promise<void> {
  const joined = await member
  while (!stop.aborted) {
    try {
      await copyOnce(joined, partition, stop)
    } catch {
      if (!(await joined.confirm(partition))) return
    }
  }
}

async function copyOnce(joined: Member, partition: number, stop: AbortSignal): Promise<void> {
  const writer = await log.writer(`${group}-${partition}`)
  try {
    const at = (await log.committed(group, from)).get(partition) ?? 0n
    const reader = await joined.reader(from, partition, at)
    while (!stop.aborted) {
      const { messages, next } = await reader.read({ maxBytes: 1 << 20, maxMessages: 20, waitMs: 100 })
      if (messages.length > 0)
        await writer.transact(
          [{ topic: to, partition, messages }],
          [{ group, next: [{ topic: from, partition, offset: next }] }],
        )
    }
  } finally {
    await writer.close()
  }
}
