import type { Control, TopicCodec } from "../codec.ts"
import { partitionOf } from "../partition.ts"
import type { Append, Message } from "../ports/log.ts"
import type { Draft, Position } from "../record.ts"

/** The messages of one step, gathered by partition, in order. */
export class Outbound {
  readonly #byPlace = new Map<string, { topic: string; partition: number; messages: Message[] }>()
  readonly #late: Promise<void>[] = []
  /** Records added, without controls. */
  records = 0

  add(topic: string, partition: number, message: Message): void {
    this.#slot(topic, partition).push(message)
  }

  record(codec: TopicCodec, partitions: number, draft: Draft, origin: Position): void {
    this.records++
    const slot = this.#slot(codec.topic, partitionOf(draft.key, partitions))
    const message = codec.encode(draft, origin)
    if (!(message instanceof Promise)) {
      slot.push(message)
      return
    }
    // The place is kept now, so that order survives the claim check.
    const at = slot.push({ key: null, value: null, timestamp: 0 }) - 1
    this.#late.push(message.then((ready) => void (slot[at] = ready)))
  }

  control(codec: TopicCodec, partitions: number, control: Omit<Control, "at">): void {
    for (let partition = 0; partition < partitions; partition++)
      this.add(codec.topic, partition, codec.control(control))
  }

  append({ topic, partition, messages }: Append): void {
    this.#slot(topic, partition).push(...messages)
  }

  async appends(): Promise<Append[]> {
    await Promise.all(this.#late)
    return [...this.#byPlace.values()]
  }

  #slot(topic: string, partition: number): Message[] {
    const place = `${topic}\u0000${partition}`
    let slot = this.#byPlace.get(place)
    if (slot === undefined) this.#byPlace.set(place, (slot = { topic, partition, messages: [] }))
    return slot.messages
  }
}
