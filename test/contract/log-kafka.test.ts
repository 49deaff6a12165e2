import { createRequire } from "node:module"
import { gzipSync, zstdCompressSync } from "node:zlib"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  assign,
  decodeAssignment,
  decodeClaim,
  encodeAssignment,
  encodeClaim,
} from "../../core/drivers/log-kafka/assigner.ts"
import { faultOf, kafkaError } from "../../core/drivers/log-kafka/errors.ts"
import { decodeBatches } from "../../core/drivers/log-kafka/record-batch.ts"

const member = (memberId: string, had: readonly number[] = [], generation = 1) => ({
  memberId,
  topics: ["t"],
  had,
  generation,
})

describe("the assignment of a group", () => {
  it("gives each partition to one member, as evenly as can be, whatever members claim", () => {
    const claims = fc.uniqueArray(
      fc.record({
        memberId: fc.string({ minLength: 1 }),
        topics: fc.constant(["t"]),
        had: fc.array(fc.integer({ min: -2, max: 40 })),
        generation: fc.integer({ min: -1, max: 9 }),
      }),
      { minLength: 1, maxLength: 12, selector: ({ memberId }) => memberId },
    )
    fc.assert(
      fc.property(claims, fc.integer({ min: 1, max: 32 }), (members, partitions) => {
        const shares = [...assign(members, partitions).values()]
        expect(shares).toHaveLength(members.length)
        expect(shares.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, i) => i))
        const sizes = shares.map(({ length }) => length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it("moves no more partitions than it must", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 32 }), (count, partitions) => {
        const names = Array.from({ length: count }, (_, i) => `m${i}`)
        const before = assign(
          names.map((name) => member(name)),
          partitions,
        )
        const claims = names.map((name) => member(name, before.get(name)))
        expect(assign(claims, partitions)).toEqual(before)
        const joined = assign([...claims, member("new", [], -1)], partitions)
        for (const name of names) expect(joined.get(name)!.every((each) => before.get(name)!.includes(each))).toBe(true)
        expect(joined.get("new")!.length).toBe(Math.floor(partitions / (count + 1)))
      }),
    )
  })

  it("believes the later generation when two claim a partition", () => {
    const shares = assign([member("a", [0, 1], 3), member("b", [0, 1], 4)], 2)
    expect(shares.get("b")).toHaveLength(1)
    expect(assign([member("a", [0], 3), member("b", [0], 4)], 2)).toEqual(
      new Map([
        ["a", [1]],
        ["b", [0]],
      ]),
    )
  })

  it("survives the way through the group protocol", () => {
    const claim = member("a", [3, 1], 7)
    expect(decodeClaim("a", encodeClaim(claim))).toEqual(claim)
    expect(decodeAssignment(encodeAssignment(["t", "u"], [2, 5]))).toEqual([2, 5])
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
  })
})

/** kafkajs's own, which wrote what brokers accept. */
const crc32C = createRequire(import.meta.url)("kafkajs/src/protocol/recordBatch/crc32C/index.js") as (
  bytes: Buffer,
) => number

const varint = (value: number): number[] => {
  const bytes: number[] = []
  let left = value >= 0 ? value * 2 : -value * 2 - 1
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128)
  return [...bytes, left]
}

interface Batch {
  readonly first: bigint
  readonly lastDelta: number
  readonly values: readonly string[]
  readonly attributes?: number
  readonly producerId?: bigint
  readonly pack?: (records: Buffer) => Buffer
}

