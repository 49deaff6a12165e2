import { openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import type { Log, Writer } from "../../core/ports/log.ts"

/** A process that appends 0, 1, 2 ... to one partition of two topics until it is killed, the number as the committed offset of
 * its group, and says each number that was acknowledged: folder, partition. */
const [dir = "", place = "0"] = process.argv.slice(2)
const partition = Number(place)
const group = `numbers-${partition}`
const log = await openEmbeddedLog({ dir, segmentBytes: 1 << 16 })
await log.ensureTopics(["a", "b"].map((name) => ({ name, partitions: 2 })))

for (;;) {
  const writer = await log.writer(group)
  await append(log, writer).catch((error: { code?: string }) => console.log(`error ${error.code}`))
  await writer.close()
}

async function append(from: Log, writer: Writer): Promise<void> {
  for (let next = Number((await from.committed(group, "a")).get(partition) ?? 0n); ; next++) {
    const numbered = { key: null, value: Buffer.from(String(next).padEnd(200)), timestamp: 0 }
    await writer.transact(
      ["a", "b"].map((topic) => ({ topic, partition, messages: [numbered] })),
      [{ group, next: [{ topic: "a", partition, offset: BigInt(next + 1) }] }],
    )
    console.log(`done ${next}`)
  }
}
