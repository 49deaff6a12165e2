import { resolve } from "node:path"
import type { TopicCodec } from "../codec.ts"
import type { CanaryWatch } from "../canary/watch.ts"
import type { Context, Logger } from "../context.ts"
import { fatal } from "../errors.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import type { Log } from "../ports/log.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import type { Zone } from "../record.ts"
import { openReviews } from "../review/reviews.ts"
import { openVault } from "../vault/vault.ts"
import type { ArrivalTimes } from "./arrival-times.ts"
import type { Counters } from "./counters.ts"
import type { Sealing } from "../sealing/sealing.ts"
import { tracked } from "./objects.ts"
import type { LogTable } from "./log-table.ts"
import type { PauseRows } from "./pause-rows.ts"
import type { SelfCheckAlarms } from "./self-check-alarm.ts"
import type { Tracing } from "./tracing.ts"

/** Everything that the tasks of one run share. */
export interface Runtime {
  readonly pipeline: CompiledPipeline
  readonly log: Log
  readonly store: Store
  readonly objects: ReadonlyMap<Zone, Objects>
  /** Undefined when the pipeline encrypts nothing. */
  readonly sealing?: Sealing | undefined
  readonly codecs: ReadonlyMap<string, TopicCodec>
  readonly secrets: ReadonlyMap<string, Uint8Array>
  /** Facts of stateless tasks, sinks and sources, and checkpoints of sources. */
  readonly table: LogTable
  readonly counters: Counters
  readonly arrivals: ArrivalTimes
  readonly pauses: PauseRows
  /** Undefined when the pipeline names no canaries. */
  readonly canaries: CanaryWatch | undefined
  readonly selfChecks: SelfCheckAlarms
  /** Undefined when nobody collects spans. */
  readonly tracing: Tracing | undefined
  readonly logger: Logger
  /** The engine's clock, ms since 1970, UTC. */
  now(): number
  /** A clock that only goes forward, ms. */
  elapsed(): number
  /** Resolves when everything else in the process had its turn. */
  turn(): Promise<void>
  /** --as-of, if it was given. */
  readonly asOf: number | undefined
  /** Whether the run ends when there is nothing more to do. */
  readonly untilIdle: boolean
  /** What calendar timers go by: the clock, or --as-of. */
  calendar(): number
}

export const deadLetterTopic = (pipeline: string): string => `${pipeline}.dead-letters`
export const dropTopic = (pipeline: string): string => `${pipeline}.drops`
export const taskTopic = (pipeline: string): string => `${pipeline}.tasks`
/** What stands still. Apart from the tasks topic, where an open transaction hides what others commit after it. */
export const pauseTopic = (pipeline: string): string => `${pipeline}.pauses`
/** What de-identification did, by record that it read. Apart from the tasks topic for the same reason. */
export const madeTopic = (pipeline: string): string => `${pipeline}.made`
export const groupOf = (pipeline: string, name: string): string => `${pipeline}.${name}`

/** What contexts reach of a runtime. */
export type ContextRuntime = Pick<
  Runtime,
  "pipeline" | "secrets" | "objects" | "sealing" | "counters" | "logger" | "now"
> & {
  readonly store: Pick<Store, "url" | "objects" | "vault" | "reviews">
}

/** The context of one plugin instance: it reaches what the pipeline binds to it, and nothing else.
 * @param isTracked whether the objects it writes are counted by reference in the Store, and sealed (what sinks write is not) */
export function contextFor(
  runtime: ContextRuntime,
  name: string,
  bound: { readonly inputs: Readonly<Record<string, string>>; readonly outputs: Readonly<Record<string, string>> },
  signal: AbortSignal,
  isTracked = true,
): Context {
  const { pipeline } = runtime
  const bind = (ports: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(ports).map(([port, topic]) => {
        const { zone, type } = pipeline.topics.get(topic)!
        return [port, { topic, zone, type }]
      }),
    )
  const inputs = bind(bound.inputs)
  const outputs = bind(bound.outputs)
  const reachable = new Set([...Object.values(inputs), ...Object.values(outputs)].map(({ zone }) => zone))
  const secret = (wanted: string): Uint8Array => {
    const bytes = runtime.secrets.get(wanted)
    if (bytes === undefined)
      throw fatal("missing-secret", `${name} needs the secret ${JSON.stringify(wanted)}`, {
        hint: "declare it under secrets: in the pipeline file",
      })
    return bytes
  }
  return {
    pipeline: pipeline.name,
    name,
    signal,
    inputs,
    outputs,
    resolve: (path) => resolve(pipeline.folder, path),
    secret,
    objects(zone) {
      const objects = runtime.objects.get(zone)
      if (objects === undefined || !reachable.has(zone))
        throw fatal("zone-not-bound", `${name} has no input or output in zone ${zone}, so it cannot reach that bucket`)
      return isTracked ? tracked(objects, zone, runtime) : objects
    },
    identity: { namespaces: pipeline.identity, key: () => secret("identity-key") },
    async vault(project, envelope, codes) {
      if (runtime.store.vault === undefined) throw fatal("vault-unsupported", "this Store keeps no vault")
      return openVault(runtime.store.vault, { projectKey: secret(project), envelopeKey: secret(envelope) }, codes)
    },
    reviews(project) {
      const { reviews } = runtime.store
      const place = { pipeline: pipeline.name, stage: name, projectKey: secret(project), now: runtime.now }
      return reviews === undefined ? undefined : openReviews(reviews, place)
    },
    storeUrl: runtime.store.url,
    clock: { now: runtime.now },
    log: runtime.logger,
    count: (counter, label, by = 1) => runtime.counters.add(name, counter, label, by),
  }
}
