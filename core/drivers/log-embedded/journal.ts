import { mkdir, unlink } from "node:fs/promises"
import { join } from "node:path"
import { fatal, type WeirError } from "../../errors.ts"
import { BLOCK_HEADER, blockAt, corrupt, countOf, placeBlock } from "./block.ts"
import { DurableMark } from "./durable-mark.ts"
import { type Disk, realDisk } from "./disk.ts"
import { diskError, moved, unknownOutcome } from "./errors.ts"
import { type Changes, encodeFrame } from "./frame.ts"
import { provesDamage, scan } from "./scan.ts"
import { addBlock } from "./segment-index.ts"
import { type Segment, SEGMENT_HEADER } from "./segment.ts"
import { createSegment, openSegments, remove } from "./segments.ts"
import { type PartitionState, State } from "./state.ts"

/** Messages for one partition, encoded; the blocks get their place when they are written. */
export interface EncodedAppend {
  readonly partition: PartitionState
  readonly blocks: readonly Buffer[]
}

/** What becomes visible together. */
export interface Entry {
  readonly changes: Changes
  readonly appends: readonly EncodedAppend[]
}

export interface JournalOptions {
  readonly folder: string
  /** Bytes after which the next segment begins; 128 MiB. */
  readonly segmentBytes?: number
  /** The clock that retention goes by, ms since 1970. */
  readonly now?: () => number
  readonly disk?: Disk
  /** Called when a segment was begun. */
  readonly onRoll?: () => void
}

interface Queued {
  readonly bytes: number
  /** Called when its turn has come; a throw rejects it alone. */
  readonly build: () => Entry
  readonly done: () => void
  readonly failed: (error: WeirError) => void
}

interface Task {
  readonly task: () => Promise<void>
}

interface Built extends Entry {
  readonly queued: Queued
  /** Where in the file its frame begins, and its first block. */
  readonly blocksAt: number
}

/** Bytes of one entry. */
const MOST_ENTRY = 1 << 30
/** Bytes of entries that share one write and one sync. */
const TOGETHER = 8 << 20
/** Bytes after which the next segment begins. */
export const SEGMENT_BYTES = 128 << 20

/** The one order of all commits: a sequence of segment files, written at the end of the last. Entries that wait share a write
 * and a sync; an entry is acknowledged and visible after it, and not before. */
export class Journal {
  readonly state = new State()
  /** What entries of the group that is being built change, for those behind them. */
  readonly pending = { epochs: new Map<string, number>(), topics: new Set<string>() }
  readonly folder: string
  readonly now: () => number
  segments: Segment[] = []
  readonly #options: JournalOptions
  readonly #segmentBytes: number
  readonly #disk: Disk
  #mark: DurableMark
  #queue: (Queued | Task)[] = []
  #running: Promise<void> | undefined
  /** The file may hold what was never acknowledged. */
  #torn = false
  /** A sync failed: the next one would say nothing about those pages, so the file is not appended to again. */
  #doubted = false
  #closed = false

  private constructor(options: JournalOptions, mark: DurableMark) {
    this.#options = options
    this.folder = options.folder
    this.now = options.now ?? Date.now
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#disk = options.disk ?? realDisk
    this.#mark = mark
  }

