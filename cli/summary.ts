import type { CompiledPipeline } from "../core/pipeline/model.ts"
import type { Fates, Summary } from "../core/engine/run.ts"
import { nodeCounts, pausedText, total } from "./counts.ts"
import type { NodeCounts } from "./counts.ts"
import { columns, json } from "./table.ts"

/** Most labels of one counter that the table shows; JSON has all. */
const mostLabels = 8

const byReason = (counts: ReadonlyMap<string, number>): string => {
  const sorted = [...counts].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  const shown = sorted.slice(0, mostLabels).map(([reason, count]) => `${reason} ${count}`)
  const left = sorted.length - shown.length
  return [...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(", ")
}

/** What a run did, as a table: for each source, stage and sink what came in, went out, was held, dropped and refused; below it the
 * reasons, what plugins counted, and what became of everything that ever arrived. */
export function summaryTable(
  pipeline: CompiledPipeline,
  summary: Summary,
  fates: ReadonlyMap<string, Fates> = new Map(),
): string {
  const nodes = nodeCounts(pipeline, summary)
  return [
    ...countRows(nodes),
    ...reasons("dropped", nodes, ({ counts }) => counts.dropped),
    ...reasons("dead letters", nodes, ({ counts }) => counts.dead),
    ...counted(nodes),
    ...fateRows(fates),
    ...nodes.flatMap(({ name, counts }) =>
      pausedText(counts) === undefined ? [] : [`${name} is paused: ${pausedText(counts)}`],
    ),
    "",
  ].join("\n")
}

/** The numbers alone, a line for each node. */
export function countRows(nodes: readonly NodeCounts[]): string[] {
  const head = ["", "", "in", "out", "held", "dropped", "dead letters"]
  const rows = nodes.map(({ kind, name, counts }) => [
    kind,
    name,
    ...[counts.in, counts.out, counts.held, total(counts.dropped), total(counts.dead)].map(String),
  ])
  return columns([head, ...rows], new Set([2, 3, 4, 5, 6]))
}

function reasons(title: string, nodes: readonly NodeCounts[], of: (node: NodeCounts) => ReadonlyMap<string, number>) {
  const rows = nodes.filter((node) => of(node).size > 0).map((node) => [`  ${node.name}`, byReason(of(node))])
  return rows.length === 0 ? [] : ["", title, ...columns(rows)]
}

function counted(nodes: readonly NodeCounts[]): string[] {
  const rows = nodes.flatMap(({ name, counts }) =>
    [...counts.other].map(([counter, labels]) => [`  ${name}`, counter, byReason(labels)]),
  )
  return rows.length === 0 ? [] : ["", "counted by plugins", ...columns(rows)]
}

/** A line for each arrivals topic: its numbers sum to what arrived. */
export function fateRows(fates: ReadonlyMap<string, Fates>): string[] {
  if (fates.size === 0) return []
  const rows = [...fates].map(([topic, { sources, arrived, released, dead, dropped, waiting }]) => [
    `  ${topic}`,
    sources.join(", "),
    ...[arrived, released, total(dead), total(dropped), waiting].map(String),
  ])
  const head = ["  topic", "from", "arrived", "released", "dead letters", "dropped", "waiting"]
  const why = (title: string, of: (fate: Fates) => ReadonlyMap<string, number>) =>
    [...fates].filter(([, fate]) => of(fate).size > 0).map(([topic, fate]) => [`  ${topic}`, title, byReason(of(fate))])
  const reasonsOf = columns([...why("dead letters", ({ dead }) => dead), ...why("dropped", ({ dropped }) => dropped)])
  return ["", "what became of each arrival", ...columns([head, ...rows], new Set([2, 3, 4, 5, 6])), ...reasonsOf]
}

const object = (counts: ReadonlyMap<string, number>) => Object.fromEntries(counts)

const fatesOf = (fates: ReadonlyMap<string, Fates>) =>
  Object.fromEntries(
    [...fates].map(([topic, fate]) => [topic, { ...fate, dead: object(fate.dead), dropped: object(fate.dropped) }]),
  )

/** The same as JSON: `{ pipeline, ended, sources | stages | sinks: { name: { in, out, held, dropped, dead, counters } },
 * fates: { topic: { sources, arrived, released, dead, dropped, waiting } } }`. */
export function summaryJson(
  pipeline: CompiledPipeline,
  summary: Summary,
  ended: string,
  fates: ReadonlyMap<string, Fates> = new Map(),
): string {
  const nodes = nodeCounts(pipeline, summary)
  const of = (kind: NodeCounts["kind"]) =>
    Object.fromEntries(
      nodes
        .filter((node) => node.kind === kind)
        .map(({ name, counts }) => [
          name,
          {
            in: counts.in,
            out: counts.out,
            held: counts.held,
            dropped: object(counts.dropped),
            dead: object(counts.dead),
            counters: Object.fromEntries([...counts.other].map(([counter, labels]) => [counter, object(labels)])),
            ...(pausedText(counts) === undefined ? {} : { paused: pausedText(counts) }),
          },
        ]),
    )
  return `${json({ pipeline: pipeline.name, ended, sources: of("source"), stages: of("stage"), sinks: of("sink"), fates: fatesOf(fates) }, 2)}\n`
}
