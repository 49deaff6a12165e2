import type { Pass } from "./inputs.ts"
import type { Runtime } from "./runtime.ts"
import { originRanges } from "./tracing.ts"
import type { StepName } from "./tracing.ts"

/** Runs one step: counts it and how long it took once it is committed, and gives it a span where spans are collected. */
export async function observeStep<T>(
  runtime: Runtime,
  step: StepName,
  { records, positions }: Pick<Pass, "records" | "positions">,
  run: () => Promise<T>,
): Promise<T> {
  const began = runtime.elapsed()
  const ended = runtime.tracing?.begin(step, {
    "weir.records": records.length,
    "weir.origin": originRanges(records),
    "weir.position": positions.map(({ topic, next }) => `${topic}@${next}`).join(" "),
  })
  try {
    const result = await run()
    ended?.()
    const counts = runtime.counters.of(step.name)
    counts.batches++
    counts.steps.observe(runtime.elapsed() - began)
    return result
  } catch (error) {
    ended?.(error)
    throw error
  }
}
