import { badRecord, fatal, retryable, systemic, WeirError } from "../../errors.ts"

/** What is known of a thing that kafkajs threw: Kafka's name for the error, its number, the class, whether to try again. */
export interface KafkaFault {
  readonly type: string | undefined
  readonly code: unknown
  readonly name: string
  readonly retriable: boolean
}

const LOGIN = "KafkaJSSASLAuthenticationError"

const TRANSIENT_NAMES = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSGroupCoordinatorNotFound",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSLockTimeout",
  "KafkaJSTimeout",
  "KafkaJSNoBrokerAvailableError",
])

const TRANSIENT_TYPES = new Set([
  "CONCURRENT_TRANSACTIONS",
  "NOT_COORDINATOR_FOR_GROUP",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "OFFSET_NOT_AVAILABLE",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NOT_CONTROLLER",
  "TRANSACTION_COORDINATOR_FENCED",
])

const TRANSIENT_SYSTEM = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
])

/** A broker to which a connection is being made; kafkajs throws a bare Error (src/broker, `notInitializedLookup`). */
const isConnecting = ({ message }: { readonly message?: string }): boolean => message === "Broker not connected"

/** Reads an error of kafkajs, which wraps the broker's answer in up to three others. */
export function faultOf(thrown: unknown): KafkaFault {
  const chain: { name?: string; message?: string; type?: string; code?: unknown; retriable?: boolean }[] = []
  for (let each = thrown; each instanceof Error && chain.length < 5; each = each.cause) chain.push(each)
  const typed = chain.find(({ type }) => typeof type === "string")
  const telling = chain.find(({ name = "" }) => TRANSIENT_NAMES.has(name) || name === LOGIN)
  const name = telling?.name ?? chain[0]?.name ?? typeof thrown
  const code = typed?.code ?? chain.find((each) => each.code !== undefined)?.code
  const type = typed?.type ?? (code === 90 ? "PRODUCER_FENCED" : undefined)
  const retriable =
    type === undefined
      ? TRANSIENT_NAMES.has(name) || chain.some(isConnecting) || TRANSIENT_SYSTEM.has(String(code))
      : TRANSIENT_TYPES.has(type) || (typed?.retriable === true && type !== "KAFKA_STORAGE_ERROR")
  return { type, code, name, retriable }
}

/** Kafka answered that another producer has the transactional id, or that the id was forgotten. */
export const isFencing = ({ type, code }: KafkaFault): boolean =>
  type === "INVALID_PRODUCER_EPOCH" ||
  type === "INVALID_PRODUCER_ID_MAPPING" ||
  type === "PRODUCER_FENCED" ||
  type === "UNKNOWN_PRODUCER_ID" ||
  code === 90

/** Turns what kafkajs threw into an error with a meaning; `what` names the operation and its topic, never a value. */
export function kafkaError(thrown: unknown, what: string): WeirError {
  if (thrown instanceof WeirError) return thrown
  const fault = faultOf(thrown)
  const told = `${what}: Kafka answered ${fault.type ?? fault.name}`
  const detail = { cause: thrown }
  if (isFencing(fault)) return fatal("fenced", told, detail)
  if (fault.name === LOGIN || fault.type === "SASL_AUTHENTICATION_FAILED")
    return systemic("login-refused", told, detail)
  if (fault.type?.endsWith("AUTHORIZATION_FAILED")) return systemic("access-refused", told, detail)
  switch (fault.type) {
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
      return badRecord("message-too-large", told, detail)
    case "KAFKA_STORAGE_ERROR":
      return systemic("disk-full", told, detail)
    case "OFFSET_OUT_OF_RANGE":
      return systemic("offset-out-of-range", told, detail)
    case "UNKNOWN_TOPIC_OR_PARTITION":
      return fatal("topic-missing", told, detail)
    case "NOT_ENOUGH_REPLICAS":
    case "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
      return retryable("unreachable", told, detail)
    default:
      return fault.retriable ? retryable("unreachable", told, detail) : fatal("kafka", told, detail)
  }
}
