import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import type { Objects } from "../../core/ports/objects.ts"
import type { Store } from "../../core/ports/store.ts"
import { plainChunk, sealedChunk } from "../../core/sealing/format.ts"
import { openSealing } from "../../core/sealing/sealing.ts"
import type { Sealing } from "../../core/sealing/sealing.ts"
import { Custodian } from "../../core/vault/custodian.ts"
import { ringKeys } from "../../core/vault/ring.ts"
import { objectsContract } from "../kit/objects-contract.ts"

const seed = Number(process.env["WEIR_SEED"] ?? Date.now() % 2 ** 31)
const secrets = new Map([
  ["identity-key", randomBytes(32)],
  ["vault-key", randomBytes(32)],
])
const keys = ringKeys(secrets.get("identity-key")!, secrets.get("vault-key")!)
const encrypt = { vault: "vault-key", what: ["objects", "values"] as const }

let folder: string
let store: Store
let folders = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-sealed-"))
  store = await openEmbeddedStore({ dir: join(folder, "store") })
}, 60_000)
afterAll(async () => {
  await store?.close()
  await rm(folder, { recursive: true, force: true })
})

const newFolder = () => openFolderObjects({ dir: join(folder, `objects-${folders++}`) })
/** As a process that starts now opens it, with nothing remembered. */
const sealing = async () => (await openSealing({ encrypt }, secrets, store))!
const over = async (bucket: Objects) => (await sealing()).objects(bucket, "phi")

objectsContract("a sealed folder", async () => over(await newFolder()))

