import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { checkKafka } from "../../core/drivers/log-kafka/check.ts"
import { checkPostgres } from "../../core/drivers/store-postgres/check.ts"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import { Findings, clockFinding } from "../../core/ports/finding.ts"
import type { Finding } from "../../core/ports/finding.ts"
import type { Started } from "../services/cache.ts"
import { startKafka } from "../services/kafka.ts"
import { startPostgres } from "../services/postgres.ts"
import { stop } from "../services/processes.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-check-servers-"))
const running: Started[] = []
afterAll(async () => {
  await Promise.all(running.map((each) => stop(each, "SIGKILL")))
  rmSync(folder, { recursive: true, force: true })
})

const told = (found: readonly Finding[]) =>
  found.filter(({ level }) => level !== "ok").map(({ level, about, message }) => `${level} ${about}: ${message}`)

describe("weir check --connect, of brokers that lack something", { timeout: 180_000 }, () => {
  let brokers: string[]
  beforeAll(async () => {
    const cluster = await startKafka(join(folder, "kafka"), 3, undefined, {
      "auto.create.topics.enable": true,
      "group.min.session.timeout.ms": 10_000,
      "offsets.topic.replication.factor": 1,
      "transaction.state.log.replication.factor": 2,
      "offsets.retention.minutes": 60,
    })
    running.push(...cluster.brokers.map(({ process }) => process))
    brokers = cluster.address.split(",")
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const topic = (name: string, replicationFactor: number, settings: Readonly<Record<string, string>> = {}) => ({
      topic: name,
      numPartitions: 1,
      replicationFactor,
      configEntries: Object.entries({ "retention.ms": "-1", "max.message.bytes": "8388608", ...settings }).map(
        ([each, value]) => ({ name: each, value }),
      ),
    })
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        topic("single", 1),
        topic("lax", 3, { "min.insync.replicas": "1" }),
        topic("strict", 2, { "min.insync.replicas": "3" }),
        topic("compacted", 3, { "min.insync.replicas": "2", "cleanup.policy": "compact" }),
        topic("short", 3, { "min.insync.replicas": "2", "retention.ms": "1000", "retention.bytes": "1000" }),
        topic("table", 3, { "min.insync.replicas": "2" }),
        topic("right", 3, { "min.insync.replicas": "2" }),
      ],
    })
    await admin.disconnect()
  }, 120_000)

  it("names replication, copies in sync, retention, session limits and what else loses records", async () => {
    const topics = [
      ...["single", "lax", "strict", "compacted", "right"].map((name) => ({ name, partitions: 1 })),
      { name: "short", partitions: 1, retention: 86_400_000 },
      { name: "table", partitions: 1, compact: true },
    ]
    const found = await checkKafka({ brokers }, { pipeline: "p", topics, groups: ["p.g"] })
    expect(told(found).sort()).toEqual(
      [
        "failed log: the session timeout of 6000 ms is outside the brokers' 10000 to 1800000 ms",
        "warning log: offsets.topic.replication.factor is 1",
        "warning log: transaction.state.log.replication.factor is 2",
        "warning log: auto.create.topics.enable is true",
        "warning log: offsets.retention.minutes is 60",
        "failed topic single: a partition has 1 copy",
        "failed topic lax: min.insync.replicas is 1",
        "failed topic strict: a partition has 2 copies",
        "failed topic strict: min.insync.replicas is 3, of 2 copies",
        "failed topic strict: a partition has too few copies in sync to be written",
        "failed topic compacted: cleanup.policy is compact",
        "failed topic short: retention.bytes is 1000",
        "failed topic short: retention.ms is 1000, the pipeline asks for 86400000",
        "failed topic table: cleanup.policy is delete",
      ].sort(),
    )
    expect(found.every(({ level, hint }) => level === "ok" || hint !== undefined)).toBe(true)
  })

  it("names each permission that the user lacks", async () => {
    const login = { username: "alice", password: "wonderland-7" }
    const cluster = await startKafka(join(folder, "acl"), 1, login, {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    })
    running.push(...cluster.brokers.map(({ process }) => process))
    const sasl = { mechanism: "scram-sha-512" as const, ...login }
    const found = await checkKafka(
      { brokers: cluster.address.split(","), sasl },
      { pipeline: "p", topics: [{ name: "t", partitions: 1 }], groups: ["p.g"] },
    )
    expect(told(found).sort()).toEqual([
      "failed log: group p.g: Kafka answered GROUP_AUTHORIZATION_FAILED",
      "failed log: transactional id p.check: Kafka answered TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
      "failed topics: 1 are missing, and Kafka would not make them: TOPIC_AUTHORIZATION_FAILED",
      "warning log: the brokers' settings cannot be read (CLUSTER_AUTHORIZATION_FAILED)",
    ])
    expect(found.map(({ hint }) => hint).join("\n")).toContain("allow Write and Describe on transactional ids")
    expect(JSON.stringify(found)).not.toContain(login.password)
  })
})

