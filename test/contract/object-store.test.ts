import { createHash } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import * as fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { curatedStudy, label } from "../../core/index.ts"
import type { Objects, Rec, SinkInstance, Zone } from "../../core/index.ts"
import { objectStore } from "../../sinks/object-store/index.ts"
import { testContext } from "../kit/index.ts"

let base: string
let objects: Objects
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "weir-chunks-"))
  objects = await openFolderObjects({ dir: base })
})
afterEach(async () => {
  await objects.close()
  await rm(base, { recursive: true })
})

const topic = "curated.labels"
const inputs = [{ topic, zone: "limited" as Zone, type: label }]

const open = (size: number, store: Objects = objects): Promise<SinkInstance> =>
  objectStore.create({ "chunk-records": size }, testContext({ objects: () => store }), inputs)

/** The store with some of its calls replaced. */
const over = (replaced: Partial<Objects>): Objects => ({
  driver: "test",
  put: (key, body) => objects.put(key, body),
  putIfAbsent: (key, body) => objects.putIfAbsent(key, body),
  get: (key, part) => objects.get(key, part),
  bytes: (key) => objects.bytes(key),
  head: (key) => objects.head(key),
  list: (prefix) => objects.list(prefix),
  delete: (gone) => objects.delete(gone),
  close: async () => {},
  ...replaced,
})

const rec = (offset: bigint, more: Partial<Rec> = {}): Rec => ({
  key: `k${offset % 3n}`,
  id: `i${offset}`,
  op: offset % 5n === 4n ? "retract" : "upsert",
  version: offset + 1n,
  time: Number(offset) * 1000,
  value: offset % 5n === 4n ? null : { name: `value ${offset}`, text: "é".repeat(Number(offset % 7n)) },
  at: { topic, partition: 0, offset },
  origin: { topic, partition: 0, offset },
  zone: "limited",
  type: label.name,
  ...more,
})

/** A log: records at some offsets; the others are markers. */
const all = (offsets: readonly bigint[]): Rec[] => offsets.map((offset) => rec(offset))
const range = (from: number, to: number): bigint[] => Array.from({ length: to - from }, (_, i) => BigInt(from + i))

const write = (sink: SinkInstance, log: readonly Rec[], from: number, next: number): Promise<void> =>
  sink.write(
    log.filter(({ at }) => at.offset >= from && at.offset < next),
    { topic, partition: 0, from: BigInt(from), next: BigInt(next), epoch: 0n },
  )

interface Told {
  readonly files: readonly {
    readonly key: string
    readonly sha256: string
    readonly from: string
    readonly next: string
  }[]
  readonly sealed: boolean
  readonly records: number
}

const keys = async (prefix = ""): Promise<string[]> => {
  const found: string[] = []
  for await (const { key } of objects.list(prefix)) found.push(key)
  return found
}

/** The last manifest record of each chunk, as a reader takes them. */
async function manifests(): Promise<Told[]> {
  const newest = new Map<string, string>()
  for (const key of await keys(`manifests/${topic}/0/`)) newest.set(key.split("-")[0]!, key)
  return Promise.all(
    [...newest.values()].map(async (key) => JSON.parse(Buffer.from(await objects.bytes(key)).toString()) as Told),
  )
}

async function lines(): Promise<{ id: string; version: string; op: string; value: unknown }[]> {
  const texts: string[] = []
  for (const { files } of await manifests())
    for (const { key, sha256 } of files) {
      const bytes = await objects.bytes(key)
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256)
      texts.push(gunzipSync(bytes).toString())
    }
  return texts
    .join("")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as never)
}

const ids = async () => (await lines()).map(({ id }) => id)

