import { fatal } from "../../errors.ts"
import type { TopicSpec } from "../../ports/log.ts"
import { clean } from "./clean.ts"
import { moved } from "./errors.ts"
import { checkOffset, type Found, readPartition } from "./fetch.ts"
import type { Changes, TopicRow } from "./frame.ts"
import { Groups } from "./groups.ts"
import { bytesOf, Journal, type JournalOptions, SEGMENT_BYTES } from "./journal.ts"
import { type PartitionState, specOf } from "./state.ts"

export interface BrokerOptions extends JournalOptions {
  /** ms for which members of the owner before are waited for. */
  readonly settleMs?: number
  /** Bytes that a compacted partition grows by before it is compacted again; 16 MiB. */
  readonly compactBytes?: number
  /** ms between two looks at what retention lets go; 30 s. */
  readonly cleanMs?: number
}

/** Encoded blocks for one partition, as a writer sends them. */
export interface BlockAppend {
  readonly topic: string
  readonly partition: number
  readonly blocks: readonly Buffer[]
}

/** Offsets to commit, by group, topic and partition. */
export type OffsetRow = readonly [group: string, topic: string, partition: number, offset: number]

/** As Kafka has it, so that a pipeline can move there. */
const NAME = /^[A-Za-z0-9._-]{1,249}$/

/** The log as its owner serves it, to itself and to other processes. */
export class Broker {
  readonly groups: Groups
  readonly #journal: Journal
  readonly #options: BrokerOptions
  readonly #ended = new AbortController()
  readonly #timer: NodeJS.Timeout
  #cleaning: Promise<void> | undefined

  private constructor(journal: Journal, options: BrokerOptions) {
    this.#journal = journal
    this.#options = options
    this.groups = new Groups(journal.state, options.settleMs ?? 0)
    this.#timer = setInterval(() => void this.cleanSoon(), options.cleanMs ?? 30_000)
    this.#timer.unref()
  }

  /** Opens the folder; the caller owns it. */
  static async open(options: BrokerOptions): Promise<Broker> {
    let broker: Broker | undefined
    const journal = await Journal.open({ ...options, onRoll: () => void broker?.cleanSoon() })
    broker = new Broker(journal, options)
    return broker
  }

  /** Lets go what retention and compaction say. Runs by itself now and then. */
  async clean(): Promise<void> {
    const journal = this.#journal
    const kept = [...journal.state.topics.values()].flatMap(({ row }) => row.retention ?? [])
    // What is still written to is never rewritten, so it must not grow older than a part of what is kept.
    if (journal.now() - journal.begunAt > Math.min(...kept) / 4) await journal.between(() => journal.roll())
    await clean(journal, {
      segmentBytes: this.#options.segmentBytes ?? SEGMENT_BYTES,
      compactBytes: this.#options.compactBytes ?? 16 << 20,
      signal: this.#ended.signal,
    })
  }

