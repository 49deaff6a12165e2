import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"
import { dispatch } from "../../cli/dispatch.ts"
import {
  Schema,
  badRecord,
  defineSink,
  defineSource,
  defineStateful,
  defineTransform,
  keep,
  port,
  recordType,
  long,
  string,
} from "../../core/index.ts"
import type { AnyPlugin, Draft, Rec, Span, ValueOf } from "../../core/index.ts"
import { objectStore } from "../../sinks/object-store/index.ts"
import { postgres } from "../../sinks/postgres/index.ts"
import { drivers } from "../../main.ts"

/** What the test pipelines carry. */
export const reading = recordType({
  name: "reading",
  doc: "A number with a name.",
  fields: { name: keep(string, "its name"), number: keep(long, "its number") },
  id: ["name"],
})
export type Reading = ValueOf<typeof reading>

/** A world of a test: a folder, a pipeline file in it, plugins whose faults the test sets, and the command line over it. */
export class World {
  readonly folder: string
  /** How many numbers the source gives, over all runs. */
  count = 0
  /** How many it gives at a time. */
  step = 2000
  /** The value that a number is sent with. */
  nameOf = (number: number): string => `n${number}`
  /** What the plugin of this name does with a number: pass, `fail` it, or `throw` over the whole batch. */
  faults: (plugin: string, number: number) => "fail" | "throw" | undefined = () => undefined
  /** What the memory sink holds: by topic, partition and offset. */
  readonly written: { readonly span: Span; readonly numbers: number[] }[] = []
  /** Called before the source appends the numbers from here on. */
  beforeAppend: (from: number) => void | Promise<unknown> = () => {}
  /** Called before the memory sink writes. */
  onWrite: (numbers: readonly number[]) => void | Promise<void> = () => {}

  /** Called when the log says that something stands still. */
  onPaused: (line: string) => void = () => {}
  /** Called with all that is said beside the output. */
  onSaid: (text: string) => void = () => {}
  /** What the pipeline file may name. */
  readonly environment: Record<string, string> = {}

  private constructor(folder: string) {
    this.folder = folder
  }

