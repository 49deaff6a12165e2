import { randomUUID } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Finding } from "../../core/ports/finding.ts"
import { main } from "../../main.ts"
import { services } from "../services/addresses.ts"

const { kafka, postgres, s3 } = services()

describe("weir check --connect, on Kafka, PostgreSQL and S3", { timeout: 120_000 }, () => {
  const name = `check-${randomUUID().slice(0, 8)}`
  let folder: string
  let database: string
  const admin = new Kafka({ brokers: kafka.split(","), logLevel: logLevel.NOTHING }).admin()
  const root = new Client(postgres)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-check-"))
    await writeFile(join(folder, "key"), "0123456789abcdef0123456789abcdef\n")
    await Promise.all([admin.connect(), root.connect()])
    await root.query(`CREATE DATABASE "${name}"`)
    const url = new URL(postgres)
    url.pathname = `/${name}`
    database = url.href
  })
  afterAll(async () => {
    const made = (await admin.listTopics()).filter((topic) => topic.startsWith(`${name}.`))
    if (made.length > 0) await admin.deleteTopics({ topics: made })
    await root.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
    await Promise.all([admin.disconnect(), root.end(), rm(folder, { recursive: true, force: true })])
  })

  interface Servers {
    readonly brokers: string
    readonly url: string
    readonly secret: string
    readonly key: string
  }

  async function check(changed: Partial<Servers> = {}) {
    const { brokers, url, secret, key } = { brokers: kafka, url: database, secret: s3.secret, key: "key", ...changed }
    const file = join(folder, "pipeline.yaml")
    await writeFile(
      file,
      `name: ${name}
log: { driver: kafka, brokers: [${brokers}] }
store: { driver: postgres, url: "${url}" }
objects: { driver: s3, endpoint: "${s3.endpoint}", bucket: ${name}, access-key: ${s3.key}, secret-key: ${secret} }
secrets: { project: { file: ${key} } }
topics: { ${name}.arrivals: { partitions: 2 } }
sources: { inbox: { use: dicom-folder, with: { path: in }, to: ${name}.arrivals } }
sinks: { tables: { use: postgres, from: ${name}.arrivals } }
`,
    )
    let [out, err] = ["", ""]
    const code = await main(["check", file, "--connect", "--json"], {
      stdout: { write: (text) => void (out += text) },
      stderr: { write: (text) => void (err += text) },
      environment: {},
      signal: new AbortController().signal,
      now: () => Date.now(),
    })
    expect(err).toBe("")
    const found = JSON.parse(out) as Finding[]
    for (const { level, hint } of found) expect(hint === undefined).toBe(level === "ok")
    for (const password of ["testsecret", "postgres:test", "0123456789abcdef"]) expect(out).not.toContain(password)
    return { code, found, failed: found.filter(({ level }) => level === "failed") }
  }

  it("finds all of it fit, and makes no topic and no table", async () => {
    const { code, found, failed } = await check()
    expect(failed).toEqual([])
    expect(code).toBe(0)
    const ok = found.filter(({ level }) => level === "ok").map(({ about, message }) => `${about}: ${message}`)
    for (const part of [
      /^secrets: 1 of 1/,
      /^log: Kafka answers: \d+ broker/,
      /^log: a session timeout of 6000 ms is within/,
      /^log: transactions work/,
      /^log: consumer groups may be joined/,
      /^topics: \d+ are missing, and can be made/,
      /^store: PostgreSQL 1[5-9] answers/,
      /^store: commits are on disk/,
      /^store: the roles of the zones are there, or can be made/,
      /^store: its tables are made when a pipeline first runs/,
      /^store: clocks agree within/,
      /^objects phi: objects can be put, on a condition too, read and deleted/,
      /^objects limited: objects can be put/,
      /^objects clean: objects can be put/,
      /^tables: postgres reaches what it needs/,
    ])
      expect(ok).toContainEqual(expect.stringMatching(part))
    expect((await admin.listTopics()).filter((topic) => topic.startsWith(`${name}.`))).toEqual([])
    const made = new Client(database)
    await made.connect()
    const { rows } = await made.query("SELECT FROM information_schema.schemata WHERE schema_name = 'weir'")
    await made.end()
    expect(rows).toEqual([])
    // The buckets are there now, and their clock is looked at.
    const again = await check()
    expect(again.found).toContainEqual(
      expect.objectContaining({ level: "ok", about: "objects phi", message: expect.stringMatching(/^clocks agree/) }),
    )
  })

  it("names each setting of a topic by which records would be lost", async () => {
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: `${name}.arrivals`,
          numPartitions: 3,
          configEntries: [
            { name: "retention.ms", value: "3600000" },
            { name: "unclean.leader.election.enable", value: "true" },
            { name: "max.message.bytes", value: "100000" },
          ],
        },
      ],
    })
    const { code, failed } = await check()
    expect(code).toBe(1)
    expect(failed.map(({ about, message }) => `${about}: ${message}`)).toEqual([
      `topic ${name}.arrivals: it has 3 partitions, not 2`,
      `topic ${name}.arrivals: unclean.leader.election.enable is true`,
      `topic ${name}.arrivals: max.message.bytes is 100000`,
      `topic ${name}.arrivals: retention.ms is 3600000, the pipeline keeps it for ever`,
    ])
  })

  it("says all that is wrong at once: login, secret key, a short secret, nobody at the broker's port", async () => {
    await writeFile(join(folder, "short"), "abc\n")
    const url = new URL(database)
    url.password = "wrong-password"
    const { code, failed } = await check({ brokers: "127.0.0.1:1", url: url.href, secret: "wrong", key: "short" })
    expect(code).toBe(1)
    const told = failed.map(({ about, message }) => `${about}: ${message}`)
    expect(told[0]).toMatch(/^secrets: secret "project": file short holds fewer than 16 bytes/)
    expect(told[1]).toMatch(/^log: it cannot be reached: Kafka answered /)
    expect(told.filter((text) => text.startsWith("objects phi: ")).length).toBeGreaterThan(0)
    expect(told.at(-1)).toMatch(/^store: connecting: PostgreSQL answered SQLSTATE 28P01/)
  })
})
