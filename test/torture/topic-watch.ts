import { envelopeCodec } from "../../formats/avro/index.ts"
import type { Envelope } from "../../formats/avro/index.ts"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import type { RecordType } from "../../core/index.ts"
import type { Fetched, Log, Reader } from "../../core/ports/log.ts"

/** A record where it stands. */
export interface Found {
  readonly partition: number
  readonly offset: bigint
  readonly envelope: Envelope
}

/** Reads topics as a subscriber does, what is committed only, and goes on from where it was. */
export class TopicWatch {
  readonly #brokers: readonly string[]
  readonly #readers = new Map<string, { reader: Reader | undefined; next: bigint }>()
  #log: Promise<Log> | undefined

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers
  }

  get log(): Promise<Log> {
    this.#log ??= openKafkaLog({ brokers: this.#brokers, clientId: "torture-test", topicDefaults: {} }).catch(
      (error: unknown) => {
        this.#log = undefined
        throw error
      },
    )
    return this.#log
  }

  /** The records that came since the last call. */
  async records(topic: string, partitions: number, type: RecordType): Promise<readonly Found[]> {
    const codec = envelopeCodec(type.avro)
    const found: Found[] = []
    for (const { partition, message } of await this.messages(topic, partitions)) {
      const envelope = codec.decode(message.value!)
      if (envelope.op !== "control") found.push({ partition, offset: message.offset, envelope })
    }
    return found
  }

  /** The messages that came since the last call; none while the brokers cannot be reached. */
  async messages(
    topic: string,
    partitions: number,
  ): Promise<readonly { readonly partition: number; readonly message: Fetched }[]> {
    const each = Array.from({ length: partitions }, (_, partition) => this.#partition(topic, partition))
    return (await Promise.all(each)).flat()
  }

  async #partition(topic: string, partition: number) {
    const slot = `${topic}/${partition}`
    const place = this.#readers.get(slot) ?? { reader: undefined, next: 0n }
    this.#readers.set(slot, place)
    const found: { partition: number; message: Fetched }[] = []
    try {
      place.reader ??= await (await this.log).reader(topic, partition, place.next)
      for (;;) {
        const { messages, next, head } = await place.reader.read({ maxBytes: 4 << 20, maxMessages: 10_000, waitMs: 1 })
        found.push(...messages.map((message) => ({ partition, message })))
        place.next = next
        if (messages.length === 0 || next >= head) return found
      }
    } catch {
      await place.reader?.close().catch(() => {})
      place.reader = undefined
      return found
    }
  }

  async close(): Promise<void> {
    await (await this.#log?.catch(() => undefined))?.close()
  }
}
