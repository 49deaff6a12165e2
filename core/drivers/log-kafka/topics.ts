import type { Admin, ConfigResourceTypes, ITopicConfig } from "kafkajs"
import { fatal } from "../../errors.ts"
import type { TopicSpec } from "../../ports/log.ts"
import { patiently } from "./client.ts"

/** Settings of the topics that are made. */
export interface TopicDefaults {
  /** Copies of each partition; three, or as many as there are brokers. */
  readonly replication?: number
  /** Copies that must have a record before it counts as written; one less than `replication`, at least one. */
  readonly minInSync?: number
  /** Bytes of the largest batch; 8 MiB. */
  readonly maxMessageBytes?: number
}

interface TopicState {
  readonly spec: TopicSpec
  /** Kafka's timestamp is the time of appending. */
  readonly appendTime: boolean
}

// Node cannot import this constant of kafkajs by name.
const TOPIC_RESOURCE = 2 as ConfigResourceTypes.TOPIC
const FOREVER = "9223372036854775807"
const NAME = /^[A-Za-z0-9._-]{1,249}$/

/** The topics of a cluster. */
export class Topics {
  readonly #admin: Admin
  readonly #defaults: TopicDefaults
  readonly #appendTime = new Map<string, Promise<boolean>>()

  constructor(admin: Admin, defaults: TopicDefaults) {
    this.#admin = admin
    this.#defaults = defaults
  }

  /** Makes the topics that are missing; rejects with `topic-mismatch` when one has another number of partitions. */
  async ensure(specs: readonly TopicSpec[]): Promise<void> {
    for (const { name } of specs)
      if (!NAME.test(name) || name === "." || name === "..")
        throw fatal("topic-name", `${name} cannot be a topic of Kafka`)
    const missing = await this.#compare(specs)
    if (missing.length === 0) return
    await patiently("making topics", async () => this.#create(missing))
    // Somebody else may have made one in between, with another count.
    await patiently("looking at new topics", async () => {
      if ((await this.#compare(specs)).length > 0)
        throw Object.assign(new Error("not there yet"), { type: "UNKNOWN_TOPIC_OR_PARTITION" })
    })
  }

  async list(): Promise<readonly TopicSpec[]> {
    return patiently("listing topics", async () => {
      const names = (await this.#admin.listTopics()).filter((name) => !name.startsWith("__"))
      const states = await this.#states(names)
      return names.toSorted().map((name) => states.get(name)!.spec)
    })
  }

  /** Whether Kafka stamps the topic's records itself, so that their own time has to go in a header. */
  appendTime(topic: string): Promise<boolean> {
    const known = this.#appendTime.get(topic)
    if (known !== undefined) return known
    const asked = patiently(
      `looking at topic ${topic}`,
      async () => (await this.#states([topic])).get(topic)!.appendTime,
    )
    this.#appendTime.set(topic, asked)
    asked.catch(() => this.#appendTime.delete(topic))
    return asked
  }

  async #compare(specs: readonly TopicSpec[]): Promise<TopicSpec[]> {
    const counts = await patiently("looking at topics", async () => {
      const there = new Set(await this.#admin.listTopics())
      const topics = specs.map(({ name }) => name).filter((name) => there.has(name))
      if (topics.length === 0) return new Map<string, number>()
      const metadata = await this.#admin.fetchTopicMetadata({ topics })
      return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
    })
    for (const { name, partitions } of specs) {
      const count = counts.get(name)
      if (count !== undefined && count !== partitions)
        throw fatal("topic-mismatch", `topic ${name} has ${count} partitions, not ${partitions}`, {
          hint: "the count of a topic is fixed when it is made: declare the one it has, or use another name",
        })
    }
    return specs.filter(({ name }) => !counts.has(name))
  }

  async #create(specs: readonly TopicSpec[]): Promise<void> {
    const brokers = (await this.#admin.describeCluster()).brokers.length
    const topics = specs.map((spec) => creation(spec, brokers, this.#defaults))
    await this.#admin.createTopics({ waitForLeaders: true, topics })
  }

  async #states(names: readonly string[]): Promise<Map<string, TopicState>> {
    if (names.length === 0) return new Map()
    const metadata = await this.#admin.fetchTopicMetadata({ topics: [...names] })
    const { resources } = await this.#admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: TOPIC_RESOURCE, name })),
    })
    const configs = new Map(
      resources.map((each) => [
        each.resourceName,
        new Map(each.configEntries.map((entry) => [entry.configName, entry.configValue])),
      ]),
    )
    return new Map(
      metadata.topics.map(({ name, partitions }) => [
        name,
        stateOf(name, partitions.length, configs.get(name) ?? new Map()),
      ]),
    )
  }
}

/** How a topic is made in a cluster of so many brokers. */
export function creation(spec: TopicSpec, brokers: number, defaults: TopicDefaults): ITopicConfig {
  const replication = defaults.replication ?? Math.min(3, brokers)
  const minInSync = defaults.minInSync ?? Math.max(1, replication - 1)
  return {
    topic: spec.name,
    numPartitions: spec.partitions,
    replicationFactor: replication,
    configEntries: Object.entries({
      "min.insync.replicas": String(minInSync),
      "max.message.bytes": String(defaults.maxMessageBytes ?? 8 << 20),
      ...settings(spec),
    }).map(([name, value]) => ({ name, value })),
  }
}

function stateOf(name: string, partitions: number, config: ReadonlyMap<string, string>): TopicState {
  const policy = (config.get("cleanup.policy") ?? "").split(",")
  const retention = Number(config.get("retention.ms") ?? -1)
  return {
    spec: {
      name,
      partitions,
      ...(policy.includes("compact") ? { compact: true } : {}),
      ...(policy.includes("delete") && retention >= 0 ? { retention } : {}),
    },
    appendTime: config.get("message.timestamp.type") === "LogAppendTime",
  }
}

/** Kafka keeps and rolls by the timestamps of messages. Event times lie decades back and in any order, so a retention counts
 * from appending only where Kafka stamps, and segments roll by size alone where it does not. */
function settings({ compact, retention }: TopicSpec): Record<string, string> {
  const policy = compact ? (retention === undefined ? "compact" : "compact,delete") : "delete"
  const size: Record<string, string> = compact ? { "segment.bytes": String(128 << 20) } : {}
  if (retention === undefined)
    return {
      ...size,
      "cleanup.policy": policy,
      "retention.ms": "-1",
      "retention.bytes": "-1",
      "segment.ms": FOREVER,
      "message.timestamp.type": "CreateTime",
      "message.timestamp.before.max.ms": FOREVER,
      "message.timestamp.after.max.ms": FOREVER,
    }
  return {
    ...size,
    "cleanup.policy": policy,
    "retention.ms": String(retention),
    "retention.bytes": "-1",
    "segment.ms": String(Math.max(60_000, Math.floor(retention / 4))),
    "message.timestamp.type": "LogAppendTime",
  }
}
