import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import type { Log, Message } from "../../core/ports/log.ts"

/** One figure against the floor of the same run; the target is a share of the floor. */
export interface Figure {
  readonly name: string
  readonly measured: number
  readonly floor: number
  readonly unit: string
  readonly target: number
}

const MIB = 1 << 20
const BATCHES = 60
const ROUNDS = 9
const READ = { maxBytes: 4 * MIB, maxMessages: 100_000, waitMs: 0 }

/** The embedded log against the bare file system: 1 MiB batches of 1 KiB messages, appended with a sync each and alternating with
 * bare writes; then read, alternating with bare reads of the log's own file. The median of the appends, the best of the reads. */
export async function benchLogEmbedded(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-"))
  const log = await openEmbeddedLog({ dir: join(dir, "log"), segmentBytes: 1 << 30 })
  const bare = await open(join(dir, "bare"), "w+")
  try {
    await log.ensureTopics([{ name: "t", partitions: 1 }])
    const appended = await appends(log, bare)
    const read = await reads(log, join(dir, "log", "0000000001.log"))
    return [
      { name: "embedded Log, append 1 MiB batches with fsync", ...appended, unit: "MiB/s", target: 0.6 },
      { name: "embedded Log, read", ...read, unit: "MiB/s", target: 0.5 },
    ]
  } finally {
    await bare.close()
    await log.close()
    await rm(dir, { recursive: true, force: true })
  }
}

type FileHandle = Awaited<ReturnType<typeof open>>

async function appends(log: Log, bare: FileHandle) {
  const writer = await log.writer("bench")
  const batch = Array.from({ length: 1024 }, (_, i): Message => {
    return { key: Buffer.from(`key-${i}`), value: Buffer.alloc(1000, i), timestamp: i }
  })
  const bytes = Buffer.alloc(MIB, 7)
  const [ours, theirs]: number[][] = [[], []]
  for (let i = 0; i < BATCHES * 3; i++) {
    theirs!.push(await timed(async () => void (await bare.write(bytes, 0, MIB, i * MIB), await bare.datasync())))
    ours!.push(await timed(() => writer.transact([{ topic: "t", partition: 0, messages: batch }])))
  }
  await writer.close()
  return { measured: 1000 / median(ours!), floor: 1000 / median(theirs!) }
}

async function reads(log: Log, path: string) {
  const [ours, theirs]: number[][] = [[], []]
  const file = await open(path, "r")
  const { size } = await file.stat()
  for (let round = 0; round < ROUNDS; round++) {
    theirs!.push(await timed(() => readBare(file)))
    ours!.push(await timed(() => readLog(log)))
  }
  await file.close()
  const rate = (times: readonly number[]) => (size / MIB / Math.min(...times)) * 1000
  return { measured: rate(ours!), floor: rate(theirs!) }
}

async function readBare(file: FileHandle): Promise<void> {
  for (let at = 0; ; at += MIB) if ((await file.read(Buffer.allocUnsafe(MIB), 0, MIB, at)).bytesRead === 0) return
}

async function readLog(log: Log): Promise<void> {
  const reader = await log.reader("t", 0, 0n)
  for (;;) {
    const { messages, next, head } = await reader.read(READ)
    if (messages.length === 0 && next === head) return reader.close()
  }
}

async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

if (import.meta.main)
  for (const { name, measured, floor, unit, target } of await benchLogEmbedded())
    console.log(
      `${name}: ${measured.toFixed(0)} ${unit}, ${((measured / floor) * 100).toFixed(0)} % of ${floor.toFixed(0)} (target ${target * 100} %)`,
    )
