import { createHash } from "node:crypto"
import type { Control } from "../codec.ts"
import type { Ports, SourceDef } from "../plugin.ts"
import type { CompiledPipeline, CompiledTopic } from "../pipeline/model.ts"

/** What a task knows of its inputs' writers and has told its outputs' readers; stored with its position. */
export interface Facts {
  /** By `topic|writer`, the mark of each writer that ended and did not open again. */
  ended: Record<string, string>
  /** Feed to `topic|writer` to clinical time, ms. */
  complete: Record<string, Record<string, number>>
  /** The mark with which this task forwarded its end, if it wrote nothing since; "" when it is open. */
  closed: string
  /** Feed to what this task forwarded. */
  forwarded: Record<string, number>
}

export const noFacts = (): Facts => ({ ended: {}, complete: {}, closed: "", forwarded: {} })

/** Facts as read back from storage. */
export const readFacts = (stored: unknown): Facts => ({
  ...noFacts(),
  ...structuredClone(stored as Partial<Facts> | undefined),
})

/** Takes in one control; true if anything changed. */
export function fold(facts: Facts, control: Control): boolean {
  const slot = `${control.at.topic}|${control.writer}`
  if (control.kind === "complete") {
    const feed = (facts.complete[control.feed ?? ""] ??= {})
    if ((feed[slot] ?? Number.NEGATIVE_INFINITY) >= (control.through ?? 0)) return false
    feed[slot] = control.through ?? 0
    return true
  }
  const before = facts.ended[slot]
  if (control.kind === "end") facts.ended[slot] = control.mark ?? ""
  else delete facts.ended[slot]
  return before !== facts.ended[slot]
}

/** The writers whose marks a reader of the topic waits for. */
function writersOf(topic: CompiledTopic, pipeline: CompiledPipeline): string[] {
  return topic.writers.flatMap(({ kind, name }) => {
    if (kind === "source") return [`source/${name}`]
    const partitions = pipeline.stages.find((stage) => stage.name === name)?.partitions ?? 0
    return Array.from({ length: partitions }, (_, partition) => `stage/${name}/${partition}`)
  })
}

/** True when every writer of every input ended; a topic that nothing in the pipeline writes has no end to wait for. */
export function allEnded(facts: Facts, topics: readonly CompiledTopic[], pipeline: CompiledPipeline): boolean {
  return topics.every((topic) =>
    writersOf(topic, pipeline).every((writer) => facts.ended[`${topic.name}|${writer}`] !== undefined),
  )
}

/** The mark of a reader whose inputs ended: equal for equal marks of all their writers, and for the same --as-of. So whoever knows
 * the marks of the sources knows every mark below them.
 * @param markOf the mark of a topic's writer */
export function markOfInputs(
  topics: readonly CompiledTopic[],
  pipeline: CompiledPipeline,
  asOf: number | undefined,
  markOf: (topic: string, writer: string) => string,
): string {
  const parts = topics.flatMap((topic) =>
    writersOf(topic, pipeline).map((writer) => `${topic.name}|${writer}=${markOf(topic.name, writer)}`),
  )
  const text = `${asOf ?? ""}\n${parts.sort().join("\n")}`
  return createHash("sha256").update(text).digest("base64url").slice(0, 22)
}

/** What every stage and sink will have ended with, once everything of the sources has passed it. */
export function expectedMarks(
  pipeline: CompiledPipeline,
  asOf: number | undefined,
  sourceMark: (source: string) => string,
): { readonly stages: ReadonlyMap<string, string>; readonly sinkTopics: ReadonlyMap<string, string> } {
  const stages = new Map<string, string>()
  const mark = (topics: Iterable<string>) =>
    markOfInputs(
      [...topics].map((topic) => pipeline.topics.get(topic)!),
      pipeline,
      asOf,
      (_topic, writer) => {
        const [kind, name] = writer.split("/") as [string, string]
        return kind === "source" ? sourceMark(name) : (stages.get(name) ?? "")
      },
    )
  for (const stage of pipeline.stages) stages.set(stage.name, mark(stage.inputs.keys()))
  const topics = new Set(pipeline.sinks.flatMap((sink) => sink.topics))
  return { stages, sinkTopics: new Map([...topics].map((topic) => [topic, mark([topic])])) }
}

/** How far each feed is complete: what all writers that carry it, on all inputs, have declared. A source that declared nothing
 * yet may still bring anything: its feeds are complete to -Infinity. */
export function completeThrough(
  facts: Facts,
  topics: readonly CompiledTopic[],
  pipeline: CompiledPipeline,
): Map<string, number> {
  const result = new Map<string, number>()
  for (const [feed, declared] of Object.entries(facts.complete)) {
    const source = feed.split("/")[0] ?? feed
    const carriers = topics.flatMap((topic) =>
      writersOf(topic, pipeline)
        .filter((writer) => topic.feeds.get(writer.split("/")[1] ?? "")?.includes(source) === true)
        .map((writer) => `${topic.name}|${writer}`),
    )
    const times = carriers.map((slot) => declared[slot])
    if (times.length > 0 && times.every((time) => time !== undefined))
      result.set(feed, Math.min(...(times as number[])))
  }
  const declaring = new Set([...result.keys()].map((feed) => feed.split("/")[0]))
  for (const { name, plugin } of pipeline.sources)
    if (!declaring.has(name) && topics.some(({ feeds }) => [...feeds.values()].flat().includes(name)))
      for (const feed of (plugin as SourceDef<unknown, Ports>).feeds ?? ["*"])
        result.set(`${name}/${feed}`, Number.NEGATIVE_INFINITY)
  return result
}