const collect = async (body: AsyncIterable<Uint8Array>) => {
  const found: Uint8Array[] = []
  for await (const piece of body) found.push(piece)
  return Buffer.concat(found)
}
async function* inPieces(bytes: Uint8Array, size: number) {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

describe("a sealed object", () => {
  let bucket: Objects
  let sealed: Objects
  beforeEach(async () => {
    bucket = await newFolder()
    sealed = await over(bucket)
  })
  const broken = { meaning: "bad-record", code: "object-broken" }
  const erased = { meaning: "bad-record", code: "object-erased" }
  /** Every way to read it. */
  const readings = (objects: Objects, key: string, size: number) => [
    () => objects.bytes(key),
    () => objects.get(key).then(collect),
    () => objects.get(key, { from: 0, to: size }).then(collect),
    () => objects.get(key, { from: Math.max(0, size - 10), to: size }).then(collect),
    () => objects.get(key, { from: size + sealedChunk, to: size + sealedChunk + 1 }).then(collect),
  ]

  it("holds nothing of what was put, and is otherwise each time", async () => {
    const body = Buffer.from(`${"x".repeat(100_000)}Quirinsen^Alva${"y".repeat(1000)}`)
    const seen = new Set<string>()
    for (const each of [body, inPieces(body, 777), body]) {
      expect(await sealed.put("a", each)).toEqual({ key: "a", size: body.length })
      const bytes = Buffer.from(await bucket.bytes("a"))
      expect(["Quirinsen", "xxxx", "yyyy"].filter((text) => bytes.includes(text))).toEqual([])
      seen.add(bytes.toString("base64"))
    }
    expect(seen.size).toBe(3)
    expect(Buffer.compare(await (await over(bucket)).bytes("a"), body)).toBe(0)
  })

  it("gives back every range of it, whatever its size and the pieces it came in", { timeout: 120_000 }, async () => {
    const near = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -2, max: 2 }))
    const size = near.map(([chunks, off]) => Math.max(0, chunks * plainChunk + off))
    const input = fc.record({ size, piece: fc.integer({ min: 1000, max: 200_000 }), from: size, to: size })
    await fc.assert(
      fc.asyncProperty(input, async ({ size: length, piece, from, to }) => {
        const body = randomBytes(length)
        await sealed.put("r", inPieces(body, piece))
        expect(await sealed.head("r")).toEqual({ key: "r", size: length })
        const part = await collect(await sealed.get("r", { from, to }))
        expect(part.equals(body.subarray(from, Math.max(from, to)))).toBe(true)
        expect((await collect(await sealed.get("r"))).equals(body)).toBe(true)
      }),
      { seed, numRuns: 60, verbose: 1 },
    )
  })

  it("reads no more than the chunks of a range", async () => {
    await sealed.put("big", randomBytes(50 * plainChunk))
    let read = 0
    const counting: Objects = {
      ...bucket,
      driver: bucket.driver,
      get: async (key, range) => {
        read += range === undefined ? Number.POSITIVE_INFINITY : range.to - range.from
        return bucket.get(key, range)
      },
    }
    await collect(await (await over(counting)).get("big", { from: 30 * plainChunk + 5, to: 31 * plainChunk + 5 }))
    expect(read).toBeLessThan(2 * sealedChunk + 100)
  })

  it.each([0, 10, plainChunk, plainChunk + 1, 3 * plainChunk])(
    "of %d bytes is refused when a bit of it was changed, wherever",
    async (size) => {
      await sealed.put("t", randomBytes(size))
      const good = await bucket.bytes("t")
      // The first bits make it a plain object to look at.
      for (const at of [8, 20, 41, good.length >> 1, good.length - 1]) {
        const bad = Buffer.from(good)
        bad[at]! ^= 1 << (at % 8)
        await bucket.put("t", bad)
        for (const read of readings(sealed, "t", size).slice(0, 2))
          await expect(read(), `byte ${at}`).rejects.toMatchObject(broken)
      }
    },
  )

  it("is refused when it was cut, and where chunks were swapped, doubled or left out", async () => {
    const size = 3 * plainChunk
    const body = randomBytes(size)
    await sealed.put("t", body)
    const good = Buffer.from(await bucket.bytes("t"))
    const header = good.subarray(0, good.length - 3 * sealedChunk)
    const [one, two, three] = [0, 1, 2].map((at) =>
      good.subarray(header.length + at * sealedChunk).subarray(0, sealedChunk),
    )
    const others: readonly (readonly Uint8Array[])[] = [
      [header],
      [header, one!],
      [header, one!, two!],
      [header, one!, two!, three!.subarray(0, 100)],
      [header, one!, two!, three!.subarray(0, 5)],
      [header, two!, one!, three!],
      [header, one!, two!, two!, three!],
      [header, one!, three!],
      [header, one!, two!, three!, Buffer.alloc(16)],
      [header.subarray(0, 20)],
    ]
    for (const [at, parts] of others.entries()) {
      await bucket.put("t", Buffer.concat(parts))
      const [whole, stream, all, end, beyond] = readings(sealed, "t", size)
      for (const read of [whole!, stream!, all!]) await expect(read(), `case ${at}`).rejects.toMatchObject(broken)
      // A range whose own chunks are right is right.
      const isThere = parts[3] === three && parts.length === 4
      if (isThere) expect(Buffer.from(await end!()).equals(body.subarray(size - 10))).toBe(true)
      else for (const read of [end!, beyond!]) await expect(read(), `case ${at}`).rejects.toMatchObject(broken)
    }
  })

  it("opens under no other name, nor with the key of another object", async () => {
    await sealed.put("a", Buffer.from("of a"))
    await sealed.put("b", Buffer.from("of b"))
    await bucket.put("b", await bucket.bytes("a"))
    await expect(sealed.bytes("b")).rejects.toMatchObject(broken)
    await bucket.put("c", await bucket.bytes("a"))
    await expect(sealed.bytes("c")).rejects.toMatchObject(erased)
  })

  it("may stand beside plain ones of before, which stay readable until they are put again", async () => {
    const body = randomBytes(3 * plainChunk)
    await bucket.put("old", body)
    await bucket.put("tiny", Buffer.from("1"))
    expect(Buffer.compare(await sealed.bytes("old"), body)).toBe(0)
    expect((await collect(await sealed.get("old"))).equals(body)).toBe(true)
    expect((await collect(await sealed.get("old", { from: 9, to: 70_000 }))).equals(body.subarray(9, 70_000))).toBe(
      true,
    )
    expect([await sealed.head("old"), await sealed.head("tiny")]).toMatchObject([{ size: body.length }, { size: 1 }])
    await sealed.put("old", body)
    expect(Buffer.from(await bucket.bytes("old")).includes(body.subarray(0, 32))).toBe(false)
    expect(Buffer.compare(await sealed.bytes("old"), body)).toBe(0)
  })

  it("keeps its key however often and by however many it is put", async () => {
    const body = randomBytes(1000)
    const writers = await Promise.all([over(bucket), over(bucket), over(bucket)])
    await Promise.all(writers.flatMap((writer) => [writer.put("same", body), writer.put("same", inPieces(body, 100))]))
    for (const reader of [sealed, ...writers, await over(bucket)])
      expect(Buffer.compare(await reader.bytes("same"), body)).toBe(0)
  })

  describe("of somebody", () => {
    let one: Sealing
    beforeEach(async () => {
      one = await sealing()
    })
    const act = { actor: "someone", reason: "asked for", now: 0 }
    /** As a step of resolve-patient says whose an object is. */
    const own = async (key: string, owner: string) =>
      store.objectKeys!.rewrap(await one.forOwners([{ zone: "phi", key, owner }]))
    const erase = async (...owners: readonly string[]) => (await Custodian.open(store.vault!, keys)).erase(owners, act)

    it("opens until its owner is erased, and then no copy of it does; others stay", async () => {
      await sealed.put("p/1", Buffer.from("of alva"))
      await sealed.put("p/2", Buffer.from("of bodil"))
      await sealed.put("p/3", Buffer.from("of nobody"))
      await own("p/1", "member/mrn/1")
      await own("p/2", "member/mrn/2")
      const copy = await bucket.bytes("p/1")
      for (const reader of [sealed, await over(bucket)])
        expect(Buffer.from(await reader.bytes("p/1")).toString()).toBe("of alva")
      expect(await erase("member/mrn/1")).toBe(1)
      const after = await over(bucket)
      await bucket.put("p/1", copy)
      for (const read of readings(after, "p/1", 7)) await expect(read()).rejects.toMatchObject(erased)
      expect(Buffer.from(await after.bytes("p/2")).toString()).toBe("of bodil")
      expect(Buffer.from(await after.bytes("p/3")).toString()).toBe("of nobody")
    })

    it("can be put again after that, under another key", async () => {
      await sealed.put("q", Buffer.from("before"))
      await own("q", "member/mrn/3")
      await erase("member/mrn/3")
      const copy = await bucket.bytes("q")
      const after = await over(bucket)
      await after.put("q", Buffer.from("again"))
      expect(Buffer.from(await after.bytes("q")).toString()).toBe("again")
      await bucket.put("q", copy)
      await expect((await over(bucket)).bytes("q")).rejects.toMatchObject(broken)
    })

    it("goes over to another owner with its reader none the wiser", async () => {
      await sealed.put("m", Buffer.from("x"))
      await own("m", "member/study/9")
      await own("m", "member/mrn/9")
      await erase("member/study/9")
      expect(Buffer.from(await (await over(bucket)).bytes("m")).toString()).toBe("x")
      await erase("member/mrn/9")
      await expect((await over(bucket)).bytes("m")).rejects.toMatchObject(erased)
    })

    it("is refused where a plain one was put in its place", async () => {
      await sealed.put("n", Buffer.from("sealed"))
      await own("n", "member/mrn/4")
      await bucket.put("n", Buffer.from("forged"))
      for (const read of readings(await over(bucket), "n", 6).slice(0, 3))
        await expect(read()).rejects.toMatchObject({ meaning: "bad-record", code: "object-unsealed" })
    })
  })

  it("opens after the envelope key was rotated, and with no other key", async () => {
    await sealed.put("k", Buffer.from("x"))
    const next = randomBytes(32)
    await (await Custodian.open(store.vault!, keys)).rotate(next, { actor: "someone", reason: "new year", now: 0 })
    await expect(sealing()).rejects.toMatchObject({ meaning: "fatal", code: "vault-key" })
    secrets.set("vault-key", next)
    expect(Buffer.from(await (await over(bucket)).bytes("k")).toString()).toBe("x")
  })

  it("keeps a pipeline from starting that does not say encrypt any more", async () => {
    await sealing()
    await expect(openSealing({}, secrets, store)).rejects.toMatchObject({ meaning: "fatal", code: "encrypt-missing" })
    expect(await openSealing({}, new Map([["identity-key", randomBytes(32)]]), store)).toBeUndefined()
  })
})