  /** Opens a folder, which must have no other owner. Rejects: `log-corrupt` (fatal), `disk-full` (systemic). */
  static async open(options: JournalOptions): Promise<Journal> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    const { mark, durable } = DurableMark.open(options.folder)
    const journal = new Journal(options, mark)
    try {
      journal.segments = await openSegments(options.folder, durable)
      if (journal.segments.length === 0)
        journal.segments.push(await createSegment(options.folder, undefined, journal.state.row(), journal.now()))
      await journal.#restore(durable?.segment === journal.#active.header.first ? durable.position : 0)
      journal.relink()
      return journal
    } catch (error) {
      await journal.#release()
      throw error
    }
  }

  /** ms since 1970 when the segment that is written to was begun. */
  begunAt = 0

  get #active(): Segment {
    return this.segments.at(-1)!
  }

  /** Resolves when the entry is durable and visible. Rejects with what `build` throws, or: `disk-full`, `disk-failed`
   * (systemic: nothing of it will ever be visible), `unknown-outcome` (retryable), `log-moved` (retryable: it was not tried). */
  append(bytes: number, build: () => Entry): Promise<void> {
    if (this.#closed) return Promise.reject(moved())
    if (bytes > MOST_ENTRY)
      return Promise.reject(fatal("transaction-too-large", `a transaction of ${bytes} bytes: at most ${MOST_ENTRY}`))
    return new Promise((done, failed) => this.#enqueue({ bytes, build, done, failed }))
  }

  /** Runs a task between two commits. */
  between<T>(task: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(moved())
    return new Promise((resolve, reject) => this.#enqueue({ task: () => task().then(resolve, reject) }))
  }

  /** Begins the next segment; only between commits. */
  async roll(): Promise<void> {
    const before = this.#active
    const next = await createSegment(this.folder, before, this.state.row(), this.now()).catch((error: unknown) => {
      throw diskError(error)
    })
    await before.storeIndex()
    this.segments.push(next)
    this.begunAt = this.now()
    this.#mark.set({ segment: next.header.first, position: next.size })
    this.#options.onRoll?.()
  }

  /** Puts a segment in the place of the ones that it was made of. */
  async replace(old: readonly Segment[], made: Segment): Promise<void> {
    this.segments.splice(this.segments.indexOf(old[0]!), old.length, made)
    this.relink()
    await old[0]!.retire()
    await unlink(join(this.folder, old[0]!.indexName)).catch(() => {})
    for (const segment of old.slice(1)) await remove(segment)
  }

  /** Makes the partitions' lists of parts anew. */
  relink(): void {
    for (const partition of this.state.partitions()) partition.parts = []
    for (const segment of this.segments)
      for (const part of segment.parts.values())
        this.state.byPlace(part.topic, part.partition)?.parts.push({ segment, part })
  }

  /** Commits what waits, then closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#running
    await this.#release()
  }

  async #release(): Promise<void> {
    for (const segment of this.segments) await segment.retire()
    this.#mark.close()
  }

  async #restore(durable: number): Promise<void> {
    for (const segment of this.segments.slice(0, -1)) await segment.loadIndex()
    const active = this.#active
    const { file, header } = active
    const end = await scan(file, SEGMENT_HEADER, active.size, header.salt, ({ position, time, changes, blocks }) => {
      if (position === SEGMENT_HEADER) this.begunAt = time
      this.state.apply(changes)
      for (const { at, info } of blocks) {
        const part = addBlock(active.parts, position + at, info, time)
        const partition = this.state.byPlace(info.topic, info.partition)
        if (partition !== undefined) partition.end = part.next
      }
    })
    if (end === SEGMENT_HEADER) throw corrupt(`${active.name} at byte ${end}`)
    if (end < active.size) await this.#cut(end, durable)
    // What the page cache gave may never have reached the disk.
    await this.#disk.sync(file).catch((error: unknown) => Promise.reject(diskError(error)))
    this.#mark.set({ segment: header.first, position: active.size })
  }

  async #cut(end: number, durable: number): Promise<void> {
    const { file, header, name, size } = this.#active
    if (end < durable || (await provesDamage(file, end, size, header.salt))) throw corrupt(`${name} at byte ${end}`)
    await file.truncate(end)
    this.#active.size = end
  }

  #enqueue(item: Queued | Task): void {
    this.#queue.push(item)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run(): Promise<void> {
    // Whoever asks in the same turn shares the sync.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const [first] = this.#queue
      if ("task" in first!) {
        this.#queue.shift()
        await first.task()
      } else await this.#commit(this.#take())
    }
  }

  #take(): Queued[] {
    let [count, bytes] = [0, 0]
    for (const each of this.#queue) {
      if ("task" in each || (count > 0 && bytes + each.bytes > TOGETHER)) break
      count++
      bytes += each.bytes
    }
    return this.#queue.splice(0, count) as Queued[]
  }

  async #commit(group: readonly Queued[]): Promise<void> {
    const built: Built[] = []
    try {
      await this.#mend()
      if (this.#active.size > this.#segmentBytes) await this.roll()
      const frames: Buffer[] = []
      const end = this.#build(group, frames, built)
      if (built.length === 0) return
      await this.#write(frames)
      this.#publish(built, end)
    } catch (error) {
      const told = this.#torn ? unknownOutcome(error) : diskError(error)
      for (const { failed } of group) failed(told)
    }
  }

  #build(group: readonly Queued[], frames: Buffer[], built: Built[]): number {
    const durable = this.#active.size
    const ends = new Map<PartitionState, number>()
    let position = durable
    const time = this.now()
    for (const queued of group) {
      try {
        const entry = queued.build()
        const blocks = entry.appends.flatMap((append) => placed(append, ends))
        const bytes = blocks.reduce((sum, { length }) => sum + length, 0)
        const frame = encodeFrame(this.#active.header.salt, time, durable, entry.changes, bytes)
        built.push({ ...entry, queued, blocksAt: position + frame.length })
        frames.push(frame, ...blocks)
        position += frame.length + bytes
        this.#expect(entry.changes)
      } catch (error) {
        queued.failed(error as WeirError)
      }
    }
    this.pending.epochs.clear()
    this.pending.topics.clear()
    return position
  }

  #expect({ writer, topics }: Changes): void {
    if (writer !== undefined) this.pending.epochs.set(...writer)
    for (const { name } of topics ?? []) this.pending.topics.add(name)
  }

  async #write(frames: readonly Buffer[]): Promise<void> {
    const { file, size } = this.#active
    this.#torn = true
    try {
      await this.#disk.write(file, frames, size)
      this.#doubted = true
      await this.#disk.sync(file)
      this.#torn = this.#doubted = false
    } catch (error) {
      await this.#cutBack().catch(() => {})
      throw error
    }
  }

  /** Nothing is written before what an earlier failure left is gone. */
  async #mend(): Promise<void> {
    if (this.#torn) await this.#cutBack()
    if (!this.#doubted) return
    await this.roll()
    this.#doubted = false
  }

  /** Takes back what was not acknowledged. */
  async #cutBack(): Promise<void> {
    const { file, size } = this.#active
    await file.truncate(size)
    const wasDoubted = this.#doubted
    this.#doubted = true
    await this.#disk.sync(file)
    this.#doubted = wasDoubted
    this.#torn = false
  }

  #publish(built: readonly Built[], end: number): void {
    const active = this.#active
    const time = this.now()
    active.size = end
    this.#mark.set({ segment: active.header.first, position: end })
    const woken = new Set<() => void>()
    for (const { changes, appends, blocksAt, queued } of built) {
      this.state.apply(changes)
      let at = blocksAt
      for (const { partition, blocks } of appends)
        for (const block of blocks) {
          const part = addBlock(active.parts, at, blockAt(block, 0)!, time)
          if (partition.parts.at(-1)?.part !== part) partition.parts.push({ segment: active, part })
          partition.end = part.next
          at += block.length
          for (const wake of partition.waiting) woken.add(wake)
        }
      queued.done()
    }
    for (const wake of woken) wake()
  }
}

function placed({ partition, blocks }: EncodedAppend, ends: Map<PartitionState, number>): readonly Buffer[] {
  let end = ends.get(partition) ?? partition.end
  for (const block of blocks) {
    placeBlock(block, partition.topic.id, partition.partition, end)
    end += countOf(block)
  }
  ends.set(partition, end)
  return blocks
}

/** The bytes of blocks, for sharing a write fairly. */
export const bytesOf = (appends: readonly { readonly blocks: readonly Buffer[] }[]): number =>
  appends.reduce((sum, { blocks }) => sum + blocks.reduce((all, { length }) => all + length, BLOCK_HEADER), 0)
