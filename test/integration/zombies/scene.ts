import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Client } from "pg"
import { expect } from "vitest"
import { stringify } from "yaml"
import { readRecords } from "../../../cli/topics/read.ts"
import { loadPipeline } from "../../../cli/load.ts"
import { topicCodec } from "../../../core/codec.ts"
import type { TopicCodec } from "../../../core/codec.ts"
import type { Rec } from "../../../core/index.ts"
import type { CompiledPipeline } from "../../../core/pipeline/model.ts"
import type { Log } from "../../../core/ports/log.ts"
import type { Objects } from "../../../core/ports/objects.ts"
import { registered } from "../../../core/registry.ts"
import { builtIns, drivers } from "../../../main.ts"
import { services } from "../../services/addresses.ts"
import { chunkLines } from "../hospital/outcome.ts"
import { placeOnServices } from "../hospital/services.ts"
import type { Place } from "../hospital/services.ts"
import { HoldingProxy } from "./holding-proxy.ts"
import * as protocols from "./protocols.ts"
import type { Event } from "./plugins.ts"

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, "../../..")

/** Every insert and update of a sink's table, so that what is written twice is seen. */
const watchWrites = `
  CREATE TABLE writes (tab text, op text, id text);
  CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.writes VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(NEW)->>'_id'); RETURN NEW; END $$;
  CREATE FUNCTION watch_table() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN
    FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' AND schema_name = 'phi' LOOP
      EXECUTE 'CREATE TRIGGER note AFTER INSERT OR UPDATE ON ' || made.object_identity || ' FOR EACH ROW EXECUTE FUNCTION public.note_write()';
    END LOOP; END $$;
  CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION watch_table()`

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly said: string
}

/** A Weir process that a test stops, continues and ends. */
export class Process {
  readonly #child: ChildProcess
  readonly ended: Promise<Ended>
  said = ""

  constructor(file: string, environment: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, [join(root, "cli/bin.ts"), "run", file, "--log", "json"], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    })
    child.stderr.on("data", (bytes: Buffer) => void (this.said += bytes.toString()))
    this.#child = child
    this.ended = new Promise((settle) => child.on("close", (code) => settle({ code, said: this.said })))
  }

  stop = () => this.#child.kill("SIGSTOP")
  resume = () => this.#child.kill("SIGCONT")

  /** Asks it to drain; resolves when it has ended. */
  end(): Promise<Ended> {
    this.#child.kill("SIGTERM")
    return this.ended
  }

  kill(): Promise<Ended> {
    this.#child.kill("SIGKILL")
    return this.ended
  }

  /** The lines of its log. */
  get lines(): readonly { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[] {
    return this.said
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line))
  }
}

/** On a machine that others share. */
const patienceMs = 180_000

/** Waits until something is so; throws when a process ended meanwhile, or three minutes passed. */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  processes: readonly Process[] = [],
): Promise<void> {
  let over: Ended | undefined
  for (const each of processes) void each.ended.then((ended) => (over = ended))
  for (const giveUp = performance.now() + patienceMs; !(await check());) {
    if (over !== undefined) throw new Error(`${what}: a process ended (${over.code}):\n${over.said.slice(-3000)}`)
    if (performance.now() > giveUp)
      throw new Error(`waited too long for: ${what}\n${processes.map(({ said }) => said.slice(-3000)).join("\n---\n")}`)
    await sleep(50)
  }
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  return client
}

async function withClient(url: string, act: (client: Client) => Promise<unknown>): Promise<void> {
  const client = await connected(url)
  await act(client).finally(() => client.end())
}

/** Proxies to the services, of one process. */
export interface Proxies {
  readonly kafka: HoldingProxy
  readonly store: HoldingProxy
  readonly sink: HoldingProxy
  readonly s3: HoldingProxy
}

/** A pipeline on the real services: events go through objects, a counter with timers, a table and chunks. */
export class Scene {
  readonly #folder: string
  readonly #place: Place
  readonly #environment: Readonly<Record<string, string>>
  readonly #processes: Process[] = []
  readonly #closing: (() => Promise<unknown>)[] = []
  #client: Client
  #pipeline!: CompiledPipeline
  #log!: Log
  #objects!: Objects
  #count = 0

  private constructor(folder: string, place: Place, environment: Readonly<Record<string, string>>, client: Client) {
    this.#folder = folder
    this.#place = place
    this.#environment = environment
    this.#client = client
  }

