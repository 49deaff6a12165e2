import type { Append, Message } from "../../ports/log.ts"

/** Bytes of one record batch, well under what a topic takes; a larger message goes alone. */
const BATCH_BYTES = 1 << 20
/** Bytes of one round of requests, well under what a broker takes (100 MiB). */
const ROUND_BYTES = 16 << 20
const RECORD_OVERHEAD = 32

/** Cuts appends into rounds: in each, one batch a partition, in order. */
export function* rounds(appends: readonly Append[]): Generator<Append[]> {
  const queues = new Map<string, { topic: string; partition: number; messages: Message[]; at: number }>()
  for (const { topic, partition, messages } of appends) {
    const queue = queues.get(`${partition}/${topic}`)
    if (queue === undefined) queues.set(`${partition}/${topic}`, { topic, partition, messages: [...messages], at: 0 })
    else queue.messages.push(...messages)
  }
  while (queues.size > 0) {
    const round: Append[] = []
    let bytes = 0
    for (const [name, queue] of queues) {
      if (bytes > ROUND_BYTES) break
      const cut = nextBatch(queue.messages, queue.at)
      bytes += cut.bytes
      if (cut.end > queue.at)
        round.push({
          topic: queue.topic,
          partition: queue.partition,
          messages: queue.messages.slice(queue.at, cut.end),
        })
      queue.at = cut.end
      if (queue.at === queue.messages.length) queues.delete(name)
    }
    if (round.length > 0) yield round
  }
}

function nextBatch(messages: readonly Message[], from: number): { readonly end: number; readonly bytes: number } {
  let bytes = 0
  let end = from
  for (; end < messages.length; end++) {
    const size = sizeOf(messages[end]!)
    if (end > from && bytes + size > BATCH_BYTES) break
    bytes += size
  }
  return { end, bytes }
}

const sizeOf = ({ key, value, headers }: Message): number =>
  (key?.length ?? 0) +
  (value?.length ?? 0) +
  RECORD_OVERHEAD +
  (headers === undefined ? 0 : JSON.stringify(headers).length)
