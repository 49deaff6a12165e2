import { type FileHandle, open, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { BLOCK_HEADER, blockAt, BlockCursor, corrupt, packBlock } from "./block.ts"
import { type Newest, supersedes } from "./clean.ts"
import { encodeFrame } from "./frame.ts"
import type { Journal } from "./journal.ts"
import { type FoundFrame, scan } from "./scan.ts"
import { addBlock, placeOf } from "./segment-index.ts"
import { encodeSegmentHeader, Segment, SEGMENT_HEADER, segmentName } from "./segment.ts"
import { syncFolder } from "./segments.ts"

/** Writes what is left of neighbouring segments into one file, which takes the place of the first: it says in its header which
 * ones it holds, so that the others can be removed at any time after. */
export async function rewrite(
  journal: Journal,
  group: readonly Segment[],
  newest: Newest,
  signal: AbortSignal,
): Promise<Segment> {
  const { folder } = journal
  const { first, salt, previous } = group[0]!.header
  const path = join(folder, segmentName(first))
  const file = await open(`${path}~`, "w+", 0o600)
  try {
    const output = new Output(file, salt)
    for (const segment of group) await copy(journal, segment, newest, output, signal)
    const header = { salt, first, last: group.at(-1)!.header.last, size: output.size, previous }
    await output.finish(encodeSegmentHeader(header))
    const made = new Segment(folder, header, file, output.size)
    made.parts = output.parts
    await rename(`${path}~`, path)
    await syncFolder(folder)
    await made.storeIndex()
    return made
  } catch (error) {
    await file.close()
    await unlink(`${path}~`).catch(() => {})
    throw error
  }
}

async function copy(journal: Journal, segment: Segment, newest: Newest, output: Output, signal: AbortSignal) {
  const { file, size, header, name } = segment
  const end = await scan(file, SEGMENT_HEADER, size, header.salt, async (frame) => {
    signal.throwIfAborted()
    const kept = keptOf(journal, frame, newest, name)
    if (kept.length > 0) await output.add(frame.time, kept)
  })
  if (end !== size) throw corrupt(`${name} at byte ${end}`)
}

function keptOf({ state }: Journal, { bytes, blocks }: FoundFrame, newest: Newest, name: string): Buffer[] {
  const kept: Buffer[] = []
  for (const { at, info } of blocks) {
    const start = state.byPlace(info.topic, info.partition)?.start ?? 0
    if (info.base + info.span <= start) continue
    const block = bytes.subarray(at, at + BLOCK_HEADER + info.length)
    const found = newest.get(placeOf(info.topic, info.partition))
    if (found === undefined) kept.push(block)
    else {
      const records: { offset: number; raw: Buffer }[] = []
      for (const cursor = new BlockCursor(block, name); !cursor.done; cursor.skip())
        if (!supersedes(found, cursor)) records.push({ offset: cursor.offset(), raw: cursor.raw() })
      if (records.length === info.count) kept.push(block)
      else if (records.length > 0) kept.push(packBlock(info, records))
    }
  }
  return kept
}

/** A segment file that is being written whole. */
class Output {
  readonly parts: Segment["parts"] = new Map()
  readonly #file: FileHandle
  readonly #salt: number
  #held: Buffer[] = []
  #heldBytes = 0
  size = SEGMENT_HEADER

  constructor(file: FileHandle, salt: number) {
    this.#file = file
    this.#salt = salt
  }

  async add(time: number, blocks: readonly Buffer[]): Promise<void> {
    const bytes = blocks.reduce((sum, { length }) => sum + length, 0)
    const frame = Buffer.concat([encodeFrame(this.#salt, time, 0, {}, bytes), ...blocks])
    for (let at = frame.length - bytes; at < frame.length;) {
      const info = blockAt(frame, at)!
      addBlock(this.parts, this.size + at, info, time)
      at += BLOCK_HEADER + info.length
    }
    this.#held.push(frame)
    this.#heldBytes += frame.length
    this.size += frame.length
    if (this.#heldBytes > 1 << 20) await this.#flush()
  }

  async finish(header: Buffer): Promise<void> {
    await this.#flush()
    await writeAll(this.#file, header, 0)
    await this.#file.sync()
  }

  async #flush(): Promise<void> {
    await writeAll(this.#file, Buffer.concat(this.#held), this.size - this.#heldBytes)
    this.#held = []
    this.#heldBytes = 0
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;)
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}
