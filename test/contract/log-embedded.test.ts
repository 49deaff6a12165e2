import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { Broker, type BrokerOptions } from "../../core/drivers/log-embedded/broker.ts"
import { type EmbeddedLogOptions, openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import type { Disk } from "../../core/drivers/log-embedded/disk.ts"
import type { Log, Message } from "../../core/ports/log.ts"
import { LIMIT, logContract, message, messages, text, toHead, until } from "../kit/log-contract.ts"

const made: string[] = []
const children: ChildProcess[] = []
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "weir-log-"))
  made.push(dir)
  return dir
}
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  for (const dir of made) rmSync(dir, { recursive: true, force: true })
})

const shared = folder()
logContract("a folder", () => openEmbeddedLog({ dir: join(shared, "new") }))

/** Copies what a log consists of, as a crash would leave it. */
function copyOf(dir: string): string {
  const copy = folder()
  for (const name of readdirSync(dir).filter((each) => /\.(log|idx)$|^durable$/.test(each)))
    cpSync(join(dir, name), join(copy, name))
  return copy
}

const open = (dir: string, options: Omit<EmbeddedLogOptions, "dir"> = {}) => openEmbeddedLog({ dir, ...options })
const segments = (dir: string) => readdirSync(dir).filter((name) => name.endsWith(".log"))
const lastOf = (dir: string) => join(dir, segments(dir).at(-1)!)

async function textsOf(log: Log, topic: string, partition = 0): Promise<string[]> {
  const [bounds] = (await log.bounds(topic)).slice(partition)
  const reader = await log.reader(topic, partition, bounds!.start)
  const found = (await toHead(reader, { ...LIMIT, waitMs: 0 })).map(text)
  await reader.close()
  return found
}

async function using<T>(dir: string, use: (log: Log) => Promise<T>, options: Omit<EmbeddedLogOptions, "dir"> = {}) {
  const log = await open(dir, options)
  try {
    return await use(log)
  } finally {
    await log.close()
  }
}

/** A log whose last transaction spans two topics and a group; `before` is the folder as it was without it. */
async function twoTransactions() {
  const dir = folder()
  const log = await open(dir)
  await log.ensureTopics([
    { name: "a", partitions: 2 },
    { name: "b", partitions: 1 },
  ])
  const writer = await log.writer("w")
  const append = (from: number) =>
    writer.transact(
      [
        { topic: "a", partition: 1, messages: messages(from, 2) },
        { topic: "b", partition: 0, messages: messages(from, 2) },
      ],
      [{ group: "g", next: [{ topic: "a", partition: 0, offset: BigInt(from + 2) }] }],
    )
  await append(0)
  const before = copyOf(dir)
  await append(2)
  const after = copyOf(dir)
  await log.close()
  return { before, after }
}

const seen = async (log: Log) => [
  ...(await textsOf(log, "a", 1)),
  ...(await textsOf(log, "b")),
  String((await log.committed("g", "a")).get(0)),
]
const FIRST = ["0", "1", "0", "1", "2"]
const BOTH = ["0", "1", "2", "3", "0", "1", "2", "3", "4"]
const CORRUPT = { meaning: "fatal", code: "log-corrupt" }

