import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chmod, mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises"
import { mkdtempSync, rmdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withLog } from "../../cli/ports.ts"
import { loadPipeline } from "../../cli/load.ts"
import type { Fetched } from "../../core/ports/log.ts"
import { drivers } from "../../main.ts"
import { LIMIT, toHead, until } from "../kit/log-contract.ts"
import { services } from "../services/addresses.ts"
import { startPostgres } from "../services/postgres.ts"
import { isRunning, stop } from "../services/processes.ts"
import { World } from "./world.ts"

const { kafka } = services()
/** How long the trouble lasts: what the project promises to survive, in real time. */
const troubleMs = 60_000

/** A PostgreSQL server on a file system of its own, of 384 MB, which is Store and target of a pipeline under one login. */
class SmallServer {
  readonly client: Client
  readonly #folder: string
  readonly #server: Awaited<ReturnType<typeof startPostgres>>
  #process

  private constructor(folder: string, server: Awaited<ReturnType<typeof startPostgres>>, client: Client) {
    this.#folder = folder
    this.#server = server
    this.#process = server.process
    this.client = client
  }

  static async open(): Promise<SmallServer> {
    const folder = await mkdtemp(join(tmpdir(), "weir-night-"))
    await chmod(folder, 0o755)
    const disk = join(folder, "disk")
    await mkdir(disk)
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=384m,mode=755", "tmpfs", disk])
    const server = await startPostgres(disk, ["max_wal_size=64MB", "min_wal_size=32MB"])
    const client = new Client(server.address)
    client.on("error", () => {})
    await client.connect()
    await client.query("CREATE ROLE engine LOGIN PASSWORD 'right' CREATEROLE")
    return new SmallServer(folder, server, client)
  }

