import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { topicCodec } from "../codec.ts"
import type { TopicCodec } from "../codec.ts"
import type { Logger } from "../context.ts"
import { WeirError, classify, fatal } from "../errors.ts"
import type { CompiledPipeline, DriverSettings } from "../pipeline/model.ts"
import type { Log } from "../ports/log.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import { zones } from "../record.ts"
import type { Zone } from "../record.ts"
import { register } from "../registry.ts"
import { Counters } from "./counters.ts"
import { LogTable } from "./log-table.ts"
import { replayTopics } from "./replay.ts"
import { deadLetterTopic, dropTopic, taskTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** How the ports are opened; main.ts knows the drivers. Paths in settings are taken from `folder`. */
export interface Drivers {
  log(settings: DriverSettings, folder: string): Promise<Log>
  store(settings: DriverSettings, folder: string): Promise<Store>
  objects(settings: DriverSettings, zone: Zone, folder: string): Promise<Objects>
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
}

/** A promise whose rejection has a meaning. */
export const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, WeirError> =>
  Effect.tryPromise({ try: run, catch: classify })

/** Opens something that is closed with the scope. */
export const opened = <A extends { close(): Promise<void> }>(
  open: () => Promise<A>,
): Effect.Effect<A, WeirError, Scope> =>
  Effect.acquireRelease(attempt(open), (port) => Effect.promise(() => port.close().catch(() => {})))

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
    const store = yield* opened(() => drivers.store(pipeline.store, pipeline.folder))
    const log = yield* opened(() => drivers.log(pipeline.log, pipeline.folder))
    const objects = new Map<Zone, Objects>()
    for (const zone of zones)
      objects.set(zone, yield* opened(() => drivers.objects(pipeline.objects, zone, pipeline.folder)))
    const codecs = yield* attempt(() => openTopics(pipeline, log, objects))
    const table = yield* opened(async () => new LogTable(log, taskTopic(pipeline.name)))
    const now = () => clock.currentTimeMillisUnsafe()
    const calendar = () => options.asOf ?? now()
    const untilIdle = options.untilIdle === true
    const { asOf } = options
    const counters = new Counters()
    return { pipeline, log, store, objects, codecs, secrets, table, counters, logger, now, calendar, asOf, untilIdle }
  })

async function openTopics(
  pipeline: CompiledPipeline,
  log: Log,
  objects: ReadonlyMap<Zone, Objects>,
): Promise<Map<string, TopicCodec>> {
  const topics = [...pipeline.topics.values()]
  await log.ensureTopics([
    ...topics.map(({ name, partitions, compact, retention }) => ({
      name,
      partitions,
      compact,
      ...(retention === undefined ? {} : { retention }),
    })),
    ...replayTopics(pipeline),
    { name: deadLetterTopic(pipeline.name), partitions: 1 },
    { name: dropTopic(pipeline.name), partitions: 1 },
    { name: taskTopic(pipeline.name), partitions: 1, compact: true },
  ])
  const { ids, schemas } = await register(log, topics)
  const codec = ({ name, zone, type }: (typeof topics)[number]) =>
    topicCodec(name, zone, type, ids.get(name)!, schemas, objects.get(zone)!)
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
