import { pausedPartitions } from "./counters.ts"
import type { Counts, PartitionState } from "./counters.ts"
import { codedLabels } from "./metric.ts"
import type { Family, Labels } from "./metric.ts"
import type { Readiness } from "./readiness.ts"
import type { Runtime } from "./runtime.ts"
import { lagOf } from "./survey.ts"
import type { Seen } from "./survey.ts"

interface Node {
  readonly labels: { readonly kind: string; readonly name: string }
  readonly counts: Counts
}
type Samples = Family["samples"]

/** What a process measures of itself, once for every look. */
export interface ProcessUse {
  readonly memory: NodeJS.MemoryUsage
  readonly cpu: NodeJS.CpuUsage
  /** Seconds. */
  readonly uptime: number
}

/** Every metric of a running pipeline; docs/guides/operate.md tells what to watch. */
export function metricFamilies(runtime: Runtime, seen: Seen, readiness: Readiness, use: ProcessUse): readonly Family[] {
  const nodes = nodesOf(runtime)
  return [
    ...countFamilies(nodes),
    ...durationFamilies(nodes),
    ...positionFamilies(nodes, seen),
    ...pauseFamilies(nodes, runtime.now()),
    ...taskFamilies(seen, runtime.now()),
    ...reviewFamilies(seen, runtime.now()),
    ...watchFamilies(runtime),
    ...processFamilies(readiness, use),
  ]
}

function nodesOf({ pipeline, counters }: Runtime): readonly Node[] {
  const of = (kind: string, nodes: readonly { readonly name: string }[]) =>
    nodes.map(({ name }) => ({ labels: { kind, name }, counts: counters.of(name) }))
  return [...of("source", pipeline.sources), ...of("stage", pipeline.stages), ...of("sink", pipeline.sinks)]
}

const counter = (name: string, help: string, samples: Samples): Family => ({ name, type: "counter", help, samples })
const gauge = (name: string, help: string, samples: Samples): Family => ({ name, type: "gauge", help, samples })

function countFamilies(nodes: readonly Node[]): readonly Family[] {
  const each = (of: (counts: Counts) => number) => nodes.map(({ labels, counts }) => ({ labels, value: of(counts) }))
  const by = (label: string, of: (counts: Counts) => ReadonlyMap<string, number>) =>
    nodes.flatMap(({ labels, counts }) =>
      [...codedLabels(of(counts))].map(([code, value]) => ({ labels: { ...labels, [label]: code }, value })),
    )
  const counted = nodes.flatMap(({ labels, counts }) =>
    [...counts.other].flatMap(([name, counter]) =>
      [...codedLabels(counter)].map(([label, value]) => ({ labels: { ...labels, counter: name, label }, value })),
    ),
  )
  return [
    counter(
      "weir_batches_total",
      "Committed steps",
      each(({ batches }) => batches),
    ),
    counter(
      "weir_records_in_total",
      "Records that came in",
      each((counts) => counts.in),
    ),
    counter(
      "weir_records_out_total",
      "Records that went out",
      each(({ out }) => out),
    ),
    counter(
      "weir_records_held_total",
      "Records that were held until others come",
      each(({ held }) => held),
    ),
    counter(
      "weir_dropped_total",
      "Records that were dropped, by reason",
      by("reason", ({ dropped }) => dropped),
    ),
    counter(
      "weir_dead_letters_total",
      "Records that became dead letters, by code",
      by("code", ({ dead }) => dead),
    ),
    counter("weir_plugin_total", "What plugins count", counted),
  ]
}

function durationFamilies(nodes: readonly Node[]): readonly Family[] {
  const histogram = (name: string, help: string, samples: Samples): Family => ({
    name,
    type: "histogram",
    help,
    samples,
  })
  const sinks = nodes.filter(({ labels }) => labels.kind === "sink")
  return [
    histogram(
      "weir_step_duration_seconds",
      "From having a batch to its being committed",
      nodes.map(({ labels, counts }) => ({ labels, value: counts.steps })),
    ),
    histogram(
      "weir_sink_write_delay_seconds",
      "From the read of the oldest record of a batch by the sink to the batch's being written",
      sinks.map(({ labels, counts }) => ({ labels, value: counts.written })),
    ),
    histogram(
      "weir_arrival_to_sink_seconds",
      "From the first read of an arrival by this process to the sink's having written what stems from it: one record of a batch, where this process read its origin",
      sinks.map(({ labels, counts }) => ({ labels, value: counts.fromArrival })),
    ),
  ]
}

const placed = (labels: Labels, { topic, partition }: Pick<PartitionState, "topic" | "partition">): Labels => ({
  ...labels,
  ...(topic === undefined ? {} : { topic }),
  partition,
})

function positionFamilies(nodes: readonly Node[], seen: Seen): readonly Family[] {
  const inputs = nodes.flatMap(({ labels, counts }) =>
    [...counts.partitions.values()].flatMap(({ partition, inputs: topics }) =>
      [...topics].map(([topic, input]) => ({ labels: { ...labels, topic, partition }, topic, partition, input })),
    ),
  )
  return [
    gauge(
      "weir_consumer_lag",
      "Offsets between the position and the end of the topic, of the partitions of this process; markers count too",
      inputs.map(({ labels, topic, partition, input }) => ({ labels, value: lagOf(seen, topic, partition, input) })),
    ),
    gauge(
      "weir_consumer_position",
      "The next offset to read after what is committed",
      inputs.map(({ labels, input }) => ({ labels, value: Number(input.next) })),
    ),
  ]
}

