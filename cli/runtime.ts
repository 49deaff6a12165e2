import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { attempt, openRuntime } from "../core/engine/open.ts"
import type { Runtime } from "../core/engine/runtime.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"
import type { App, Io } from "./app.ts"
import { lineLogger } from "./logger.ts"

/** Opens everything that a run of the pipeline would, for one act beside it. */
export async function withRuntime<T>(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers">,
  io: Io,
  act: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  const options = {
    drivers: app.drivers,
    environment: io.environment,
    logger: lineLogger((line) => io.stderr.write(line), io.now),
  }
  // What the act throws is told as it was thrown.
  const acting = openRuntime(pipeline, options).pipe(
    Effect.flatMap((runtime) => attempt(async () => [act(runtime)] as const)),
    Effect.flatMap(([done]) => Effect.promise(() => Promise.allSettled([done]))),
  )
  const ended = await Effect.runPromiseExit(Effect.scoped(acting), { signal: io.signal })
  if (!Exit.isSuccess(ended)) throw Cause.squash(ended.cause)
  const [done] = ended.value
  if (done.status === "fulfilled") return done.value
  throw done.reason
}
