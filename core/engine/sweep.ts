import * as Effect from "effect/Effect"
import { classify } from "../errors.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import { zones } from "../record.ts"
import type { Zone } from "../record.ts"
import type { Runtime } from "./runtime.ts"

const everyMs = 3_600_000
/** A Log removes in pieces, so it keeps some records longer than it was told, and a copy that comes again is younger than its key. */
const marginMs = 24 * 3_600_000

/** How long records of a zone may tell of an object before anything that counts has read them, ms: as long as its topics keep them.
 * Infinity where one keeps them for ever, or keeps the newest of each row. */
export function uncountedMs({ topics }: Pick<CompiledPipeline, "topics">, zone: Zone): number {
  const kept = [...topics.values()]
    .filter((topic) => topic.zone === zone)
    .map(({ retention, compact }) => (compact ? undefined : retention) ?? Number.POSITIVE_INFINITY)
  return kept.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...kept)
}

type Sweeping = Pick<Runtime, "pipeline" | "store" | "objects" | "logger">

/** Removes the objects that nothing has referred to for `sweepAfter`: of rows that were taken back, replaced or erased. Any number of
 * processes may do so at the same time. What fails is logged and done the next time. */
export async function sweepObjects({ pipeline, store, objects, logger }: Sweeping): Promise<void> {
  const after = pipeline.sweepAfter
  if (after === undefined) return
  // Not before the age of what is counted: its record may be about to be read.
  for (const zone of zones) {
    const bucket = objects.get(zone)!
    const uncounted = Math.max(after, uncountedMs(pipeline, zone))
    try {
      const count = await store.objects.sweep(zone, after, (keys) => bucket.delete(keys), uncounted)
      if (count > 0) logger.info("objects-swept", { zone, count })
    } catch (error) {
      logger.warn("sweep-failed", { zone, code: classify(error).code })
    }
  }
  await sweepRecordKeys({ pipeline, store, logger })
}

/** Removes the keys of records that no topic keeps any more. */
async function sweepRecordKeys({ pipeline, store, logger }: Omit<Sweeping, "objects">): Promise<void> {
  if (pipeline.encrypt === undefined) return
  for (const { name, zone, retention, compact } of pipeline.topics.values())
    try {
      if (zone === "phi" && retention !== undefined && !compact)
        await store.recordKeys?.sweep(name, retention + marginMs)
    } catch (error) {
      logger.warn("sweep-failed", { zone, code: classify(error).code })
    }
}

/** Removes at once what nothing refers to any more and somebody read: for who erases a person, whose older objects are
 * among it. Gives their keys. */
export async function sweepEnded({ store, objects }: Pick<Runtime, "store" | "objects">): Promise<readonly string[]> {
  const swept: string[] = []
  for (const [zone, bucket] of objects) {
    const remove = async (keys: readonly string[]) => {
      await bucket.delete(keys)
      swept.push(...keys)
    }
    await store.objects.sweep(zone, 0, remove, Number.POSITIVE_INFINITY)
  }
  return swept
}

/** Sweeps every hour. */
export const sweeping = (runtime: Sweeping): Effect.Effect<never> =>
  Effect.forever(
    Effect.andThen(
      Effect.sleep(everyMs),
      Effect.promise(() => sweepObjects(runtime)),
    ),
  )
