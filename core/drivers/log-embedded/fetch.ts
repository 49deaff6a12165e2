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

/** Bytes of one read: larger ones bring no more a second, and are kept longer. */
const MOST_BYTES = 2 << 20
/** Bytes of other partitions that are read rather than jumped over. */
const GAP = 1 << 15

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
    await segment.loadEntries(part)
    const begin = part.find(from)
    const end = upTo(part, begin, length, Math.min(maxBytes, MOST_BYTES))
    const blocks = await readBlocks(segment, part, begin, end)
    const next = end < length ? part.first + part.entries![end * 3 + 2]! : after
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

function upTo({ entries }: Part, begin: number, length: number, maxBytes: number): number {
  let [end, bytes] = [begin, 0]
  while (end < length && (end === begin || bytes + entries![end * 3 + 1]! <= maxBytes))
    bytes += entries![end++ * 3 + 1]!
  return end
}

async function readBlocks(segment: Segment, part: Part, begin: number, end: number): Promise<Buffer[]> {
  const entries = part.entries!
  const reads: Promise<Buffer[]>[] = []
  for (let from = begin; from < end;) {
    let to = from + 1
    while (to < end && entries[to * 3]! - (entries[to * 3 - 3]! + entries[to * 3 - 2]!) <= GAP) to++
    reads.push(readRun(segment, part, from, to))
    from = to
  }
  return (await Promise.all(reads)).flat()
}

async function readRun({ file, name }: Segment, part: Part, from: number, to: number): Promise<Buffer[]> {
  const entries = part.entries!
  const start = entries[from * 3]!
  const length = entries[to * 3 - 3]! + entries[to * 3 - 2]! - start
  const bytes = Buffer.allocUnsafeSlow(length)
  if ((await readAll(file, bytes, start)) < length) throw corrupt(`${name} at byte ${start}`)
  const blocks: Buffer[] = []
  let end = -1
  for (let i = from; i < to; i++) {
    const at = entries[i * 3]! - start
    const info = blockAt(bytes, at)
    const isIt = info?.topic === part.topic && info.partition === part.partition
    if (!isIt || info.base !== part.first + entries[i * 3 + 2]!) throw corrupt(`${name} at byte ${start + at}`)
    const stop = at + entries[i * 3 + 1]!
    // Neighbours stay in one piece.
    if (at === end) blocks[blocks.length - 1] = bytes.subarray(at - blocks.at(-1)!.length, stop)
    else blocks.push(bytes.subarray(at, stop))
    end = stop
  }
  return blocks
}
