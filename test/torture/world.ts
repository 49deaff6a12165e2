import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import type { Started } from "../services/cache.ts"
import { mountable } from "./disk.ts"
import { Judge } from "./judge.ts"
import { Ledger } from "./ledger.ts"
import { pipelineName } from "./pipeline.ts"
import type { Release } from "./pipeline.ts"
import { Gate } from "./points.ts"
import { ownPort } from "./ports.ts"
import { Line } from "./proxy.ts"
import { brokers, makeServers, processes } from "./servers.ts"
import type { Servers } from "./servers.ts"
import { endLeftover, until } from "./service.ts"
import type { Service } from "./service.ts"
import { kafkaTap, postgresTap, s3Tap } from "./taps.ts"
import { Traffic } from "./traffic.ts"
import { Weir } from "./weir.ts"

/** The ways of one process to everything that it talks to. */
export interface Lines {
  readonly kafka: readonly Line[]
  readonly postgres: Line
  readonly s3: Line
}

/** The groups that the pipeline's sources, stages and sinks join. */
const groups = [
  "feed.owner",
  "sift",
  "count",
  "join",
  "table.counted",
  "table.labels",
  "inserts.counted",
  "files.counted",
].map((name) => `${pipelineName}.${name}`)

/** Three Weir processes on real services, with a proxy on every way between them. */
export class World {
  readonly folder: string
  readonly servers: Servers
  readonly lines: readonly Lines[]
  readonly weirs: readonly Weir[]
  readonly gate: Gate
  readonly ledger: Ledger
  readonly traffic: Traffic
  readonly judge: Judge
  /** True where disks can be filled; else why not. */
  readonly disks: true | string
  release: Release
  /** Processes that ended by themselves. */
  readonly died: string[]

  private constructor(
    folder: string,
    gate: Gate,
    lines: readonly Lines[],
    servers: Servers,
    weirs: readonly Weir[],
    disks: true | string,
    release: Release,
    died: string[],
  ) {
    this.folder = folder
    this.gate = gate
    this.lines = lines
    this.servers = servers
    this.weirs = weirs
    this.disks = disks
    this.release = release
    this.died = died
    this.ledger = new Ledger(folder)
    this.traffic = new Traffic(
      this.ledger,
      weirs.map(({ addresses }) => addresses.push),
    )
    this.judge = new Judge(this.ledger, {
      brokers: servers.brokers.map(({ port }) => `127.0.0.1:${port}`),
      postgres: servers.postgres.url,
      s3: `http://127.0.0.1:${servers.s3.port}`,
    })
  }

  /** Makes the world in a folder, or starts what is there again. Nothing runs yet. */
  static async make(folder: string, release: Release): Promise<World> {
    mkdirSync(folder, { recursive: true })
    for (const started of leftovers(folder)) await endLeftover(started)
    const gate = new Gate()
    const lines = Array.from({ length: processes }, (_, process): Lines => {
      const letters = new Set<string>()
      return {
        kafka: Array.from({ length: brokers }, () => new Line(process, gate, () => kafkaTap(pipelineName, letters))),
        postgres: new Line(process, gate, postgresTap),
        s3: new Line(process, gate, s3Tap),
      }
    })
    const proxies = await Promise.all(
      lines.map(async ({ kafka, postgres, s3 }) => ({
        kafka: await Promise.all(kafka.map((line) => line.open())),
        postgres: await postgres.open(),
        s3: await s3.open(),
      })),
    )
    const advertised = Array.from({ length: brokers }, (_, broker) => proxies.map(({ kafka }) => kafka[broker]!))
    const disks = mountable(folder)
    const servers = await makeServers(folder, advertised, disks === true)
    for (const [process, { kafka, postgres, s3 }] of lines.entries()) {
      for (const [broker, line] of kafka.entries()) line.target = servers.brokers[broker]!.ports[process]!
      postgres.target = servers.postgres.port
      s3.target = servers.s3.port
    }
    const died: string[] = []
    const weirs = await Promise.all(
      proxies.map(async ({ kafka, postgres, s3 }, process) => {
        const addresses = { process, brokers: kafka, postgres, s3, push: await ownPort(), http: await ownPort() }
        return new Weir(folder, addresses, (what) => void died.push(what))
      }),
    )
    return new World(folder, gate, lines, servers, weirs, disks, release, died)
  }

