import { topicCodec } from "../../core/codec.ts"
import type { CompiledTopic } from "../../core/pipeline/model.ts"
import type { Fetched, Log } from "../../core/ports/log.ts"
import type { Objects } from "../../core/ports/objects.ts"
import type { Position, Rec } from "../../core/record.ts"
import { registered } from "../../core/registry.ts"

/** Where to begin, and how many records at most. */
export interface ReadLimit {
  /** First offset of each partition; the first that is kept when it is older. */
  readonly from: bigint
  readonly limit: number
}

/** What is in a topic now, partition after partition; ends at what was committed when it began. */
export async function* readMessages(
  log: Log,
  topic: string,
  from: bigint,
): AsyncGenerator<{ readonly partition: number; readonly message: Fetched }> {
  for (const [partition, { start, end }] of (await log.bounds(topic)).entries()) {
    let next = from > start ? from : start
    if (next >= end) continue
    const reader = await log.reader(topic, partition, next)
    try {
      while (next < end) {
        const batch = await reader.read({ maxBytes: 4 << 20, maxMessages: 1000, waitMs: 1000 })
        for (const message of batch.messages) if (message.offset < end) yield { partition, message }
        next = batch.next
      }
    } finally {
      await reader.close()
    }
  }
}

/** The records of a topic that a pipeline declares, without the notes that tasks leave for each other. */
export async function* readRecords(
  log: Log,
  topic: CompiledTopic,
  objects: Objects,
  { from, limit }: ReadLimit,
): AsyncGenerator<Rec> {
  const { topics, schemas } = await registered(log)
  const schema = topics.get(topic.name)?.schema
  if (schema === undefined || limit === 0) return
  const codec = topicCodec(topic.name, topic.zone, topic.type, schema, schemas, objects)
  let left = limit
  for await (const { partition, message } of readMessages(log, topic.name, from)) {
    const decoded = await codec.decode(message, partition)
    if (!("record" in decoded)) continue
    yield decoded.record
    if (--left === 0) return
  }
}

/** A message of one of the engine's own topics: JSON. */
export interface Note {
  readonly at: Position
  readonly value: Readonly<Record<string, unknown>>
}

/** The messages of one of the engine's own topics, which are JSON; a topic that is not there yet has none. */
export async function* readNotes(log: Log, topic: string, from = 0n): AsyncGenerator<Note> {
  if (!(await log.topics()).some(({ name }) => name === topic)) return
  for await (const { partition, message } of readMessages(log, topic, from))
    if (message.value !== null)
      yield {
        at: { topic, partition, offset: message.offset },
        value: JSON.parse(Buffer.from(message.value).toString()) as Note["value"],
      }
}
