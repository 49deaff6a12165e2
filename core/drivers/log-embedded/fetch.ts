import { systemic } from "../../errors.ts"
import { blockAt, corrupt } from "./block.ts"
import { readAll } from "./scan.ts"
import type { Part } from "./segment-index.ts"
import type { Segment } from "./segment.ts"
import type { PartitionState } from "./state.ts"

/** What a read of a partition found: whole blocks, of which the first may begin before the offset that was asked for. */
export interface Found {
  readonly blocks: readonly Buffer[]
  /** Where to read on, past what compaction removed. */
  readonly next: number
  /** The end of what is committed. */
  readonly head: number
  /** The file, for errors. */
  readonly file: string
}

/** Bytes of one answer: larger ones bring no more a second, and are kept longer. */
export const MOST_BYTES = 2 << 20
/** Bytes of one read of the file; several run at the same time. */
const RUN = 1 << 20
/** Bytes of other partitions that are read rather than jumped over. */
const GAP = 1 << 15
/** Bytes of the file that one read spans, with what others have there. */
const SPAN = 8 << 20

/** Throws `offset-out-of-range` (systemic). */
export function checkOffset({ topic, partition, start, end }: PartitionState, from: number): void {
  if (from >= start && from <= end) return
  throw systemic("offset-out-of-range", `${topic.name}[${partition}] holds ${start} to ${end}, not ${from}`, {
    hint: "records were removed or the topic was made anew: set the position by hand",
  })
}

/** Reads committed blocks from an offset on, as many as `maxBytes` allows and at least one; none at the end. */
export async function readPartition(partition: PartitionState, from: number, maxBytes: number): Promise<Found> {
  const { parts, end: head } = partition
  const at = firstFrom(parts, from)
  if (at === parts.length) return { blocks: [], next: head, head, file: "" }
  const { segment, part } = parts[at]!
  const after = parts[at + 1]?.part.first ?? head
  return segment.using(async () => {
    const length = part.length
    const entries = await segment.entriesOf(part)
    const begin = part.find(entries, from)
    const end = upTo(entries, begin, length, Math.min(maxBytes, MOST_BYTES))
    const blocks = await readBlocks(segment, part, entries, begin, end)
    const next = end < length ? part.first + entries[end * 3 + 2]! : after
    return { blocks, next, head, file: segment.name }
  })
}

function firstFrom(parts: PartitionState["parts"], from: number): number {
  let [low, high] = [0, parts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (parts[middle]!.part.next > from) high = middle
    else low = middle + 1
  }
  return low
}

function upTo(entries: Uint32Array, begin: number, length: number, maxBytes: number): number {
  const spanEnd = entries[begin * 3]! + SPAN
  let [end, bytes] = [begin, 0]
  while (end < length && (end === begin || bytes + entries[end * 3 + 1]! <= maxBytes)) {
    if (entries[end * 3]! > spanEnd) break
    bytes += entries[end++ * 3 + 1]!
  }
  return end
}

async function readBlocks(
  segment: Segment,
  part: Part,
  entries: Uint32Array,
  begin: number,
  end: number,
): Promise<Buffer[]> {
  const reads: Promise<Buffer[]>[] = []
  for (let from = begin; from < end;) {
    let to = from + 1
    while (to < end && isNear(entries, from, to)) to++
    reads.push(readRun(segment, part, entries.subarray(from * 3, to * 3)))
    from = to
  }
  return (await Promise.all(reads)).flat()
}

function isNear(entries: Uint32Array, from: number, to: number): boolean {
  const gap = entries[to * 3]! - (entries[to * 3 - 3]! + entries[to * 3 - 2]!)
  return gap <= GAP && entries[to * 3]! + entries[to * 3 + 1]! - entries[from * 3]! <= RUN
}

async function readRun({ file, name }: Segment, part: Part, entries: Uint32Array): Promise<Buffer[]> {
  const start = entries[0]!
  const length = entries.at(-3)! + entries.at(-2)! - start
  const bytes = Buffer.allocUnsafeSlow(length)
  if ((await readAll(file, bytes, start)) < length) throw corrupt(`${name} at byte ${start}`)
  const blocks: Buffer[] = []
  let end = -1
  for (let i = 0; i < entries.length; i += 3) {
    const at = entries[i]! - start
    const info = blockAt(bytes, at)
    const isIt = info?.topic === part.topic && info.partition === part.partition
    if (!isIt || info.base !== part.first + entries[i + 2]!) throw corrupt(`${name} at byte ${start + at}`)
    const stop = at + entries[i + 1]!
    // Neighbours stay in one piece.
    if (at === end) blocks[blocks.length - 1] = bytes.subarray(at - blocks.at(-1)!.length, stop)
    else blocks.push(bytes.subarray(at, stop))
    end = stop
  }
  return blocks
}
