import { BlockCursor } from "./block.ts"
import { readPartition } from "./fetch.ts"
import type { Journal } from "./journal.ts"
import { KeyOffsets } from "./key-offsets.ts"
import { rewrite } from "./rewrite.ts"
import { type Part, placeOf } from "./segment-index.ts"
import type { Segment } from "./segment.ts"
import type { PartitionState } from "./state.ts"

export interface CleanOptions {
  /** A segment made of several has at most so many bytes. */
  readonly segmentBytes: number
  /** A partition is compacted when so much was written since, and at least as much as there was then. */
  readonly compactBytes: number
  readonly signal: AbortSignal
}

/** Superseded offsets by partition: what a key has below the offset here may go. */
export type Newest = ReadonlyMap<number, KeyOffsets>

/** Keys that one pass keeps in memory; the next goes on where it ended. */
const MOST_KEYS = 1 << 20
/** So many small neighbours become one segment. */
const NEIGHBOURS = 4

/** Drops what retention and compaction let go: starts move first, durably, then segments whose content shrank are written anew
 * beside the old ones and put in their place. The segment that is written to is left alone. */
export async function clean(journal: Journal, options: CleanOptions): Promise<void> {
  await expire(journal)
  const sealed = journal.segments.slice(0, -1)
  const [newest, cleaned] = await findNewest(journal, sealed, options)
  const shrinking = new Set<Segment>()
  for (const segment of sealed) {
    options.signal.throwIfAborted()
    if (isMostlyDead(journal, segment) || (await hasSuperseded(journal, segment, newest))) shrinking.add(segment)
  }
  for (const group of groupsOf(sealed, shrinking, options.segmentBytes)) {
    const made = await rewrite(journal, group, newest, options.signal)
    await journal.replace(group, made)
  }
  if (cleaned.length > 0) await journal.append(0, () => ({ changes: { cleaned }, appends: [] }))
}

/** Moves the starts of partitions behind what is older than their topic keeps. */
async function expire(journal: Journal): Promise<void> {
  const starts: [topic: number, partition: number, start: number][] = []
  for (const { topic, partition, start, parts } of journal.state.partitions()) {
    if (topic.retention === undefined) continue
    const oldest = journal.now() - topic.retention
    const kept = parts.findIndex(({ part }) => part.time >= oldest)
    const gone = kept < 0 ? parts.at(-1) : parts[kept - 1]
    if (gone !== undefined && gone.part.next > start) starts.push([topic.id, partition, gone.part.next])
  }
  if (starts.length > 0) await journal.append(0, () => ({ changes: { starts }, appends: [] }))
}

async function findNewest(journal: Journal, sealed: readonly Segment[], { compactBytes, signal }: CleanOptions) {
  const newest = new Map<number, KeyOffsets>()
  const cleaned: [topic: number, partition: number, offset: number][] = []
  let keys = 0
  for (const partition of journal.state.partitions()) {
    const end = sealedEnd(partition, sealed)
    if (partition.topic.compact !== true || keys >= MOST_KEYS || !isDue(partition, end, compactBytes)) continue
    const found = new KeyOffsets()
    let at = Math.max(partition.start, partition.cleaned)
    while (at < end && keys + found.size < MOST_KEYS) {
      signal.throwIfAborted()
      at = await collect(partition, at, end, found)
    }
    keys += found.size
    newest.set(placeOf(partition.topic.id, partition.partition), found)
    cleaned.push([partition.topic.id, partition.partition, Math.min(at, end)])
  }
  return [newest, cleaned] as const
}

function sealedEnd({ parts }: PartitionState, sealed: readonly Segment[]): number {
  const last = sealed.at(-1)?.header.last ?? 0
  return parts.findLast(({ segment }) => segment.header.last <= last)?.part.next ?? 0
}

function isDue({ parts, cleaned }: PartitionState, end: number, compactBytes: number): boolean {
  let [before, since] = [0, 0]
  for (const { part } of parts) {
    if (part.next > end) break
    if (part.next <= cleaned) before += part.bytes
    else since += part.bytes
  }
  return since > 0 && since >= Math.max(compactBytes, before)
}

async function collect(partition: PartitionState, from: number, end: number, found: KeyOffsets): Promise<number> {
  const { blocks, next, file } = await readPartition(partition, from, 1 << 20)
  for (const block of blocks) {
    for (const cursor = new BlockCursor(block, file); !cursor.done; cursor.skip()) {
      const [offset, key] = [cursor.offset(), cursor.key()]
      if (key !== null && offset >= from && offset < end) found.set(key, offset)
    }
  }
  return next
}

function isMostlyDead({ state }: Journal, { parts, size }: Segment): boolean {
  let dead = 0
  for (const part of parts.values())
    if (part.next <= (state.byPlace(part.topic, part.partition)?.start ?? 0)) dead += part.bytes
  return dead * 2 >= size
}

async function hasSuperseded(journal: Journal, segment: Segment, newest: Newest): Promise<boolean> {
  for (const [place, part] of segment.parts) {
    const found = newest.get(place)
    if (found !== undefined && (await isSuperseded(journal, segment, part, found))) return true
  }
  return false
}

async function isSuperseded(journal: Journal, segment: Segment, part: Part, found: KeyOffsets): Promise<boolean> {
  const partition = journal.state.byPlace(part.topic, part.partition)!
  for (let from = Math.max(part.first, partition.start); from < part.next;) {
    const { blocks, next } = await readPartition(partition, from, 1 << 20)
    for (const block of blocks)
      for (const cursor = new BlockCursor(block, segment.name); !cursor.done; cursor.skip())
        if (cursor.offset() < part.next && supersedes(found, cursor)) return true
    from = next
  }
  return false
}

/** Whether the record at the cursor has a newer one of the same key. */
export function supersedes(found: KeyOffsets, cursor: BlockCursor): boolean {
  const key = cursor.key()
  const newest = key === null ? undefined : found.get(key)
  return newest !== undefined && newest > cursor.offset()
}

/** Runs of neighbours that fit into one segment, of which one shrinks, or which are many and small. */
function groupsOf(sealed: readonly Segment[], shrinking: ReadonlySet<Segment>, most: number): Segment[][] {
  const groups: Segment[][] = []
  let [run, bytes] = [[] as Segment[], 0]
  const end = () => {
    if (run.some((segment) => shrinking.has(segment)) || run.length >= NEIGHBOURS) groups.push(run)
    ;[run, bytes] = [[], 0]
  }
  for (const segment of sealed) {
    if (bytes + segment.size > most) end()
    run.push(segment)
    bytes += segment.size
  }
  end()
  return groups
}
