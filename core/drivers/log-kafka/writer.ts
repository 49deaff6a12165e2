import { setTimeout as sleep } from "node:timers/promises"
import type { Kafka, Message as KafkaMessage } from "kafkajs"
import { fatal, retryable, type WeirError } from "../../errors.ts"
import type { Append, GroupOffsets, Message, Writer } from "../../ports/log.ts"
import type { Client } from "./client.ts"
import { faultOf, isFencing, kafkaError } from "./errors.ts"
import { Producer } from "./producer.ts"
import { TIME_HEADER } from "./record-batch.ts"
import { rounds } from "./rounds.ts"
import type { Topics } from "./topics.ts"

/** Ms after which the coordinator aborts a transaction whose writer went silent. */
const TRANSACTION_TIMEOUT = 20_000
/** Past the last message that a transaction wrote, by topic and partition. */
type Ends = Map<string, Map<number, bigint>>

/** Opens the transactional writer of an id. It resolves when Kafka gave it the id's next epoch, which it does only once the
 * transaction of the one before is committed or aborted. */
export async function openWriter(kafka: Kafka, client: Client, topics: Topics, id: string): Promise<Writer> {
  const producer = new Producer(kafka, id, TRANSACTION_TIMEOUT)
  try {
    await producer.open()
    return new KafkaWriter(id, producer, client, topics)
  } catch (error) {
    await producer.close()
    throw error
  }
}

class KafkaWriter implements Writer {
  readonly #id: string
  readonly #producer: Producer
  readonly #client: Client
  readonly #topics: Topics
  #last: Promise<unknown> = Promise.resolve()
  #failed: WeirError | undefined

  constructor(id: string, producer: Producer, client: Client, topics: Topics) {
    this.#id = id
    this.#producer = producer
    this.#client = client
    this.#topics = topics
  }

  transact(appends: readonly Append[], offsets: readonly GroupOffsets[] = []): Promise<void> {
    const turn = this.#last.then(() => this.#transact(appends, offsets))
    this.#last = turn.catch(() => {})
    return turn
  }

  async close(): Promise<void> {
    this.#failed ??= fatal("writer-closed", `writer ${this.#id} was closed`)
    await this.#last
    // Whatever is open would hold back readers until it times out.
    if (this.#producer.isActive) await this.#producer.abort().catch(() => {})
    await this.#producer.close()
  }

  async #transact(appends: readonly Append[], offsets: readonly GroupOffsets[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    try {
      this.#producer.begin()
      const ends = await this.#append(appends)
      for (const { group, next } of offsets) await this.#offsets(group, next)
      await this.#commit()
      await this.#seen(ends)
    } catch (error) {
      this.#failed = kafkaError(error, `writer ${this.#id}`)
      throw this.#failed
    }
  }

  async #append(appends: readonly Append[]): Promise<Ends> {
    const ends: Ends = new Map()
    const stamped = new Set<string>()
    for (const topic of new Set(appends.map((each) => each.topic))) {
      ends.set(topic, new Map())
      if (await this.#topics.appendTime(topic)) stamped.add(topic)
    }
    for (const round of rounds(appends)) {
      const written = await this.#producer.send(
        round.map(({ topic, partition, messages }) => ({
          topic,
          partition,
          messages: messages.map((message) => toKafka(message, stamped.has(topic))),
        })),
      )
      const counts = new Map(round.map((each) => [`${each.partition}/${each.topic}`, each.messages.length]))
      for (const { topic, partition, offset } of written)
        ends.get(topic)?.set(partition, offset + BigInt(counts.get(`${partition}/${topic}`) ?? 0))
    }
    return ends
  }

  async #offsets(group: string, next: GroupOffsets["next"]): Promise<void> {
    const topics = [...new Set(next.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: next
        .filter((each) => each.topic === topic)
        .map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }))
    if (topics.length === 0) return
    await this.#producer.sendOffsets(group, topics)
  }

  /** It is asked once, so that an answer of "fenced" means that this was not committed; any other failure leaves it open. */
  async #commit(): Promise<void> {
    try {
      await this.#producer.commit()
    } catch (error) {
      if (isFencing(faultOf(error))) throw error
      throw retryable("unknown-outcome", `writer ${this.#id}: it is not known whether the transaction was committed`, {
        cause: error,
        hint: "open the writer again, then look",
      })
    }
  }

  /** Committed is decided when the coordinator answers, but readers see it only once every partition has its marker. Waits for
   * that, a little: what is committed stays so. */
  async #seen(ends: Ends): Promise<void> {
    const until = performance.now() + 500
    for (let pause = 1; performance.now() < until; pause = Math.min(20, pause * 2)) {
      const waiting = [...ends].filter(([, partitions]) => partitions.size > 0)
      if (waiting.length === 0) return
      const asked = waiting.map(([topic, partitions]) => ({
        topic,
        fromBeginning: false,
        partitions: [...partitions.keys()].map((partition) => ({ partition })),
      }))
      const names = asked.map(({ topic }) => topic)
      const look = this.#client.use("looking", names, (cluster) => cluster.fetchTopicsOffset(asked), 200)
      for (const { topic, partitions } of await look.catch(() => []))
        for (const { partition, offset } of partitions)
          if (BigInt(offset) > (ends.get(topic)?.get(partition) ?? 0n)) ends.get(topic)?.delete(partition)
      if ([...ends.values()].some(({ size }) => size > 0)) await sleep(pause)
    }
  }
}

function toKafka(message: Message, stamped: boolean): KafkaMessage {
  const time = String(Math.max(0, Math.trunc(message.timestamp)))
  const { headers } = message
  const all = stamped ? { ...headers, [TIME_HEADER]: time } : headers
  return {
    key: asBuffer(message.key),
    value: asBuffer(message.value),
    timestamp: time,
    ...(all === undefined ? {} : { headers: { ...all } }),
  }
}

const asBuffer = (bytes: Uint8Array | null): Buffer | null =>
  bytes === null || Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