describe("weir check --connect, of a PostgreSQL that lacks something", { timeout: 120_000 }, () => {
  let address: URL
  beforeAll(async () => {
    const lax = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=12"]
    const server = await startPostgres(join(folder, "postgres"), lax)
    running.push(server.process)
    address = new URL(server.address)
    await sql("CREATE ROLE weak LOGIN PASSWORD 'weak-7'")
    await sql("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    await sql("CREATE DATABASE newer")
  })

  const at = (database: string, user?: string) => {
    const url = new URL(address)
    url.pathname = database
    if (user !== undefined) [url.username, url.password] = [user, `${user}-7`]
    return url.href
  }

  async function sql(text: string, database = "postgres"): Promise<void> {
    const client = new Client(at(database))
    await client.connect()
    await client.query(text).finally(() => client.end())
  }

  it("names settings by which commits would be lost, encoding, rights and connections", async () => {
    const lines = told(await checkPostgres(at("ascii", "weak"))).map((line) =>
      line.replace(/\d+ connections/, "n connections"),
    )
    expect(lines.sort()).toEqual(
      [
        "failed store: the database is in SQL_ASCII",
        "failed store: fsync is off",
        "failed store: full_page_writes is off",
        "warning store: synchronous_commit is off by default",
        "failed store: the user may not create schemas",
        "warning store: the user may not create roles",
        "warning store: n connections are free, a process takes up to 20",
      ].sort(),
    )
  })

  it("names a Store of a newer version", async () => {
    await (await openPostgresStore({ url: at("newer") })).close()
    expect(told(await checkPostgres(at("newer"), 5)).join("\n")).not.toContain("newer Weir")
    await sql("INSERT INTO weir.migrations (number, name) VALUES (999, '0999-of-tomorrow')", "newer")
    expect(told(await checkPostgres(at("newer"), 5))).toContainEqual(
      expect.stringMatching(/^failed store: it was written by a newer Weir \(migration 999,/),
    )
  })
})

it("a clock is told to differ by more than is sure, in either direction, and not for a slow answer", () => {
  const found = (theirs: number, before: number, after: number, precision?: number) => {
    const all = new Findings("store")
    clockFinding(all, theirs, before, after, precision)
    return all.all.map(({ level, message }) => `${level} ${message}`)[0]
  }
  expect(found(100_000, 100_000, 100_010)).toMatch(/^ok clocks agree within 0\.0 s/)
  expect(found(107_000, 100_000, 100_010)).toBe("failed its clock is 7.0 s ahead of this machine's")
  expect(found(90_000, 100_000, 100_010)).toBe("failed its clock is 10.0 s behind this machine's")
  // It took 10 s to answer, and may have looked at its clock at any time of them.
  expect(found(109_000, 100_000, 110_000)).toMatch(/^ok/)
  expect(found(105_000, 100_000, 100_010, 1000)).toMatch(/^ok/)
})
