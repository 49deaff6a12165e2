import { Histogram } from "./histogram.ts"

/** Why a partition stands still, and when it is tried again. */
export interface Pause {
  /** Code of the last error. */
  readonly code: string
  /** When it last came no further, ms since 1970, UTC. */
  readonly since: number
  /** When it is tried again, ms since 1970, UTC. */
  readonly nextProbe: number
}

/** What is known of one partition that this process works on. */
export interface PartitionState {
  /** Of a sink, each of whose topics is read by tasks of its own. */
  readonly topic: string | undefined
  readonly partition: number
  paused: Pause | undefined
  /** By input topic: the next offset to read after what is committed, and the end of the topic as of the last read. */
  readonly inputs: Map<string, { next: bigint; head: bigint }>
}

/** What happened in one source, stage or sink since the run began. */
export interface Counts {
  in: number
  out: number
  held: number
  /** Committed steps. */
  batches: number
  readonly dropped: Map<string, number>
  readonly dead: Map<string, number>
  /** What plugins count, `name` to label to number. */
  readonly other: Map<string, Map<string, number>>
  /** From having a batch to its being committed. */
  readonly steps: Histogram
  /** Of sinks: from the read of the oldest record of a batch to its being written. */
  readonly written: Histogram
  /** Of sinks: from the read of a record's origin in this process to its being written; one record of a batch. */
  readonly fromArrival: Histogram
  /** The partitions that this process has, by `partitionSlot`. */
  readonly partitions: Map<string, PartitionState>
}

/** Counts of what did nothing yet. */
export const noCounts = (): Counts => ({
  in: 0,
  out: 0,
  held: 0,
  batches: 0,
  dropped: new Map(),
  dead: new Map(),
  other: new Map(),
  steps: new Histogram(),
  written: new Histogram(),
  fromArrival: new Histogram(),
  partitions: new Map(),
})

/** Names a partition of a source, stage or sink among its own. */
export const partitionSlot = (partition: number, topic?: string): string => `${topic ?? ""}/${partition}`

/** The counters of a run, by source, stage or sink. */
export class Counters {
  readonly #all = new Map<string, Counts>()

  of(name: string): Counts {
    let counts = this.#all.get(name)
    if (counts === undefined) this.#all.set(name, (counts = noCounts()))
    return counts
  }

  /** Adds to what a plugin counts. */
  add(name: string, counter: string, label: string, by: number): void {
    const { other } = this.of(name)
    if (!other.has(counter)) other.set(counter, new Map())
    bump(other.get(counter)!, label, by)
  }

  /** The state of a partition; it begins when it is first asked for. */
  partition(name: string, partition: number, topic?: string): PartitionState {
    const { partitions } = this.of(name)
    const slot = partitionSlot(partition, topic)
    let state = partitions.get(slot)
    if (state === undefined) partitions.set(slot, (state = { topic, partition, paused: undefined, inputs: new Map() }))
    return state
  }

  /** The partition is another process's now. */
  forget(name: string, partition: number, topic?: string): void {
    this.of(name).partitions.delete(partitionSlot(partition, topic))
  }

  get all(): ReadonlyMap<string, Counts> {
    return this.#all
  }
}

/** The partitions that stand still. */
export const pausedPartitions = (counts: Counts): readonly (PartitionState & { readonly paused: Pause })[] =>
  [...counts.partitions.values()].filter(
    (state): state is PartitionState & { paused: Pause } => state.paused !== undefined,
  )

export const bump = (map: Map<string, number>, label: string, by = 1): void =>
  void map.set(label, (map.get(label) ?? 0) + by)
