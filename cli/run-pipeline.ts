import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Counters } from "../core/engine/counters.ts"
import { runPipeline } from "../core/engine/run.ts"
import type { Fates, Summary } from "../core/engine/run.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"
import type { App, Io } from "./app.ts"
import { lineLogger } from "./logger.ts"
import { showProgress } from "./progress.ts"

/** How a run ended: it was idle, or it was told to stop and drained; and what it did. */
export interface RunEnd {
  readonly ended: "idle" | "stopped"
  readonly summary: Summary
  /** What became of every arrival, by topic; only of a run that was idle. */
  readonly fates: ReadonlyMap<string, Fates>
}

/** Runs a pipeline with live progress and a log on stderr, until it is idle (if so asked) or `io.signal` says to drain.
 * Rejects with what made it fail. */
export async function runWithProgress(
  pipeline: CompiledPipeline,
  options: { readonly untilIdle: boolean; readonly asOf?: number },
  app: Pick<App, "drivers">,
  io: Io,
): Promise<RunEnd> {
  const progress = showProgress(pipeline, io.stderr, io.now)
  let counters: Counters | undefined
  let fates: ReadonlyMap<string, Fates> = new Map()
  const running = runPipeline(pipeline, {
    drivers: app.drivers,
    environment: io.environment,
    logger: lineLogger((line) => progress.line(line), io.now),
    ...options,
    onStart(started) {
      counters = started
      progress.start(started)
    },
    onFates: (told) => void (fates = told),
  })
  const ended = await Effect.runPromiseExit(running, { signal: io.signal }).finally(() => progress.stop())
  if (Exit.isSuccess(ended)) return { ended: "idle", summary: ended.value, fates }
  if (Cause.hasInterruptsOnly(ended.cause)) return { ended: "stopped", summary: counters?.all ?? new Map(), fates }
  throw Cause.squash(ended.cause)
}
