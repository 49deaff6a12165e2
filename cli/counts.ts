import { groupBy } from "../core/group-by.ts"
import { noCounts, pausedPartitions } from "../core/engine/counters.ts"
import type { Counts } from "../core/engine/counters.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"

/** The counts of one source, stage or sink. */
export interface NodeCounts {
  readonly kind: "source" | "stage" | "sink"
  readonly name: string
  readonly counts: Counts
}

/** The counts of everything in a pipeline, in the order in which records pass; what counted nothing yet has zeros. */
export function nodeCounts(pipeline: CompiledPipeline, counts: ReadonlyMap<string, Counts>): readonly NodeCounts[] {
  const of = (kind: NodeCounts["kind"], nodes: readonly { readonly name: string }[]) =>
    nodes.map(({ name }) => ({ kind, name, counts: counts.get(name) ?? noCounts() }))
  return [...of("source", pipeline.sources), ...of("stage", pipeline.stages), ...of("sink", pipeline.sinks)]
}

export const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)

/** The codes for which partitions stand still, with how many; undefined when none does. */
export function pausedText(counts: Counts): string | undefined {
  const codes = groupBy(pausedPartitions(counts), ({ paused }) => paused.code)
  if (codes.size === 0) return undefined
  return [...codes]
    .map(([code, { length }]) => (length === 1 ? code : `${code} (${length} partitions)`))
    .toSorted()
    .join(", ")
}