/** A record batch of version 2 (kafka.apache.org/documentation/#recordbatch), written apart from the code that reads it. */
function batch({ first, lastDelta, values, attributes = 0, producerId = -1n, pack = (each) => each }: Batch): Buffer {
  const records = values.map((value, i) => {
    const body = [
      0,
      ...varint(i),
      ...varint(i),
      ...varint(-1),
      ...varint(value.length),
      ...Buffer.from(value),
      ...varint(0),
    ]
    return Buffer.from([...varint(body.length), ...body])
  })
  const payload = pack(Buffer.concat(records))
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(first, 0)
  header.writeInt32BE(49 + payload.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(attributes, 21)
  header.writeInt32BE(lastDelta, 23)
  header.writeBigInt64BE(1000n, 27)
  header.writeBigInt64BE(5000n, 35)
  header.writeBigInt64BE(producerId, 43)
  header.writeInt32BE(values.length, 57)
  const whole = Buffer.concat([header, payload])
  whole.writeUInt32BE(crc32C(whole.subarray(21)), 17)
  return whole
}

const seen = (records: Buffer, from: bigint, aborted: { producerId: bigint; firstOffset: bigint }[] = []) => {
  const { messages, next } = decodeBatches(records, from, aborted)
  return { values: messages.map(({ value, offset }) => `${offset}:${Buffer.from(value!).toString()}`), next }
}

describe("record batches of Kafka", () => {
  it("give what was written or an error, whichever bit of what they say flips", () => {
    const records = Buffer.concat([
      batch({ first: 0n, lastDelta: 1, values: ["a", "b"] }),
      batch({ first: 2n, lastDelta: 2, values: ["some more", "", "x"] }),
    ])
    const whole = seen(records, 0n)
    expect(whole.values).toHaveLength(5)
    const second = 12 + records.readInt32BE(8)
    for (const start of [0, second]) {
      const end = start + 12 + records.readInt32BE(start + 8)
      for (let at = start + 17; at < end; at++)
        for (let bit = 0; bit < 8; bit++) {
          const damaged = Buffer.from(records)
          damaged[at]! ^= 1 << bit
          expect(() => seen(damaged, 0n), `bit ${bit} of byte ${at}`).toThrow(/is not as it was written/)
        }
    }
  })

  it("are read from the offset asked for, which may lie inside of one", () => {
    expect(seen(batch({ first: 10n, lastDelta: 2, values: ["a", "b", "c"] }), 11n)).toEqual({
      values: ["11:b", "12:c"],
      next: 13n,
    })
  })

  it("that compaction left empty, or cut at the end, are passed", () => {
    const empty = batch({ first: 5n, lastDelta: 9, values: [] })
    expect(seen(empty, 5n)).toEqual({ values: [], next: 15n })
    const cut = batch({ first: 15n, lastDelta: 9, values: ["x"] })
    expect(seen(Buffer.concat([empty, cut]), 7n)).toEqual({ values: ["15:x"], next: 25n })
  })

  it("that are cut off by the size of the answer are left for the next", () => {
    const whole = batch({ first: 0n, lastDelta: 0, values: ["a"] })
    const next = batch({ first: 1n, lastDelta: 0, values: ["b"] })
    for (let length = 0; length < next.length; length++)
      expect(seen(Buffer.concat([whole, next.subarray(0, length)]), 0n)).toEqual({ values: ["0:a"], next: 1n })
  })

  it("of an aborted transaction are left out up to its marker, and no further", () => {
    const of = (first: bigint, value: string) =>
      batch({ first, lastDelta: 0, values: [value], attributes: 0x10, producerId: 7n })
    const marker = (first: bigint, type: number) => {
      const bytes = batch({ first, lastDelta: 0, values: [""], attributes: 0x30, producerId: 7n })
      const control = Buffer.from([...varint(10), 0, ...varint(0), ...varint(0), ...varint(4), 0, 0, 0, type])
      const whole = Buffer.concat([bytes.subarray(0, 61), control])
      whole.writeInt32BE(49 + control.length, 8)
      whole.writeUInt32BE(crc32C(whole.subarray(21)), 17)
      return whole
    }
    const log = Buffer.concat([of(0n, "a"), marker(1n, 0), of(2n, "b"), marker(3n, 1), of(4n, "c"), marker(5n, 0)])
    const aborted = [
      { producerId: 7n, firstOffset: 4n },
      { producerId: 7n, firstOffset: 0n },
    ]
    expect(seen(log, 0n, aborted)).toEqual({ values: ["2:b"], next: 6n })
  })

  it("are unpacked, or refused by the name of what packed them", () => {
    const values = ["a", "b"]
    for (const [attributes, pack] of [[1, gzipSync] as const, [4, zstdCompressSync] as const])
      expect(seen(batch({ first: 0n, lastDelta: 1, values, attributes, pack }), 0n).values).toEqual(["0:a", "1:b"])
    for (const [attributes, name] of [[2, "snappy"] as const, [3, "lz4"] as const])
      expect(() => seen(batch({ first: 0n, lastDelta: 1, values, attributes }), 0n)).toThrow(name)
  })
})

describe("errors of Kafka", () => {
  const wrapped = (fields: object) =>
    Object.assign(new Error("outer"), {
      name: "KafkaJSNonRetriableError",
      cause: Object.assign(new Error("inner"), fields),
    })

  it("keep their meaning through kafkajs's wrapping", () => {
    for (const [fields, meaning, code] of [
      [{ type: "INVALID_PRODUCER_EPOCH", code: 47 }, "fatal", "fenced"],
      [{ code: 90 }, "fatal", "fenced"],
      [{ type: "MESSAGE_TOO_LARGE" }, "bad-record", "message-too-large"],
      [{ type: "KAFKA_STORAGE_ERROR", retriable: true }, "systemic", "disk-full"],
      [{ type: "TOPIC_AUTHORIZATION_FAILED" }, "systemic", "access-refused"],
      [{ name: "KafkaJSConnectionError" }, "retryable", "unreachable"],
      [{ name: "KafkaJSSASLAuthenticationError" }, "systemic", "login-refused"],
      [{ type: "SOMETHING_NEW" }, "fatal", "kafka"],
    ] as const)
      expect(kafkaError(wrapped(fields), "test"), code).toMatchObject({ meaning, code })
    expect(kafkaError(new Error("Broker not connected"), "test")).toMatchObject({ meaning: "retryable" })
    expect(faultOf(undefined).retriable).toBe(false)
  })
})