  /** @param server in which it has a database of its own, as `${STORE}` */
  static async open(yaml: string, server: { readonly client: Client; readonly url: string }): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), "weir-world-")))
    const name = `world_${Math.random().toString(36).slice(2)}`
    await server.client.query(`CREATE DATABASE ${name}`)
    world.environment["STORE"] = server.url.replace(/[^/]*$/, name)
    await world.pipeline(yaml)
    return world
  }

  get file(): string {
    return join(this.folder, "pipeline.yaml")
  }

  /** Replaces the pipeline file. */
  pipeline(yaml: string): Promise<void> {
    return writeFile(this.file, `store: { driver: postgres, url: "\${STORE}" }\n${yaml}`)
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  async weir(...argv: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    return this.weirUntil(new AbortController().signal, ...argv)
  }

  /** Runs a command that is told to stop by a signal. */
  async weirUntil(signal: AbortSignal, ...argv: string[]) {
    let [out, err] = ["", ""]
    const code = await dispatch(
      argv,
      { builtIns: this.plugins, drivers, synthesize: never, deidentifyFolder: never, dicomTexts: () => undefined },
      {
        stdout: { write: (text) => void (out += text) },
        stderr: {
          write: (text) => {
            err += text
            this.onSaid(text)
            if (text.includes(" paused ")) this.onPaused(text)
          },
        },
        environment: this.environment,
        signal,
        now: () => Date.now(),
      },
    )
    return { code, out, err }
  }

  /** Runs the pipeline to its end; throws with what was said when it does not end well. */
  async run(): Promise<{ readonly fates: Readonly<Record<string, Readonly<Record<string, unknown>>>> }> {
    const { code, out, err } = await this.weir("run", this.file, "--until-idle", "--json")
    if (code !== 0) throw new Error(err)
    return JSON.parse(out)
  }

  async rows(query: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { code, out, err } = await this.weir("sql", this.file, query, "--phi", "--json")
    if (code !== 0) throw new Error(err)
    return JSON.parse(out)
  }

  /** What was written down of people's acts. */
  async audited(): Promise<readonly string[]> {
    const client = new Client({ connectionString: this.environment["STORE"]! })
    await client.connect()
    try {
      const { rows } = await client.query<{ action: string }>("SELECT action FROM weir.audit ORDER BY number")
      return rows.map(({ action }) => action)
    } finally {
      await client.end()
    }
  }

  async letters(): Promise<readonly Readonly<Record<string, string>>[]> {
    const { out, err } = await this.weir("dead-letters", "list", this.file, "--json")
    if (out === "") throw new Error(err)
    return JSON.parse(out)
  }

  /** Plugins of the test's own, instead of these. */
  builtIns: readonly AnyPlugin[] | undefined

  get plugins(): readonly AnyPlugin[] {
    if (this.builtIns !== undefined) return this.builtIns
    return [
      this.#source(),
      this.#checked("checked"),
      this.#checked("again"),
      { ...this.#checked("border"), privacy: true },
      this.#latest(),
      this.#memory(),
      postgres,
      objectStore,
    ]
  }

  #draft(number: number): Draft<Reading> {
    const name = this.nameOf(number)
    return {
      key: `k${number % 50}`,
      id: `n${number}`,
      op: "upsert",
      version: 1n,
      value: { name, number },
      time: number * 86_400_000,
    }
  }

  #source() {
    return defineSource({
      name: "numbers",
      summary: "Gives numbers from where it was on.",
      options: Schema.Struct({}),
      runs: "once",
      outputs: { out: port(reading, "key") },
      create: async () => ({
        run: async ({ append, checkpoint }) => {
          for (let at = Number(checkpoint.get("at") ?? 0); at < this.count;) {
            const next = Math.min(this.count, at + this.step)
            const drafts = Array.from({ length: next - at }, (_, index) => this.#draft(at + index))
            await this.beforeAppend(at)
            await append("out", drafts, { at: String(next) })
            at = next
          }
        },
      }),
    })
  }

  #judge(plugin: string, records: readonly Rec<unknown>[]): readonly boolean[] {
    return records.map((record) => {
      const { number } = record.value as Reading
      const fault = this.faults(plugin, number)
      if (fault === "throw") throw badRecord("thrown", "a number is not liked")
      return fault === "fail"
    })
  }

  #checked(name: string) {
    return defineTransform({
      name,
      summary: "Passes numbers on.",
      options: Schema.Struct({}),
      inputs: { in: port(reading, "key") },
      outputs: { out: port(reading, "key") },
      create: async () => ({
        apply: (batch, out) => {
          const bad = this.#judge(name, batch)
          for (const [at, record] of batch.entries())
            if (bad[at] === true) out.fail(record, badRecord("failed", "a number is not liked", { path: "number" }))
            else out.emit("out", record, { ...record })
        },
      }),
    })
  }

  #latest() {
    return defineStateful({
      name: "latest",
      summary: "Keeps numbers, and counts what it saw by key.",
      options: Schema.Struct({}),
      inputs: { in: port(reading, "key") },
      outputs: { out: port(reading, "key") },
      create: async () => ({
        apply: async (batch, out, state) => {
          const bad = this.#judge("latest", batch)
          const seen = await state.get<number>(batch.map(({ key, id }) => [key, id]))
          const before = new Map(batch.map(({ key, id }, at) => [`${key} ${id}`, seen[at] ?? 0]))
          for (const [at, record] of batch.entries()) {
            const slot = `${record.key} ${record.id}`
            if (bad[at] === true) {
              out.fail(record, badRecord("failed", "a number is not liked"))
              continue
            }
            const version = before.get(slot)! + 1
            before.set(slot, version)
            state.put([[record.key, record.id, version]])
            out.emit("out", record, { ...record, version: BigInt(version) })
          }
        },
      }),
    })
  }

  #memory() {
    return defineSink({
      name: "memory",
      summary: "Keeps numbers in memory, and throws over a whole batch.",
      options: Schema.Struct({}),
      delivery: "idempotent",
      create: async () => ({
        delivery: "idempotent",
        write: async (batch, span) => {
          const numbers = batch.map(({ value }) => (value as Reading).number)
          await this.onWrite(numbers)
          this.#judge("memory", batch)
          if (numbers.length > 0) this.written.push({ span, numbers })
        },
        close: async () => {},
      }),
    })
  }
}

const never = () => Promise.reject(new Error("not here"))
