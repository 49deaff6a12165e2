import { crc32 } from "node:zlib"
import { BLOCK_HEADER, blockAt, recordsHold } from "./block.ts"

/** A frame is what one transaction writes, whole or not at all:
 *
 *     0 magic, 4 salt of the log, 8 length of the frame (float64), 16 time of appending (float64),
 *     24 how much of the file was durable when it was written (float64), 32 length of the changes, 36 crc32 of all before and
 *     of the changes; then the changes as JSON, and the blocks of messages
 *
 * The salt keeps a payload from passing for a frame. */
export const FRAME_HEADER = 40
export const FRAME_MAGIC = 0x314d5246

/** What a frame changes beside messages; or, at the beginning of a segment, the whole state. */
export interface Changes {
  /** A writer: the epoch given to an id. */
  readonly writer?: readonly [id: string, epoch: number]
  readonly offsets?: readonly (readonly [group: string, topic: number, partition: number, offset: number])[]
  readonly topics?: readonly TopicRow[]
  /** First offsets that are kept. */
  readonly starts?: readonly (readonly [topic: number, partition: number, start: number])[]
  /** Offsets below which compaction left one message of each key. */
  readonly cleaned?: readonly (readonly [topic: number, partition: number, offset: number])[]
  readonly state?: StateRow
}

export interface TopicRow {
  readonly id: number
  readonly name: string
  readonly partitions: number
  readonly compact?: boolean
  readonly retention?: number
}

/** Of a partition; `cleaned` as in Changes. */
export type Bounds = readonly [start: number, end: number, cleaned: number]

export interface StateRow {
  readonly topics: readonly (TopicRow & { readonly bounds: readonly Bounds[] })[]
  readonly writers: readonly (readonly [id: string, epoch: number])[]
  readonly groups: readonly (readonly [group: string, topic: number, partition: number, offset: number])[]
}

export interface FrameInfo {
  readonly length: number
  readonly time: number
  readonly durable: number
  readonly changesLength: number
}

/** The beginning of a frame, up to its blocks. */
export function encodeFrame(salt: number, time: number, durable: number, changes: Changes, blockBytes: number): Buffer {
  const text = Buffer.from(JSON.stringify(changes))
  const frame = Buffer.allocUnsafeSlow(FRAME_HEADER + text.length)
  frame.writeUInt32LE(FRAME_MAGIC, 0)
  frame.writeUInt32LE(salt, 4)
  frame.writeDoubleLE(frame.length + blockBytes, 8)
  frame.writeDoubleLE(time, 16)
  frame.writeDoubleLE(durable, 24)
  frame.writeUInt32LE(text.length, 32)
  frame.writeUInt32LE(crc32(text, crc32(frame.subarray(0, 36))), 36)
  frame.set(text, FRAME_HEADER)
  return frame
}

/** What the header of a frame says, before its checksum is known to hold. */
export function frameAt(bytes: Buffer, at: number, salt: number): FrameInfo | undefined {
  if (at + FRAME_HEADER > bytes.length) return undefined
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC || bytes.readUInt32LE(at + 4) !== salt) return undefined
  const length = bytes.readDoubleLE(at + 8)
  const changesLength = bytes.readUInt32LE(at + 32)
  if (!Number.isSafeInteger(length) || length < FRAME_HEADER + changesLength) return undefined
  return { length, time: bytes.readDoubleLE(at + 16), durable: bytes.readDoubleLE(at + 24), changesLength }
}

/** The changes of the frame at `at`; undefined where its checksum does not hold. */
export function changesAt(bytes: Buffer, at: number, { changesLength }: FrameInfo): Changes | undefined {
  const text = bytes.subarray(at + FRAME_HEADER, at + FRAME_HEADER + changesLength)
  if (text.length < changesLength) return undefined
  if (crc32(text, crc32(bytes.subarray(at, at + 36))) !== bytes.readUInt32LE(at + 36)) return undefined
  return JSON.parse(text.toString()) as Changes
}

/** Where the blocks of a whole frame begin, relative to the frame; undefined when one of them does not hold. */
export function blocksOf(frame: Buffer, { length, changesLength }: FrameInfo): number[] | undefined {
  const found: number[] = []
  let at = FRAME_HEADER + changesLength
  while (at < length) {
    const block = blockAt(frame, at)
    if (block === undefined || at + BLOCK_HEADER + block.length > length) return undefined
    if (!recordsHold(frame, at, block.length)) return undefined
    found.push(at)
    at += BLOCK_HEADER + block.length
  }
  return found
}