describe("a log in a folder, after a crash", () => {
  it("has a transaction whole or not at all, at whatever byte it was cut, and is written on", async () => {
    const { before, after } = await twoTransactions()
    const [from, to] = [statSync(lastOf(before)).size, statSync(lastOf(after)).size]
    expect(to - from).toBeGreaterThan(200)
    const dir = copyOf(before)
    for (let size = from; size <= to; size++) {
      cpSync(lastOf(after), lastOf(dir))
      cpSync(join(before, "durable"), join(dir, "durable"))
      truncateSync(lastOf(dir), size)
      await using(dir, async (log) => {
        expect(await seen(log), `cut at ${size}`).toEqual(size < to ? FIRST : BOTH)
        if (size % 50 !== 0) return
        const writer = await log.writer("v")
        await writer.transact([{ topic: "b", partition: 0, messages: messages(9, 1) }])
        expect((await textsOf(log, "b")).at(-1)).toBe("9")
      })
    }
  })

  it("cuts a tail of anything that was never acknowledged", async () => {
    const { before, after } = await twoTransactions()
    const [whole, from] = [readFileSync(lastOf(after)), statSync(lastOf(before)).size]
    const tails = fc.record({ kept: fc.nat(whole.length - from - 1), tail: fc.uint8Array({ maxLength: 5000 }) })
    const dir = copyOf(before)
    const same = (kept: number, tail: Uint8Array) =>
      Buffer.compare(Buffer.from(tail).subarray(0, 40), whole.subarray(from + kept, from + kept + 40)) === 0
    await fc.assert(
      fc.asyncProperty(tails, async ({ kept, tail }) => {
        fc.pre(!same(kept, tail))
        writeFileSync(lastOf(dir), Buffer.concat([whole.subarray(0, from + kept), tail]))
        cpSync(join(before, "durable"), join(dir, "durable"))
        await using(dir, async (log) => expect(await seen(log)).toEqual(FIRST))
        expect(statSync(lastOf(dir)).size).toBe(from)
      }),
      { numRuns: 40, examples: [[{ kept: 0, tail: new Uint8Array(4096) }]] },
    )
  })

  it("never takes damage for a torn tail: any flipped bit of what was acknowledged is fatal, also in the last transaction", async () => {
    const { after } = await twoTransactions()
    const [whole, dir] = [readFileSync(lastOf(after)), copyOf(after)]
    const places = fc.record({ at: fc.nat(whole.length - 1), bit: fc.nat(7) })
    await fc.assert(
      fc.asyncProperty(places, async ({ at, bit }) => {
        const damaged = Buffer.from(whole)
        damaged[at]! ^= 1 << bit
        writeFileSync(lastOf(dir), damaged)
        cpSync(join(after, "durable"), join(dir, "durable"))
        await expect(using(dir, seen)).rejects.toMatchObject(CORRUPT)
        expect(Buffer.compare(readFileSync(lastOf(dir)), damaged)).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it("sees by what was written later that a place had been durable, when the mark was lost", async () => {
    const { after } = await twoTransactions()
    const whole = readFileSync(lastOf(after))
    const at = whole.indexOf('"offsets"')
    whole[at]! ^= 1
    writeFileSync(lastOf(after), whole)
    rmSync(join(after, "durable"))
    await expect(using(after, seen)).rejects.toMatchObject(CORRUPT)
  })
})

/** A log of many small segments: topic t has 0, 1, 2 ... */
async function manySegments(count = 200, options: Omit<EmbeddedLogOptions, "dir"> = {}): Promise<string> {
  const dir = folder()
  await using(
    dir,
    async (log) => {
      await log.ensureTopics([{ name: "t", partitions: 1 }])
      const writer = await log.writer("w")
      for (let i = 0; i < count; i += 10)
        await writer.transact([{ topic: "t", partition: 0, messages: messages(i, 10) }])
    },
    { segmentBytes: 1500, ...options },
  )
  expect(segments(dir).length).toBeGreaterThan(2)
  return dir
}
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

describe("the segments of a log", () => {
  it("are read across, from each offset", async () => {
    const dir = await manySegments()
    await using(dir, async (log) => {
      for (let from = 0; from <= 200; from += 7) {
        const reader = await log.reader("t", 0, BigInt(from))
        expect((await toHead(reader, { ...LIMIT, waitMs: 0 })).map(text)).toEqual(numbers(200 - from, from))
      }
    })
  })

  it("are missed, and named, when one is gone or cut short", async () => {
    const dir = await manySegments()
    for (const name of segments(dir)) {
      const copy = copyOf(dir)
      rmSync(join(copy, name))
      const gone = await using(copy, async () => {}).catch((error: unknown) => error)
      expect(gone).toMatchObject(CORRUPT)
      expect((gone as Error).message).toContain(name)
      const cut = copyOf(dir)
      truncateSync(join(cut, name), statSync(join(cut, name)).size - 1)
      await expect(using(cut, async () => {})).rejects.toMatchObject(CORRUPT)
    }
  })

  it("give back what was written or a fatal error, whichever bit of whichever file flips", async () => {
    const dir = await manySegments(100)
    const files = readdirSync(dir).filter((name) => /\.(log|idx)$/.test(name))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        async (name, at) => {
          const copy = copyOf(dir)
          const bytes = readFileSync(join(copy, name))
          bytes[Math.floor(at * bytes.length)]! ^= 4
          writeFileSync(join(copy, name), bytes)
          const read = await using(copy, (log) => textsOf(log, "t")).catch((error: unknown) => error)
          if (Array.isArray(read)) expect(read).toEqual(numbers(100))
          else expect(read).toMatchObject(CORRUPT)
          rmSync(copy, { recursive: true })
        },
      ),
      { numRuns: 60 },
    )
  })

  it("need no index file: it is made anew", async () => {
    const dir = await manySegments()
    for (const name of readdirSync(dir)) if (name.endsWith(".idx")) rmSync(join(dir, name))
    await using(dir, async (log) => expect(await textsOf(log, "t")).toEqual(numbers(200)))
    expect(readdirSync(dir).filter((name) => name.endsWith(".idx"))).toHaveLength(segments(dir).length - 1)
  })
})

/** Runs `clean` on a log that nobody has open. */
async function clean(dir: string, options: Omit<BrokerOptions, "folder"> = {}): Promise<void> {
  const broker = await Broker.open({ folder: dir, segmentBytes: 4000, compactBytes: 0, ...options })
  await broker.clean()
  await broker.close()
}

const keyed = (key: string, value: string | null): Message => ({
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  timestamp: 5,
  headers: { h: key },
})

describe("cleaning", () => {
  it("keeps the newest message of each key, tombstones, messages without key and all of other topics, at their offsets", async () => {
    const dir = folder()
    const specs = [
      { name: "table", partitions: 2, compact: true },
      { name: "plain", partitions: 1 },
    ]
    const write = async (log: Log, rounds: number) => {
      await log.ensureTopics(specs)
      const writer = await log.writer("w")
      for (let i = 0; i < rounds; i++)
        await writer.transact([
          {
            topic: "table",
            partition: 1,
            messages: [keyed(`k${i % 5}`, `v${i}`), keyed("gone", i < 9 ? `${i}` : null)],
          },
          { topic: "table", partition: 0, messages: [{ ...message(`${i}`), key: null }] },
          { topic: "plain", partition: 0, messages: [keyed("same", String(i))] },
        ])
    }
    await using(dir, (log) => write(log, 100), { segmentBytes: 2000 })
    const before = await using(dir, async (log) => toHead(await log.reader("table", 1, 0n)))
    const size = segments(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
    await clean(dir)
    expect(segments(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)).toBeLessThan(size * 0.8)
    await using(dir, async (log) => {
      const after = await toHead(await log.reader("table", 1, 0n))
      expect(after.length).toBeLessThan(30)
      // What is left is what was there, in order; and the newest of each key is.
      const [was, is] = [new Map(before.map((each) => [each.offset, each])), new Map<string, unknown>()]
      for (const each of after) expect(each).toEqual(was.get(each.offset))
      for (const each of before) is.set(String(each.key), each)
      for (const newest of is.values()) expect(after).toContainEqual(newest)
      expect(after.map(({ offset }) => offset)).toEqual(
        after.map(({ offset }) => offset).toSorted((a, b) => (a < b ? -1 : 1)),
      )
      expect(await textsOf(log, "plain")).toEqual(numbers(100))
      expect(await textsOf(log, "table", 0)).toEqual(numbers(100))
      expect(await log.bounds("table")).toEqual([
        { start: 0n, end: 100n },
        { start: 0n, end: 200n },
      ])
      // A reader that stood at a record that is gone goes on behind it.
      const inside = await log.reader("table", 1, before[11]!.offset)
      expect((await toHead(inside)).every(({ offset }) => offset >= before[11]!.offset)).toBe(true)
      await write(log, 3)
    })
    await clean(dir)
    await using(dir, async (log) => expect(await textsOf(log, "plain")).toEqual([...numbers(100), ...numbers(3)]))
  })

  it("lets go what is older than its topic keeps, by when it was appended, and nothing else", async () => {
    const dir = folder()
    let now = 1_000_000
    const options = { segmentBytes: 1500, now: () => now }
    await using(
      dir,
      async (log) => {
        await log.ensureTopics([
          { name: "short", partitions: 1, retention: 10_000 },
          { name: "ever", partitions: 1 },
        ])
        const writer = await log.writer("w")
        for (let i = 0; i < 100; i++) {
          now += 1000
          await writer.transact(
            ["short", "ever"].map((topic) => ({ topic, partition: 0, messages: [message(String(i), 9e12)] })),
          )
        }
      },
      options,
    )
    await clean(dir, { ...options, compactBytes: 0 })
    await using(
      dir,
      async (log) => {
        expect(await textsOf(log, "ever")).toEqual(numbers(100))
        const [{ start, end } = { start: 0n, end: 0n }] = await log.bounds("short")
        expect(end).toBe(100n)
        expect(start).toBeGreaterThan(60n)
        expect(start).toBeLessThanOrEqual(90n)
        expect(await textsOf(log, "short")).toEqual(numbers(100 - Number(start), Number(start)))
        const below = (await log.reader("short", 0, start - 1n)).read(LIMIT)
        await expect(below).rejects.toMatchObject({ code: "offset-out-of-range" })
      },
      options,
    )
    now += 60_000
    await clean(dir, options)
    await using(
      dir,
      async (log) => {
        expect(await log.bounds("short")).toEqual([{ start: 100n, end: 100n }])
        expect(await textsOf(log, "ever")).toEqual(numbers(100))
      },
      options,
    )
  })

  it("leaves what was there or what is to be, wherever it is cut short", async () => {
    const dir = await manySegments(200)
    const before = copyOf(dir)
    await clean(dir, { segmentBytes: 100_000 })
    expect(segments(dir).length).toBeLessThan(segments(before).length)
    // The new file has its name, the others are not yet removed.
    for (const name of segments(before)) if (!segments(dir).includes(name)) cpSync(join(before, name), join(dir, name))
    writeFileSync(join(dir, "0000000001.log~"), "half")
    await using(dir, async (log) => expect(await textsOf(log, "t")).toEqual(numbers(200)))
    expect(readdirSync(dir).filter((name) => name.endsWith("~"))).toEqual([])
  })

  it("goes on beside writers and readers", async () => {
    const dir = folder()
    const log = await open(dir, { segmentBytes: 20_000, compactBytes: 0, cleanMs: 5 })
    await log.ensureTopics([{ name: "table", partitions: 1, compact: true }])
    const writer = await log.writer("w")
    const reader = await log.reader("table", 0, 0n)
    const newest = new Map<string, string>()
    for (let i = 0; i < 600; i++) {
      const key = `k${i % 7}`
      await writer.transact([{ topic: "table", partition: 0, messages: [keyed(key, `${i}`.padEnd(300))] }])
      if (i % 50 !== 0) continue
      for (const each of await toHead(reader, { ...LIMIT, waitMs: 0 })) newest.set(String(each.key), text(each).trim())
      expect(newest.get(key)).toBe(String(i))
    }
    await until(() => segments(dir).length < 4)
    await log.close()
  })
})

describe("the disk", () => {
  const isRoot = process.platform === "linux" && process.getuid?.() === 0
  if (!isRoot) console.warn("skipped: a full disk can be tried only as root on Linux")

  it.skipIf(!isRoot)(
    "when it is full, pauses writers, keeps what was there readable, and goes on when there is room",
    async () => {
      const dir = folder()
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", dir])
      try {
        const log = await open(join(dir, "log"), { segmentBytes: 300_000 })
        await log.ensureTopics([{ name: "t", partitions: 1 }])
        let writer = await log.writer("w")
        let kept = 0
        const large = () => ({ ...message(""), value: Buffer.alloc(90_000, kept) })
        const fill = async () => {
          for (;;) {
            await writer.transact([{ topic: "t", partition: 0, messages: [large()] }])
            kept++
          }
        }
        for (let round = 0; round < 3; round++) {
          await expect(fill()).rejects.toMatchObject({ meaning: "systemic", code: "disk-full" })
          await writer.close()
          const opening = log.writer("w")
          writer = await opening.catch(() => writer)
        }
        expect(kept).toBeGreaterThan(15)
        const read = await toHead(await log.reader("t", 0, 0n))
        expect(read.map(({ value }) => value![0])).toEqual(Array.from({ length: kept }, (_, i) => i))
        execFileSync("mount", ["-o", "remount,size=4m", dir])
        writer = await log.writer("w")
        await writer.transact([{ topic: "t", partition: 0, messages: [large()] }])
        kept++
        await log.close()
        await using(join(dir, "log"), async (again) =>
          expect(await again.bounds("t")).toEqual([{ start: 0n, end: BigInt(kept) }]),
        )
      } finally {
        execFileSync("umount", [dir])
      }
    },
  )

  it("when a sync fails, gets no acknowledgement and shows nothing, then or later", async () => {
    const dir = folder()
    let failing = 0
    const disk: Disk = {
      async write(file, bytes, position) {
        await file.writev([...bytes], position)
      },
      async sync(file) {
        if (failing > 0 && failing-- > 0) throw Object.assign(new Error("input/output error"), { code: "EIO" })
        await file.datasync()
      },
    }
    const log = await open(dir, { disk })
    await log.ensureTopics([{ name: "t", partitions: 1 }])
    const append = async (id: string, from: number) => {
      const writer = await log.writer(id)
      const reader = await log.reader("t", 0, 0n)
      try {
        await writer.transact([{ topic: "t", partition: 0, messages: messages(from, 1) }])
      } finally {
        await reader.close()
        await writer.close()
      }
    }
    await append("w", 0)
    const writer = await log.writer("w")
    failing = 1
    await expect(writer.transact([{ topic: "t", partition: 0, messages: messages(7, 1) }])).rejects.toMatchObject({
      meaning: "systemic",
      code: "disk-failed",
    })
    expect(await textsOf(log, "t")).toEqual(["0"])
    await append("w", 1)
    const other = await log.writer("v")
    // The sync that takes it back fails too: now nobody can say.
    failing = 2
    await expect(other.transact([{ topic: "t", partition: 0, messages: messages(8, 1) }])).rejects.toMatchObject({
      meaning: "retryable",
      code: "unknown-outcome",
    })
    expect(await textsOf(log, "t")).toEqual(["0", "1"])
    await append("w", 2)
    expect(await textsOf(log, "t")).toEqual(["0", "1", "2"])
    await log.close()
    await using(dir, async (again) => expect(await textsOf(again, "t")).toEqual(["0", "1", "2"]))
  })
})

/** A disk as kernels have it: after a failed sync the pages count as clean, the next sync passes them over and succeeds, and a crash
 * shows that they were never written. */
class ForgetfulDisk implements Disk {
  readonly #fails: boolean[]
  #fresh: { readonly inode: number; readonly from: number; readonly to: number }[] = []
  readonly #lost: { readonly inode: number; readonly from: number; readonly to: number }[] = []

  /** @param fails whether each sync fails, in turn; later ones do not */
  constructor(fails: readonly boolean[]) {
    this.#fails = [...fails]
  }

  async write(file: FileHandle, bytes: readonly Buffer[], position: number): Promise<void> {
    const { ino: inode } = await file.stat()
    await file.writev([...bytes], position)
    this.#fresh.push({ inode, from: position, to: position + bytes.reduce((sum, { length }) => sum + length, 0) })
  }

  async sync(file: FileHandle): Promise<void> {
    const { ino } = await file.stat()
    const mine = this.#fresh.filter(({ inode }) => inode === ino)
    this.#fresh = this.#fresh.filter(({ inode }) => inode !== ino)
    if (this.#fails.shift() !== true) return
    this.#lost.push(...mine)
    throw Object.assign(new Error("input/output error"), { code: "EIO" })
  }

  /** What a crash would leave of a folder: nothing of what a failed sync was to write, and all else. */
  crash(dir: string): string {
    const copy = copyOf(dir)
    for (const name of segments(dir)) {
      const { ino } = statSync(join(dir, name))
      const bytes = readFileSync(join(copy, name))
      for (const { inode, from, to } of this.#lost) if (inode === ino) bytes.subarray(from, to).fill(0)
      writeFileSync(join(copy, name), bytes)
    }
    return copy
  }
}

describe("a disk that forgets what it failed to write", () => {
  it("costs nothing that was acknowledged, for a file whose sync failed is not appended to again", async () => {
    const run = async (fails: readonly boolean[]) => {
      const [dir, disk] = [folder(), new ForgetfulDisk([false, false, ...fails])]
      const log = await open(dir, { disk })
      await log.ensureTopics([{ name: "t", partitions: 1 }])
      const [acknowledged, unknown]: [string[], string[]] = [[], []]
      for (let i = 0; i < 12; i++) {
        const writer = await log.writer("w").catch(() => undefined)
        if (writer === undefined) continue
        try {
          await writer.transact([{ topic: "t", partition: 0, messages: messages(i, 1) }])
          acknowledged.push(String(i))
        } catch (error) {
          const { code } = error as { code: string }
          expect(["disk-failed", "unknown-outcome"]).toContain(code)
          if (code === "unknown-outcome") unknown.push(String(i))
        }
        await writer.close()
        await using(disk.crash(dir), async (again) => {
          const found = await textsOf(again, "t")
          expect(found.filter((each) => !unknown.includes(each))).toEqual(acknowledged)
        })
      }
      await log.close()
    }
    const schedules = fc.array(fc.boolean(), { minLength: 1, maxLength: 16 })
    const examples: [boolean[]][] = [[[true]], [[true, true]], [[true, true, true]], [[false, true, false, true]]]
    await fc.assert(fc.asyncProperty(schedules, run), { numRuns: 25, examples })
  })

  it("that fails for good takes nothing more, and gives back all that was acknowledged", async () => {
    const [dir, disk] = [folder(), new ForgetfulDisk([false, false, false, ...Array<boolean>(100).fill(true)])]
    const log = await open(dir, { disk })
    await log.ensureTopics([{ name: "t", partitions: 1 }])
    const writer = await log.writer("w")
    for (let i = 0; i < 5; i++)
      await expect(writer.transact([{ topic: "t", partition: 0, messages: messages(i, 1) }])).rejects.toMatchObject({
        code: expect.stringMatching(/^(disk-failed|unknown-outcome)$/),
      })
    expect(await textsOf(log, "t")).toEqual([])
    await using(disk.crash(dir), async (again) => expect(await textsOf(again, "t")).toEqual([]))
    await log.close()
  })
})

const child = (dir: string, partition: number) => {
  const script = join(import.meta.dirname, "log-embedded-child.ts")
  const started = spawn(process.execPath, [script, dir, String(partition)], { stdio: ["ignore", "pipe", "inherit"] })
  children.push(started)
  const lines: string[] = []
  createInterface({ input: started.stdout }).on("line", (line) => lines.push(line))
  const exited = new Promise<void>((resolve) => started.once("close", () => resolve()))
  const kill = async () => {
    started.kill("SIGKILL")
    await exited
  }
  const done = () => lines.filter((line) => line.startsWith("done")).map((line) => Number(line.slice(5)))
  return { process: started, lines, done, kill }
}

describe("several processes", () => {
  it("lose nothing that was acknowledged and have nothing half, through kill -9 of any of them, and take over from one another", async () => {
    const dir = join(folder(), "a-path-that-is-longer-than-the-name-of-a-socket-may-be".repeat(3))
    const acknowledged = [-1, -1]
    const running = [child(dir, 0), child(dir, 1)]
    const check = async (log: Log) => {
      for (const partition of [0, 1]) {
        const position = Number((await log.committed(`numbers-${partition}`, "a")).get(partition))
        const [a, b] = [await textsOf(log, "a", partition), await textsOf(log, "b", partition)]
        expect(a.map((each) => each.trim()).slice(0, position)).toEqual(numbers(position))
        expect(b.slice(0, position)).toEqual(a.slice(0, position))
        expect(position).toBeGreaterThan(acknowledged[partition]!)
      }
    }
    for (let round = 0; round < 8; round++) {
      const [victim, other] = [round % 2, 1 - (round % 2)]
      await until(() => running.every((each) => each.done().length > 20))
      await running[victim]!.kill()
      acknowledged[victim] = running[victim]!.done().at(-1)!
      const before = running[other]!.done().length
      await until(() => running[other]!.done().length > before + 20)
      acknowledged[other] = running[other]!.done().at(-1)!
      await using(dir, check)
      running[victim] = child(dir, victim)
    }
    for (const each of running) await each.kill()
    await using(dir, check)
    for (const { lines } of running)
      for (const line of lines) expect(line).toMatch(/^done|^error (unknown-outcome|fenced)$/)
  })

  it("reject with an unknown outcome what the owner was killed over, then go on", async () => {
    const dir = folder()
    const owner = child(dir, 0)
    await until(() => owner.done().length > 0)
    const log = await open(dir)
    const [writer, idle] = [await log.writer("mine"), await log.writer("idle")]
    const reader = await log.reader("b", 1, 0n)
    const waiting = reader.read({ ...LIMIT, waitMs: 20_000 })
    await writer.transact([{ topic: "a", partition: 1, messages: messages(0, 1) }])
    owner.process.kill("SIGSTOP")
    const lost = writer
      .transact([{ topic: "a", partition: 1, messages: messages(1, 1) }])
      .catch((error: unknown) => error)
    await owner.kill()
    expect(await lost).toMatchObject({ meaning: "retryable", code: "unknown-outcome" })
    // Whoever had nothing under way does not notice.
    await idle.transact([{ topic: "b", partition: 1, messages: messages(5, 1) }])
    expect((await waiting).messages.map(text)).toEqual(["5"])
    const again = await log.writer("mine")
    await again.transact([{ topic: "a", partition: 1, messages: messages(2, 1) }])
    expect((await textsOf(log, "a", 1)).at(-1)).toBe("2")
    await log.close()
  })

  it("hand over without a loss when the owner closes in the middle of it", async () => {
    const dir = folder()
    const first = await open(dir)
    await first.ensureTopics([{ name: "t", partitions: 1 }])
    const logs = [await open(dir), await open(dir), await open(dir)]
    const writers = await Promise.all(logs.map((log, i) => log.writer(`w${i}`)))
    const member = await logs[1]!.join({ group: "g", topics: ["t"], partitions: 1, onAssigned: () => {} })
    const write = async (i: number) => {
      for (let n = 0; n < 60; n++)
        await writers[i]!.transact([{ topic: "t", partition: 0, messages: [message(`${i}.${n}`)] }])
    }
    const writing = [write(0), write(1), write(2)]
    await first.close()
    await Promise.all(writing)
    await until(() => member.owns(0))
    const found = await textsOf(logs[2]!, "t")
    expect(found).toHaveLength(180)
    for (const i of [0, 1, 2])
      expect(found.filter((each) => each.startsWith(`${i}.`))).toEqual(numbers(60).map((n) => `${i}.${n}`))
    await Promise.all(logs.map((log) => log.close()))
  })

  it("fence a writer that was opened under an owner who is gone", async () => {
    const dir = folder()
    const [first, second] = [await open(dir), await open(dir)]
    await first.ensureTopics([{ name: "t", partitions: 1 }])
    const old = await second.writer("w")
    await first.writer("w")
    await first.close()
    const late = old.transact([{ topic: "t", partition: 0, messages: messages(0, 1) }])
    await expect(late).rejects.toMatchObject({ meaning: "fatal", code: "fenced" })
    await second.close()
  })

  it("become one owner and many others, however many begin at the same time", async () => {
    const dir = folder()
    for (let round = 0; round < 5; round++) {
      const logs = await Promise.all(Array.from({ length: 8 }, () => open(dir)))
      await Promise.all(logs.map((log) => log.ensureTopics([{ name: `t${round}`, partitions: 1 }])))
      const writers = await Promise.all(logs.map((log, i) => log.writer(`w${i}`)))
      await Promise.all(
        writers.map((writer, i) => writer.transact([{ topic: `t${round}`, partition: 0, messages: messages(i, 1) }])),
      )
      for (const log of logs) expect((await textsOf(log, `t${round}`)).toSorted()).toEqual(numbers(8))
      await Promise.all(logs.map((log) => log.close()))
    }
    expect(readdirSync(dir).filter((name) => name.startsWith("owner."))).toHaveLength(1)
  })
})

describe("a reader that waits", () => {
  it("leaves the processor alone, in the owner and elsewhere, also when its reader is closed", async () => {
    const dir = folder()
    const logs = [await open(dir), await open(dir)]
    await logs[0]!.ensureTopics([{ name: "t", partitions: 1 }])
    const wait = async (waitMs: number) => {
      const readers = await Promise.all(logs.map((log) => log.reader("t", 0, 0n)))
      return { readers, over: Promise.allSettled(readers.map((reader) => reader.read({ ...LIMIT, waitMs }))) }
    }
    const closed = await wait(60_000)
    const began = process.cpuUsage()
    await (
      await wait(300)
    ).over
    await Promise.all(closed.readers.map((reader) => reader.close()))
    await Promise.all([closed.over, (await wait(300)).over])
    const { user, system } = process.cpuUsage(began)
    expect((user + system) / 1000).toBeLessThan(250)
    await Promise.all(logs.map((log) => log.close()))
  })
})

describe("any history of transactions, cleanings and reopenings", () => {
  type Step =
    | { readonly write: readonly (readonly [topic: number, partition: number, key: number, size: number])[] }
    | "clean"
    | "reopen"
  const row = fc.tuple(fc.nat(1), fc.nat(1), fc.nat(4), fc.nat(400))
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ write: fc.array(row, { minLength: 1, maxLength: 6 }) }) },
    { weight: 1, arbitrary: fc.constant("clean" as const) },
    { weight: 1, arbitrary: fc.constant("reopen" as const) },
  )

  it("reads as it was written, less what compaction may drop", async () => {
    const topics = ["plain", "table"]
    const options = { segmentBytes: 2500, compactBytes: 0 }
    const run = async (steps: readonly Step[]) => {
      const dir = folder()
      const written = new Map<string, { key: string; value: string; offset: bigint }[]>()
      const ensure = (log: Log) =>
        log.ensureTopics(
          topics.map((name) => ({ name, partitions: 2, ...(name === "table" ? { compact: true } : {}) })),
        )
      let log = await open(dir, options)
      await ensure(log)
      let count = 0
      for (const each of steps) {
        if (each === "reopen" || each === "clean") {
          await log.close()
          if (each === "clean") await clean(dir, options)
          log = await open(dir, options)
          continue
        }
        const writer = await log.writer("w")
        await writer.transact(
          each.write.map(([topic, partition, key, size]) => {
            const value = `${count++}`.padEnd(size)
            const place = `${topics[topic]}/${partition}`
            const rows = written.get(place) ?? []
            written.set(place, [...rows, { key: `k${key}`, value, offset: BigInt(rows.length) }])
            return { topic: topics[topic]!, partition, messages: [keyed(`k${key}`, value)] }
          }),
        )
      }
      for (const [place, rows] of written) {
        const [topic = "", partition = ""] = place.split("/")
        const found = await toHead(await log.reader(topic, Number(partition), 0n), { ...LIMIT, waitMs: 0 })
        const read = found.map((each) => ({ key: String(each.key), value: text(each), offset: each.offset }))
        if (topic === "plain") expect(read).toEqual(rows)
        const newest = new Map(rows.map((each) => [each.key, each]))
        expect(read).toEqual(rows.filter(({ offset }) => read.some((each) => each.offset === offset)))
        for (const each of newest.values()) expect(read).toContainEqual(each)
      }
      await log.close()
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), run), { numRuns: 15 })
  })
})