  /** The server under the login that changes. */
  get url(): string {
    const url = new URL(this.#server.address)
    ;[url.username, url.password] = ["engine", "right"]
    return url.href
  }

  /** Runs statements as the server's owner. */
  async sql(database: string, text: string): Promise<readonly Record<string, unknown>[]> {
    const url = new URL(this.#server.address)
    url.pathname = database
    const client = new Client(url.href)
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }

  async fill(): Promise<void> {
    const disk = join(this.#folder, "disk")
    const { bavail, bsize } = await statfs(disk)
    // What the server takes meanwhile cuts it short, and the disk is as full.
    await writeFile(join(disk, "filler"), Buffer.alloc(bavail * bsize)).catch(() => {})
    const left = await statfs(disk)
    expect(left.bavail * left.bsize).toBeLessThan(64 << 10)
  }

  /** Frees the disk; a server that ended over it is started again, as its own supervisor does. */
  async free(): Promise<void> {
    await rm(join(this.#folder, "disk", "filler"))
    if (!isRunning(this.#process)) this.#process = await this.#server.start()
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => {})
    await stop(this.#process, "SIGQUIT")
    execFileSync("umount", ["-l", join(this.#folder, "disk")])
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function mountable(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "weir-mount-"))
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "ignore" })
    execFileSync("umount", [folder])
    return true
  } catch {
    return false
  } finally {
    rmdirSync(folder)
  }
}

interface Told {
  /** Partitions that stand still, by stage or sink, with their codes. */
  readonly metrics: readonly string[]
  readonly probes: readonly number[]
  readonly status: readonly string[]
  readonly unread: Readonly<Record<string, string>>
}

/** A pipeline whose Store and target are on the server, and everything that it says. */
class Night {
  readonly name = `night_${randomUUID().slice(0, 8)}`
  readonly world: World
  readonly #server: SmallServer
  #said = ""

  private constructor(world: World, server: SmallServer) {
    this.world = world
    this.#server = server
  }

  static async open(server: SmallServer): Promise<Night> {
    const world = await World.open("", server)
    const night = new Night(world, server)
    const [store, target] = [world.environment["STORE"]!, server.url.replace(/[^/]*$/, night.name)]
    await server.sql("/postgres", `CREATE DATABASE ${night.name} OWNER engine`)
    await server.sql("/postgres", `ALTER DATABASE ${new URL(store).pathname.slice(1)} OWNER TO engine`)
    world.environment["TARGET"] = target
    await world.pipeline(`
name: ${night.name}
log: { driver: kafka, brokers: [${kafka}] }
listen: { port: 0 }
topics:
  ${night.name}.raw: { zone: phi, partitions: 2 }
  ${night.name}.late: { zone: phi, partitions: 2 }
sources: { feed: { use: numbers, to: ${night.name}.raw } }
stages: { fold: { from: ${night.name}.raw, through: [{ use: latest }], to: ${night.name}.late } }
sinks:
  table: { use: postgres, with: { url: "\${TARGET}" }, from: [${night.name}.raw, ${night.name}.late] }
`)
    world.onSaid = (text) => void (night.#said += text)
    return night
  }

  /** What the log said of standing still: per partition, in order. */
  changes(): ReadonlyMap<string, readonly string[]> {
    const changes = new Map<string, string[]>()
    for (const line of this.#said.split("\n")) {
      const [, what = "", where = ""] = / (paused|resumed) (stage=\S+ partition=\S+(?: topic=\S+)?)/.exec(line) ?? []
      const [, code = ""] = / code=(\S+)/.exec(line) ?? []
      if (what !== "") changes.set(where, [...(changes.get(where) ?? []), what === "paused" ? code : what])
    }
    return changes
  }

  async told(): Promise<Told> {
    const [, port] = / listening .*port=(\d+)/.exec(this.#said) ?? []
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const paused = [...metrics.matchAll(/^weir_partition_paused\{(.*)\} 1$/gm)].map(([, labels]) => labels!)
    const probes = [...metrics.matchAll(/^weir_partition_next_probe_timestamp_seconds\{.*\} (\S+)$/gm)]
    const silent = this.world.onSaid
    this.world.onSaid = () => {}
    const { code, out, err } = await this.world.weir("status", this.world.file, "--json")
    this.world.onSaid = silent
    expect(code, err).toBe(0)
    const { stages, sinks, unread } = JSON.parse(out)
    type Shown = { paused?: { code: string; nextProbe: string; since: string } }
    const status = Object.entries({ ...stages, ...sinks } as Record<string, { partitions: Shown[] }>).flatMap(
      ([name, { partitions }]) =>
        partitions.flatMap(({ paused: pause }) => {
          if (pause === undefined) return []
          expect(Date.parse(pause.nextProbe)).toBeGreaterThan(Date.parse(pause.since))
          return [`${name} ${pause.code}`]
        }),
    )
    return { metrics: paused, probes: probes.map(([, seconds]) => Number(seconds) * 1000), status, unread }
  }

  /** Records of the topic, without the engine's own. */
  async records(topic: string): Promise<readonly Fetched[]> {
    const { pipeline } = await loadPipeline(this.world.file, { builtIns: this.world.plugins }, this.world)
    return withLog(pipeline, { drivers }, async (log) => {
      const read: Fetched[] = []
      for (const partition of [0, 1]) {
        const reader = await log.reader(`${this.name}.${topic}`, partition, 0n)
        read.push(...(await toHead(reader, LIMIT)))
        await reader.close()
      }
      // The key of the engine's own notes begins with an empty text in Avro.
      return read.filter(({ key }) => key![0] !== 0)
    })
  }

  table = (topic: string) =>
    this.#server.sql(
      `/${this.name}`,
      `SELECT count(*)::int AS n, count(DISTINCT name)::int AS names, max(_version)::int AS version FROM phi.${this.name}_${topic}`,
    )

  async close(): Promise<void> {
    const admin = new Kafka({ brokers: kafka.split(","), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const made = (await admin.listTopics()).filter((topic) => topic.startsWith(`${this.name}.`))
    if (made.length > 0) await admin.deleteTopics({ topics: made })
    await admin.disconnect()
    await this.world.close()
  }
}

const can = mountable()
if (!can && process.env["CI"] !== undefined) throw new Error("a small file system cannot be mounted: run this as root")
if (!can) console.warn("SKIPPED: a full disk under PostgreSQL needs Linux, root and the right to mount a tmpfs")

describe.skipIf(!can)(
  `PostgreSQL in trouble for ${troubleMs / 1000} s, as Store and as target, while records arrive`,
  () => {
    const servers: SmallServer[] = []
    const nights: Night[] = []
    beforeAll(async () => {
      servers.push(await SmallServer.open(), await SmallServer.open())
      for (const server of servers) nights.push(await Night.open(server))
    })
    afterAll(async () => {
      for (const night of nights) await night.close()
      for (const server of servers) await server.close()
    })

    /** The trouble begins after some records, others come as long as it lasts, and then some more. */
    async function survives(night: Night, code: string, begin: () => Promise<unknown>, end: () => Promise<unknown>) {
      const { world } = night
      const begun = Promise.withResolvers<number>()
      let ended = false
      world.count = 1e9
      world.beforeAppend = async (from) => {
        if (from === 4000) {
          await begin()
          begun.resolve(Date.now())
        }
        const next = Date.now() + 3000
        if (from > 4000) await until(() => ended || Date.now() > next)
        if (ended && world.count === 1e9) world.count = from + 4000
      }
      const running = world.run()
      running.catch(() => {})
      const middle = async () => {
        const began = await begun.promise
        let told: Told | undefined
        const both = async () => {
          const { status, metrics } = (told = await night.told())
          const shown = (name: string) =>
            status.includes(`${name} ${code}`) &&
            metrics.some((labels) => labels.includes(`name="${name}"`) && labels.includes(`code="${code}"`))
          return shown("fold") && shown("table")
        }
        await until(both, troubleMs - 5000)
        expect(told!.probes.length).toBe(told!.metrics.length)
        await until(() => Date.now() >= began + troubleMs, troubleMs)
        const late = await night.told()
        expect(late.status.length, "it still stands still").toBeGreaterThan(2)
        for (const probe of late.probes) expect(probe).toBeLessThan(Date.now() + 25_000)
        await end()
        ended = true
        return late
      }
      const [late] = await Promise.all([Promise.race([middle(), running.then(() => undefined)]), running])
      expect(late, "the run ended before the trouble did").toBeDefined()
      const n = world.count
      expect(n).toBeGreaterThan(20_000)
      expect(await night.table("raw")).toEqual([{ n, names: n, version: 1 }])
      // A number that was folded twice has version 2, one that was published twice stands in the topic twice.
      expect(await night.table("late")).toEqual([{ n, names: n, version: 1 }])
      expect((await night.records("late")).length).toBe(n)
      expect(await world.letters()).toEqual([])
      for (const [where, changes] of night.changes()) {
        expect(changes.at(-1), where).toBe("resumed")
        for (const [at, change] of changes.entries()) expect(change, `${where}: ${changes}`).not.toBe(changes[at + 1])
        expect(changes.length, `${where}: ${changes}`).toBeLessThan(20)
      }
      return late!
    }

    it.concurrent(
      "by a full disk: no dead letter, on by itself, each record once",
      async () => {
        const [server, night] = [servers[0]!, nights[0]!]
        await survives(
          night,
          "disk-full",
          () => server.fill(),
          () => server.free(),
        )
      },
      240_000,
    )

    it.concurrent(
      "by a wrong password: no dead letter, on by itself, each record once",
      async () => {
        const [server, night] = [servers[1]!, nights[1]!]
        const { unread } = await survives(
          night,
          "login-refused",
          () =>
            server.sql(
              "/postgres",
              "ALTER ROLE engine PASSWORD 'wrong'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'engine'",
            ),
          () => server.sql("/postgres", "ALTER ROLE engine PASSWORD 'right'"),
        )
        // Who looks meanwhile is told what the Log knows.
        expect(unread).toEqual({ store: "login-refused", table: "login-refused" })
      },
      240_000,
    )
  },
)
