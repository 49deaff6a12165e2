import type { Admin, Kafka } from "kafkajs"
import { retryable } from "../../errors.ts"
import type { GroupSpec, Log, Member, Reader, TopicSpec, Writer } from "../../ports/log.ts"
import { Client, patiently } from "./client.ts"
import { Fetcher } from "./fetcher.ts"
import { type KafkaAddress, newKafka } from "./kafkajs.ts"
import { joinGroup } from "./member.ts"
import { KafkaReader } from "./reader.ts"
import { type TopicDefaults, Topics } from "./topics.ts"
import { openWriter } from "./writer.ts"

/** How to reach the cluster, and what topics are made with. */
export interface KafkaLogOptions extends KafkaAddress {
  readonly topicDefaults?: TopicDefaults
}

/** Opens Apache Kafka (2.1 or later) as the Log. Rejects: `unreachable` (retryable), `login-refused` (systemic). */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const kafka = newKafka(options)
  const admin = kafka.admin()
  const shared = new Client(kafka)
  try {
    await patiently("connecting", () => admin.connect())
    return new KafkaLog(kafka, admin, shared, new Topics(admin, options.topicDefaults ?? {}))
  } catch (error) {
    await Promise.allSettled([admin.disconnect(), shared.close()])
    throw error
  }
}

class KafkaLog implements Log {
  readonly driver = "kafka"
  readonly #kafka: Kafka
  readonly #admin: Admin
  readonly #shared: Client
  readonly #topics: Topics
  readonly #fetcher: Fetcher
  readonly #open = new Set<{ close(): Promise<void> }>()

  constructor(kafka: Kafka, admin: Admin, shared: Client, topics: Topics) {
    this.#kafka = kafka
    this.#admin = admin
    this.#shared = shared
    this.#topics = topics
    this.#fetcher = new Fetcher(kafka)
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#topics.ensure(specs)
  }

  topics(): Promise<readonly TopicSpec[]> {
    return this.#topics.list()
  }

  async bounds(topic: string): Promise<readonly { readonly start: bigint; readonly end: bigint }[]> {
    const [starts, ends] = await Promise.all([this.#offsets(topic, true), this.#offsets(topic, false)])
    return ends.map((end, partition) => ({ start: starts[partition] ?? 0n, end }))
  }

  async writer(id: string): Promise<Writer> {
    const writer = await openWriter(this.#kafka, this.#shared, this.#topics, id)
    const kept = this.#keep({ close: () => writer.close() })
    return { transact: (appends, offsets) => writer.transact(appends, offsets), close: kept.close }
  }

  async committed(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    return this.#shared.use(`offsets of group ${group}`, [topic], async (cluster) => {
      const partitions = cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId }) => ({ partition: partitionId }))
      const coordinator = await cluster.findGroupCoordinator({ groupId: group })
      const { responses } = await coordinator.offsetFetch({ groupId: group, topics: [{ topic, partitions }] })
      const found = responses.flatMap((each) =>
        each.partitions.map(({ partition, offset }) => [partition, BigInt(offset)] as const),
      )
      return new Map(found.filter(([, offset]) => offset >= 0n))
    })
  }

  async join(spec: GroupSpec): Promise<Member> {
    const own = new Client(this.#kafka)
    try {
      const parts = {
        own,
        shared: this.#shared,
        reader: (topic: string, partition: number, from: bigint) =>
          new KafkaReader(this.#fetcher, topic, partition, from),
      }
      const member = await joinGroup(spec, parts)
      const kept = this.#keep({ close: () => member.leave() })
      return {
        assigned: () => member.assigned(),
        owns: (partition) => member.owns(partition),
        confirm: (partition) => member.confirm(partition),
        reader: (topic, partition, from) => member.reader(topic, partition, from),
        leave: kept.close,
      }
    } catch (error) {
      await own.close()
      throw error
    }
  }

  async members(group: string): Promise<number> {
    const { groups } = await patiently(`members of group ${group}`, () => this.#admin.describeGroups([group]))
    return groups.find(({ groupId }) => groupId === group)?.members.length ?? 0
  }

  async reader(topic: string, partition: number, from: bigint): Promise<Reader> {
    const reader = new KafkaReader(this.#fetcher, topic, partition, from)
    const kept = this.#keep({ close: () => reader.close() })
    return { read: (limit) => reader.read(limit), close: kept.close }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#open].map((each) => each.close()))
    await Promise.allSettled([this.#fetcher.close(), this.#shared.close(), this.#admin.disconnect()])
  }

  /** Whatever is still open is closed with the Log. */
  #keep(what: { close(): Promise<void> }): { close(): Promise<void> } {
    const kept = {
      close: () => {
        this.#open.delete(kept)
        return what.close()
      },
    }
    this.#open.add(kept)
    return kept
  }

  async #offsets(topic: string, fromBeginning: boolean): Promise<bigint[]> {
    return this.#shared.use(`bounds of ${topic}`, [topic], async (cluster) => {
      const partitions = cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId }) => ({ partition: partitionId }))
      const [found] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }])
      if (found === undefined) throw retryable("unreachable", `bounds of ${topic}: no answer`)
      return found.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => BigInt(offset))
    })
  }
}
