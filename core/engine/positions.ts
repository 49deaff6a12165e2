import { fatal } from "../errors.ts"
import type { CompiledPipeline, CompiledSink, CompiledStage } from "../pipeline/model.ts"
import type { SinkInstance } from "../plugin.ts"
import type { InputPosition, TaskStore } from "../ports/store.ts"
import type { Facts } from "./facts.ts"
import { replayTopic, sinkReplayTopic } from "./replay.ts"
import { forgotten } from "./landmarks.ts"
import { makeSink } from "./make-sink.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** A topic that a stage or a sink reads, and the consumer group in which it does. */
export type Reading = {
  readonly name: string
  readonly topic: string
  readonly group: string
  readonly partitions: number
} & ({ readonly stage: CompiledStage } | { readonly sink: CompiledSink })

/** Everything that a pipeline's stages and sinks read, in topological order; what comes again is a topic of its own. */
export function readings({ name: pipeline, stages, sinks, topics }: CompiledPipeline): Reading[] {
  return [
    ...stages.flatMap((stage) =>
      [...stage.inputs.keys(), replayTopic(pipeline, stage.name)].map((topic): Reading => {
        const { name, partitions } = stage
        return { name, topic, group: groupOf(pipeline, name), partitions, stage }
      }),
    ),
    ...sinks.flatMap((sink) =>
      sink.topics.flatMap((input) =>
        [input, sinkReplayTopic(pipeline, sink.name, input)].map((topic): Reading => {
          const group = groupOf(pipeline, `${sink.name}.${input}`)
          return { name: sink.name, topic, group, partitions: topics.get(input)!.partitions, sink }
        }),
      ),
    ),
  ]
}

/** Reads and sets the positions of a pipeline's tasks from outside of them: in the Store of stages with state, beside the rows of
 * transactional sinks, in the Log of all others. */
export class Positions {
  readonly #runtime: Runtime
  readonly #sinks = new Map<string, Promise<SinkInstance>>()
  readonly #stop = new AbortController()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** The next offset to read, by partition; absent where there is no position. */
  async of(reading: Reading): Promise<ReadonlyMap<number, bigint>> {
    const { topic, group, partitions } = reading
    if ("stage" in reading && reading.stage.stateful) return this.#inStore(reading.name, topic)
    const sink = await this.#transactional(reading)
    if (sink === undefined) return this.#runtime.log.committed(group, topic)
    const found = new Map<number, bigint>()
    if (sink.position === undefined) return found
    for (let partition = 0; partition < partitions; partition++) {
      const next = await sink.position(topic, partition)
      if (next !== undefined) found.set(partition, next)
    }
    return found
  }

  /** Whether a stage or sink has a position in anything that it reads. */
  async any(name: string): Promise<boolean> {
    for (const reading of readings(this.#runtime.pipeline))
      if (reading.name === name && (await this.of(reading)).size > 0) return true
    return false
  }

  /** Sets a position, and fences the task that has it now: it claims again and goes on from there. */
  async set(reading: Reading, partition: number, next: bigint): Promise<void> {
    const { topic, group, name } = reading
    if ("stage" in reading && reading.stage.stateful) return this.#setInStore(name, topic, partition, next)
    const sink = await this.#transactional(reading)
    if (sink !== undefined) {
      if (sink.setPosition === undefined)
        throw fatal("no-set-position", `sink ${name} keeps its positions itself and cannot set them`)
      return sink.setPosition(topic, partition, next)
    }
    const writer = await this.#runtime.log.writer(`${group}.${partition}`)
    try {
      const landmark = this.#runtime.table.append([forgotten(name, topic, partition)])
      await writer.transact([landmark], [{ group, next: [{ topic, partition, offset: next }] }])
    } finally {
      await writer.close()
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    for (const sink of this.#sinks.values()) await (await sink.catch(() => undefined))?.close()
  }

  async #inStore(stage: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    const found = new Map<number, bigint>()
    for (const task of await this.#runtime.store.positions(this.#runtime.pipeline.name)) {
      const position = task.stage === stage ? task.positions.find((each) => each.topic === topic) : undefined
      if (position !== undefined) found.set(task.partition, position.next)
    }
    return found
  }

  async #setInStore(stage: string, topic: string, partition: number, next: bigint): Promise<void> {
    const task = await this.#runtime.store.claim(this.#runtime.pipeline.name, stage, partition)
    try {
      await setPositions(task, [{ topic, next }])
    } finally {
      await task.release()
    }
  }

  async #transactional(reading: Reading) {
    if (!("sink" in reading)) return undefined
    const { sink } = reading
    let made = this.#sinks.get(sink.name)
    if (made === undefined) this.#sinks.set(sink.name, (made = makeSink(this.#runtime, sink, this.#stop.signal)))
    const instance = await made
    return instance.delivery === "transactional" ? instance : undefined
  }
}

/** Sets positions of a claimed task in a step of its own, under its epoch. */
export async function setPositions(task: TaskStore, positions: readonly InputPosition[], facts?: Facts): Promise<void> {
  const tx = await task.begin()
  const nothing = { puts: [], deletes: [], sharedPuts: [], sharedDeletes: [], timers: [], cancels: [] }
  try {
    await tx.commit({
      ...nothing,
      positions,
      ...(facts === undefined ? {} : { facts: facts as unknown as Record<string, unknown> }),
    })
  } catch (error) {
    await tx.rollback().catch(() => {})
    throw error
  }
}
