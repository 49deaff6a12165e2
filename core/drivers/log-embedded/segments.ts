import { randomBytes } from "node:crypto"
import { open, readdir, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { fatal } from "../../errors.ts"
import { corrupt } from "./block.ts"
import { encodeFrame } from "./frame.ts"
import { encodeSegmentHeader, Segment, SEGMENT_HEADER, segmentName } from "./segment.ts"
import type { StateRow } from "./frame.ts"

/** A place in the log that is known to be on the disk. */
export interface Durable {
  readonly segment: number
  readonly position: number
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Begins a segment: a header and the whole state, on the disk before its name is. */
export async function createSegment(
  folder: string,
  after: Segment | undefined,
  state: StateRow,
  time: number,
): Promise<Segment> {
  const number = (after?.header.last ?? 0) + 1
  const salt = after?.header.salt ?? randomBytes(4).readUInt32LE()
  const header = { salt, first: number, last: number, size: 0, previous: after?.size ?? 0 }
  const bytes = Buffer.concat([encodeSegmentHeader(header), encodeFrame(salt, time, SEGMENT_HEADER, { state }, 0)])
  const temporary = join(folder, `${segmentName(number)}~`)
  const file = await open(temporary, "w+", 0o600)
  try {
    for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten
    await file.sync()
    await rename(temporary, join(folder, segmentName(number)))
    await syncFolder(folder)
    return new Segment(folder, header, file, bytes.length)
  } catch (error) {
    await file.close()
    await unlink(temporary).catch(() => {})
    throw error
  }
}

/** Opens all segments of a folder, in order, none when it is new. What is left of cleaning that was cut short is removed. Rejects
 * with `log-corrupt` (fatal) when one is missing, or is not as long as it was. */
export async function openSegments(folder: string, durable: Durable | undefined): Promise<Segment[]> {
  const names = await readdir(folder)
  for (const name of names.filter((each) => each.endsWith("~"))) await unlink(join(folder, name))
  const segments: Segment[] = []
  try {
    for (const name of names.filter((each) => /^\d{10,}\.log$/.test(each)).sort()) {
      const segment = await Segment.open(folder, name, "r+")
      const before = segments.at(-1)
      if (before !== undefined && segment.header.first <= before.header.last) await remove(segment)
      else segments.push(segment)
    }
    check(segments, durable)
    const indexes = new Set(segments.map(({ indexName }) => indexName))
    for (const name of names.filter((each) => each.endsWith(".idx") && !indexes.has(each)))
      await unlink(join(folder, name))
    return segments
  } catch (error) {
    for (const segment of segments) await segment.retire()
    throw error
  }
}

/** Closes a segment and removes its files. */
export async function remove(segment: Segment): Promise<void> {
  await segment.retire()
  for (const each of [segment.name, segment.indexName]) await unlink(join(segment.folder, each)).catch(() => {})
}

function check(segments: readonly Segment[], durable: Durable | undefined): void {
  let [expected, previous] = [1, undefined as Segment | undefined]
  for (const segment of segments) {
    const { first, last, salt, previous: size } = segment.header
    if (first !== expected) throw missing(expected)
    if (salt !== segments[0]!.header.salt) throw corrupt(`${segment.name} is of another log`)
    if (previous !== undefined && previous.size !== (previous.header.size || size))
      throw corrupt(`${previous.name} has ${previous.size} bytes, not ${previous.header.size || size}`)
    previous = segment
    expected = last + 1
  }
  if (durable !== undefined && durable.segment >= expected) throw missing(expected)
  if (previous !== undefined && durable?.segment === previous.header.first && previous.size < durable.position)
    throw corrupt(`${previous.name} has ${previous.size} bytes, not ${durable.position}`)
}

const missing = (number: number) =>
  fatal("log-corrupt", `${segmentName(number)} is missing`, { hint: "restore the folder of the log from a copy" })
