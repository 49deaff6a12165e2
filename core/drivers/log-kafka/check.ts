import type { Admin, ConfigResourceTypes } from "kafkajs"
import { classify } from "../../errors.ts"
import { Findings } from "../../ports/finding.ts"
import type { Finding } from "../../ports/finding.ts"
import type { TopicSpec } from "../../ports/log.ts"
import { patiently } from "./client.ts"
import { askCoordinator } from "./coordinator.ts"
import { faultOf, kafkaError } from "./errors.ts"
import { newKafka } from "./kafkajs.ts"
import { SESSION } from "./member.ts"
import { creation } from "./topics.ts"
import { openKafkaLog } from "./index.ts"
import type { KafkaLogOptions } from "./index.ts"

/** What a pipeline is going to do with a cluster. */
export interface KafkaUse {
  readonly pipeline: string
  readonly topics: readonly TopicSpec[]
  readonly groups: readonly string[]
}

// Node cannot import these constants of kafkajs by name.
const topicResource = 2 as ConfigResourceTypes.TOPIC
const brokerResource = 4 as ConfigResourceTypes.BROKER

type Settings = ReadonlyMap<string, string>

/** Looks whether a cluster is fit for a pipeline: reachable, topics there or to be made, and as they must be, settings of the
 * brokers, permissions. Makes nothing, apart from the id of a transactional writer. */
export async function checkKafka(options: KafkaLogOptions, use: KafkaUse): Promise<readonly Finding[]> {
  const found = new Findings("log")
  // Once, for somebody waits for the answer.
  const kafka = newKafka({ ...options, retries: 3 })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers, controller } = await admin.describeCluster()
    found.ok(`Kafka answers: ${brokers.length} ${brokers.length === 1 ? "broker" : "brokers"}`)
    const topics = await checkTopics(admin, options, use, brokers.length)
    const node = controller ?? brokers[0]!.nodeId
    await checkBroker(admin, String(node), brokers.length, found)
    const ask = (kind: "group" | "transactional id", id: string) => askCoordinator(kafka, node, kind, id)
    await checkGroups(admin, use, found, ask)
    await checkWriter(options, use, found, ask)
    return [...found.all, ...topics]
  } catch (error) {
    refused(found, error, "it cannot be reached")
    return found.all
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

function refused(found: Findings, thrown: unknown, what: string): void {
  const { code, message } = kafkaError(thrown, what)
  const hint =
    code === "login-refused"
      ? "check log.sasl in the pipeline file"
      : code === "access-refused"
        ? "give the user the ACL that docs/guides/operate.md lists"
        : "see that the brokers run, that log.brokers names them, and that ssl is as they want it"
  found.failed(message, hint)
}

/** Numbers of the broker's settings that bound what the engine does. */
async function checkBroker(admin: Admin, broker: string, brokers: number, found: Findings): Promise<void> {
  let settings: Settings
  try {
    settings = (await describe(admin, brokerResource, [broker])).get(broker) ?? new Map()
  } catch (error) {
    found.warning(
      `the brokers' settings cannot be read (${faultOf(error).type ?? faultOf(error).name})`,
      "allow DescribeConfigs on the cluster, or check session timeouts and replication by hand",
    )
    return
  }
  const number = (name: string, fallback: number) => Number(settings.get(name) ?? fallback)
  const [least, most] = [
    number("group.min.session.timeout.ms", 6000),
    number("group.max.session.timeout.ms", 1_800_000),
  ]
  if (SESSION < least || SESSION > most)
    found.failed(
      `the session timeout of ${SESSION} ms is outside the brokers' ${least} to ${most} ms`,
      `set group.min.session.timeout.ms to at most ${SESSION}`,
    )
  else found.ok(`a session timeout of ${SESSION} ms is within the brokers' limits`)
  const wanted = Math.min(3, brokers)
  for (const name of ["offsets.topic.replication.factor", "transaction.state.log.replication.factor"])
    if (number(name, 3) < wanted)
      found.warning(
        `${name} is ${settings.get(name)}`,
        `${brokers} brokers allow ${wanted}: raise it before the topic is made, or reassign it`,
      )
  if (settings.get("auto.create.topics.enable") === "true")
    found.warning(
      "auto.create.topics.enable is true",
      "set it to false: a mistyped name makes a topic with the brokers' defaults",
    )
  if (settings.get("log.cleaner.enable") === "false")
    found.failed("log.cleaner.enable is false", "set it to true: compacted topics grow without end otherwise")
  const kept = number("offsets.retention.minutes", 10_080)
  if (kept < 10_080)
    found.warning(
      `offsets.retention.minutes is ${kept}`,
      "set it to a week or more: a pipeline that stands for longer forgets its positions",
    )
}

async function describe(
  admin: Admin,
  type: ConfigResourceTypes,
  names: readonly string[],
): Promise<ReadonlyMap<string, Settings>> {
  if (names.length === 0) return new Map()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type, name })),
  })
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
}

async function checkTopics(
  admin: Admin,
  options: KafkaLogOptions,
  { topics }: KafkaUse,
  brokers: number,
): Promise<readonly Finding[]> {
  const known = new Set(await admin.listTopics())
  const missing = topics.filter(({ name }) => !known.has(name))
  const there = topics.filter(({ name }) => known.has(name))
  const found = new Findings("topics")
  if (missing.length > 0) await tryToMake(admin, options, missing, brokers, found)
  if (there.length === 0) return found.all
  const { topics: metadata } = await admin.fetchTopicMetadata({ topics: there.map(({ name }) => name) })
  const settings = await describe(
    admin,
    topicResource,
    there.map(({ name }) => name),
  )
  const each = there.flatMap((spec) => {
    const partitions = metadata.find(({ name }) => name === spec.name)?.partitions ?? []
    return checkTopic(spec, partitions, settings.get(spec.name) ?? new Map(), brokers, options)
  })
  const bad = new Set(each.map(({ about }) => about)).size
  if (there.length > bad) found.ok(`${there.length - bad} that are there are as they must be`)
  return [...found.all, ...each]
}

