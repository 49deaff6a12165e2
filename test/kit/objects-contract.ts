import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Objects } from "../../core/ports/objects.ts"

/** Opens an empty store; what `close` needs to remove is the caller's. */
export type OpenObjects = () => Promise<Objects>

const MIB = 1 << 20

/** A body that differs at each place. */
const filled = (size: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) bytes[i] = (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16
  return bytes
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

async function* breaking(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  yield* pieces(bytes, size)
  throw new Error("the source of the body broke")
}

const collect = async (body: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const found: Uint8Array[] = []
  for await (const piece of body) found.push(piece)
  return Buffer.concat(found)
}

const keysOf = async (objects: Objects, prefix: string): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of objects.list(prefix)) keys.push(key)
  return keys
}

const missing = { meaning: "bad-record", code: "object-missing" }
const badKey = { meaning: "bad-record", code: "object-key" }

/** The contract of the Objects port, run on every driver. */
export function objectsContract(name: string, open: OpenObjects): void {
  describe(`${name} keeps the contract of Objects`, () => {
    let objects: Objects
    beforeEach(async () => {
      objects = await open()
    })
    afterEach(() => objects?.close())

    it("gives back the bytes that were put", async () => {
      const body = filled(100_000)
      expect(await objects.put("a/b/c.dcm", body)).toEqual({ key: "a/b/c.dcm", size: body.length })
      expect(Buffer.compare(await objects.bytes("a/b/c.dcm"), body)).toBe(0)
      expect(Buffer.compare(await collect(await objects.get("a/b/c.dcm")), body)).toBe(0)
      expect(await objects.head("a/b/c.dcm")).toEqual({ key: "a/b/c.dcm", size: body.length })
    })

    it("keeps an empty object", async () => {
      expect(await objects.put("empty", new Uint8Array())).toEqual({ key: "empty", size: 0 })
      expect(await objects.put("empty-pieces", pieces(new Uint8Array(), 1))).toEqual({ key: "empty-pieces", size: 0 })
      for (const key of ["empty", "empty-pieces"]) {
        expect((await objects.bytes(key)).length).toBe(0)
        expect((await collect(await objects.get(key))).length).toBe(0)
      }
    })

    it("stores a body of unknown length that is larger than a part", async () => {
      const body = filled(18 * MIB + 17)
      expect(await objects.put("large", pieces(body, 700_001))).toEqual({ key: "large", size: body.length })
      expect(Buffer.compare(await collect(await objects.get("large")), body)).toBe(0)
    })

    it("replaces an object whole", async () => {
      await objects.put("k", filled(5000))
      await objects.put("k", text("shorter"))
      expect(Buffer.from(await objects.bytes("k")).toString()).toBe("shorter")
    })

    it("shows nothing, and keeps what was there, when the body breaks half way", async () => {
      await objects.put("old", text("old"))
      for (const [key, size] of [
        ["new-small", 10_000],
        ["new-large", 12 * MIB],
        ["old", 10_000],
      ] as const)
        await expect(objects.put(key, breaking(filled(size), 5000))).rejects.toThrow()
      expect(await keysOf(objects, "")).toEqual(["old"])
      expect(Buffer.from(await objects.bytes("old")).toString()).toBe("old")
    })

    it("lets one of many win a putIfAbsent, and changes nothing for the others", async () => {
      const bodies = Array.from({ length: 12 }, (_, i) =>
        i % 2 === 0 ? filled(2000, i + 1) : pieces(filled(2000, i + 1), 300),
      )
      const won = await Promise.all(bodies.map((body) => objects.putIfAbsent("claim/one", body)))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(Buffer.compare(await objects.bytes("claim/one"), filled(2000, won.indexOf(true) + 1))).toBe(0)
      expect(await objects.putIfAbsent("claim/one", text("late"))).toBe(false)
      expect((await objects.head("claim/one"))?.size).toBe(2000)
    })

    it("lets one large body win a putIfAbsent", async () => {
      const bodies = [1, 2].map((seed) => filled(9 * MIB, seed))
      const won = await Promise.all(bodies.map((body) => objects.putIfAbsent("claim/large", pieces(body, MIB))))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(Buffer.compare(await objects.bytes("claim/large"), bodies[won.indexOf(true)]!)).toBe(0)
    })

    it("reads a range, cut at the end of the object", async () => {
      const body = filled(10_000)
      await objects.put("r", body)
      const range = async (from: number, to: number) => collect(await objects.get("r", { from, to }))
      expect(Buffer.compare(await range(0, 1), body.subarray(0, 1))).toBe(0)
      expect(Buffer.compare(await range(4000, 4500), body.subarray(4000, 4500))).toBe(0)
      expect(Buffer.compare(await range(9990, 20_000), body.subarray(9990))).toBe(0)
      expect((await range(5, 5)).length).toBe(0)
      expect((await range(10_000, 10_001)).length).toBe(0)
    })

    it("says which object is missing by an error of the record, not of the store", async () => {
      await objects.put("there/x", text("x"))
      await expect(objects.get("absent")).rejects.toMatchObject(missing)
      await expect(objects.get("absent", { from: 3, to: 3 })).rejects.toMatchObject(missing)
      await expect(objects.bytes("absent")).rejects.toMatchObject(missing)
      expect(await objects.head("absent")).toBeUndefined()
      expect(await objects.head("there")).toBeUndefined()
    })

    it("lists a prefix in key order, with sizes", async () => {
      const keys = ["a-b", "a.b", "a/b", "a/b-1/x", "a/c", "a0", "A", "b/1/2", "b/10", "b/9"]
      for (const key of keys.toReversed()) await objects.put(key, text(key))
      const sorted = keys.toSorted((x, y) => (x < y ? -1 : 1))
      expect(await keysOf(objects, "")).toEqual(sorted)
      for (const prefix of ["a", "a/", "a/b", "b/1", "b/", "zzz", "a/b-1/", "a.b"])
        expect(await keysOf(objects, prefix), prefix).toEqual(sorted.filter((key) => key.startsWith(prefix)))
      for await (const { key, size } of objects.list("a/")) expect(size).toBe(key.length)
    })

    it("lists more objects than one page holds", async () => {
      const keys = Array.from({ length: 1100 }, (_, i) => `many/${String(i).padStart(5, "0")}`)
      for (let from = 0; from < keys.length; from += 50)
        await Promise.all(keys.slice(from, from + 50).map((key) => objects.put(key, text("1"))))
      expect(await keysOf(objects, "many/")).toEqual(keys)
      await objects.delete(keys)
      expect(await keysOf(objects, "")).toEqual([])
    })

    it("shows each object that was there throughout, once and whole, while others are put, replaced and deleted", async () => {
      const there = Array.from({ length: 1050 }, (_, i) => `w/${i % 3}/${String(i).padStart(5, "0")}`)
      for (let from = 0; from < there.length; from += 50)
        await Promise.all(there.slice(from, from + 50).map((key) => objects.put(key, text("12345"))))
      const found: string[] = []
      for await (const { key, size } of objects.list("w/")) {
        if (found.length % 25 === 0) {
          const [folder, n] = [found.length % 3, found.length]
          // Before the listing's place and behind it, beside what stays and in folders of their own.
          await Promise.all([
            objects.put(`w/${folder}/0-new-${n}`, text("1")),
            objects.put(`w/${folder}/z-new-${n}`, text("1")),
            objects.put(`w/${n}-new/x`, text("1")),
            objects.put(there[(n * 7) % there.length]!, text("1234567")),
          ])
          await objects.delete([`w/${folder}/z-new-${n - 50}`, `w/${n - 50}-new/x`])
        }
        expect([1, 5, 7], key).toContain(size)
        found.push(key)
      }
      expect(found).toEqual([...new Set(found)].sort())
      expect(found.filter((key) => !key.includes("new"))).toEqual(there.toSorted())
    })

    it("gives a reader the one body or the other, whole, or an error that passes, while an object is replaced", async () => {
      const bodies = [filled(300_000, 1), filled(400_000, 2)].map((body) => Buffer.from(body))
      await objects.put("r", bodies[0]!)
      const replaced = new AbortController()
      const replace = async () => {
        for (let i = 1; i < 30; i++) await objects.put("r", i % 2 === 0 ? bodies[0]! : pieces(bodies[1]!, 50_000))
        replaced.abort()
      }
      const read = async () => {
        while (!replaced.signal.aborted) {
          const found = await objects
            .get("r")
            .then(collect)
            .catch((error: unknown) => error)
          if (!Buffer.isBuffer(found)) expect(found).toMatchObject({ meaning: "retryable" })
          else
            expect(
              bodies.some((body) => body.equals(found)),
              `${found.length} bytes`,
            ).toBe(true)
        }
      }
      await Promise.all([replace(), read(), read()])
    })

    it("deletes what is there, and does not mind what is not", async () => {
      await objects.put("d/1", text("1"))
      await objects.put("d/2", text("2"))
      await objects.delete(["d/1", "d/none"])
      await objects.delete([])
      expect(await keysOf(objects, "d/")).toEqual(["d/2"])
      expect(await objects.putIfAbsent("d/1", text("again"))).toBe(true)
    })

    it("refuses keys that are not plain segments", async () => {
      const bad = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a b",
        "a\\b",
        "ü",
        "a\0b",
        "~tmp/x",
      ]
      for (const key of [...bad, "x".repeat(256), `${"y/".repeat(500)}y`]) {
        await expect(objects.put(key, text("x")), key).rejects.toMatchObject(badKey)
        await expect(objects.putIfAbsent(key, text("x")), key).rejects.toMatchObject(badKey)
        await expect(objects.bytes(key), key).rejects.toMatchObject(badKey)
        await expect(objects.get(key), key).rejects.toMatchObject(badKey)
        await expect(objects.delete([key]), key).rejects.toMatchObject(badKey)
      }
    })

    it("takes every character that keys may have", async () => {
      const key = "AZaz09._=-/part=1/...x/1.2.840.113619-2.gz"
      await objects.put(key, text("x"))
      expect(await keysOf(objects, "AZ")).toEqual([key])
    })
  })
}
