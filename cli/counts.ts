import type { Counts } from "../core/engine/counters.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"

/** The counts of one source, stage or sink. */
export interface NodeCounts {
  readonly kind: "source" | "stage" | "sink"
  readonly name: string
  readonly counts: Counts
}

const none = (): Counts => ({
  in: 0,
  out: 0,
  held: 0,
  dropped: new Map(),
  dead: new Map(),
  other: new Map(),
  paused: undefined,
})

/** The counts of everything in a pipeline, in the order in which records pass; what counted nothing yet has zeros. */
export function nodeCounts(pipeline: CompiledPipeline, counts: ReadonlyMap<string, Counts>): readonly NodeCounts[] {
  const of = (kind: NodeCounts["kind"], nodes: readonly { readonly name: string }[]) =>
    nodes.map(({ name }) => ({ kind, name, counts: counts.get(name) ?? none() }))
  return [...of("source", pipeline.sources), ...of("stage", pipeline.stages), ...of("sink", pipeline.sinks)]
}

export const total = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)
