import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Scope } from "effect/Scope"
import type { WeirError } from "../errors.ts"
import type { SourceDef } from "../plugin.ts"
import type {
  CompiledPipeline,
  CompiledSink,
  CompiledSource,
  CompiledStage,
  ListenSettings,
} from "../pipeline/model.ts"
import type { Member } from "../ports/log.ts"
import type { Counters, Counts } from "./counters.ts"
import { EndWatch } from "./ended.ts"
import { fates } from "./fates.ts"
import type { Fates } from "./fates.ts"
import { runGroup } from "./group.ts"
import type { Group } from "./group.ts"
import { startListener } from "./listener.ts"
import type { ListenerAddress } from "./listener.ts"
import { IdleGate } from "./idle.ts"
import { makeSink } from "./make-sink.ts"
import { attempt, opened, openRuntime } from "./open.ts"
import type { OpenOptions } from "./open.ts"
import { RunState } from "./readiness.ts"
import { sinkReplayTopic } from "./replay.ts"
import { groupOf, taskTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { SinkTask } from "./sink-task.ts"
import { SourceTask } from "./source-task.ts"
import { declareWriters } from "./start.ts"
import { StatefulTask } from "./stateful-task.ts"
import { StatelessTask } from "./stateless-task.ts"
import { backOffMs, supervise } from "./supervise.ts"
import { sweepObjects, sweeping } from "./sweep.ts"
import { topicsRead } from "./task.ts"

export { readSecrets } from "./open.ts"
export type { Fates } from "./fates.ts"
export type { Drivers } from "./open.ts"

export interface RunOptions extends OpenOptions {
  /** Given the counters as the run begins, for showing progress. */
  readonly onStart?: (counters: Counters) => void
  /** Instead of what the pipeline says. */
  readonly listen?: ListenSettings
  /** Given where the listener can be reached. */
  readonly onListening?: (address: ListenerAddress) => void
  /** Given what became of every arrival, when a run ends because it is idle. */
  readonly onFates?: (fates: ReadonlyMap<string, Fates>) => void
}

/** What a run did, by source, stage and sink. */
export type Summary = ReadonlyMap<string, Counts>

/** How often a run that ends when idle looks whether it is. */
const pollMs = 50

/** Work of a run: it fails when a task does, and never ends by itself. */
interface Work {
  readonly done: Effect.Effect<never, WeirError>
}

/** Runs a compiled pipeline until it is idle (if so asked), interrupted, or fails. Interruption drains: the steps under way
 * commit, then everything is closed. */
export const runPipeline = (pipeline: CompiledPipeline, options: RunOptions): Effect.Effect<Summary, WeirError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const runtime = yield* openRuntime(pipeline, options)
      options.onStart?.(runtime.counters)
      const state = new RunState(runtime.counters)
      const listen = options.listen ?? pipeline.listen
      if (listen !== undefined) {
        const { host, port } = yield* startListener(listen, runtime, state)
        runtime.logger.info("listening", { host, port })
        options.onListening?.({ host, port })
      }
      yield* attempt(() => declareWriters(runtime))
      const watch = new EndWatch(runtime)
      yield* attempt(() => watch.begin())
      // Readers come before writers, so that nothing waits for a reader that is not there yet.
      const sinks: Group[] = []
      for (const sink of pipeline.sinks) sinks.push(...(yield* startSink(runtime, sink)))
      const stages: Group[] = []
      for (const stage of pipeline.stages.toReversed()) stages.unshift(yield* startStage(runtime, stage))
      const sources: Work[] = []
      for (const source of pipeline.sources) sources.push(yield* startSource(runtime, source))
      state.running()
      yield* Effect.addFinalizer(() => Effect.sync(() => state.draining()))
      const idle = Effect.gen(function* () {
        while (!(yield* attempt(() => watch.passed()))) yield* Effect.sleep(pollMs)
        // What the clock alone brings about moves no mark: each task of this process must have had a look.
        for (const group of [...stages, ...sinks]) yield* attempt(() => group.idle())
        yield* Effect.promise(() => sweepObjects(runtime))
      })
      yield* Effect.forkScoped(sweeping(runtime))
      const work = [...stages, ...sinks, ...sources].map(({ done }) => done)
      yield* Effect.raceAllFirst([...work, runtime.untilIdle ? idle : Effect.never])
      const { onFates } = options
      if (onFates !== undefined) onFates(yield* attempt(() => fates(runtime)))
      return runtime.counters.all
    }),
  )

const startStage = (runtime: Runtime, stage: CompiledStage): Effect.Effect<Group, WeirError, Scope> =>
  runGroup(
    runtime,
    {
      name: stage.name,
      group: groupOf(runtime.pipeline.name, stage.name),
      topics: topicsRead(runtime.pipeline.name, stage),
      partitions: stage.partitions,
    },
    (partition, member) =>
      stage.stateful
        ? new StatefulTask(runtime, stage, partition, member)
        : new StatelessTask(runtime, stage, partition, member),
  )

const startSink = (runtime: Runtime, sink: CompiledSink): Effect.Effect<Group[], WeirError, Scope> =>
  Effect.gen(function* () {
    const stop = new AbortController()
    const inputs = sink.topics.map((topic) => runtime.pipeline.topics.get(topic)!)
    const instance = yield* opened(sink.name, runtime.logger, () => makeSink(runtime, sink, stop.signal))
    yield* Effect.addFinalizer(() => Effect.sync(() => stop.abort()))
    const groups: Group[] = []
    for (const { name, partitions } of inputs)
      groups.push(
        yield* runGroup(
          runtime,
          {
            name: sink.name,
            group: groupOf(runtime.pipeline.name, `${sink.name}.${name}`),
            topics: [name, sinkReplayTopic(runtime.pipeline.name, sink.name, name)],
            partitions,
            topic: name,
          },
          (partition, member) => new SinkTask(runtime, sink, instance, name, partition, member),
        ),
      )
    return groups
  })

/** A source that runs once is owned through a group on the tasks topic: one member of all processes runs it. */
const startSource = (runtime: Runtime, source: CompiledSource) =>
  Effect.gen(function* () {
    const services = yield* Effect.context<never>()
    const { pipeline, counters, pauses } = runtime
    const standing = () => pauses.standing(source.name, counters.partition(source.name, 0))
    const pause = (tries: number, error: WeirError) =>
      Effect.runPromiseWith(services)(
        Effect.flatMap(backOffMs(tries), (waitMs) => {
          standing().paused(error, waitMs)
          return Effect.sleep(waitMs)
        }),
      )
    if ((source.plugin as SourceDef<unknown, never>).runs === "once") {
      const group = groupOf(pipeline.name, `${source.name}.owner`)
      const make = (partition: number, member: Member) => {
        const owner = { pause, owned: () => member.confirm(partition) }
        const run = (signal: AbortSignal, progress: () => void) =>
          new SourceTask(runtime, source, owner).run(signal, progress)
        return { gate: new IdleGate(), run }
      }
      const spec = { name: source.name, group, topics: [taskTopic(pipeline.name)], partitions: 1 }
      const { done } = yield* runGroup(runtime, spec, make)
      return { done }
    }
    const owned = async () => true
    const run = (signal: AbortSignal, progress: () => void) =>
      new SourceTask(runtime, source, { pause, owned }).run(signal, progress)
    const running = supervise({ name: source.name, partition: 0, standing: standing(), run, owned })
    const fiber = yield* Effect.forkScoped(running)
    return { done: Effect.andThen(Fiber.join(fiber), Effect.never) }
  })
