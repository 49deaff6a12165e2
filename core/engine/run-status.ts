import type { Counts } from "./counters.ts"
import { codedLabels } from "./metric.ts"
import type { ProcessUse } from "./metrics.ts"
import type { Readiness } from "./readiness.ts"
import type { Runtime } from "./runtime.ts"
import { lagOf } from "./survey.ts"
import type { Seen } from "./survey.ts"

const time = (ms: number): string => new Date(ms).toISOString()
const object = (counts: ReadonlyMap<string, number>) => Object.fromEntries(codedLabels(counts))

/** What the listener tells at /status, as JSON: of each source, stage and sink its counts, and of each of its partitions in this
 * process the positions, the lag, and why it stands still if it does. Offsets are texts. */
export function runStatus(runtime: Runtime, seen: Seen, readiness: Readiness, use: ProcessUse): object {
  const { pipeline, counters, now } = runtime
  const of = (nodes: readonly { readonly name: string }[]) =>
    Object.fromEntries(nodes.map(({ name }) => [name, nodeStatus(counters.of(name), seen)]))
  return {
    pipeline: pipeline.name,
    time: time(now()),
    uptimeSeconds: Math.round(use.uptime),
    ...readiness,
    memory: { rss: use.memory.rss, heapUsed: use.memory.heapUsed, external: use.memory.external },
    sources: of(pipeline.sources),
    stages: of(pipeline.stages),
    sinks: of(pipeline.sinks),
  }
}

function nodeStatus(counts: Counts, seen: Seen): object {
  const partitions = [...counts.partitions.values()].map(({ topic, partition, inputs, paused }) => ({
    ...(topic === undefined ? {} : { topic }),
    partition,
    inputs: Object.fromEntries(
      [...inputs].map(([name, input]) => [
        name,
        { position: String(input.next), lag: lagOf(seen, name, partition, input) },
      ]),
    ),
    ...(paused === undefined
      ? {}
      : { paused: { code: paused.code, since: time(paused.since), nextProbe: time(paused.nextProbe) } }),
  }))
  return {
    in: counts.in,
    out: counts.out,
    held: counts.held,
    batches: counts.batches,
    dropped: object(counts.dropped),
    dead: object(counts.dead),
    partitions,
  }
}
