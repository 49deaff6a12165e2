import { Kafka, logLevel, type KafkaConfig, type Message, type SASLOptions } from "kafkajs"
import { fatal } from "../../errors.ts"
import { bindConnections, type Connecting } from "./connections.ts"

/** How to reach a cluster; `ssl` and `sasl` as kafkajs takes them. */
export interface KafkaAddress {
  readonly brokers: readonly string[]
  readonly clientId?: string
  readonly ssl?: KafkaConfig["ssl"]
  readonly sasl?: SASLOptions
  /** How often kafkajs itself does a request again; RETRY's unless given. */
  readonly retries?: number
}

/** A request of Kafka's protocol, as a kafkajs connection sends it. */
export interface ProtocolRequest<T> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: { decode(payload: Buffer): Promise<T>; parse(decoded: T): Promise<T> }
  readonly requestTimeout?: number
}

/** The calls of a kafkajs broker that this driver makes (kafkajs 2.2.4, `src/broker`). */
export interface KafkaBroker {
  readonly connectionPool: { send<T>(request: ProtocolRequest<T>): Promise<T> }
  findGroupCoordinator(request: { groupId: string; coordinatorType: 0 | 1 }): Promise<unknown>
  joinGroup(request: {
    groupId: string
    sessionTimeout: number
    rebalanceTimeout: number
    memberId: string
    groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[]
  }): Promise<{
    generationId: number
    leaderId: string
    memberId: string
    members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]
  }>
  syncGroup(request: {
    groupId: string
    generationId: number
    memberId: string
    groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[]
  }): Promise<{ memberAssignment: Buffer }>
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>
  produce(request: {
    transactionalId: string
    producerId: number
    producerEpoch: number
    acks: number
    timeout: number
    topicData: readonly {
      readonly topic: string
      readonly partitions: readonly {
        readonly partition: number
        readonly firstSequence: number
        readonly messages: readonly Message[]
      }[]
    }[]
  }): Promise<{
    topics: readonly {
      readonly topicName: string
      readonly partitions: readonly { readonly partition: number; readonly baseOffset?: string }[]
    }[]
  }>
  offsetFetch(request: {
    groupId: string
    topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
  }): Promise<{
    responses: readonly {
      readonly topic: string
      readonly partitions: readonly { partition: number; offset: string }[]
    }[]
  }>
}

/** The calls of a kafkajs cluster that this driver makes (kafkajs 2.2.4, `src/cluster`). */
export interface KafkaCluster {
  /** The topics whose metadata is asked for. */
  readonly targetTopics: Set<string>
  connect(): Promise<void>
  /** Ends all connections; the next call makes new ones. */
  disconnect(): Promise<void>
  /** Ends all connections for good. */
  close(): Promise<void>
  isConnected(): boolean
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  findBroker(which: { nodeId: number | string }): Promise<KafkaBroker>
  findGroupCoordinator(which: { groupId: string }): Promise<KafkaBroker>
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[]
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string
      readonly partitions: readonly { readonly partition: number }[]
      readonly fromBeginning: boolean
    }[],
  ): Promise<
    readonly { readonly topic: string; readonly partitions: readonly { partition: number; offset: string }[] }[]
  >
}

/** Retries of kafkajs itself: quick at first, for back-to-back transactions wait on each other; seven seconds in all. */
export const RETRY = { initialRetryTime: 5, multiplier: 1.2, maxRetryTime: 300, retries: 40 } as const

type CreateCluster = (options: {
  allowAutoTopicCreation: boolean
  isolationLevel: number
  metadataMaxAge: number
}) => KafkaCluster & Connecting

/** A client of kafkajs that logs nothing, for what it logs may hold keys, and whose connections end. */
export function newKafka({ brokers, clientId, ssl, sasl, retries = RETRY.retries }: KafkaAddress): Kafka {
  const kafka = new Kafka({
    brokers: [...brokers],
    clientId: clientId ?? "weir",
    connectionTimeout: 3000,
    requestTimeout: 15_000,
    retry: { ...RETRY, retries },
    logLevel: logLevel.NOTHING,
    logCreator: () => () => {},
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  })
  const makers = kafka as unknown as Record<symbol, CreateCluster>
  const maker = makerOf(kafka)
  const create = makers[maker]!
  makers[maker] = (options) => {
    const cluster = create(options)
    return Object.assign(cluster, { close: bindConnections(cluster) })
  }
  return kafka
}

/** A connection to the cluster below kafkajs's producers and consumers. */
export function newCluster(kafka: Kafka): KafkaCluster {
  const create = (kafka as unknown as Record<symbol, CreateCluster>)[makerOf(kafka)]!
  return create({ allowAutoTopicCreation: false, isolationLevel: 1, metadataMaxAge: 300_000 })
}

/** kafkajs keeps its maker of clusters under a private symbol; its version is fixed in package.json, and another one is refused
 * here. */
function makerOf(kafka: Kafka): symbol {
  const maker = Object.getOwnPropertySymbols(kafka).find(({ description }) => description?.endsWith(":createCluster"))
  if (maker === undefined)
    throw fatal("kafkajs-version", "this version of kafkajs cannot be used", { hint: "install kafkajs 2.2.4" })
  return maker
}
