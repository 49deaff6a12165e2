import type { PointName } from "./points.ts"
import type { Piece, Tap } from "./proxy.ts"

/** Collects bytes into whole messages.
 * @param sizeOf the size of the message that a buffer begins with; 0 when that cannot be told yet */
class Frames {
  readonly #sizeOf: (bytes: Buffer) => number
  #rest: Buffer = Buffer.alloc(0)

  constructor(sizeOf: (bytes: Buffer) => number) {
    this.#sizeOf = sizeOf
  }

  push(chunk: Buffer): Buffer[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const whole: Buffer[] = []
    for (;;) {
      const size = this.#sizeOf(rest)
      if (size === 0 || rest.length < size) break
      whole.push(rest.subarray(0, size))
      rest = rest.subarray(size)
    }
    this.#rest = rest
    return whole
  }
}

const leaveGroup = 13
const addPartitions = 24
const endTransaction = 26

/** Begins of transactional ids, and what they commit; see groupOf in core/engine/runtime.ts. */
const transactions: readonly (readonly [prefix: string, PointName])[] = [
  ["source.", "source append"],
  ["sift.", "stateless step"],
  ["join.", "outbox publication"],
  ["count.", "outbox publication"],
  ["files.", "object sink offset"],
]

/** What one process has told the brokers of its transactions: ids of those that write dead letters. */
export type Transactions = Set<string>

/** Reads requests of Kafka's protocol (https://kafka.apache.org/protocol.html) in the versions that kafkajs speaks, whose headers
 * have no tagged fields. */
export function kafkaTap(pipeline: string, letters: Transactions): Tap {
  const sizeOf = (bytes: Buffer) => (bytes.length < 4 ? 0 : 4 + bytes.readInt32BE(0))
  const [asked, answered] = [new Frames(sizeOf), new Frames(sizeOf)]
  const pointOf = (frame: Buffer): PointName | undefined => {
    const api = frame.readInt16BE(4)
    if (api === leaveGroup) return "group leave"
    if (api !== endTransaction && api !== addPartitions) return undefined
    const clientId = 12
    const body = clientId + 2 + Math.max(0, frame.readInt16BE(clientId))
    const end = body + 2 + frame.readInt16BE(body)
    const id = frame.toString("utf8", body + 2, end)
    if (api === addPartitions) {
      if (frame.includes(`${pipeline}.dead-letters`, end)) letters.add(id)
      return undefined
    }
    const wroteLetters = letters.delete(id)
    // Producer id and epoch come first.
    if (frame.readInt8(end + 10) !== 1 || !id.startsWith(`${pipeline}.`)) return undefined
    const name = id.slice(pipeline.length + 1)
    const point = transactions.find(([prefix]) => name.startsWith(prefix))?.[1]
    return point === "stateless step" && wroteLetters ? "dead-letter append" : point
  }
  return {
    client: (chunk) =>
      asked.push(chunk).map((bytes): Piece => {
        const point = pointOf(bytes)
        return point === undefined ? { bytes } : { bytes, point, token: bytes.readInt32BE(8) }
      }),
    server: (chunk) => answered.push(chunk).map((bytes): Piece => ({ bytes, token: bytes.readInt32BE(4) })),
  }
}

/** What a transaction did, by the name of a prepared statement or a part of a text. */
const statements: readonly (readonly [text: string, PointName])[] = [
  ["tasks.step\0", "stateful step"],
  ["tasks.claim\0", "task claim"],
  ["weir_sink.positions SET next", "postgres sink"],
  ["insert_only.positions SET next", "insert sink"],
]

/** Reads messages of PostgreSQL's protocol, version 3. */
export function postgresTap(): Tap {
  let begun = false
  const asked = new Frames((bytes) => {
    if (begun) return bytes.length < 5 ? 0 : 1 + bytes.readInt32BE(1)
    return bytes.length < 4 ? 0 : bytes.readInt32BE(0)
  })
  const answered = new Frames((bytes) => (bytes.length < 5 ? 0 : 1 + bytes.readInt32BE(1)))
  let did: PointName | undefined
  const pointOf = (bytes: Buffer): PointName | undefined => {
    const type = String.fromCharCode(bytes[0]!)
    if (type !== "Q" && type !== "P" && type !== "B") return undefined
    const text = bytes.toString("latin1", 5, Math.min(bytes.length, 600))
    if (type !== "B" && /^\0?COMMIT\0/.test(text)) {
      const point = did
      did = undefined
      return point
    }
    if (type !== "B" && /^\0?(BEGIN|ROLLBACK)\0/.test(text)) did = undefined
    did = statements.find(([part]) => text.includes(part))?.[1] ?? did
    return undefined
  }
  return {
    client: (chunk) =>
      asked.push(chunk).map((bytes): Piece => {
        // The first message has no type; the client waits for its answer before it sends more.
        const point = begun ? pointOf(bytes) : undefined
        begun = true
        return point === undefined ? { bytes } : { bytes, point, token: "ended" }
      }),
    server: (chunk) =>
      answered.push(chunk).map((bytes): Piece => {
        const type = String.fromCharCode(bytes[0]!)
        const ends = type === "E" || (type === "C" && /^(COMMIT|ROLLBACK)\0/.test(bytes.toString("latin1", 5, 20)))
        return ends ? { bytes, token: "ended" } : { bytes }
      }),
  }
}

/** Reads the first lines of HTTP requests; a connection has one request at a time. */
export function s3Tap(): Tap {
  return {
    client: (bytes) => {
      const line = /^(GET|PUT|POST|HEAD|DELETE) (\S+) HTTP\/1\.1\r\n/.exec(bytes.toString("latin1", 0, 400))
      if (line === null) return [{ bytes }]
      const [, method, path] = line as unknown as [string, string, string]
      const point =
        method !== "PUT"
          ? undefined
          : /^\/[^/]+\/data\//.test(path)
            ? "chunk put"
            : /^\/[^/]+\/manifests\/(?!.*layout\.json)/.test(path)
              ? "manifest commit"
              : undefined
      return [point === undefined ? { bytes, first: true } : { bytes, first: true, point, token: "answer" }]
    },
    server: (bytes) => [
      bytes.toString("latin1", 0, 12).startsWith("HTTP/1.1 1") ? { bytes } : { bytes, token: "answer" },
    ],
  }
}
