import { crc32 } from "node:zlib"
import { badRecord, fatal, type WeirError } from "../../errors.ts"
import type { Fetched, Message } from "../../ports/log.ts"

/** Messages of one partition that lie together, header and records in one piece of memory:
 *
 *     0 magic, 4 length of the records, 8 topic id, 12 partition, 16 offset of the first (float64),
 *     24 count, 28 span of offsets, 32 crc32 of the records, 36 crc32 of bytes 0 to 36
 *
 * and for each record: offset delta, bytes of key and value (-1: null), bytes of the headers (0: none), event time (float64);
 * then key, value, and the headers as JSON. Little-endian. */
export const BLOCK_HEADER = 40
const RECORD_HEADER = 24
const MAGIC = 0x314b4c42
/** Bytes of records after which a new block begins, so that a reader need not take more than it asked for. */
const MOST = 1 << 18
/** Bytes of the largest message, as of a topic of Kafka that this project makes. */
export const MOST_MESSAGE = 8 << 20

/** What a block's header says. */
export interface BlockInfo {
  readonly length: number
  readonly topic: number
  readonly partition: number
  readonly base: number
  readonly count: number
  /** The offset after its last message, less `base`. */
  readonly span: number
}

interface Measured {
  readonly bytes: number
  readonly headers: readonly (Buffer | undefined)[]
}

/** Encodes messages as blocks without a place; `place` gives them theirs. Throws `message-too-large` (bad record). */
export function encodeBlocks(messages: readonly Message[]): Buffer[] {
  const blocks: Buffer[] = []
  for (let from = 0; from < messages.length;) {
    const headers: (Buffer | undefined)[] = []
    let bytes = 0
    let to = from
    for (; to < messages.length && (to === from || bytes < MOST); to++) {
      const message = messages[to]!
      const header = message.headers === undefined ? undefined : Buffer.from(JSON.stringify(message.headers))
      const size = RECORD_HEADER + (message.key?.length ?? 0) + (message.value?.length ?? 0) + (header?.length ?? 0)
      if (size > MOST_MESSAGE)
        throw badRecord("message-too-large", `a message of ${size} bytes: at most ${MOST_MESSAGE} can be kept`)
      if (to > from && bytes + size > MOST) break
      headers.push(header)
      bytes += size
    }
    blocks.push(encodeBlock(messages, from, { bytes, headers }))
    from = to
  }
  return blocks
}

function encodeBlock(messages: readonly Message[], from: number, { bytes, headers }: Measured): Buffer {
  const block = Buffer.allocUnsafeSlow(BLOCK_HEADER + bytes)
  let at = BLOCK_HEADER
  for (let i = 0; i < headers.length; i++) at = writeRecord(block, at, i, messages[from + i]!, headers[i])
  block.writeUInt32LE(MAGIC, 0)
  block.writeUInt32LE(bytes, 4)
  block.writeUInt32LE(headers.length, 24)
  block.writeUInt32LE(headers.length, 28)
  block.writeUInt32LE(crc32(block.subarray(BLOCK_HEADER)), 32)
  return block
}

function writeRecord(block: Buffer, start: number, delta: number, message: Message, headers: Buffer | undefined) {
  const { key, value } = message
  block.writeUInt32LE(delta, start)
  block.writeInt32LE(key === null ? -1 : key.length, start + 4)
  block.writeInt32LE(value === null ? -1 : value.length, start + 8)
  block.writeUInt32LE(headers?.length ?? 0, start + 12)
  block.writeDoubleLE(Math.max(0, message.timestamp), start + 16)
  let at = start + RECORD_HEADER
  for (const part of [key, value, headers]) {
    if (part === null || part === undefined) continue
    block.set(part, at)
    at += part.length
  }
  return at
}

/** Writes a block's place into its header. */
export function placeBlock(block: Buffer, topic: number, partition: number, base: number): void {
  block.writeUInt32LE(topic, 8)
  block.writeUInt32LE(partition, 12)
  block.writeDoubleLE(base, 16)
  block.writeUInt32LE(crc32(block.subarray(0, 36)), 36)
}

/** The messages of a block whose place is not known yet. */
export const countOf = (block: Buffer): number => block.readUInt32LE(24)

/** The bytes of records of the block at `at`, unchecked. */
export const blockLengthAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 4)