  /** Starts everything, and waits until the processes are ready. */
  async start(): Promise<void> {
    const { brokers: kafka, postgres, s3 } = this.servers
    await Promise.all([...kafka, postgres, s3].map((server) => server.start()))
    await this.#clusterReady()
    this.remember()
    // The first one makes the topics.
    this.weirs[0]!.start(this.release)
    await this.weirs[0]!.ready()
    for (const weir of this.weirs.slice(1)) weir.start(this.release)
    await Promise.all(this.weirs.map((weir) => weir.ready()))
    this.remember()
    if (this.died.length > 0) throw new Error(this.died.join("; "))
  }

  async #clusterReady(): Promise<void> {
    const admin = this.#admin()
    try {
      await admin.connect()
      await until(
        "three brokers",
        async () => {
          const lost = this.servers.brokers.find(({ service }) => !service.running)
          if (lost !== undefined) throw new Error(`${lost.service.name} ended at once; its log: ${lost.service.log}`)
          return (await admin.describeCluster()).brokers.length === brokers || undefined
        },
        60_000,
      )
    } finally {
      await admin.disconnect()
    }
  }

  #admin() {
    return new Kafka({
      clientId: "torture-admin",
      brokers: this.servers.brokers.map(({ port }) => `127.0.0.1:${port}`),
      logLevel: logLevel.NOTHING,
    }).admin()
  }

  /** Whether every group settled with so many members. */
  async settledWith(members: number): Promise<boolean> {
    const admin = this.#admin()
    try {
      await admin.connect()
      const { groups: all } = await admin.describeGroups(groups)
      return all.every(({ state, members: own }) => state === "Stable" && own.length === members)
    } catch {
      return false
    } finally {
      await admin.disconnect().catch(() => {})
    }
  }

  get services(): readonly Service[] {
    const { brokers: kafka, postgres, s3 } = this.servers
    return [...this.weirs, ...kafka, postgres, s3].map(({ service }) => service)
  }

  /** Writes down what runs, so that a later run can end it if this script is killed. */
  remember(): void {
    const started = this.services.flatMap((service) => service.started ?? [])
    writeFileSync(join(this.folder, "processes.json"), JSON.stringify(started, undefined, 2))
  }

  /** Every way of a process. */
  waysOf(process: number): readonly Line[] {
    const { kafka, postgres, s3 } = this.lines[process]!
    return [...kafka, postgres, s3]
  }

  /** Undoes whatever a fault may have left on. */
  calm(): void {
    this.gate.disarm()
    for (const { kafka, postgres, s3 } of this.lines)
      for (const line of [...kafka, postgres, s3]) {
        line.sweep()
        line.refuse(false)
        line.slowMs = 0
        line.failing = undefined
      }
    const { brokers: kafka, postgres, s3 } = this.servers
    if (this.disks === true) for (const { disk } of [...kafka, postgres, s3]) disk.empty()
  }

  /** Drains the processes and stops everything, at once where `hard`. */
  async close(hard = false): Promise<readonly string[]> {
    this.traffic.close()
    this.calm()
    await this.judge.close()
    const complaints: string[] = []
    await Promise.all(
      this.weirs.map(async (weir) => {
        if (!weir.service.running) return
        if (hard) return weir.kill()
        const badly = await weir.end()
        if (badly !== undefined) complaints.push(`weir-${weir.process} drained badly: ${badly}`)
      }),
    )
    const { brokers: kafka, postgres, s3 } = this.servers
    await Promise.all([
      ...kafka.map(({ service }) => service.end("SIGTERM", 20_000)),
      postgres.service.end("SIGINT", 20_000),
      s3.service.end("SIGTERM", 5000),
    ])
    for (const { disk } of [...kafka, postgres, s3]) disk.unmount()
    await Promise.all(
      this.lines.flatMap((lines) => [...lines.kafka, lines.postgres, lines.s3]).map((line) => line.close()),
    )
    this.remember()
    return complaints
  }
}

function leftovers(folder: string): Started[] {
  const file = join(folder, "processes.json")
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Started[]) : []
}
