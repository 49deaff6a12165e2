import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import type { Log, Message } from "../../core/ports/log.ts"
import type { Figure } from "./figure.ts"
import { median, timed } from "./measure.ts"

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
    const bareWrite = async () => void (await bare.write(bytes, 0, MIB, i * MIB), await bare.datasync())
    theirs!.push((await timed(bareWrite)).seconds)
    ours!.push((await timed(() => writer.transact([{ topic: "t", partition: 0, messages: batch }]))).seconds)
  }
  await writer.close()
  return { measured: 1 / median(ours!), floor: 1 / median(theirs!) }
}

async function reads(log: Log, path: string) {
  const [ours, theirs]: number[][] = [[], []]
  const file = await open(path, "r")
  const { size } = await file.stat()
  for (let round = 0; round < ROUNDS; round++) {
    theirs!.push((await timed(() => readBare(file))).seconds)
    ours!.push((await timed(() => readLog(log))).seconds)
  }
  await file.close()
  const rate = (times: readonly number[]) => size / MIB / Math.min(...times)
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
