import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { App } from "../../cli/app.ts"
import { dispatch } from "../../cli/dispatch.ts"
import { drivers } from "../../main.ts"
import { Bench, plugins } from "../contract/operations.ts"

describe("weir status, on the embedded ports", { timeout: 120_000 }, () => {
  let bench: Bench
  let file: string
  beforeAll(async () => {
    bench = await Bench.make()
    file = join(bench.folder, "ops.yaml")
    await writeFile(file, bench.text())
  })
  afterAll(() => bench.remove())

  async function status(...options: string[]) {
    let [out, err] = ["", ""]
    const app = { builtIns: plugins(bench.knobs), drivers } as unknown as App
    const code = await dispatch(["status", file, ...options], app, {
      stdout: { write: (text) => void (out += text) },
      stderr: { write: (text) => void (err += text) },
      environment: {},
      signal: new AbortController().signal,
      now: () => Date.now(),
    })
    expect({ code, err }).toEqual({ code: 0, err: "" })
    return out
  }
  const asJson = async () => JSON.parse(await status("--json"))

  it("tells of a pipeline that never ran that there is nothing", async () => {
    const { sources, stages, sinks, deadLetters } = await asJson()
    expect(sources.gate).toEqual({ ended: false, runs: 0, checkpoints: 0 })
    expect(stages.sifting).toEqual({
      processes: 0,
      partitions: [{ topic: "a", partition: 0, head: "0", lag: "0", ended: false }],
    })
    expect(sinks.shelf.processes).toBe(0)
    expect(deadLetters).toEqual({})
  })

  it("tells beside a run where each task stands, what waits, and what stands still and why", async () => {
    bench.knobs.trouble = undefined
    const running = bench.run("")
    await running.started
    for (const key of ["one", "refuse-1", "drop-1", "refuse-2"]) await bench.knobs.append(key)
    await expect.poll(() => bench.knobs.written, { timeout: 20_000 }).toEqual(["one"])
    bench.knobs.trouble = "disk-full"
    await bench.knobs.append("two")
    await expect
      .poll(async () => (await asJson()).sinks.shelf.partitions[0].paused?.code, { timeout: 30_000 })
      .toBe("disk-full")
    const { sources, stages, sinks, deadLetters } = await asJson()
    expect(sources.gate).toMatchObject({ ended: false, runs: 0 })
    expect(stages.sifting).toMatchObject({ processes: 1, partitions: [{ topic: "a", partition: 0, lag: "0" }] })
    expect(stages.waiting.state).toMatchObject([
      {
        partition: 0,
        epoch: "1",
        pending: 0,
        timers: { quiet: { armed: 2 }, calendar: { armed: 0 } },
        waiting: { entries: 2, since: expect.stringMatching(/^\d{4}-.*Z$/) },
      },
    ])
    const [shelf] = sinks.shelf.partitions
    expect(Number(shelf.lag)).toBeGreaterThan(0)
    expect(Number(shelf.lag)).toBe(Number(shelf.head) - Number(shelf.position))
    expect(deadLetters).toEqual({ sifting: { "refused.test": 2 } })
    await running.stop()
  })

  it("tells the same when none runs, as a table too, and not again once it goes on", async () => {
    const text = await status()
    expect(text).toMatch(/^gate +0 checkpoints +open$/m)
    expect(text).toMatch(/^shelf +b +0 +\d+ +\d+ +\d+ +0 +paused: disk-full since \d{4}-/m)
    expect(text).toMatch(/^waiting +b +0 .* epoch 1, 2 pending since \d{4}-\S+Z, 2 waiting for quiet$/m)
    expect(text).toMatch(/^ {2}sifting +refused\.test +2$/m)
    expect(text).not.toContain(".replay.")
    bench.knobs.trouble = undefined
    const running = bench.run("")
    await expect.poll(() => bench.knobs.written, { timeout: 30_000 }).toEqual(["one", "two"])
    await expect
      .poll(async () => (await asJson()).sinks.shelf.partitions[0].paused, { timeout: 30_000 })
      .toBeUndefined()
    await running.stop()
  })
})
