/** A topic as the Log knows it. Zone, schema and key meaning are kept by the registry (core/registry.ts), not by drivers. */
export interface TopicSpec {
  readonly name: string
  /** Fixed at creation; another count is refused with a fatal error. */
  readonly partitions: number
  /** Keep only the newest message of each message key, some time after it was superseded. */
  readonly compact?: boolean
  /** Milliseconds after *appending* that a message is kept; undefined keeps it for ever. */
  readonly retention?: number
}

/** What is written. `timestamp` is the record's event time (ms since 1970, UTC; drivers clamp it at 0). */
export interface Message {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestamp: number
  readonly headers?: Readonly<Record<string, string>>
  /** What the value is sealed for, where the pipeline encrypts (core/sealing); no driver writes it. */
  readonly about?: string
}

/** A message as read; `offset` counts within its partition, with gaps (commit markers, compaction). */
export interface Fetched extends Message {
  readonly offset: bigint
}

/** Messages for one partition; partitions are chosen by the caller (core/partition.ts), never by a driver. */
export interface Append {
  readonly topic: string
  readonly partition: number
  readonly messages: readonly Message[]
}

/** Offsets to commit with a transaction: the next offset to read, by topic and partition, for one group. */
export interface GroupOffsets {
  readonly group: string
  readonly next: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[]
}

/** One read: committed messages only, in order. `next` is where to read on (also past markers), `head` the end of what is
 * committed as of this read, and of what a transaction that is open still hides: `next === head` means that nothing more was
 * there. */
export interface Batch {
  readonly messages: readonly Fetched[]
  readonly next: bigint
  readonly head: bigint
}

export interface Reader {
  /** Waits up to `waitMs` for the first message, then resolves, empty if there is none. An offset outside [start, end]
   * rejects with a systemic error, code `offset-out-of-range`. One call at a time. */
  read(limit: { readonly maxBytes: number; readonly maxMessages: number; readonly waitMs: number }): Promise<Batch>
  close(): Promise<void>
}

/** A transactional writer. One per id is alive: opening the id again fences every older one, everywhere, and settles its open
 * transaction (committed or aborted) before it resolves. */
export interface Writer {
  /** All the appends and the offsets become visible together, durably, or not at all. Calls run one after another.
   * Rejects with code `fenced` (fatal to this writer: somebody else has the id), `unknown-outcome` (retryable: it may or may
   * not have been committed; open a new writer, then look), `disk-full` (systemic), `message-too-large` (bad-record). After
   * any rejection the writer is unusable: close it and open a new one. */
  transact(appends: readonly Append[], offsets?: readonly GroupOffsets[]): Promise<void>
  close(): Promise<void>
}

/** A member of a consumer group whose topics are co-partitioned: partition p of every topic goes to one member. */
export interface Member {
  /** The partitions that are assigned now. */
  assigned(): readonly number[]
  /** True while the last answered heartbeat is younger than half the session timeout, on a monotonic clock. */
  owns(partition: number): boolean
  /** Asks the coordinator (a heartbeat now) whether the partition is still ours. */
  confirm(partition: number): Promise<boolean>
  /** A reader of one assigned partition from `from` on; ends (rejects with retryable `revoked`) when the partition is lost. */
  reader(topic: string, partition: number, from: bigint): Promise<Reader>
  /** Leaves at once, so that others take over without waiting for a timeout. */
  leave(): Promise<void>
}

export interface GroupSpec {
  readonly group: string
  readonly topics: readonly string[]
  /** Equal for all the topics; checked. */
  readonly partitions: number
  readonly sessionTimeoutMs?: number
  /** Called with the whole new assignment each time it changes, before any of it can be read. What was kept is listed again:
   * it was re-assigned, so fence it again. */
  onAssigned(partitions: readonly number[]): void
}

/** The Log port: topics, partitions, consumer groups, offsets, transactions. */
export interface Log {
  readonly driver: string
  /** Creates what is missing; a topic with another partition count rejects (fatal, `topic-mismatch`). */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>
  topics(): Promise<readonly TopicSpec[]>
  /** Per partition: the first offset that is kept, and the end of what is committed. */
  bounds(topic: string): Promise<readonly { readonly start: bigint; readonly end: bigint }[]>
  writer(id: string): Promise<Writer>
  /** Committed offsets of a group, by partition; absent where none was committed. Call it after fencing, never before. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, bigint>>
  join(spec: GroupSpec): Promise<Member>
  /** How many members a group has now, as its coordinator knows; 0 where there is no such group. */
  members(group: string): Promise<number>
  /** A reader outside groups. */
  reader(topic: string, partition: number, from: bigint): Promise<Reader>
  close(): Promise<void>
}