async function tryToMake(
  admin: Admin,
  options: KafkaLogOptions,
  missing: readonly TopicSpec[],
  brokers: number,
  found: Findings,
): Promise<void> {
  try {
    const topics = missing.map((spec) => creation(spec, brokers, options.topicDefaults ?? {}))
    await admin.createTopics({ validateOnly: true, waitForLeaders: false, topics })
    found.ok(`${missing.length} are missing, and can be made`)
  } catch (error) {
    const first = (error as { readonly errors?: readonly unknown[] }).errors?.[0] ?? error
    const { type, name } = faultOf(first)
    found.failed(
      `${missing.length} are missing, and Kafka would not make them: ${type ?? name}`,
      "allow Create on the topics, or make them by hand with the settings that docs/guides/operate.md lists",
    )
  }
}

interface PartitionMetadata {
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

const largest = 8 << 20

function checkTopic(
  { name, partitions: wanted, compact, retention }: TopicSpec,
  partitions: readonly PartitionMetadata[],
  settings: Settings,
  brokers: number,
  { topicDefaults }: KafkaLogOptions,
): readonly Finding[] {
  const found = new Findings(`topic ${name}`)
  if (partitions.length !== wanted)
    found.failed(
      `it has ${partitions.length} partitions, not ${wanted}`,
      "declare the count it has, or name another topic",
    )
  const copies = Math.min(...partitions.map(({ replicas }) => replicas.length))
  const most = Math.min(3, brokers)
  if (copies < (topicDefaults?.replication ?? most))
    found.failed(`a partition has ${copies} ${copies === 1 ? "copy" : "copies"}`, `reassign it to ${most} brokers`)
  else if (copies < most)
    found.warning(`replication ${copies} is what the pipeline file asks for`, `${brokers} brokers allow ${most}`)
  const minimum = Number(settings.get("min.insync.replicas") ?? 1)
  if (brokers >= 3 && copies >= 3 && minimum < 2)
    found.failed("min.insync.replicas is 1", "set it to 2: what one broker alone has is lost with it")
  if (minimum > copies)
    found.failed(`min.insync.replicas is ${minimum}, of ${copies} copies`, "lower it: nothing can be written otherwise")
  if (partitions.some(({ isr }) => isr.length < minimum))
    found.failed("a partition has too few copies in sync to be written", "see that all brokers run")
  if (settings.get("unclean.leader.election.enable") === "true")
    found.failed("unclean.leader.election.enable is true", "set it to false: acknowledged records are lost otherwise")
  const bytes = Number(settings.get("max.message.bytes") ?? 1_048_588)
  if (bytes < largest)
    (bytes < 1 << 20 ? found.failed : found.warning).call(
      found,
      `max.message.bytes is ${bytes}`,
      `set it to ${largest}: a batch that does not fit stops its task`,
    )
  checkRetention(found, compact === true, retention, settings)
  return found.all
}

function checkRetention(found: Findings, compact: boolean, retention: number | undefined, settings: Settings): void {
  const policy = (settings.get("cleanup.policy") ?? "delete").split(",")
  if (policy.includes("compact") !== compact)
    found.failed(
      `cleanup.policy is ${policy.join(",")}`,
      compact ? "set it to compact" : "set it to delete: compaction removes what the pipeline has yet to read",
    )
  const kept = Number(settings.get("retention.ms") ?? -1)
  const size = Number(settings.get("retention.bytes") ?? -1)
  if (policy.includes("delete") && size >= 0)
    found.failed(`retention.bytes is ${size}`, "set it to -1: records would go before they are read")
  if (!policy.includes("delete") || kept < 0) return
  if (retention === undefined)
    found.failed(
      `retention.ms is ${kept}, the pipeline keeps it for ever`,
      "set it to -1, or say retention: in the pipeline file",
    )
  else if (kept < retention)
    found.failed(`retention.ms is ${kept}, the pipeline asks for ${retention}`, `set it to ${retention}`)
}

type Ask = (kind: "group" | "transactional id", id: string) => Promise<void>

async function checkGroups(admin: Admin, { groups }: KafkaUse, found: Findings, ask: Ask): Promise<void> {
  try {
    for (const group of groups) await ask("group", group)
    // A cluster that has just started makes the coordinators' topic at the first question.
    if (groups.length > 0) await patiently("consumer groups", () => admin.describeGroups([...groups]))
    found.ok("consumer groups may be joined")
  } catch (error) {
    refused(found, error, `consumer group ${groups[0]}`)
  }
}

/** A transactional writer needs permission, and a coordinator that works. */
async function checkWriter(options: KafkaLogOptions, { pipeline }: KafkaUse, found: Findings, ask: Ask): Promise<void> {
  try {
    await ask("transactional id", `${pipeline}.check`)
    const log = await openKafkaLog(options)
    try {
      await (await log.writer(`${pipeline}.check`)).close()
    } finally {
      await log.close()
    }
    found.ok("transactions work")
  } catch (error) {
    const { message } = classify(error)
    found.failed(message, `allow Write and Describe on transactional ids that begin with ${pipeline}.`)
  }
}
