import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Counters } from "../core/engine/counters.ts"
import { runPipeline } from "../core/engine/run.ts"
import type { Fates, Summary } from "../core/engine/run.ts"
import type { CompiledPipeline, ListenSettings } from "../core/pipeline/model.ts"
import type { App, Io } from "./app.ts"
import { jsonLogger, lineLogger } from "./logger.ts"
import { quietProgress, showProgress } from "./progress.ts"

/** How a run ended: it was idle, or it was told to stop and drained; and what it did. */
export interface RunEnd {
  readonly ended: "idle" | "stopped"
  readonly summary: Summary
  /** What became of every arrival, by topic; only of a run that was idle. */
  readonly fates: ReadonlyMap<string, Fates>
}

/** How a run is to go and what it tells. */
export interface RunFlags {
  readonly untilIdle: boolean
  readonly asOf?: number
  readonly listen?: ListenSettings
  /** How the log is written; with `json` it is all that is. */
  readonly log?: "text" | "json"
}

/** Spans are sent where the environment says, as OpenTelemetry's own variables have it. */
const isTraced = (environment: Io["environment"]): boolean =>
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].some((name) => (environment[name] ?? "") !== "")

/** Runs a pipeline with live progress and a log on stderr, until it is idle (if so asked) or `io.signal` says to drain.
 * Rejects with what made it fail. */
export async function runWithProgress(
  pipeline: CompiledPipeline,
  options: RunFlags,
  app: Pick<App, "drivers">,
  io: Io,
): Promise<RunEnd> {
  const { log = "text", ...settings } = options
  const progress = log === "json" ? quietProgress(io.stderr) : showProgress(pipeline, io.stderr, io.now)
  let counters: Counters | undefined
  let fates: ReadonlyMap<string, Fates> = new Map()
  const otlp = isTraced(io.environment)
    ? (await import("../core/engine/otlp.ts")).otlpTracing(io.environment)
    : undefined
  const running = runPipeline(pipeline, {
    drivers: app.drivers,
    environment: io.environment,
    logger: (log === "json" ? jsonLogger : lineLogger)((line) => progress.line(line), io.now),
    traced: otlp !== undefined,
    ...settings,
    onStart(started) {
      counters = started
      progress.start(started)
    },
    onFates: (told) => void (fates = told),
  })
  const traced = otlp === undefined ? running : Effect.provide(running, otlp)
  const ended = await Effect.runPromiseExit(traced, { signal: io.signal }).finally(() => progress.stop())
  if (Exit.isSuccess(ended)) return { ended: "idle", summary: ended.value, fates }
  if (Cause.hasInterruptsOnly(ended.cause)) return { ended: "stopped", summary: counters?.all ?? new Map(), fates }
  throw Cause.squash(ended.cause)
}
