import { crc32 } from "node:zlib"
import { type BlockInfo, BLOCK_HEADER } from "./block.ts"

/** Where the blocks of one partition lie in one segment: (position, bytes, first offset less the part's) for each, in order. */
export class Part {
  readonly topic: number
  readonly partition: number
  readonly first: number
  next: number
  /** Of its blocks with their headers. */
  bytes = 0
  messages = 0
  /** ms since 1970 of the last append. */
  time = 0
  /** Undefined while the index file has them; then a copy in memory may be `kept`, until it is collected. */
  entries: Uint32Array | undefined
  kept: WeakRef<Uint32Array> | undefined
  length = 0
  /** Where its entries lie in the index file, and their crc32. */
  stored: { readonly at: number; readonly crc: number } | undefined

  constructor(topic: number, partition: number, first: number) {
    this.topic = topic
    this.partition = partition
    this.first = first
    this.next = first
  }

  add(position: number, info: BlockInfo, time: number): void {
    let entries = (this.entries ??= new Uint32Array(24))
    if (this.length * 3 === entries.length) {
      this.entries = new Uint32Array(entries.length * 2)
      this.entries.set(entries)
      entries = this.entries
    }
    const bytes = BLOCK_HEADER + info.length
    entries[this.length * 3] = position
    entries[this.length * 3 + 1] = bytes
    entries[this.length * 3 + 2] = info.base - this.first
    this.length++
    this.next = info.base + info.span
    this.bytes += bytes
    this.messages += info.count
    this.time = Math.max(this.time, time)
  }

  /** The last block that begins at or before the offset, or the first. */
  find(entries: Uint32Array, offset: number): number {
    let [low, high] = [0, this.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.first + entries[middle * 3 + 2]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** One number for a partition of a topic. */
export const placeOf = (topic: number, partition: number): number => topic * 0x1_0000_0000 + partition

/** The parts of one segment, by place. */
export type Parts = Map<number, Part>

/** Adds a block to the part that it belongs to. */
export function addBlock(parts: Parts, position: number, info: BlockInfo, time: number): Part {
  const place = placeOf(info.topic, info.partition)
  let part = parts.get(place)
  if (part === undefined) parts.set(place, (part = new Part(info.topic, info.partition, info.base)))
  part.add(position, info, time)
  return part
}

interface Row {
  readonly part: readonly [topic: number, partition: number, first: number, next: number]
  readonly sums: readonly [bytes: number, messages: number, time: number, length: number]
  readonly crc: number
}

/** An index file: crc32 and length of a JSON text, the text, then the entries of each part. It can be made anew from the
 * segment at any time. */
export function encodeIndex(size: number, last: number, parts: Parts): Buffer {
  const entries: Buffer[] = []
  const rows: Row[] = []
  for (const part of parts.values()) {
    const { buffer, byteOffset } = part.entries!
    const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, part.length * 12)
    entries.push(bytes)
    rows.push({
      part: [part.topic, part.partition, part.first, part.next],
      sums: [part.bytes, part.messages, part.time, part.length],
      crc: crc32(bytes),
    })
  }
  const text = Buffer.from(JSON.stringify({ size, last, rows }))
  const head = Buffer.alloc(8)
  head.writeUInt32LE(crc32(text), 0)
  head.writeUInt32LE(text.length, 4)
  return Buffer.concat([head, text, ...entries])
}

/** Reads the head of an index file; undefined when it does not hold or is of another file than this. */
export function decodeIndex(bytes: Buffer, size: number, last: number): Parts | undefined {
  if (bytes.length < 8) return undefined
  const length = bytes.readUInt32LE(4)
  const text = bytes.subarray(8, 8 + length)
  if (text.length < length || crc32(text) !== bytes.readUInt32LE(0)) return undefined
  const index = JSON.parse(text.toString()) as { size: number; last: number; rows: Row[] }
  if (index.size !== size || index.last !== last) return undefined
  const parts: Parts = new Map()
  let at = 8 + length
  for (const { part: place, sums, crc } of index.rows) {
    const part = new Part(place[0], place[1], place[2])
    part.next = place[3]
    ;[part.bytes, part.messages, part.time, part.length] = sums
    part.stored = { at, crc }
    at += part.length * 12
    parts.set(placeOf(part.topic, part.partition), part)
  }
  return parts
}

/** The entries of a part as the index file has them; undefined when they do not hold. */
export function decodeEntries(bytes: Buffer, crc: number): Uint32Array | undefined {
  if (crc32(bytes) !== crc) return undefined
  const copy = new Uint8Array(bytes)
  return new Uint32Array(copy.buffer, 0, copy.length / 4)
}
