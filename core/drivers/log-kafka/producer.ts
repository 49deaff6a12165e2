import { groupBy } from "../../group-by.ts"
import { createRequire } from "node:module"
import type { Kafka, Message as KafkaMessage } from "kafkajs"
import { Client } from "./client.ts"
import { faultOf } from "./errors.ts"
import type { KafkaCluster } from "./kafkajs.ts"

/** One batch of one partition. */
export interface Part {
  readonly topic: string
  readonly partition: number
  readonly messages: readonly KafkaMessage[]
}

/** Where a batch was written. */
export interface Written {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** The calls of kafkajs's manager of one transactional id that this driver makes (kafkajs 2.2.4, `src/producer/eosManager`). */
interface EosManager {
  initProducerId(): Promise<void>
  getProducerId(): number
  getProducerEpoch(): number
  getSequence(topic: string, partition: number): number
  updateSequence(topic: string, partition: number, by: number): void
  beginTransaction(): void
  addPartitionsToTransaction(
    topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[],
  ): Promise<void>
  sendOffsets(offsets: { readonly consumerGroupId: string; readonly topics: readonly object[] }): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
  isInTransaction(): boolean
}

type MakeEosManager = (options: {
  readonly logger: object
  readonly cluster: KafkaCluster
  readonly transactionTimeout: number
  readonly transactional: true
  readonly transactionalId: string
}) => EosManager

const makeEosManager = createRequire(import.meta.url)("kafkajs/src/producer/eosManager/index.js") as MakeEosManager

const nothing = () => {}
const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
/** How long a batch is sent again while it may yet be taken, ms. */
const SEND_PATIENCE = 7000

/** A transactional producer. kafkajs's own sends a batch to all leaders at once, and to all again as soon as one of them failed,
 * also to those that have not answered yet: what these took stands in the transaction twice. Here a leader is asked again only
 * once it has answered, with the same sequence number, by which it knows what it has. */
export class Producer {
  readonly #id: string
  readonly #client: Client
  readonly #eos: EosManager

  constructor(kafka: Kafka, id: string, transactionTimeout: number) {
    this.#id = id
    this.#client = new Client(kafka)
    const { cluster } = this.#client
    this.#eos = makeEosManager({ logger, cluster, transactionTimeout, transactional: true, transactionalId: id })
  }

  /** Takes the id's next epoch: it is given once the transaction of the one before is settled. */
  async open(): Promise<void> {
    await this.#client.use(`opening writer ${this.#id}`, [], () => this.#eos.initProducerId())
  }

  begin(): void {
    this.#eos.beginTransaction()
  }

  get isActive(): boolean {
    return this.#eos.isInTransaction()
  }

  /** Writes batches, one a partition at most. After a rejection the transaction can only be aborted. */
  async send(parts: readonly Part[]): Promise<readonly Written[]> {
    const what = `writer ${this.#id}`
    const topics = [...new Set(parts.map(({ topic }) => topic))]
    await this.#client.use(what, topics, () => this.#eos.addPartitionsToTransaction(byTopic(parts)))
    const written: Written[] = []
    let left = parts
    await this.#client.use(
      what,
      topics,
      async (cluster) => {
        const asked = [...byLeader(cluster, left)]
        const answers = await Promise.allSettled(asked.map(([leader, own]) => this.#produce(cluster, leader, own)))
        const failures: unknown[] = []
        left = []
        for (const [at, answer] of answers.entries())
          if (answer.status === "fulfilled") written.push(...answer.value)
          else {
            failures.push(answer.reason)
            left = [...left, ...asked[at]![1]]
          }
        if (failures.length > 0) throw failures.find((each) => !faultOf(each).retriable) ?? failures[0]
      },
      SEND_PATIENCE,
    )
    return written
  }

  async #produce(cluster: KafkaCluster, leader: number, parts: readonly Part[]): Promise<Written[]> {
    const broker = await cluster.findBroker({ nodeId: leader })
    const topicData = byTopic(parts).map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, messages }) => ({
        partition,
        messages,
        firstSequence: this.#eos.getSequence(topic, partition),
      })),
    }))
    const { topics } = await broker.produce({
      transactionalId: this.#id,
      producerId: this.#eos.getProducerId(),
      producerEpoch: this.#eos.getProducerEpoch(),
      acks: -1,
      timeout: 10_000,
      topicData,
    })
    // Only what was taken counts: what is sent again has the number that it had.
    for (const { topic, partition, messages } of parts) this.#eos.updateSequence(topic, partition, messages.length)
    return topics.flatMap(({ topicName, partitions }) =>
      partitions.map(({ partition, baseOffset }) => ({
        topic: topicName,
        partition,
        offset: BigInt(baseOffset ?? 0),
      })),
    )
  }

  /** Commits a group's offsets with the transaction. */
  async sendOffsets(group: string, topics: readonly object[]): Promise<void> {
    const offsets = { consumerGroupId: group, topics }
    await this.#client.use(`writer ${this.#id}`, [], () => this.#eos.sendOffsets(offsets))
  }

  /** Asks once, so that of a failure that is no answer nobody knows the outcome. */
  commit(): Promise<void> {
    return this.#eos.commit()
  }

  abort(): Promise<void> {
    return this.#eos.abort()
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

function byTopic(parts: readonly Part[]): { readonly topic: string; readonly partitions: readonly Part[] }[] {
  return [...groupBy(parts, ({ topic }) => topic)].map(([topic, partitions]) => ({ topic, partitions }))
}

function byLeader(cluster: KafkaCluster, parts: readonly Part[]): Map<number, Part[]> {
  return groupBy(parts, ({ topic, partition }) => {
    const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
    if (found !== undefined && found.leader >= 0) return found.leader
    throw Object.assign(new Error("no leader is known"), { type: "LEADER_NOT_AVAILABLE", retriable: true })
  })
}
