/** A part of what a client sent; with what it asks for, where that is known. */
export interface Piece {
  readonly bytes: Buffer
  readonly request?: string
}

/** Cuts what goes over one connection into requests and answers, and knows just enough of them.
 * @param ports of the server, and of the proxy before it */
export type Protocol = (ports: { readonly server: number; readonly proxy: number }) => {
  requests(chunk: Buffer): readonly Piece[]
  answers(chunk: Buffer): readonly Buffer[]
}

/** Collects bytes until whole messages are there. `lengthOf` tells the length of the first one, or that more bytes are needed. */
function whole(lengthOf: (bytes: Buffer) => number | undefined): (chunk: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const messages: Buffer[] = []
    for (let length = lengthOf(rest); length !== undefined && length <= rest.length; length = lengthOf(rest)) {
      messages.push(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    return messages
  }
}

const kafkaFrames = () => whole((bytes) => (bytes.length < 4 ? undefined : 4 + bytes.readInt32BE(0)))

const kafkaRequests = new Map([
  [0, "Produce"],
  [24, "AddPartitionsToTxn"],
  [26, "EndTxn"],
  [28, "TxnOffsetCommit"],
])

/** Kafka: requests of transactions are told as `EndTxn <transactional id>`, which comes first in each; brokers are told to clients
 * as being behind the proxy. */
export const kafka: Protocol = (ports) => {
  const [requests, answers] = [kafkaFrames(), kafkaFrames()]
  const [real, own] = [broker(ports.server), broker(ports.proxy)]
  return {
    requests: (chunk) => requests(chunk).map((bytes) => ({ bytes, ...kafkaRequest(bytes) })),
    answers: (chunk) => answers(chunk).map((bytes) => replaced(bytes, real, own)),
  }
}

function kafkaRequest(bytes: Buffer): { readonly request?: string } {
  const kind = kafkaRequests.get(bytes.readInt16BE(4))
  if (kind === undefined) return {}
  const id = 14 + Math.max(0, bytes.readInt16BE(12))
  const length = bytes.readInt16BE(id)
  return { request: `${kind} ${length < 0 ? "" : bytes.toString("utf8", id + 2, id + 2 + length)}` }
}

function broker(port: number): Buffer {
  const name = Buffer.from("\0\u0009127.0.0.1\0\0\0\0", "latin1")
  name.writeInt32BE(port, name.length - 4)
  return name
}

function replaced(bytes: Buffer, from: Buffer, to: Buffer): Buffer {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) to.copy(bytes, at)
  return bytes
}

/** PostgreSQL: a COMMIT is told as `COMMIT`, and after it the statements of its transaction, by name or text. */
export const postgres: Protocol = () => {
  let started = false
  const requests = whole((bytes) => {
    if (bytes.length < 5) return undefined
    if (started) return 1 + bytes.readInt32BE(1)
    started = true
    return bytes.readInt32BE(0)
  })
  let statements: string[] = []
  return {
    requests: (chunk) =>
      requests(chunk).map((bytes) => {
        const kind = String.fromCharCode(bytes[0]!)
        if (kind !== "P" && kind !== "B" && kind !== "Q") return { bytes }
        const [first = "", second = ""] = bytes.toString("latin1", 5).split("\0", 2)
        const text = kind === "Q" ? first : second || first
        if (text === "BEGIN") statements = []
        if (text === "COMMIT") return { bytes, request: ["COMMIT", ...statements].join("\n") }
        statements.push(text)
        return { bytes }
      }),
    answers: (chunk) => [chunk],
  }
}

/** S3: a PUT is told as `PUT <path>` when its head and half of what came with it has been passed on. */
export const s3: Protocol = () => ({
  requests(chunk) {
    const [line = ""] = chunk.subarray(0, 2000).toString("latin1").split(" HTTP/1.1\r\n", 1)
    const head = chunk.indexOf("\r\n\r\n")
    if (!line.startsWith("PUT ") || head < 0) return [{ bytes: chunk }]
    const half = head + 4 + ((chunk.length - head - 4) >> 1)
    return [
      { bytes: chunk.subarray(0, half) },
      { bytes: chunk.subarray(half), request: decodeURIComponent(line.split("?", 1)[0]!) },
    ]
  },
  answers: (chunk) => [chunk],
})
