import { setTimeout as sleep } from "node:timers/promises"
import type { Kafka } from "kafkajs"
import { faultOf, kafkaError } from "./errors.ts"
import { type KafkaBroker, type KafkaCluster, newCluster } from "./kafkajs.ts"

/** How long an operation is tried over and over before it is given up, ms. */
export const PATIENCE = 15_000

/** Does a thing again while Kafka says that it may yet work, for `patience` ms; rejects with an error that has a meaning. */
export async function patiently<T>(
  what: string,
  work: () => Promise<T>,
  recover: (error: unknown) => Promise<void> = async () => {},
  patience = PATIENCE,
): Promise<T> {
  const until = performance.now() + patience
  for (let pause = 5; ; pause = Math.min(pause * 1.6, 300)) {
    try {
      return await work()
    } catch (error) {
      const { retriable, type } = faultOf(error)
      // A topic that was just made is not known to every broker at once; a minute later it is missing.
      const limit = type === "UNKNOWN_TOPIC_OR_PARTITION" ? until - patience + Math.min(patience, 5000) : until
      if (!retriable || performance.now() + pause > limit) throw kafkaError(error, what)
      await sleep(pause * (0.75 + Math.random() / 2))
      await recover(error)
    }
  }
}

/** A connection to the cluster that finds its way again after brokers went. */
export class Client {
  readonly #cluster: KafkaCluster
  readonly #topics = new Set<string>()
  #closed = false
  /** kafkajs calls a broker connected before it knows what the broker understands, so nobody asks while somebody connects. */
  #connecting: Promise<void> | undefined

  constructor(kafka: Kafka) {
    this.#cluster = newCluster(kafka)
  }

  /** For what of kafkajs works on a cluster itself. */
  get cluster(): KafkaCluster {
    return this.#cluster
  }

  /** Does a thing on the cluster, again while it may yet work; the topics' leaders are known to it. */
  async use<T>(
    what: string,
    topics: readonly string[],
    work: (cluster: KafkaCluster) => Promise<T>,
    patience = PATIENCE,
  ): Promise<T> {
    return patiently(
      what,
      async () => {
        await this.#ready(topics)
        return await work(this.#cluster)
      },
      (error) => this.recover(error),
      patience,
    )
  }

  /** The broker that coordinates a group. */
  async coordinator(group: string): Promise<KafkaBroker> {
    await this.#ready([])
    return this.#cluster.findGroupCoordinator({ groupId: group })
  }

  /** The id of the broker that leads a partition, as far as known. */
  async leader(topic: string, partition: number): Promise<number> {
    await this.#ready([topic])
    const found = this.#cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
    if (found !== undefined && found.leader >= 0) return found.leader
    const type = found === undefined ? "UNKNOWN_TOPIC_OR_PARTITION" : "LEADER_NOT_AVAILABLE"
    throw Object.assign(new Error("no leader is known"), { type, retriable: true })
  }

  /** The broker with an id, connected. */
  async broker(nodeId: number): Promise<KafkaBroker> {
    return this.#cluster.findBroker({ nodeId })
  }

  /** Forgets what an error shows to be stale: connections that do not answer, leaders, topics that were removed. */
  async recover(thrown: unknown): Promise<void> {
    if (this.#closed) throw thrown
    // The transaction before is being completed: nothing is stale.
    if (faultOf(thrown).type === "CONCURRENT_TRANSACTIONS") return
    // kafkajs keeps a connection whose requests time out, and would ask it for ever.
    if (faultOf(thrown).name === "KafkaJSRequestTimeoutError") await this.#cluster.disconnect().catch(() => {})
    try {
      await this.#connect()
    } catch (error) {
      if (faultOf(error).type !== "UNKNOWN_TOPIC_OR_PARTITION") return
      // One topic that is gone fails the look at all of them.
      this.#cluster.targetTopics.clear()
      this.#topics.clear()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#cluster.close().catch(() => {})
  }

  #connect(): Promise<void> {
    this.#connecting ??= (async () => {
      await this.#cluster.connect()
      await this.#cluster.refreshMetadata()
    })().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #ready(topics: readonly string[]): Promise<void> {
    if (this.#connecting !== undefined || !this.#cluster.isConnected()) await this.#connect()
    const added = topics.filter((topic) => !this.#topics.has(topic))
    if (added.length === 0) return this.#cluster.refreshMetadataIfNecessary()
    await this.#cluster.addMultipleTargetTopics(added)
    for (const topic of added) this.#topics.add(topic)
  }
}