describe("object-store", () => {
  it("writes each record as a line, retracts included, in files that a manifest names", async () => {
    const sink = await open(10)
    const log = all(range(0, 7))
    await write(sink, log, 0, 7)
    expect(await lines()).toEqual(
      log.map(({ key, id, op, version, time, value }) => ({ key, id, op, version: String(version), time, value })),
    )
    const [chunk] = await manifests()
    expect(chunk).toMatchObject({ zone: "limited", type: "label", from: "0", next: "7", sealed: false, records: 7 })
    expect(chunk!.files[0]!.key).toMatch(/^data\/curated\.labels\/0\/0{20}-0{19}7-[0-9a-f]{64}\.jsonl\.gz$/)
  })

  it("gives no two times: neither header nor manifest tell when they were written", async () => {
    await write(await open(10), all(range(0, 7)), 0, 7)
    const [chunk] = await manifests()
    expect([...(await objects.bytes(chunk!.files[0]!.key)).subarray(4, 8)]).toEqual([0, 0, 0, 0])
    expect(Object.keys(chunk!).join()).not.toMatch(/time|date|written/i)
  })

  it("fixes the bounds of chunks by offsets, and seals the ones that are full", async () => {
    const sink = await open(10)
    const log = all(range(3, 27))
    await write(sink, log, 0, 12)
    await write(sink, log, 12, 27)
    expect(
      (await manifests()).map(({ sealed, files, records }) => [sealed, records, files[0]!.from, files.at(-1)!.next]),
    ).toEqual([
      [true, 7, "0", "10"],
      [true, 10, "10", "20"],
      [false, 7, "20", "27"],
    ])
    expect(await keys("data/")).toHaveLength(3)
    expect(await ids()).toEqual(log.map(({ id }) => id))
  })

  it("seals a chunk whose last offsets hold no records", async () => {
    const sink = await open(10)
    const log = all([1n, 8n, 25n])
    await write(sink, log, 0, 9)
    await write(sink, log, 9, 26)
    expect((await manifests()).map(({ sealed, records }) => [sealed, records])).toEqual([
      [true, 2],
      [false, 1],
    ])
  })

  it("shows what was written as soon as write resolves, whatever comes after", async () => {
    const log = all(range(0, 30))
    for (let to = 1; to <= 30; to++) {
      const sink = await open(8)
      await write(sink, log, to - 1, to)
      expect(await ids()).toEqual(log.slice(0, to).map(({ id }) => id))
    }
  })

  it("gives equal objects for equal logs, however they are cut, redelivered and restarted", async () => {
    const log = all(range(0, 60).filter((offset) => offset % 11n !== 3n))
    await write(await open(16), log, 0, 60)
    const whole = await manifests()
    const cuts = fc.array(
      fc.record({ next: fc.integer({ min: 1, max: 60 }), again: fc.boolean(), restart: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(cuts, async (steps) => {
        const dir = await mkdtemp(join(base, "case-"))
        const outer = objects
        objects = await openFolderObjects({ dir })
        try {
          let sink = await open(16)
          let committed = 0
          const ordered = steps.toSorted((a, b) => a.next - b.next)
          for (const { next, again, restart } of [...ordered, { next: 60, again: false, restart: false }]) {
            if (restart) sink = await open(16)
            if (next <= committed) continue
            await write(sink, log, committed, next)
            if (!again) committed = next
          }
          await sink.flush?.(topic, 0)
          expect(await manifests()).toEqual(whole)
          expect(await ids()).toEqual(log.map(({ id }) => id))
        } finally {
          await objects.close()
          objects = outer
        }
      }),
      { numRuns: 60 },
    )
  })

  it("joins the files of an earlier run when the input had ended already", async () => {
    const log = all(range(0, 6))
    const first = await open(10)
    for (let at = 0; at < 6; at++) await write(first, log, at, at + 1)
    expect((await manifests())[0]!.files).toHaveLength(6)
    const second = await open(10)
    await second.flush?.(topic, 0)
    expect((await manifests())[0]!.files).toHaveLength(1)
    expect(await ids()).toEqual(log.map(({ id }) => id))
  })

  it("keeps what a newer owner wrote when an older one comes late", async () => {
    const log = all(range(0, 30))
    const old = await open(10)
    await write(old, log, 0, 4)
    const late: [string, Uint8Array][] = []
    const stuck: Objects = over({
      put: async (key, body) => {
        late.push([key, body as Uint8Array])
        return { key, size: 0 }
      },
      delete: async () => {},
    })
    const zombie = await open(10, stuck)
    await write(zombie, log, 4, 6)
    const fresh = await open(10)
    await write(fresh, log, 4, 15)
    for (const [key, body] of late) await objects.put(key, body)
    expect(await ids()).toEqual(log.slice(0, 15).map(({ id }) => id))
    await write(fresh, log, 15, 30)
    expect(await ids()).toEqual(log.map(({ id }) => id))
  })

  it("leaves the old state whole when the store fails in the middle", async () => {
    const log = all(range(0, 25))
    for (let healthy = 0; healthy < 9; healthy++) {
      let left = healthy
      const broken: Objects = over({
        put: (key, body) => (left-- > 0 ? objects.put(key, body) : Promise.reject(new Error("the disk is full"))),
        delete: (gone) => (left-- > 0 ? objects.delete(gone) : Promise.reject(new Error("the disk is full"))),
      })
      const before = await ids()
      const sink = await open(10, broken)
      await write(sink, log, 0, 25).catch(() => {})
      const after = await ids()
      expect(after.slice(0, before.length)).toEqual(before)
      expect(after).toEqual(log.slice(0, after.length).map(({ id }) => id))
    }
    await write(await open(10), log, 0, 25)
    expect(await ids()).toEqual(log.map(({ id }) => id))
  })

  it("pauses when the topic was made anew, rather than skipping its records", async () => {
    await write(await open(10), all(range(0, 5)), 0, 5)
    const other = range(0, 5).map((offset) => rec(offset, { id: `other${offset}` }))
    await expect(write(await open(10), other, 0, 5)).rejects.toMatchObject({
      meaning: "systemic",
      code: "topic-recreated",
    })
  })

  it("joins the files of a chunk that is written record by record", async () => {
    const sink = await open(1000)
    const log = all(range(0, 250))
    for (let at = 0; at < 250; at++) await write(sink, log, at, at + 1)
    expect((await manifests())[0]!.files.length).toBeLessThan(100)
    expect(await ids()).toEqual(log.map(({ id }) => id))
  })

  it("writes partitions at the same time, each for itself", async () => {
    const sink = await open(10)
    const to = (partition: number) =>
      sink.write(
        all(range(0, 25)).map((one) => ({ ...one, at: { ...one.at, partition } })),
        { topic, partition, from: 0n, next: 25n, epoch: 0n },
      )
    await Promise.all([0, 1, 2, 3].map(to))
    for (const partition of [0, 1, 2, 3]) expect(await keys(`manifests/${topic}/${partition}/`)).toHaveLength(3)
  })

  it("puts a topic into the bucket of its zone, and refuses another chunk size", async () => {
    const asked: Zone[] = []
    const context = testContext({ objects: (zone) => (asked.push(zone), objects) })
    const two = [...inputs, { topic: "curated.studies", zone: "clean" as Zone, type: curatedStudy }]
    await objectStore.create({ "chunk-records": 10 }, context, two)
    expect(asked).toEqual(["limited", "clean"])
    await expect(open(20)).rejects.toMatchObject({ meaning: "fatal", code: "layout-changed" })
    await expect(open(0)).rejects.toMatchObject({ code: "chunk-records" })
  })

  it("keeps memory flat over large chunks", async () => {
    const sink = await open(10_000)
    const big = "x".repeat(20_000)
    const before = process.memoryUsage.rss()
    for (let at = 0; at < 4000; at += 200) {
      const batch = range(at, at + 200).map((offset) => rec(offset, { value: { big: `${offset}${big}` } }))
      await sink.write(batch, { topic, partition: 0, from: BigInt(at), next: BigInt(at + 200), epoch: 0n })
    }
    await sink.flush?.(topic, 0)
    expect((await manifests())[0]).toMatchObject({ records: 4000, files: [{}] })
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 << 20)
  })
})

describe("rows that come again through a topic of their own", () => {
  it("are chunks under that topic, which has nothing until something comes", async () => {
    const again = "chest.replay.files.curated.labels"
    const sink = await objectStore.create({ "chunk-records": 10 }, testContext({ objects: () => objects }), [
      ...inputs,
      { topic: again, zone: "limited", type: label, of: topic },
    ])
    const keys = async () => {
      const found: string[] = []
      for await (const { key } of objects.list("")) if (key.includes(again)) found.push(key)
      return found
    }
    await write(sink, all(range(0, 3)), 0, 3)
    expect(await keys()).toEqual([])
    const at = { topic: again, partition: 0, offset: 7n }
    await sink.write([rec(2n, { at })], { topic: again, partition: 0, from: 0n, next: 8n, epoch: 0n })
    expect(await keys()).toEqual([
      expect.stringMatching(new RegExp(`^data/${again}/0/`)),
      expect.stringMatching(new RegExp(`^manifests/${again}/0/`)),
      `manifests/${again}/layout.json`,
    ])
    await sink.close()
  })
})
