import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { guardedLog, guardedObjects } from "../canary/guard.ts"
import { openCanaries } from "../canary/open.ts"
import { topicCodec } from "../codec.ts"
import type { TopicCodec } from "../codec.ts"
import type { Logger } from "../context.ts"
import { WeirError, classify, fatal } from "../errors.ts"
import type { CompiledPipeline, CompiledTopic, DriverSettings } from "../pipeline/model.ts"
import type { Finding } from "../ports/finding.ts"
import type { Log, TopicSpec } from "../ports/log.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import { zones } from "../record.ts"
import type { Zone } from "../record.ts"
import { register } from "../registry.ts"
import { openSealing } from "../sealing/sealing.ts"
import type { Sealing } from "../sealing/sealing.ts"
import { ArrivalTimes } from "./arrival-times.ts"
import { Counters } from "./counters.ts"
import { tracked } from "./objects.ts"
import { LogTable } from "./log-table.ts"
import { PauseRows } from "./pause-rows.ts"
import { replayTopics } from "./replay.ts"
import { deadLetterTopic, dropTopic, madeTopic, pauseTopic, taskTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { SelfCheckAlarms } from "./self-check-alarm.ts"
import { backOffMs } from "./supervise.ts"
import { Tracing } from "./tracing.ts"

/** How the ports are opened; main.ts knows the drivers. Paths in settings are taken from `folder`. */
export interface Drivers {
  log(settings: DriverSettings, folder: string): Promise<Log>
  store(settings: DriverSettings, folder: string): Promise<Store>
  objects(settings: DriverSettings, zone: Zone, folder: string): Promise<Objects>
  /** Looks at what is behind the ports, before anything runs; absent where a driver has nothing to tell. */
  readonly checks?: DriverChecks
}

/** What a pipeline is going to do with a Log. */
export interface LogUse {
  readonly pipeline: string
  readonly topics: readonly TopicSpec[]
  readonly groups: readonly string[]
}

/** Looks at servers, by what the drivers know of them; each makes nothing, and an empty list says that there is nothing to look at. */
export interface DriverChecks {
  log(settings: DriverSettings, use: LogUse): Promise<readonly Finding[]>
  store(settings: DriverSettings, folder: string): Promise<readonly Finding[]>
  objects(settings: DriverSettings, zone: Zone): Promise<readonly Finding[]>
}

/** What a runtime is opened with. */
export interface OpenOptions {
  readonly drivers: Drivers
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly logger: Logger
  /** What calendar timers go by instead of the clock, ms since 1970, UTC. */
  readonly asOf?: number
  /** End when the sources have no more to give and everything that they gave has passed the sinks. */
  readonly untilIdle?: boolean
  /** Whether Effect's tracer is given a span of each step. */
  readonly traced?: boolean
}

/** A promise whose rejection has a meaning. */
export const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, WeirError> =>
  Effect.tryPromise({ try: run, catch: classify })

/** How long a start waits for a server that is away, before it says that it failed. */
const patienceMs = 60_000

/** Tries again, for a minute, what may be better in a moment: a server that is being restarted too. */
const patiently = <A>(what: string, logger: Logger, open: () => Promise<A>): Effect.Effect<A, WeirError> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const until = clock.currentTimeMillisUnsafe() + patienceMs
    let told: string | undefined
    for (let tries = 0; ; tries++) {
      const result = yield* Effect.result(attempt(open))
      if (result._tag === "Success") return result.success
      const { meaning, code, message } = result.failure
      const passing = meaning === "retryable" || meaning === "systemic"
      if (!passing || clock.currentTimeMillisUnsafe() >= until) return yield* Effect.fail(result.failure)
      if (told !== code) logger.warn("waiting", { stage: what, code, message })
      told = code
      yield* Effect.sleep(yield* backOffMs(tries))
    }
  })

/** Opens something that is closed with the scope.
 * @param what names it in the log while it cannot be opened */
export const opened = <A extends { close(): Promise<void> }>(
  what: string,
  logger: Logger,
  open: () => Promise<A>,
): Effect.Effect<A, WeirError, Scope> =>
  Effect.acquireRelease(patiently(what, logger, open), (port) => Effect.promise(() => port.close().catch(() => {})))

/** Secrets, ports, topics and codecs of a pipeline; all of it is closed with the scope. Fails before anything is written when a
 * secret is missing. */
