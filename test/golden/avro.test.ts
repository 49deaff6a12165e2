import { readFileSync } from "node:fs"
import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import { label } from "../../core/index.ts"
import { AvroFault, compatible, envelopeCodec, keyCodec } from "../../formats/avro/index.ts"
import type { Envelope } from "../../formats/avro/index.ts"

const note = (fields: readonly unknown[]) => ({ type: "record", name: "Note", fields })
const list = (x: string) => ({
  type: "array",
  items: { type: "record", name: "Part", fields: [{ name: "x", type: x }] },
})
const first = note([
  { name: "words", type: "string" },
  { name: "pages", type: ["null", "long"], default: null },
])
const second = note([
  { name: "words", type: "string" },
  { name: "pages", type: ["null", "long"], default: null },
  { name: "marks", type: { type: "array", items: "string" }, default: [] },
])

const envelope: Envelope = {
  key: "person-1",
  id: "note/ü",
  op: "upsert",
  version: 9_007_199_254_740_993n,
  time: 1_700_000_000_123,
  origin: { topic: "arrivals", partition: 3, offset: 4_611_686_018_427_387_905n },
  headers: { feed: "ehr" },
  claim: null,
  value: { words: "two\nlines", pages: 7 },
}
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part)))

describe("a message", () => {
  test("is what another implementation of Avro writes", () => {
    const golden = readFileSync(new URL("avro/envelope.hex", import.meta.url), "utf8").trim()
    expect(Buffer.from(envelopeCodec(first).encode(envelope, 258)).toString("hex")).toBe(golden)
  })

  test("comes back as it was, with 64-bit numbers whole", () => {
    const codec = envelopeCodec(first)
    expect(plain(codec.decode(codec.encode(envelope, 1)))).toEqual(plain(envelope))
    const retract: Envelope = { ...envelope, op: "retract", value: null, claim: { key: "k", size: 1, sha256: "s" } }
    expect(plain(codec.decode(codec.encode(retract, 1)))).toEqual(plain(retract))
  })

  test("holds every number of 64 bits", () => {
    const codec = envelopeCodec(first)
    const edges = [0n, 1n, 63n, 64n, 2n ** 47n, 2n ** 48n, 2n ** 49n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n]
    for (const edge of edges.flatMap((each) => [each - 1n, each, -each, -each - 1n]))
      expect(codec.decode(codec.encode({ ...envelope, version: edge }, 1)).version).toBe(edge)
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (version) => {
        expect(codec.decode(codec.encode({ ...envelope, version }, 1)).version).toBe(version)
      }),
    )
  })

  test("of a megabyte and one of a byte share a codec", () => {
    const codec = envelopeCodec(first)
    for (const length of [1, 1 << 20, 7, 9 << 20, 3]) {
      const large = { ...envelope, value: { words: "x".repeat(length), pages: null } }
      expect((codec.decode(codec.encode(large, 1)).value as { words: string }).words.length).toBe(length)
    }
  })

  test("written with an older schema is read with the newer one's defaults", () => {
    const older = envelopeCodec(first)
    const schemas = new Map([
      [1, older.schema],
      [2, envelopeCodec(second).schema],
    ])
    const newer = envelopeCodec(second, schemas)
    expect(plain(newer.decode(older.encode(envelope, 1)))).toEqual(
      plain({ ...envelope, value: { words: "two\nlines", pages: 7, marks: [] } }),
    )
    expect(() => newer.decode(older.encode(envelope, 3))).toThrow("schema 3 is not in the registry")
  })
})

describe("what is wrong", () => {
  test("is told by its path, without the value", () => {
    const wrong = { ...envelope, value: { words: "SECRET", pages: "SECRET" } }
    expect(() => envelopeCodec(first).encode(wrong, 1)).toThrow(AvroFault)
    try {
      envelopeCodec(first).encode(wrong, 1)
    } catch (error) {
      expect((error as AvroFault).path).toContain("pages")
      expect(String(error)).not.toContain("SECRET")
    }
  })

  test("in bytes is a fault, whatever the bytes", () => {
    const codec = envelopeCodec(first)
    for (const bytes of [[], [1, 0, 0, 0, 1], [0, 0, 0], [0, 0, 0, 0, 1, 200, 200], [...Buffer.from("plain text")]])
      expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(AvroFault)
  })

  test("cut off at any byte, or longer by one, is a fault", () => {
    const codec = envelopeCodec(first)
    const whole = codec.encode(envelope, 1)
    for (let length = 0; length < whole.length; length++)
      expect(() => codec.decode(whole.subarray(0, length)), String(length)).toThrow(AvroFault)
    expect(() => codec.decode(Buffer.concat([whole, Buffer.of(0)]))).toThrow(AvroFault)
  })
})

test("a row's message key holds the key and the id, so that compaction keeps rows", () => {
  const row = { key: "a", id: "b/c" }
  expect({ ...keyCodec.decode(keyCodec.encode(row)) }).toEqual(row)
  expect(keyCodec.encode({ key: "ab", id: "c" })).not.toEqual(keyCodec.encode({ key: "a", id: "bc" }))
})

test.each([
  [
    "a field that is new",
    [
      { name: "words", type: "string" },
      { name: "n", type: "long" },
    ],
    "value.n: is new, and has no default",
  ],
  ["a type", [{ name: "words", type: ["null", "long"] }], "value.words: may hold string, which is no longer read"],
  ["a field in a list", [{ name: "list", type: list("string"), default: [] }], "value.list[].x: was long, is string"],
])("what is incompatible is named by its path: %s", (_, fields, problem) => {
  const writer = note([
    { name: "words", type: "string" },
    { name: "list", type: list("long") },
  ])
  expect(compatible(envelopeCodec(note(fields)).schema, envelopeCodec(writer).schema)).toEqual([problem])
})

test("schemas are compatible when the newer one reads what the older one wrote", () => {
  const [older, newer] = [envelopeCodec(first).schema, envelopeCodec(second).schema]
  expect(compatible(newer, older)).toEqual([])
  const narrowed = note([{ name: "words", type: "int" }])
  expect(compatible(envelopeCodec(narrowed).schema, older)).toEqual(["value.words: was string, is int"])
  expect(compatible(envelopeCodec(label.avro).schema, envelopeCodec(label.avro).schema)).toEqual([])
})