  /** One at a time; what fails is tried again the next time, and damage is told to who reads it. */
  cleanSoon(): Promise<void> {
    this.#cleaning ??= this.clean()
      .catch(() => {})
      .finally(() => {
        this.#cleaning = undefined
      })
    return this.#cleaning
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const { name } of specs)
      if (!NAME.test(name) || name === "." || name === "..")
        throw fatal("topic-name", `${JSON.stringify(name)} cannot be a topic`, {
          hint: "use letters, digits, dot, underscore and hyphen, at most 249",
        })
    if (this.#missing(specs).length === 0) return
    await this.#journal.append(0, () => {
      const { pending, state } = this.#journal
      const first = state.nextTopicId() + pending.topics.size
      const topics = this.#missing(specs)
        .filter(({ name }) => !pending.topics.has(name))
        .map(({ name, partitions, compact, retention }, i): TopicRow => {
          const spec = { name, partitions, ...(compact === true ? { compact } : {}) }
          return { id: first + i, ...spec, ...(retention === undefined ? {} : { retention }) }
        })
      return { changes: { topics }, appends: [] }
    })
    // Another caller may have made one in the same turn, with another count.
    this.#missing(specs)
  }

  topics(): readonly TopicSpec[] {
    const rows = [...this.#journal.state.topics.values()].map(({ row }) => specOf(row))
    return rows.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  bounds(topic: string): readonly (readonly [start: number, end: number])[] {
    return this.#journal.state.topic(topic).partitions.map(({ start, end }) => [start, end])
  }

  /** Gives a writer's id its next epoch; everything that older ones sent was committed or refused before it resolves. */
  async openWriter(id: string): Promise<number> {
    let epoch = 0
    await this.#journal.append(0, () => {
      epoch = this.#epoch(id) + 1
      return { changes: { writer: [id, epoch] }, appends: [] }
    })
    return epoch
  }

  async transact(id: string, epoch: number, appends: readonly BlockAppend[], offsets: readonly OffsetRow[]) {
    const { state } = this.#journal
    await this.#journal.append(bytesOf(appends), () => {
      if (this.#epoch(id) !== epoch) throw fatal("fenced", `writer ${id}: somebody else opened it`)
      const changes: Changes = {
        offsets: offsets.map(([group, topic, partition, offset]) => {
          return [group, state.partition(topic, partition).topic.id, partition, offset]
        }),
      }
      const encoded = appends.map(({ topic, partition, blocks }) => {
        return { partition: state.partition(topic, partition), blocks }
      })
      return { changes, appends: encoded }
    })
  }

  committed(group: string, topic: string): ReadonlyMap<number, number> {
    const { state } = this.#journal
    return state.offsets(group, state.topic(topic))
  }

  /** Reads a partition, waiting up to `waitMs` for something to be there. */
  async fetch(topic: string, partition: number, from: number, limit: FetchLimit, signal: AbortSignal): Promise<Found> {
    const found = this.#journal.state.partition(topic, partition)
    checkOffset(found, from)
    if (from === found.end && limit.waitMs > 0) await this.#change(found, limit.waitMs, signal)
    this.checkOpen()
    checkOffset(found, from)
    return readPartition(found, from, limit.maxBytes)
  }

  /** Throws `log-moved` once the owner closes. */
  checkOpen(): void {
    if (this.#ended.signal.aborted) throw moved()
  }

  async close(): Promise<void> {
    this.#ended.abort()
    clearInterval(this.#timer)
    this.groups.close()
    await this.#cleaning
    await this.#journal.close()
  }

  #change({ waiting }: PartitionState, waitMs: number, signal: AbortSignal): Promise<void> {
    const { signal: ended } = this.#ended
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        waiting.delete(wake)
        signal.removeEventListener("abort", wake)
        ended.removeEventListener("abort", wake)
        resolve()
      }
      const timer = setTimeout(wake, waitMs)
      waiting.add(wake)
      signal.addEventListener("abort", wake)
      ended.addEventListener("abort", wake)
      if (signal.aborted || ended.aborted) wake()
    })
  }

  #epoch(id: string): number {
    return this.#journal.pending.epochs.get(id) ?? this.#journal.state.epoch(id)
  }

  #missing(specs: readonly TopicSpec[]): TopicSpec[] {
    const missing = new Map<string, TopicSpec>()
    for (const spec of specs) {
      const count = (this.#journal.state.topics.get(spec.name)?.row ?? missing.get(spec.name))?.partitions
      if (count !== undefined && count !== spec.partitions)
        throw fatal("topic-mismatch", `topic ${spec.name} has ${count} partitions, not ${spec.partitions}`, {
          hint: "the count of a topic is fixed when it is made: declare the one it has, or use another name",
        })
      if (count === undefined) missing.set(spec.name, spec)
    }
    return [...missing.values()]
  }
}

export interface FetchLimit {
  readonly maxBytes: number
  readonly waitMs: number
}
