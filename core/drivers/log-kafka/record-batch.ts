import { gunzipSync, zstdDecompressSync } from "node:zlib"
import { fatal, systemic } from "../../errors.ts"
import type { Fetched } from "../../ports/log.ts"
import { Bytes } from "./bytes.ts"
import { crc32c } from "./crc32c.ts"

/** Header that carries a message's own time in topics whose Kafka timestamp is the time of appending. */
export const TIME_HEADER = "weir-time"

/** A transaction that was aborted, as the broker lists it with a fetch. */
export interface Aborted {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/** What a fetch gave of one partition: committed messages from the offset asked for, and where to read on. */
export interface Decoded {
  readonly messages: Fetched[]
  /** Past the last whole batch, markers, aborted and compacted records included; the offset asked for when none came. */
  readonly next: bigint
}

interface Header {
  readonly first: bigint
  readonly last: bigint
  readonly attributes: number
  readonly firstTime: number
  readonly maxTime: number
  readonly producerId: bigint
  readonly count: number
}

const OVERHEAD = 61
const COMPRESSION = 0x07
const APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/** Where in a batch its checksum is, and from where on it counts: what stands before changes after it was sent. */
const [CRC, SUMMED] = [17, 21]

/** Decodes the record batches (version 2, KIP-98) of a fetch. The last may be cut off; batches that compaction left empty
 * still move `next`, so that a reader never stands before them for ever. A broker does not look again at what it has on disk: who
 * reads does.
 * @throws systemic `log-corrupt` where bytes are not those that were written */
export function decodeBatches(records: Buffer, from: bigint, aborted: readonly Aborted[]): Decoded {
  const bytes = new Bytes(records)
  const filter = new AbortFilter(aborted)
  const messages: Fetched[] = []
  let next = from
  while (bytes.left >= OVERHEAD) {
    const length = records.readInt32BE(bytes.at + 8)
    const end = bytes.at + 12 + length
    if (end > records.length) break
    const start = bytes.at
    const header = readHeader(bytes)
    if (crc32c(records.subarray(start + SUMMED, end)) !== records.readUInt32BE(start + CRC))
      throw systemic("log-corrupt", `the batch at offset ${header.first} is not as it was written`, {
        hint: "a disk of a broker, its memory or the network flips bits: the partition goes on when a good copy is read; see docs/guides/operate.md",
      })
    if (filter.passes(header, bytes)) readRecords(header, records.subarray(bytes.at, end), from, messages)
    bytes.at = end
    if (header.last >= next) next = header.last + 1n
  }
  return { messages, next }
}

function readHeader(bytes: Bytes): Header {
  const first = bytes.int64()
  bytes.at += 8
  const magic = bytes.int8()
  if (magic !== 2) throw fatal("record-format", `a topic holds records of format ${magic}; only 2 (Kafka 0.11) is read`)
  bytes.at += 4
  const attributes = bytes.int16()
  const last = first + BigInt(bytes.int32())
  const firstTime = bytes.number64()
  const maxTime = bytes.number64()
  const producerId = bytes.int64()
  bytes.at += 6
  return { first, last, attributes, firstTime, maxTime, producerId, count: bytes.int32() }
}

/** Leaves out markers, and the records of transactions between their first offset and their abort marker. */
class AbortFilter {
  readonly #coming: Aborted[]
  readonly #open = new Set<bigint>()

  constructor(aborted: readonly Aborted[]) {
    this.#coming = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? 1 : -1))
  }

  passes({ last, attributes, producerId, count }: Header, bytes: Bytes): boolean {
    while (this.#coming.length > 0 && this.#coming.at(-1)!.firstOffset <= last)
      this.#open.add(this.#coming.pop()!.producerId)
    if ((attributes & CONTROL) !== 0) {
      if (count > 0 && isAbort(new Bytes(bytes.buffer, bytes.at))) this.#open.delete(producerId)
      return false
    }
    return (attributes & TRANSACTIONAL) === 0 || !this.#open.has(producerId)
  }
}

function isAbort(bytes: Bytes): boolean {
  bytes.varint()
  bytes.int8()
  bytes.varlong()
  bytes.varint()
  bytes.varint()
  bytes.int16()
  return bytes.int16() === 0
}

function readRecords(header: Header, payload: Buffer, from: bigint, into: Fetched[]): void {
  const bytes = new Bytes(decompress(payload, header.attributes & COMPRESSION))
  const appended = (header.attributes & APPEND_TIME) !== 0
  for (let i = 0; i < header.count; i++) {
    const length = bytes.varint()
    const end = bytes.at + length
    bytes.int8()
    const time = header.firstTime + bytes.varlong()
    const offset = header.first + BigInt(bytes.varint())
    if (offset >= from) into.push(readRecord(bytes, offset, appended ? header.maxTime : time, appended))
    bytes.at = end
  }
}

function readRecord(bytes: Bytes, offset: bigint, time: number, appended: boolean): Fetched {
  const key = bytes.nullable()
  const value = bytes.nullable()
  const count = bytes.varint()
  if (count === 0) return { key, value, timestamp: time, offset }
  const headers: Record<string, string> = {}
  let timestamp = time
  for (let i = 0; i < count; i++) {
    const name = bytes.nullable()?.toString("utf8") ?? ""
    const text = bytes.nullable()?.toString("utf8") ?? ""
    if (appended && name === TIME_HEADER) timestamp = Number(text)
    else headers[name] = text
  }
  return Object.keys(headers).length === 0
    ? { key, value, timestamp, offset }
    : { key, value, timestamp, headers, offset }
}

function decompress(payload: Buffer, codec: number): Buffer {
  if (codec === 0) return payload
  if (codec === 1) return gunzipSync(payload)
  if (codec === 4 && zstdDecompressSync !== undefined) return zstdDecompressSync(payload)
  const name = ["none", "gzip", "snappy", "lz4", "zstd"][codec] ?? String(codec)
  throw fatal("compression", `a topic holds records compressed with ${name}; gzip and zstd are read`)
}
