import { spawn } from "node:child_process"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import { openRuntime } from "../../core/engine/open.ts"
import { SourceTask } from "../../core/engine/source-task.ts"
import { drivers } from "../../main.ts"
import { Bench } from "../contract/operations.ts"

const root = join(import.meta.dirname, "..", "..")

describe("a run that is told to stop", { timeout: 90_000 }, () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await Bench.make()
  })
  afterAll(() => bench.remove())

  it("ends its sources, finishes the write under way, commits it, then closes; the next run does not write it again", async () => {
    const { knobs } = bench
    const release = Promise.withResolvers<void>()
    knobs.hold = release.promise
    const running = bench.run("")
    await running.started
    await knobs.append("held")
    await expect.poll(() => knobs.events, { timeout: 20_000 }).toEqual(["write"])
    const stopping = running.stop().then(() => knobs.events.push("stopped"))
    await expect.poll(() => knobs.events, { timeout: 20_000 }).toEqual(["write", "source ends"])
    release.resolve()
    await stopping
    expect(knobs.events).toEqual(["write", "source ends", "written", "close", "stopped"])
    knobs.hold = undefined
    const again = bench.run("")
    await again.started
    await knobs.append("next")
    await expect.poll(() => knobs.written, { timeout: 20_000 }).toEqual(["held", "next"])
    await again.stop()
  })

  it("does not begin a source any more that was told to stop while it was made", async () => {
    const pipeline = bench.compile()
    const options = { drivers, environment: {}, logger: { info() {}, warn() {}, error() {} } }
    const run = Effect.flatMap(openRuntime(pipeline, options), (runtime) => {
      const owner = { owned: async () => true, pause: async () => {} }
      const task = new SourceTask(runtime, pipeline.sources[0]!, owner)
      return Effect.promise(() => task.run(AbortSignal.abort(), () => {}))
    })
    bench.knobs.started = () => expect.unreachable("the source began")
    await Effect.runPromise(Effect.scoped(run))
  })

  it("begins no source that went to another process while it stood still", async () => {
    const pipeline = bench.compile()
    const options = { drivers, environment: {}, logger: { info() {}, warn() {}, error() {} } }
    const run = Effect.flatMap(openRuntime(pipeline, options), (runtime) => {
      const owner = { owned: async () => false, pause: async () => {} }
      const task = new SourceTask(runtime, pipeline.sources[0]!, owner)
      return Effect.promise(() => task.run(new AbortController().signal, () => {}).catch((error: unknown) => error))
    })
    bench.knobs.started = () => expect.unreachable("the source began")
    expect(await Effect.runPromise(Effect.scoped(run))).toMatchObject({ meaning: "retryable", code: "revoked" })
  })

  it("ends all the same when the time of --drain is over, exit code 1, and says what that means", async () => {
    const folder = join(bench.folder, "stuck")
    await mkdir(join(folder, "in"), { recursive: true })
    const core = pathToFileURL(join(root, "core", "index.ts")).href
    await writeFile(
      join(folder, "stuck.ts"),
      `import { Schema, defineSource, label, port } from ${JSON.stringify(core)}
export default [defineSource({ name: "stuck", summary: "Does not stop", options: Schema.Struct({}), runs: "once",
  outputs: { out: port(label, "any") }, create: async () => ({ run: () => { console.error("running"); return new Promise(() => {}) } }) })]
`,
    )
    await writeFile(join(folder, "pipeline.yaml"), "plugins: [./stuck.ts]\nsources: { s: { use: stuck, to: t } }\n")
    const child = spawn(process.execPath, ["cli/bin.ts", "run", join(folder, "pipeline.yaml"), "--drain", "1"], {
      cwd: root,
    })
    let err = ""
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()))
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve))
    await expect.poll(() => err, { timeout: 40_000 }).toContain("running")
    child.kill("SIGTERM")
    expect(await exited).toBe(1)
    expect(err).toContain("draining took more than 1 seconds; what was not committed is done again by the next run")
  })
})
