import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { topicCodec } from "../codec.ts"
import type { TopicCodec } from "../codec.ts"
import type { Logger } from "../context.ts"
import { WeirError, classify, fatal } from "../errors.ts"
import type { SinkDef, SourceDef } from "../plugin.ts"
import type { CompiledPipeline, CompiledSink, CompiledSource, DriverSettings } from "../pipeline/model.ts"
import type { Log } from "../ports/log.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import { zones } from "../record.ts"
import type { Zone } from "../record.ts"
import { register } from "../registry.ts"
import { Counters } from "./counters.ts"
import type { Counts } from "./counters.ts"
import { runGroup } from "./group.ts"
import type { Group } from "./group.ts"
import { LogTable } from "./log-table.ts"
import { refreshing } from "./objects.ts"
import { contextFor, deadLetterTopic, dropTopic, groupOf, taskTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { SinkTask } from "./sink-task.ts"
import { SourceTask } from "./source-task.ts"
import { StatefulTask } from "./stateful-task.ts"
import { StatelessTask } from "./stateless-task.ts"
import { backOff, stoppable, supervise } from "./supervise.ts"

/** How the ports are opened; main.ts knows the drivers. Paths in settings are taken from `folder`. */
export interface Drivers {
  log(settings: DriverSettings, folder: string): Promise<Log>
  store(settings: DriverSettings, folder: string): Promise<Store>
  objects(settings: DriverSettings, zone: Zone, folder: string): Promise<Objects>
}

export interface RunOptions {
  readonly drivers: Drivers
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly logger: Logger
  /** End when the sources have no more to give and everything that they gave has passed the sinks. */
  readonly untilIdle?: boolean
  /** What calendar timers go by instead of the clock, ms since 1970, UTC. */
  readonly asOf?: number
  /** Given the counters as the run begins, for showing progress. */
  readonly onStart?: (counters: Counters) => void
}

/** What a run did, by source, stage and sink. */
export type Summary = ReadonlyMap<string, Counts>

/** Runs a compiled pipeline until it is idle (if so asked), interrupted, or fails. Interruption drains: the steps under way
 * commit, then everything is closed. */
export const runPipeline = (pipeline: CompiledPipeline, options: RunOptions): Effect.Effect<Summary, WeirError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const runtime = yield* openRuntime(pipeline, options)
      options.onStart?.(runtime.counters)
      const stages: Group[] = []
      const sinks: Group[] = []
      for (const sink of pipeline.sinks) sinks.push(...(yield* startSink(runtime, sink)))
      for (const stage of pipeline.stages.toReversed())
        stages.unshift(
          yield* runGroup(
            runtime,
            { name: stage.name, group: groupOf(pipeline.name, stage.name), topics: [...stage.inputs.keys()], partitions: stage.partitions },
            (partition, member) => (stage.stateful ? new StatefulTask(runtime, stage, partition, member) : new StatelessTask(runtime, stage, partition, member)),
          ),
        )
      const finished: Promise<void>[] = []
      const running: Effect.Effect<void, WeirError>[] = [...stages, ...sinks].map(({ done }) => done)
      for (const source of pipeline.sources) {
        const { ended, done } = yield* startSource(runtime, source)
        finished.push(ended)
        running.push(done)
      }
      const idle = Effect.promise(async () => {
        await Promise.all(finished)
        for (const group of [...stages, ...sinks]) await group.idle()
      })
      yield* Effect.raceFirst(Effect.raceAllFirst(running), options.untilIdle === true ? idle : Effect.never)
      return runtime.counters.all
    }),
  )

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, WeirError> => Effect.tryPromise({ try: run, catch: classify })

const opened = <A extends { close(): Promise<void> }>(open: () => Promise<A>): Effect.Effect<A, WeirError, Scope> =>
  Effect.acquireRelease(attempt(open), (port) => Effect.promise(() => port.close().catch(() => {})))

const openRuntime = (pipeline: CompiledPipeline, options: RunOptions): Effect.Effect<Runtime, WeirError, Scope> =>
  Effect.gen(function* () {
    const { drivers, logger } = options
    const clock = yield* Clock.Clock
    const secrets = yield* attempt(() => readSecrets(pipeline, options.environment))
    const store = yield* opened(() => drivers.store(pipeline.store, pipeline.folder))
    const log = yield* opened(() => drivers.log(pipeline.log, pipeline.folder))
    const objects = new Map<Zone, Objects>()
    for (const zone of zones) {
      const bucket = yield* opened(() => drivers.objects(pipeline.objects, zone, pipeline.folder))
      objects.set(zone, refreshing(bucket, store, zone))
    }
    const codecs = yield* attempt(() => openTopics(pipeline, log, objects))
    const table = yield* opened(async () => new LogTable(log, taskTopic(pipeline.name)))
    const now = () => clock.currentTimeMillisUnsafe()
    const calendar = () => options.asOf ?? now()
    return { pipeline, log, store, objects, codecs, secrets, table, counters: new Counters(), logger, now, calendar }
  })

