import { canaryArrived, canarySeen } from "../canary/watch.ts"
import type { CanaryWatch } from "../canary/watch.ts"
import { bump } from "./counters.ts"
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
    selfCheck: Object.fromEntries(
      pipeline.stages.filter(({ privacy }) => privacy).map(({ name }) => [name, runtime.selfChecks.state(name)]),
    ),
    ...(runtime.canaries === undefined ? {} : { canaries: canaryStatus(runtime, runtime.canaries) }),
    sources: of(pipeline.sources),
    stages: of(pipeline.stages),
    sinks: of(pipeline.sinks),
  }
}

/** By canary: what sources brought, and what stages passed below `phi`, clean; and how often one was about to be written there. */
function canaryStatus({ counters, pipeline }: Runtime, { hits }: CanaryWatch): object {
  const sum = (counter: string, nodes: readonly { readonly name: string }[]) => {
    const by = new Map<string, number>()
    for (const { name } of nodes)
      for (const [canary, count] of counters.of(name).other.get(counter) ?? []) bump(by, canary, count)
    return object(by)
  }
  return { arrived: sum(canaryArrived, pipeline.sources), seen: sum(canarySeen, pipeline.stages), leaks: hits }
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
