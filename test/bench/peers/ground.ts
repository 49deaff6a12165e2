import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import { cache } from "../../services/cache.ts"
import { startKafka } from "../../services/kafka.ts"
import { startPostgres } from "../../services/postgres.ts"
import { freePort, run, stop } from "../../services/processes.ts"

/** Where the peers' scripts stand beside this repository. */
export const peersFolder = join(import.meta.dirname, "../../../../shared/peers")

/** The root of this repository. */
export const repository = join(import.meta.dirname, "../../..")
const connectVersion = "4.3.1"
const debeziumVersion = "3.5.0.Final"
const driverVersion = "42.7.14"

/** A Kafka broker and a PostgreSQL server of the bench's own, and a copy of the peers' scripts that may write beside itself. */
export interface Ground {
  readonly folder: string
  /** The copy of the scripts. */
  readonly peers: string
  readonly kafka: string
  readonly postgres: string
  /** What the scripts want to be told. */
  readonly env: NodeJS.ProcessEnv
  close(): Promise<void>
}

/** Brings the ground up, outside the repository. */
export async function openGround(): Promise<Ground> {
  mkdirSync(join(cache, "bench"), { recursive: true })
  const folder = mkdtempSync(join(cache, "bench", "peers-"))
  const { address: kafka, brokers } = await startKafka(join(folder, "kafka"))
  const { address, process: server } = await startPostgres(join(folder, "postgres"))
  await settle(address)
  await bringWeir(folder)
  const peers = join(folder, "peers")
  cpSync(peersFolder, peers, { recursive: true })
  symlinkSync(join(repository, "node_modules"), join(peers, "node_modules"))
  const env = {
    KAFKA_PORT: kafka.split(":")[1],
    PG_PORT: new URL(address).port,
    CONNECT_PORT: String(await freePort()),
    PEERS: peers,
    RUN: join(folder, "run"),
    KAFKAJS_NO_PARTITIONER_WARNING: "1",
  }
  mkdirSync(env.RUN)
  return {
    folder,
    peers,
    kafka,
    postgres: withPassword(address, password),
    env,
    async close() {
      await Promise.all([...brokers.map(({ process }) => stop(process)), stop(server, "SIGINT")])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Builds what is published, and lets packages in the folder find it: what is measured is what is installed. */
async function bringWeir(folder: string): Promise<void> {
  await run(process.execPath, [join(repository, "scripts/build.ts")], { cwd: repository })
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(repository, join(folder, "node_modules/weir"))
  const plugin = readFileSync(join(import.meta.dirname, "plugin.ts"), "utf8")
  writeFileSync(join(folder, "plugin.ts"), plugin.replace('"../../../core/index.ts"', '"weir"'))
}

/** The scripts' own. */
const password = "pw"

const withPassword = (address: string, word: string): string => {
  const url = new URL(address)
  url.password = word
  return url.href
}

/** Room for the write-ahead log as the peers' pg.mjs has it, so that no checkpoint falls on one of them by chance. */
async function settle(address: string): Promise<void> {
  const client = new Client({ connectionString: address })
  await client.connect()
  await client.query("ALTER SYSTEM SET max_wal_size = '4GB'")
  await client.query("ALTER SYSTEM SET checkpoint_timeout = '15min'")
  await client.query("SELECT pg_reload_conf()")
  await client.query(`ALTER USER postgres PASSWORD '${password}'`)
  await client.end()
}

/** Puts Kafka Connect and Debezium's JDBC sink where run-connect.sh looks for them; fetched once, through Maven. */
export async function bringConnect(peers: string): Promise<void> {
  const home = join(cache, `connect-${connectVersion}-${debeziumVersion}`)
  if (!existsSync(home)) {
    const fetched = `${home}-${process.pid}`
    await fetchJars(join(fetched, "worker"), [
      `org.apache.kafka:connect-runtime:${connectVersion}`,
      `org.apache.kafka:connect-json:${connectVersion}`,
      `org.apache.kafka:connect-transforms:${connectVersion}`,
      "org.slf4j:slf4j-simple:1.7.36",
    ])
    await fetchJars(join(fetched, "plugin"), [
      `io.debezium:debezium-connector-jdbc:${debeziumVersion}`,
      `org.postgresql:postgresql:${driverVersion}`,
    ])
    // The worker has these; second copies in the plugin's folder break its class loading.
    await run("sh", ["-c", "rm -f connect-* kafka-* kafka_* jackson-* slf4j-* logback-*"], {
      cwd: join(fetched, "plugin/libs"),
    })
    renameSync(fetched, home)
  }
  mkdirSync(join(peers, "connect"), { recursive: true })
  symlinkSync(join(home, "worker/libs"), join(peers, "connect/libs"))
  symlinkSync(join(home, "plugin"), join(peers, "connect/plugin"))
}

async function fetchJars(folder: string, artifacts: readonly string[]): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(":")
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  writeFileSync(
    join(folder, "pom.xml"),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>weir.test</groupId>
<artifactId>peers</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("\n")}</dependencies></project>\n`,
  )
  const to = ["-DincludeScope=runtime", `-DoutputDirectory=${join(folder, "libs")}`]
  await run("mvn", ["-B", "-q", "-f", join(folder, "pom.xml"), "dependency:copy-dependencies", ...to])
}
