import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { cache, type Started } from "./cache.ts"
import { freePort, run, startDetached, waitForPort } from "./processes.ts"

const VERSION = "4.4.0"

/** A broker that runs, with what it needs to be started again at the same place. */
export interface Broker {
  readonly process: Started
  readonly port: number
  start(): Promise<Started>
}

/** A login by SCRAM-SHA-512, which clients then need. */
export interface Login {
  readonly username: string
  readonly password: string
}

/** Starts a new cluster of Apache Kafka (KRaft) in a folder of its own, one broker unless more are asked for.
 * @param settings of the brokers, instead of those of tests */
export async function startKafka(
  folder: string,
  count = 1,
  login?: Login,
  settings: Readonly<Record<string, string | number | boolean>> = {},
): Promise<{ readonly address: string; readonly brokers: readonly Broker[] }> {
  const libs = await kafkaLibraries()
  const nodes: Node[] = []
  for (let id = 1; id <= count; id++)
    nodes.push({
      id,
      port: await freePort(),
      controller: await freePort(),
      inner: await freePort(),
      folder: join(folder, `broker-${id}`),
    })
  // A first character "-" would be taken for an option.
  const cluster = `w${randomBytes(16).toString("base64url").slice(1)}`
  await Promise.all(nodes.map((node) => format(libs, node, nodes, cluster, settings, login)))
  const brokers = await Promise.all(nodes.map((node) => start(libs, node)))
  return { address: nodes.map(({ port }) => `127.0.0.1:${port}`).join(","), brokers }
}

interface Node {
  readonly id: number
  readonly port: number
  readonly controller: number
  /** Between brokers. */
  readonly inner: number
  readonly folder: string
}

async function start(libs: string, node: Node): Promise<Broker> {
  const again = () =>
    Promise.resolve(
      startDetached({ name: `kafka-${node.id}`, mark: propertiesOf(node), log: logOf(node) }, "java", [
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        `${libs}/*`,
        "kafka.Kafka",
        propertiesOf(node),
      ]),
    )
  const process = await again()
  await waitForPort(process, node.port, logOf(node))
  return {
    process,
    port: node.port,
    async start() {
      const started = await again()
      await waitForPort(started, node.port, logOf(node))
      return started
    },
  }
}

const propertiesOf = (node: Node) => join(node.folder, "server.properties")
const logOf = (node: Node) => join(node.folder, "log.txt")

async function format(
  libs: string,
  node: Node,
  nodes: readonly Node[],
  cluster: string,
  settings: object,
  login?: Login,
): Promise<void> {
  mkdirSync(node.folder, { recursive: true })
  writeFileSync(propertiesOf(node), properties(node, nodes, settings, login !== undefined))
  const tool = ["-Xmx128m", "-cp", `${libs}/*`, "kafka.tools.StorageTool"]
  const scram = login && ["--add-scram", `SCRAM-SHA-512=[name=${login.username},password=${login.password}]`]
  await run("java", [...tool, "format", "-t", cluster, "-c", propertiesOf(node), ...(scram ?? [])])
}

function properties(node: Node, nodes: readonly Node[], settings: object, secure: boolean): string {
  const replicas = Math.min(3, nodes.length)
  const inSync = Math.max(1, replicas - 1)
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": nodes.map(({ id, controller }) => `${id}@127.0.0.1:${controller}`).join(","),
    listeners: `CLIENT://127.0.0.1:${node.port},INNER://127.0.0.1:${node.inner},CONTROLLER://127.0.0.1:${node.controller}`,
    "advertised.listeners": `CLIENT://127.0.0.1:${node.port},INNER://127.0.0.1:${node.inner}`,
    "inter.broker.listener.name": "INNER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": `CLIENT:${secure ? "SASL_PLAINTEXT" : "PLAINTEXT"},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.client.scram-sha-512.sasl.jaas.config":
      "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "log.dirs": join(node.folder, "data"),
    "offsets.topic.replication.factor": replicas,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": inSync,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": inSync,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    // The default of 128 MiB does not fit a small heap.
    "log.cleaner.dedupe.buffer.size": 4_194_304,
    // A broker that was killed is usable again after 4 s, not 12.
    "broker.session.timeout.ms": 1000,
    "broker.heartbeat.interval.ms": 200,
    ...settings,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")
}

/** The folder of Kafka's jars, fetched once through Maven. */
export async function kafkaLibraries(): Promise<string> {
  const home = join(cache, `kafka-${VERSION}`)
  const libs = join(home, "libs")
  if (existsSync(libs)) return libs
  const fetched = join(home, `libs-${process.pid}`)
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, "pom.xml"), POM)
  const to = ["-DincludeScope=runtime", `-DoutputDirectory=${fetched}`]
  await run("mvn", ["-B", "-q", "-f", join(home, "pom.xml"), "dependency:copy-dependencies", ...to])
  if (existsSync(libs)) rmSync(fetched, { recursive: true })
  else renameSync(fetched, libs)
  return libs
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weir.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>${VERSION}</version></dependency></dependencies></project>
`