/** The header of the block that begins at `at`; undefined where there is none that is whole. */
export function blockAt(bytes: Buffer, at: number): BlockInfo | undefined {
  if (at + BLOCK_HEADER > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined
  if (crc32(bytes.subarray(at, at + 36)) !== bytes.readUInt32LE(at + 36)) return undefined
  return {
    length: bytes.readUInt32LE(at + 4),
    topic: bytes.readUInt32LE(at + 8),
    partition: bytes.readUInt32LE(at + 12),
    base: bytes.readDoubleLE(at + 16),
    count: bytes.readUInt32LE(at + 24),
    span: bytes.readUInt32LE(at + 28),
  }
}

/** Whether the records of the block at `at` are what was written. */
export const recordsHold = (bytes: Buffer, at: number, length: number): boolean =>
  crc32(bytes.subarray(at + BLOCK_HEADER, at + BLOCK_HEADER + length)) === bytes.readUInt32LE(at + 32)

/** Reads the messages of blocks one after another, as views of their memory, and checks each block as it comes to it. */
export class BlockCursor {
  readonly #bytes: Buffer
  readonly #where: string
  #at = 0
  #end = 0
  #base = 0

  /** @param where names the file, for errors */
  constructor(bytes: Buffer, where: string) {
    this.#bytes = bytes
    this.#where = where
  }

  get done(): boolean {
    return this.#at === this.#end && this.#end === this.#bytes.length
  }

  /** Bytes of key and value of the next message. Throws `log-corrupt` (fatal). */
  size(): number {
    this.#enter()
    return Math.max(0, this.#bytes.readInt32LE(this.#at + 4)) + Math.max(0, this.#bytes.readInt32LE(this.#at + 8))
  }

  /** The offset of the next message. */
  offset(): number {
    this.#enter()
    return this.#base + this.#bytes.readUInt32LE(this.#at)
  }

  /** The bytes of the next message's key. */
  key(): Buffer | null {
    this.#enter()
    const length = this.#bytes.readInt32LE(this.#at + 4)
    return length < 0 ? null : this.#bytes.subarray(this.#at + RECORD_HEADER, this.#at + RECORD_HEADER + length)
  }

  skip(): void {
    this.#enter()
    this.#at += this.#recordLength()
  }

  /** The next record as it is stored, without its offset. */
  raw(): Buffer {
    this.#enter()
    return this.#bytes.subarray(this.#at, this.#at + this.#recordLength())
  }

  next(): Fetched {
    this.#enter()
    const [bytes, at] = [this.#bytes, this.#at]
    const keyLength = bytes.readInt32LE(at + 4)
    const valueLength = bytes.readInt32LE(at + 8)
    const headerLength = bytes.readUInt32LE(at + 12)
    const keyAt = at + RECORD_HEADER
    const valueAt = keyAt + Math.max(0, keyLength)
    const headerAt = valueAt + Math.max(0, valueLength)
    this.#at = headerAt + headerLength
    const offset = BigInt(this.#base + bytes.readUInt32LE(at))
    const key = keyLength < 0 ? null : bytes.subarray(keyAt, valueAt)
    const value = valueLength < 0 ? null : bytes.subarray(valueAt, headerAt)
    const timestamp = bytes.readDoubleLE(at + 16)
    if (headerLength === 0) return { offset, key, value, timestamp }
    return { offset, key, value, timestamp, headers: JSON.parse(bytes.toString("utf8", headerAt, this.#at)) }
  }

  #recordLength(): number {
    const [bytes, at] = [this.#bytes, this.#at]
    return (
      RECORD_HEADER +
      Math.max(0, bytes.readInt32LE(at + 4)) +
      Math.max(0, bytes.readInt32LE(at + 8)) +
      bytes.readUInt32LE(at + 12)
    )
  }

  #enter(): void {
    if (this.#at < this.#end) return
    const info = blockAt(this.#bytes, this.#at)
    const end = this.#at + BLOCK_HEADER + (info?.length ?? 0)
    if (info === undefined || end > this.#bytes.length || !recordsHold(this.#bytes, this.#at, info.length))
      throw corrupt(this.#where)
    this.#at += BLOCK_HEADER
    this.#end = end
    this.#base = info.base
  }
}

/** Packs records that a compaction keeps, with their offsets, as one block with a place. */
export function packBlock(info: BlockInfo, kept: readonly { readonly offset: number; readonly raw: Buffer }[]): Buffer {
  const base = kept[0]!.offset
  const bytes = kept.reduce((sum, { raw }) => sum + raw.length, 0)
  const block = Buffer.allocUnsafeSlow(BLOCK_HEADER + bytes)
  let at = BLOCK_HEADER
  for (const { offset, raw } of kept) {
    block.set(raw, at)
    block.writeUInt32LE(offset - base, at)
    at += raw.length
  }
  block.writeUInt32LE(MAGIC, 0)
  block.writeUInt32LE(bytes, 4)
  block.writeUInt32LE(kept.length, 24)
  block.writeUInt32LE(kept.at(-1)!.offset - base + 1, 28)
  block.writeUInt32LE(crc32(block.subarray(BLOCK_HEADER)), 32)
  placeBlock(block, info.topic, info.partition, base)
  return block
}

/** Bytes of a log are not what was written: a fatal error, code `log-corrupt`. */
export const corrupt = (where: string): WeirError =>
  fatal("log-corrupt", `${where}: the bytes are not those that were written`, {
    hint: "the disk or another program changed the file: restore the folder of the log from a copy",
  })