async function openTopics(pipeline: CompiledPipeline, log: Log, objects: ReadonlyMap<Zone, Objects>): Promise<Map<string, TopicCodec>> {
  await log.ensureTopics([
    ...[...pipeline.topics.values()].map(({ name, partitions, compact, retention }) => ({ name, partitions, compact, ...(retention === undefined ? {} : { retention }) })),
    { name: deadLetterTopic(pipeline.name), partitions: 1 },
    { name: dropTopic(pipeline.name), partitions: 1 },
    { name: taskTopic(pipeline.name), partitions: 1, compact: true },
  ])
  const schemas = await register(log, pipeline.topics.values())
  return new Map([...pipeline.topics.values()].map(({ name, zone, type }) => [name, topicCodec(name, zone, type, schemas.get(name)!, objects.get(zone)!)]))
}

/** Reads every declared secret; a missing or empty one is fatal `missing-secret`. */
export async function readSecrets(pipeline: CompiledPipeline, environment: RunOptions["environment"]): Promise<Map<string, Uint8Array>> {
  const secrets = new Map<string, Uint8Array>()
  for (const [name, source] of pipeline.secrets) {
    const bytes = "env" in source ? Buffer.from(environment[source.env] ?? "") : await readFile(resolve(pipeline.folder, source.file)).catch(() => Buffer.alloc(0))
    const trimmed = bytes.at(-1) === 10 ? bytes.subarray(0, bytes.at(-2) === 13 ? -2 : -1) : bytes
    if (trimmed.length < 16)
      throw fatal("missing-secret", `secret ${JSON.stringify(name)}: ${"env" in source ? `environment variable ${source.env}` : `file ${source.file}`} ${bytes.length === 0 ? "is missing or empty" : "holds fewer than 16 bytes"}`, {
        hint: "a key can be made with: openssl rand -hex 32",
      })
    secrets.set(name, trimmed)
  }
  return secrets
}

const startSink = (runtime: Runtime, sink: CompiledSink): Effect.Effect<Group[], WeirError, Scope> =>
  Effect.gen(function* () {
    const stop = new AbortController()
    yield* Effect.addFinalizer(() => Effect.sync(() => stop.abort()))
    const inputs = sink.topics.map((topic) => runtime.pipeline.topics.get(topic)!)
    const bound = { inputs: Object.fromEntries(sink.topics.map((topic) => [topic, topic])), outputs: {} }
    const context = contextFor(runtime, sink.name, bound, stop.signal)
    const instance = yield* opened(() =>
      (sink.plugin as SinkDef<unknown>).create(sink.options, context, inputs.map(({ name, zone, type }) => ({ topic: name, zone, type }))),
    )
    const groups: Group[] = []
    for (const { name, partitions } of inputs)
      groups.push(
        yield* runGroup(
          runtime,
          { name: sink.name, group: groupOf(runtime.pipeline.name, `${sink.name}.${name}`), topics: [name], partitions },
          (partition, member) => new SinkTask(runtime, sink, instance, name, partition, member),
        ),
      )
    return groups
  })

/** A source that runs once is owned through a group on the tasks topic: one member of all processes runs it. */
const startSource = (runtime: Runtime, source: CompiledSource) =>
  Effect.gen(function* () {
    const ended = Promise.withResolvers<void>()
    const context = yield* Effect.context<never>()
    const pause = (tries: number) => Effect.runPromiseWith(context)(backOff(tries))
    const once = (source.plugin as SourceDef<unknown, never>).runs === "once"
    const counts = runtime.counters.of(source.name)
    const run = async (signal: AbortSignal) => {
      await new SourceTask(runtime, source, pause).run(signal)
      if (!signal.aborted) ended.resolve()
    }
    if (!once) {
      const done = supervise({ name: source.name, partition: 0, counts, logger: runtime.logger, run, owned: async () => true })
      const fiber = yield* Effect.forkScoped(done)
      return { ended: ended.promise, done: Effect.andThen(Effect.fromExit(yield* Effect.exit(Effect.void)), Effect.flatMap(Effect.exit(fiberJoin(fiber)), keepOpen)) }
    }
    const group = yield* runGroup(
      runtime,
      { name: source.name, group: groupOf(runtime.pipeline.name, `${source.name}.owner`), topics: [taskTopic(runtime.pipeline.name)], partitions: 1 },
      () => ({ gate: new (class extends Object {})() as never, run }),
    )
    return { ended: ended.promise, done: group.done }
  })
export { stoppable }
