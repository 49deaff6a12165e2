import { fatal } from "../../errors.ts"
import type { TopicSpec } from "../../ports/log.ts"
import type { Bounds, Changes, StateRow, TopicRow } from "./frame.ts"
import { type Part, placeOf } from "./segment-index.ts"
import type { Segment } from "./segment.ts"

/** One partition: [start, end) are its committed offsets, `parts` say where they lie, in order. */
export interface PartitionState {
  readonly topic: TopicRow
  readonly partition: number
  start: number
  end: number
  /** Below it, compaction left one message of each key. */
  cleaned: number
  parts: { readonly segment: Segment; readonly part: Part }[]
  /** Called once when something was committed. */
  readonly waiting: Set<() => void>
}

export interface TopicState {
  readonly row: TopicRow
  readonly partitions: readonly PartitionState[]
}

/** What is committed, apart from messages: topics with their bounds, epochs of writers, offsets of groups. */
export class State {
  readonly topics = new Map<string, TopicState>()
  readonly #byId = new Map<number, TopicState>()
  readonly #writers = new Map<string, number>()
  readonly #groups = new Map<string, Map<number, readonly [topic: number, partition: number, offset: number]>>()

  /** Rejects with `topic-missing` (fatal). */
  topic(name: string): TopicState {
    const topic = this.topics.get(name)
    if (topic === undefined) throw fatal("topic-missing", `the log has no topic ${name}`)
    return topic
  }

  /** Rejects with `topic-missing` (fatal). */
  partition(name: string, partition: number): PartitionState {
    const found = this.topic(name).partitions[partition]
    if (found === undefined) throw fatal("topic-missing", `topic ${name} has no partition ${partition}`)
    return found
  }

  byPlace(topic: number, partition: number): PartitionState | undefined {
    return this.#byId.get(topic)?.partitions[partition]
  }

  *partitions(): Generator<PartitionState> {
    for (const { partitions } of this.topics.values()) yield* partitions
  }

  epoch(writer: string): number {
    return this.#writers.get(writer) ?? 0
  }

  offsets(group: string, topic: TopicState): Map<number, number> {
    const found = [...(this.#groups.get(group)?.values() ?? [])].filter(([id]) => id === topic.row.id)
    return new Map(found.map(([, partition, offset]) => [partition, offset]))
  }

  nextTopicId(): number {
    return Math.max(0, ...this.#byId.keys()) + 1
  }

  apply({ state, topics, writer, offsets, starts, cleaned }: Changes): void {
    if (state !== undefined) this.#restore(state)
    for (const row of topics ?? []) this.#addTopic(row, [])
    if (writer !== undefined) this.#writers.set(...writer)
    for (const each of offsets ?? []) this.#setOffset(...each)
    for (const [topic, partition, start] of starts ?? []) {
      const found = this.byPlace(topic, partition)
      if (found !== undefined) found.start = Math.max(found.start, start)
    }
    for (const [topic, partition, offset] of cleaned ?? []) {
      const found = this.byPlace(topic, partition)
      if (found !== undefined) found.cleaned = offset
    }
  }

  row(): StateRow {
    return {
      topics: [...this.topics.values()].map(({ row, partitions }) => ({
        ...row,
        bounds: partitions.map(({ start, end, cleaned }) => [start, end, cleaned] as const),
      })),
      writers: [...this.#writers],
      groups: [...this.#groups].flatMap(([group, rows]) => [...rows.values()].map((row) => [group, ...row] as const)),
    }
  }

  #restore({ topics, writers, groups }: StateRow): void {
    for (const { bounds, ...row } of topics) this.#addTopic(row, bounds)
    for (const each of writers) this.#writers.set(...each)
    for (const each of groups) this.#setOffset(...each)
  }

  #setOffset(group: string, topic: number, partition: number, offset: number): void {
    let rows = this.#groups.get(group)
    if (rows === undefined) this.#groups.set(group, (rows = new Map()))
    rows.set(placeOf(topic, partition), [topic, partition, offset])
  }

  #addTopic(row: TopicRow, bounds: readonly Bounds[]): void {
    const partitions = Array.from({ length: row.partitions }, (_, partition): PartitionState => {
      const [start, end, cleaned] = bounds[partition] ?? [0, 0, 0]
      return { topic: row, partition, start, end, cleaned, parts: [], waiting: new Set() }
    })
    const topic = { row, partitions }
    this.topics.set(row.name, topic)
    this.#byId.set(row.id, topic)
  }
}

/** A topic as the port tells of it. */
export const specOf = ({ name, partitions, compact, retention }: TopicRow): TopicSpec => ({
  name,
  partitions,
  ...(compact === true ? { compact } : {}),
  ...(retention === undefined ? {} : { retention }),
})
