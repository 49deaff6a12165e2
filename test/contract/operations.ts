import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { runPipeline } from "../../core/engine/run.ts"
import type { RunOptions } from "../../core/engine/run.ts"
import {
  Schema,
  anyPort,
  defineSink,
  defineStateful,
  defineSource,
  defineTransform,
  port,
  refused,
  samePort,
  systemic,
} from "../../core/index.ts"
import { label } from "../../core/index.ts"
import type { AnyPlugin, Context, Draft, In, Out, Rec, State } from "../../core/index.ts"
import { compile } from "../../core/pipeline/compile.ts"
import { pluginSet } from "../../core/pipeline/plugins.ts"
import { drivers } from "../../main.ts"

/** What the test does to a running pipeline: the plugins obey it. */
export interface Knobs {
  /** The code with which the sink fails, while it is set. */
  trouble: string | undefined
  readonly written: string[]
  /** What the sink did, and the source's end, in order. */
  readonly events: string[]
  /** While it is set, writes wait for it. */
  hold: Promise<void> | undefined
  /** Appends a record under a key; resolves when it is durable. */
  append: (key: string) => Promise<void>
  /** Called when the source runs. */
  started: () => void
}

const none = Schema.Struct({})

const draft = (key: string): Draft => ({ key, id: key, op: "upsert", version: 1n, time: 0, value: null })

/** A source that gives what the test asks for, a transform that refuses and drops by the key, a sink that fails when told. */
export function plugins(knobs: Knobs): readonly AnyPlugin[] {
  const out = { out: port(label, "any") }
  const source = defineSource({
    name: "asked",
    summary: "Gives what the test asks for",
    options: none,
    outputs: out,
    runs: "once",
    create: async () => ({
      run: (run) =>
        new Promise((resolve) => {
          knobs.started()
          knobs.append = (key) => run.append("out", [{ ...draft(key), op: "retract" }] as never)
          run.signal.addEventListener("abort", () => {
            knobs.events.push("source ends")
            resolve()
          })
        }),
    }),
  })
  const sift = defineTransform({
    name: "sift",
    summary: "Refuses and drops by the key",
    options: none,
    inputs: { in: anyPort },
    outputs: { out: samePort },
    create: async (_: unknown, context: Context) => ({
      async apply(batch: readonly In<{ in: typeof anyPort }>[], out: Out<Rec, Rec, { out: typeof samePort }>) {
        for (const record of batch) {
          context.count("seen", record.key)
          if (record.key.startsWith("refuse")) out.fail(record, refused("test", "refused by the test"))
          else if (record.key.startsWith("drop")) out.drop(record, "not-wanted")
          else out.emit("out", record, draftOf(record))
        }
      },
      async close() {},
    }),
  } as never)
  const sink = defineSink({
    name: "moody",
    summary: "Fails when told",
    options: none,
    delivery: "idempotent",
    create: async () => ({
      delivery: "idempotent",
      async write(batch) {
        if (knobs.trouble !== undefined) throw systemic(knobs.trouble, "the sink is in trouble")
        knobs.events.push("write")
        await knobs.hold
        knobs.written.push(...batch.map(({ key }) => key))
        knobs.events.push("written")
      },
      async close() {
        knobs.events.push("close")
      },
    }),
  })
  const wait = defineStateful({
    name: "wait",
    summary: "Holds what comes, and lets it go after a day of quiet",
    options: none,
    inputs: { in: anyPort },
    outputs: { out: samePort },
    create: async () => ({
      async apply(batch: readonly In<{ in: typeof anyPort }>[], out: Out<Rec, Rec, never>, state: State) {
        for (const record of batch) {
          out.hold(record)
          state.timer(
            { key: record.key, name: "day", due: state.now + 86_400_000, clock: "quiet", since: state.now },
            record,
          )
        }
      },
    }),
  } as never)
  return [wait as AnyPlugin, source as AnyPlugin, sift as AnyPlugin, sink as AnyPlugin]
}

const draftOf = ({ key, id, op, version, time, value }: Draft): Draft => ({ key, id, op, version, time, value })

/** A pipeline of these plugins on the embedded ports, in a folder of its own. */
export class Bench {
  readonly folder: string
  readonly knobs: Knobs = {
    trouble: undefined,
    written: [],
    events: [],
    hold: undefined,
    append: () => Promise.reject(new Error("the source does not run yet")),
    started: () => {},
  }
  readonly log: string[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  static async make(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), "weir-operations-")))
  }

  /** Its pipeline file, with more at the end. */
  text(more = ""): string {
    return `name: ops
topics:
  a: { partitions: 1 }
  b: { partitions: 1 }
  c: { partitions: 1 }
sources:
  gate: { use: asked, to: a }
stages:
  sifting: { from: a, through: [{ use: sift }], to: b }
  waiting: { from: b, through: [{ use: wait }], to: c }
sinks:
  shelf: { use: moody, from: b }
${more}`
  }

  compile(more = "") {
    return compile(join(this.folder, "ops.yaml"), this.text(more), {
      plugins: pluginSet(plugins(this.knobs)),
      environment: {},
    })
  }

  /** Runs it; `stop` drains, and rejects with what made the run fail. */
  run(more: string, options: Partial<RunOptions> = {}) {
    const line = (level: string) => (event: string, fields?: object) =>
      void this.log.push(`${level} ${event} ${JSON.stringify(fields ?? {})}`)
    const { promise: started, resolve: begun } = Promise.withResolvers<void>()
    this.knobs.started = begun
    const { promise: address, resolve, reject } = Promise.withResolvers<{ host: string; port: number }>()
    const fiber = Effect.runFork(
      runPipeline(this.compile(more), {
        drivers,
        environment: {},
        logger: { info: line("info"), warn: line("warn"), error: line("error") },
        onListening: resolve,
        ...options,
      }),
    )
    const ended = Effect.runPromise(Fiber.join(fiber))
    ended.catch(reject)
    address.catch(() => {})
    return { address, ended, started, stop: () => Effect.runPromise(Fiber.interrupt(fiber)) }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }
}