function pauseFamilies(nodes: readonly Node[], now: number): readonly Family[] {
  const paused = nodes.flatMap(({ labels, counts }) =>
    pausedPartitions(counts).map((state) => ({ labels: placed(labels, state), pause: state.paused })),
  )
  return [
    gauge(
      "weir_partition_paused",
      "1 while a partition stands still, with the code of the reason",
      paused.map(({ labels, pause }) => ({ labels: { ...labels, code: pause.code }, value: 1 })),
    ),
    gauge(
      "weir_partition_paused_seconds",
      "For how long a partition has stood still",
      paused.map(({ labels, pause }) => ({ labels, value: (now - pause.since) / 1000 })),
    ),
    gauge(
      "weir_partition_next_probe_timestamp_seconds",
      "When a partition that stands still is tried again",
      paused.map(({ labels, pause }) => ({ labels, value: pause.nextProbe / 1000 })),
    ),
  ]
}

function taskFamilies({ tasks }: Seen, now: number): readonly Family[] {
  const each = (of: (task: Seen["tasks"][number]) => number) =>
    tasks.map((task) => ({ labels: { kind: "stage", name: task.stage, partition: task.partition }, value: of(task) }))
  const clocks = tasks.flatMap(({ stage, partition, timers }) =>
    (["quiet", "calendar"] as const).map((clock) => ({
      labels: { kind: "stage", name: stage, partition, clock },
      ...timers[clock],
    })),
  )
  return [
    gauge(
      "weir_outbox_pending",
      "Outbox rows of a stateful stage that are not published",
      each(({ pending }) => pending),
    ),
    gauge(
      "weir_pending_entries",
      "What a stateful stage holds back until a timer fires, of all processes: of assemble-study the pending studies",
      each(({ waiting }) => waiting.entries),
    ),
    gauge(
      "weir_pending_oldest_seconds",
      "For how long the oldest of it has been held back, from the first change that was not passed on; 0 when nothing is",
      each(({ waiting: { since } }) => (since === undefined ? 0 : Math.max(0, now - since) / 1000)),
    ),
    gauge(
      "weir_timers_armed",
      "Armed timers of a stateful stage, of all processes",
      clocks.map(({ labels, armed }) => ({ labels, value: armed })),
    ),
    gauge(
      "weir_timers_overdue_seconds",
      "For how long the earliest armed timer has been due; 0 when none is",
      clocks.map(({ labels, due }) => ({ labels, value: due === undefined ? 0 : Math.max(0, now - due) / 1000 })),
    ),
  ]
}

function watchFamilies({ pipeline, selfChecks, canaries }: Runtime): readonly Family[] {
  const stages = pipeline.stages
    .filter(({ privacy }) => privacy)
    .map(({ name }) => ({ labels: { kind: "stage", name }, ...selfChecks.state(name) }))
  const alarms = stages.map(({ labels, alarm }) => ({ labels, value: alarm ? 1 : 0 }))
  return [
    gauge("weir_self_check_alarm", "1 while hits of the self-check of a stage repeat", alarms),
    ...(canaries === undefined
      ? []
      : [
          counter("weir_canary_leaks_total", "Canaries that were about to be written below phi", [
            { labels: {}, value: canaries.hits },
          ]),
        ]),
  ]
}

function reviewFamilies({ reviews }: Seen, now: number): readonly Family[] {
  const labels = (stage: string) => ({ kind: "stage", name: stage })
  return [
    gauge(
      "weir_reviews",
      "What a stage holds or held for a person to decide on, by state, of all processes",
      reviews.map(({ stage, state, count }) => ({ labels: { ...labels(stage), state }, value: count })),
    ),
    gauge(
      "weir_review_oldest_seconds",
      "For how long the oldest that waits for a person has been held; absent when nothing waits",
      reviews
        .filter(({ state }) => state === "pending")
        .map(({ stage, oldest }) => ({ labels: labels(stage), value: Math.max(0, now - oldest) / 1000 })),
    ),
  ]
}

function processFamilies(readiness: Readiness, { memory, cpu, uptime }: ProcessUse): readonly Family[] {
  const one = (value: number): Samples => [{ labels: {}, value }]
  return [
    gauge(
      "weir_ready",
      "1 when the ports are open, the groups joined, and nothing stands still",
      one(readiness.ready ? 1 : 0),
    ),
    gauge("weir_uptime_seconds", "For how long the process has run", one(uptime)),
    gauge("process_resident_memory_bytes", "Resident memory", one(memory.rss)),
    gauge("nodejs_heap_size_used_bytes", "Used heap", one(memory.heapUsed)),
    gauge("nodejs_external_memory_bytes", "Memory of buffers outside the heap", one(memory.external)),
    counter("process_cpu_seconds_total", "User and system time", one((cpu.user + cpu.system) / 1e6)),
  ]
}
