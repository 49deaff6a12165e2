import type { Decoded } from "../codec.ts"
import { systemic } from "../errors.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import type { HeldInput } from "../plugin.ts"
import type { Fetched, TopicSpec } from "../ports/log.ts"
import type { InputSpec } from "./inputs.ts"

/** The topic through which messages come to one stage again: an input of that stage alone. */
export const replayTopic = (pipeline: string, stage: string): string => `${pipeline}.replay.${stage}`

/** The topic through which messages of one topic come to one sink again. */
export const sinkReplayTopic = (pipeline: string, sink: string, topic: string): string =>
  `${pipeline}.replay.${sink}.${topic}`

/** Every replay topic of a pipeline, with the topics whose messages come again through it. */
export const replaySources = ({
  name,
  stages,
  sinks,
}: Pick<CompiledPipeline, "name" | "stages" | "sinks">): ReadonlyMap<string, readonly string[]> =>
  new Map([
    ...stages.map((stage) => [replayTopic(name, stage.name), [...stage.inputs.keys()]] as const),
    ...sinks.flatMap((sink) => sink.topics.map((topic) => [sinkReplayTopic(name, sink.name, topic), [topic]] as const)),
  ])

/** The specs of every replay topic of a pipeline. What is in them is kept no longer than what they are copied from. */
export function replayTopics(pipeline: CompiledPipeline): TopicSpec[] {
  return [...replaySources(pipeline)].map(([name, inputs]) => {
    const of = inputs.map((input) => pipeline.topics.get(input)!)
    const kept = of.map(({ retention }) => retention)
    const ends = kept.every((ms) => ms !== undefined)
    const { partitions } = of[0]!
    return { name, partitions, ...(ends ? { retention: Math.max(...(kept as number[])) } : {}) }
  })
}

/** What a message in a replay topic says of itself, in its headers; key and value are those of the message that it repeats. */
export interface ReplayMark {
  /** The key of the dead letter for whose sake it is there. */
  readonly replayed: string
  /** Where it was first read. */
  readonly topic: string
  readonly offset: bigint
  /** How often the record was tried before. */
  readonly attempt: number
}

/** A mark as headers. */
export const markHeaders = ({ replayed, topic, offset, attempt }: ReplayMark): Readonly<Record<string, string>> => ({
  replayed,
  topic,
  offset: String(offset),
  attempt: String(attempt),
})

/** The mark of a message; undefined where there is none. */
export function readMark(headers: Fetched["headers"]): ReplayMark | undefined {
  const { replayed, topic, offset, attempt } = headers ?? {}
  if (replayed === undefined || topic === undefined || offset === undefined) return undefined
  return { replayed, topic, offset: BigInt(offset), attempt: Number(attempt ?? 1) }
}

const marks = new WeakMap<HeldInput, ReplayMark>()

/** The mark of a record that came through a replay topic in this step. */
export const markOf = (record: HeldInput): ReplayMark | undefined => marks.get(record)

/** Reads a replay topic: each message with the codec, and for the port, of the topic from which it was copied. `at` is the place
 * in the replay topic; the origin stays.
 * @param inputs what the reader reads otherwise */
export function replaySpec(topic: string, inputs: readonly InputSpec[]): InputSpec {
  const byTopic = new Map(inputs.map((spec) => [spec.topic, spec]))
  const decode = (message: Fetched, partition: number): Decoded | Promise<Decoded> => {
    const mark = readMark(message.headers)
    const of = byTopic.get(mark?.topic ?? "")
    if (mark === undefined || of === undefined)
      throw systemic(
        "replay-undecodable",
        `${topic}[${partition}]@${message.offset}: not a message of what is read here`,
        {
          hint: "the stage no longer reads the topic that it was copied from: `weir position set` to the end of the replay topic",
        },
      )
    const again = (decoded: Decoded): Decoded => {
      if ("control" in decoded) return decoded
      const at = { topic, partition, offset: message.offset }
      const record = { ...decoded.record, at, input: of.port! }
      marks.set(record, mark)
      return { record }
    }
    const decoded = of.codec.decode({ ...message, offset: mark.offset }, partition)
    return decoded instanceof Promise ? decoded.then(again) : again(decoded)
  }
  return { topic, port: undefined, codec: { decode } }
}
