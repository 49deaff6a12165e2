import { Bytes } from "./bytes.ts"
import type { ProtocolRequest } from "./kafkajs.ts"
import type { Aborted } from "./record-batch.ts"

/** One partition of a fetch. */
export interface FetchPart {
  readonly topic: string
  readonly partition: number
  readonly from: bigint
  readonly maxBytes: number
}

/** A broker's answer for one partition; `error` is Kafka's number, 0 for none. */
export interface FetchAnswer {
  readonly topic: string
  readonly partition: number
  readonly error: number
  readonly highWatermark: bigint
  readonly lastStable: bigint
  readonly aborted: readonly Aborted[]
  readonly records: Buffer
}

const MAX_BYTES = 32 << 20

/** Fetch request of version 10 (Kafka 2.1 and later), committed records only. From 11 on a follower answers too, whose log may
 * end before offsets that the leader gave, and who then calls them out of range. Partitions are answered in the order given, and
 * the first that has anything gives at least one whole batch. kafkajs's own would answer an error of one partition by failing
 * all of them, and tells neither the end of what is stable nor where an empty batch ends. */
export function fetchRequest(parts: readonly FetchPart[], waitMs: number): ProtocolRequest<readonly FetchAnswer[]> {
  return {
    request: {
      apiKey: 1,
      apiVersion: 10,
      apiName: "Fetch",
      async encode() {
        const buffer = encode(parts, waitMs)
        return { buf: buffer, buffer }
      },
    },
    response: { decode: async (payload) => decode(payload), parse: async (decoded) => decoded },
    requestTimeout: waitMs + 15_000,
  }
}

function encode(parts: readonly FetchPart[], waitMs: number): Buffer {
  const topics = parts.map(({ topic, partition, from, maxBytes }) => {
    const name = Buffer.from(topic)
    const head = Buffer.alloc(2)
    head.writeInt16BE(name.length)
    const body = Buffer.alloc(32)
    body.writeInt32BE(1, 0)
    body.writeInt32BE(partition, 4)
    body.writeInt32BE(-1, 8)
    body.writeBigInt64BE(from, 12)
    body.writeBigInt64BE(-1n, 20)
    body.writeInt32BE(maxBytes, 28)
    return Buffer.concat([head, name, body])
  })
  const head = Buffer.alloc(29)
  head.writeInt32BE(-1, 0)
  head.writeInt32BE(waitMs, 4)
  head.writeInt32BE(1, 8)
  head.writeInt32BE(MAX_BYTES, 12)
  head.writeInt8(1, 16)
  head.writeInt32BE(0, 17)
  head.writeInt32BE(-1, 21)
  head.writeInt32BE(parts.length, 25)
  const forgotten = Buffer.alloc(4)
  return Buffer.concat([head, ...topics, forgotten])
}

function decode(payload: Buffer): FetchAnswer[] {
  const bytes = new Bytes(payload)
  bytes.at = 4
  const error = bytes.int16()
  bytes.at += 4
  if (error !== 0) throw Object.assign(new Error("fetch refused"), { type: `ERROR_${error}`, retriable: true })
  const answers: FetchAnswer[] = []
  for (let topics = bytes.int32(); topics > 0; topics--) {
    const topic = bytes.string()
    for (let partitions = bytes.int32(); partitions > 0; partitions--) answers.push(decodePartition(bytes, topic))
  }
  return answers
}

function decodePartition(bytes: Bytes, topic: string): FetchAnswer {
  const partition = bytes.int32()
  const error = bytes.int16()
  const highWatermark = bytes.int64()
  const lastStable = bytes.int64()
  bytes.at += 8
  const aborted: Aborted[] = []
  for (let count = bytes.int32(); count > 0; count--)
    aborted.push({ producerId: bytes.int64(), firstOffset: bytes.int64() })
  return {
    topic,
    partition,
    error,
    highWatermark,
    lastStable,
    aborted,
    records: bytes.take(Math.max(0, bytes.int32())),
  }
}