export const openRuntime = (
  pipeline: CompiledPipeline,
  options: OpenOptions,
): Effect.Effect<Runtime, WeirError, Scope> =>
  Effect.gen(function* () {
    const { drivers, logger } = options
    const clock = yield* Clock.Clock
    const secrets = yield* attempt(() => readSecrets(pipeline, options.environment))
    const store = yield* opened("store", logger, () => drivers.store(pipeline.store, pipeline.folder))
    const sealing = yield* patiently("vault", logger, () => openSealing(pipeline, secrets, store))
    const canaries = yield* attempt(() => openCanaries(pipeline, secrets))
    const counters = new Counters()
    const log = yield* opened("log", logger, async () => {
      const bare = await drivers.log(pipeline.log, pipeline.folder)
      const own = sealing === undefined ? bare : sealing.log(bare, passedOver(pipeline, counters))
      return canaries === undefined ? own : guardedLog(own, canaries, pipeline, counters)
    })
    const objects = new Map<Zone, Objects>()
    for (const zone of zones)
      objects.set(
        zone,
        yield* opened("objects", logger, async () => {
          const own = await drivers.objects(pipeline.objects, zone, pipeline.folder)
          return canaries === undefined || zone === "phi" ? own : guardedObjects(own, zone, canaries)
        }),
      )
    const codecs = yield* patiently("topics", logger, () => openTopics(pipeline, log, store, objects, sealing))
    const table = yield* opened("tasks", logger, async () => new LogTable(log, taskTopic(pipeline.name)))
    const now = () => clock.currentTimeMillisUnsafe()
    const calendar = () => options.asOf ?? now()
    const untilIdle = options.untilIdle === true
    const { asOf } = options
    const elapsed = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const services = yield* Effect.context<never>()
    const turn = () => Effect.runPromiseWith(services)(Effect.yieldNow)
    const pauseTable = yield* opened("pauses", logger, async () => new LogTable(log, pauseTopic(pipeline.name)))
    const pauses = yield* PauseRows.start({ pipeline, log, logger, now }, pauseTable)
    const shown = {
      counters,
      arrivals: new ArrivalTimes(arrivalTopics(pipeline)),
      pauses,
      canaries,
      selfChecks: new SelfCheckAlarms(pipeline.selfCheck, logger, now),
      tracing: options.traced === true ? new Tracing(yield* Effect.tracer, clock) : undefined,
    }
    const ports = { log, store, objects, sealing, codecs, secrets, table }
    return { pipeline, ...ports, ...shown, logger, now, elapsed, turn, calendar, asOf, untilIdle }
  })

/** Counts what stages and sinks pass over because whose it was is erased. */
const passedOver =
  ({ name }: CompiledPipeline, counters: Counters) =>
  (group: string, topic: string, count: number): void =>
    counters.add(group.slice(name.length + 1), "passed-over", `erased: ${topic}`, count)

const arrivalTopics = ({ topics }: CompiledPipeline): readonly string[] =>
  [...topics.values()].filter(({ writers }) => writers.some(({ kind }) => kind === "source")).map(({ name }) => name)

/** The topics that a pipeline has: its own, and those of the engine for it. */
export const topicSpecs = (pipeline: CompiledPipeline): readonly TopicSpec[] => [
  ...[...pipeline.topics.values()].map(({ name, partitions, compact, retention }) => ({
    name,
    partitions,
    compact,
    ...(retention === undefined ? {} : { retention }),
  })),
  ...replayTopics(pipeline),
  { name: deadLetterTopic(pipeline.name), partitions: 1 },
  { name: dropTopic(pipeline.name), partitions: 1 },
  { name: taskTopic(pipeline.name), partitions: 1, compact: true },
  { name: pauseTopic(pipeline.name), partitions: 1, compact: true },
  { name: madeTopic(pipeline.name), partitions: 1, compact: true },
]

async function openTopics(
  pipeline: CompiledPipeline,
  log: Log,
  store: Store,
  objects: ReadonlyMap<Zone, Objects>,
  sealing: Sealing | undefined,
): Promise<Map<string, TopicCodec>> {
  const topics = [...pipeline.topics.values()]
  await log.ensureTopics(topicSpecs(pipeline))
  const { ids, schemas } = await register(log, topics)
  const codec = (topic: CompiledTopic) => {
    const { name, zone, type } = topic
    const bucket = tracked(objects.get(zone)!, zone, { store, sealing })
    return topicCodec(name, zone, type, ids.get(name)!, schemas, bucket, sealing?.values(topic))
  }
  return new Map(topics.map((topic) => [topic.name, codec(topic)]))
}

const shortestSecret = 16

/** Reads every declared secret; a missing or short one is fatal, code `missing-secret`. */
export async function readSecrets(
  pipeline: Pick<CompiledPipeline, "secrets" | "folder">,
  environment: OpenOptions["environment"],
): Promise<Map<string, Uint8Array>> {
  const secrets = new Map<string, Uint8Array>()
  for (const [name, source] of pipeline.secrets) {
    const [where, bytes] =
      "env" in source
        ? ([`environment variable ${source.env}`, Buffer.from(environment[source.env] ?? "")] as const)
        : ([`file ${source.file}`, await readIfThere(resolve(pipeline.folder, source.file))] as const)
    const secret = withoutNewline(bytes)
    if (secret.length < shortestSecret)
      throw fatal(
        "missing-secret",
        `secret ${JSON.stringify(name)}: ${where} ${bytes.length === 0 ? "is missing or empty" : `holds fewer than ${shortestSecret} bytes`}`,
        { hint: "a key can be made with: openssl rand -hex 32" },
      )
    secrets.set(name, secret)
  }
  return secrets
}

const readIfThere = (path: string): Promise<Buffer> => readFile(path).catch(() => Buffer.alloc(0))

function withoutNewline(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== 10) return bytes
  return bytes.subarray(0, bytes.at(-2) === 13 ? -2 : -1)
}
