import type { Control } from "../codec.ts"
import type { CompiledPipeline, CompiledTopic } from "../pipeline/model.ts"

/** What a task knows of its inputs' writers and has told its outputs' readers; stored with its position. */
export interface Facts {
  /** `topic|writer` of each writer that ended and did not open again. */
  ended: Record<string, true>
  /** Feed to `topic|writer` to clinical time, ms. */
  complete: Record<string, Record<string, number>>
  /** This task forwarded its end and wrote nothing since. */
  closed: boolean
  /** Feed to what this task forwarded. */
  forwarded: Record<string, number>
}

export const noFacts = (): Facts => ({ ended: {}, complete: {}, closed: false, forwarded: {} })

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
  const ended = facts.ended[slot] === true
  if (control.kind === "end") facts.ended[slot] = true
  else delete facts.ended[slot]
  return ended !== (control.kind === "end")
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
    writersOf(topic, pipeline).every((writer) => facts.ended[`${topic.name}|${writer}`] === true),
  )
}

/** How far each feed is complete: what all writers that carry it, on all inputs, have declared. */
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
  return result
}