  /** @param partitions of each topic
   * @param lean without objects */
  static async open(partitions = 2, lean = false): Promise<Scene> {
    const place = await placeOnServices()
    const folder = await realpath(await mkdtemp(join(tmpdir(), "weir-zombies-")))
    const { kafka, s3 } = services()
    const store = (place.ports.store as { readonly url: string }).url
    const environment = { KAFKA: kafka, STORE: store, SINK: store, S3: s3.endpoint }
    const client = await connected(store)
    await client.query(watchWrites)
    const scene = new Scene(folder, place, environment, client)
    await writeFile(scene.file, scene.#text(partitions, lean))
    await scene.feed(0)
    scene.#pipeline = (await loadPipeline(scene.file, { builtIns }, { environment })).pipeline
    scene.#log = await drivers.log(scene.#pipeline.log, folder)
    scene.#objects = await drivers.objects(scene.#pipeline.objects, "phi", folder)
    return scene
  }

  get file(): string {
    return join(this.#folder, "pipeline.yaml")
  }

  get name(): string {
    return this.#place.names.name!
  }

  get log(): Log {
    return this.#log
  }

  get client(): Client {
    return this.#client
  }

  topic = (name: string): string => `${this.#place.names.topicPrefix}${name}`

  #text(partitions: number, lean: boolean): string {
    const topic = this.topic
    const phi = { zone: "phi", partitions }
    return stringify({
      name: this.name,
      plugins: [relative(this.#folder, join(here, "plugins.ts"))],
      log: { driver: "kafka", brokers: ["${KAFKA}"] },
      store: { driver: "postgres", url: "${STORE}" },
      objects: { ...this.#place.ports.objects, endpoint: "${S3}" },
      topics: Object.fromEntries(["events", "passed", "counted"].map((name) => [topic(name), phi])),
      sources: { feed: { use: "feed", with: { path: "feed" }, to: topic("events") } },
      stages: {
        stow: { from: topic("events"), through: [{ use: lean ? "pass" : "stow" }], to: topic("passed") },
        count: { from: topic("passed"), through: [{ use: "tally", with: { "quiet-ms": 300 } }], to: topic("counted") },
      },
      sinks: {
        table: { use: "postgres", with: { url: "${SINK}" }, from: [topic("passed"), topic("counted")] },
        ...(lean ? {} : { files: { use: "object-store", with: { "chunk-records": 25 }, from: topic("passed") } }),
      },
    })
  }

  /** So many events have come by now. */
  async feed(count: number): Promise<void> {
    this.#count = count
    await writeFile(join(this.#folder, "feed"), String(count))
  }

  /** Proxies before all services, for one process. */
  async proxies(): Promise<Proxies> {
    const { KAFKA, STORE, S3 } = this.#environment
    const open = async (url: string, protocol: protocols.Protocol) => {
      const { hostname, port } = new URL(url)
      const proxy = await HoldingProxy.open({ hostname, port: Number(port) }, protocol)
      this.#closing.push(() => proxy.close())
      return proxy
    }
    return {
      kafka: await open(`tcp://${KAFKA}`, protocols.kafka),
      store: await open(STORE!, protocols.postgres),
      sink: await open(STORE!, protocols.postgres),
      s3: await open(S3!, protocols.s3),
    }
  }

  /** Makes a copy of the Store as it is now; what is given back puts it in the Store's place. No process may run. */
  async backup(): Promise<() => Promise<void>> {
    const server = services().postgres
    const [own, copy] = [this.#environment["STORE"]!, new URL(this.#environment["STORE"]!)]
    copy.pathname = `${copy.pathname}_copy`
    const name = (url: string | URL) => new URL(url).pathname.slice(1)
    await this.#client.end()
    await withClient(server, (client) => client.query(`CREATE DATABASE ${name(copy)} TEMPLATE ${name(own)}`))
    this.#client = await connected(own)
    return async () => {
      await this.#client.end()
      await withClient(server, async (client) => {
        await client.query(`DROP DATABASE ${name(own)} WITH (FORCE)`)
        await client.query(`ALTER DATABASE ${name(copy)} RENAME TO ${name(own)}`)
      })
      this.#client = await connected(own)
    }
  }

  /** Starts a process of the pipeline. */
  start(proxies?: Proxies): Process {
    const behind = (url: string, port: number) => Object.assign(new URL(url), { port: String(port) }).href
    const { STORE, S3 } = this.#environment
    const process = new Process(this.file, {
      ...this.#environment,
      ...(proxies === undefined
        ? {}
        : {
            KAFKA: `127.0.0.1:${proxies.kafka.port}`,
            STORE: behind(STORE!, proxies.store.port),
            SINK: behind(STORE!, proxies.sink.port),
            S3: behind(S3!, proxies.s3.port).replace(/\/$/, ""),
          }),
    })
    this.#processes.push(process)
    return process
  }

  /** Encodes and decodes a topic, once a process has made it. */
  async codec(name: string): Promise<TopicCodec> {
    const topic = this.topic(name)
    const { topics, schemas } = await registered(this.#log)
    const { zone, type } = this.#pipeline.topics.get(topic)!
    return topicCodec(topic, zone, type, topics.get(topic)!.schema, schemas, this.#objects)
  }

  async records(name: string): Promise<readonly Rec<Event>[]> {
    const found: Rec<Event>[] = []
    const all = { from: 0n, limit: Number.POSITIVE_INFINITY }
    for await (const record of readRecords(this.#log, this.#pipeline.topics.get(this.topic(name))!, this.#objects, all))
      found.push(record as Rec<Event>)
    return found
  }

  async #objectsOf(prefixes: readonly string[]): Promise<Map<string, Buffer>> {
    const found = new Map<string, Buffer>()
    for (const prefix of prefixes)
      for await (const { key } of this.#objects.list(prefix))
        found.set(key, Buffer.from(await this.#objects.bytes(key)))
    return found
  }

  async #writes(name: string): Promise<readonly { readonly op: string; readonly id: string }[]> {
    const { rows } = await this.#client.query<{ op: string; id: string }>(
      "SELECT op, id FROM public.writes WHERE tab = $1 ORDER BY id",
      [`${this.topic(name).replaceAll(".", "_")}__all`],
    )
    return rows
  }

  async #lines(): Promise<readonly string[]> {
    // A manifest may name files that are joined just now.
    const objects = await this.#objectsOf(["data/", "manifests/"]).catch(() => new Map<string, Buffer>())
    try {
      return chunkLines(objects, this.topic("passed"))
    } catch {
      return []
    }
  }

  /** Waits until all events that have come are in the topics, the table and the objects, and all timers have fired. */
  async complete(processes: readonly Process[]): Promise<void> {
    const all = this.#count
    const distinct = (rows: readonly { readonly id: string }[]) => new Set(rows.map(({ id }) => id)).size
    const events = (rows: readonly { readonly id: string }[]) => rows.filter(({ id }) => id.startsWith("e"))
    await until(`${all} events passed`, async () => distinct(await this.records("passed")) === all, processes)
    await until(`${all} events counted`, async () => distinct(events(await this.records("counted"))) === all, processes)
    await until(
      "timers have fired",
      async () => (await this.#client.query("SELECT FROM weir.timers")).rowCount === 0,
      processes,
    )
    await until("what the timers wrote is published", () => this.#isPublished("count", "passed"), processes)
    await until(`${all} events in the table`, async () => distinct(await this.#writes("passed")) === all, processes)
    await until(
      "counts in the table",
      async () => distinct(await this.#writes("counted")) === distinct(await this.records("counted")),
      processes,
    )
    await until(`${all} events in chunks`, async () => (await this.#lines()).length >= all, processes)
  }

  /** Whether the Log has all that a stage with state has put into its outbox. */
  async #isPublished(stage: string, input: string): Promise<boolean> {
    const { rows } = await this.#client.query<{ partition: number; outbox: string }>(
      "SELECT t.partition, t.outbox FROM weir.tasks t JOIN weir.stages s ON s.id = t.stage WHERE s.name = $1",
      [stage],
    )
    const published = await this.#log.committed(`${this.name}.${stage}.outbox`, this.topic(input))
    return rows.length > 0 && rows.every(({ partition, outbox }) => (published.get(partition) ?? 0n) >= BigInt(outbox))
  }

  /** Checks that every event has come through once and no more, everywhere. */
  async expectExact(): Promise<void> {
    const events = Array.from({ length: this.#count }, (_, at) => `e${at + 1}`).toSorted()
    const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id).toSorted()
    expect(ids(await this.records("events")), "events").toEqual(events)
    const passed = await this.records("passed")
    expect(ids(passed), "passed").toEqual(events)
    const counted = await this.records("counted")
    const [quiet, counts] = [
      counted.filter(({ id }) => id.startsWith("quiet")),
      counted.filter(({ id }) => id.startsWith("e")),
    ]
    expect(ids(counts), "counted").toEqual(events)
    for (const [what, rows] of [
      ["counts", counts],
      ["timers fired", quiet],
    ] as const)
      for (const [key, of] of Map.groupBy(rows, ({ key }) => key)) {
        const numbers = of.map(({ value }) => Number(value!.number))
        expect(numbers, `${what} of ${key}`).toEqual(numbers.map((_, at) => at + 1))
      }
    for (const [name, rows] of [
      ["passed", passed],
      ["counted", counted],
    ] as const)
      expect(
        (await this.#writes(name)).map(({ op, id }) => `${op} ${id}`).toSorted(),
        `writes to the table of ${name}`,
      ).toEqual(ids(rows).map((id) => `INSERT ${id}`))
    const objects = await this.#objectsOf(["data/", "manifests/"])
    const lines = chunkLines(objects, this.topic("passed")).map((line) => (JSON.parse(line) as { id: string }).id)
    expect(lines, "lines of chunks").toEqual(passed.map(({ id }) => id))
    expect([...(await this.#objectsOf(["stowed/"])).keys()], "objects").toEqual(events.map((id) => `stowed/${id}`))
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.kill()))
    await Promise.all(this.#closing.map((close) => close()))
    await this.#log?.close()
    await this.#objects?.close()
    await this.#client.end()
    await this.#place.clear()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
