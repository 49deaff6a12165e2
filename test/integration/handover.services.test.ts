import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Scene, until } from "./zombies/scene.ts"
import type { Process } from "./zombies/scene.ts"
import { SteadyFlow } from "./zombies/steady-flow.ts"

const partitions = 3
const outputs = ["passed", "counted"] as const

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

describe("three processes that share a pipeline", { timeout: 300_000 }, () => {
  let scene: Scene
  beforeEach(async () => {
    scene = await Scene.open(partitions, true)
  })
  afterEach(() => scene.close())

  /** Waits until each process has its share of everything. */
  async function shared(processes: readonly Process[]): Promise<void> {
    const groups = ["stow", "count", ...outputs.map((name) => `table.${scene.topic(name)}`)]
    for (const group of groups)
      await until(
        `${processes.length} members of ${group}`,
        async () => (await scene.log.members(`${scene.name}.${group}`)) === processes.length,
        processes,
      )
  }

  it("restart one after the other, and no partition stands still for 2 s", async () => {
    const processes = [scene.start(), scene.start(), scene.start()]
    await shared(processes)
    const flow = new SteadyFlow(scene, partitions)
    flow.start(outputs)
    const gaps: Record<(typeof outputs)[number], number[]> = { passed: [], counted: [] }
    for (const round of [0, 1])
      for (const at of processes.keys()) {
        const began = performance.now()
        expect((await processes[at]!.end()).code).toBe(0)
        const ended = performance.now()
        processes[at] = scene.start()
        await shared(processes)
        // What came last in each partition came after the last change.
        const joined = performance.now()
        await until("commits", () => outputs.every((name) => flow.cameSince(name, joined)), processes)
        for (const name of outputs) gaps[name].push(flow.longestGap(name, began, joined))
        console.info(
          `restart ${round * 3 + at + 1}: ended in ${Math.round(ended - began)} ms, back after ${Math.round(joined - began)} ms, ` +
            outputs.map((name) => `${name} stood still for ${Math.round(gaps[name].at(-1)!)} ms`).join(", "),
        )
      }
    await flow.end()
    await scene.feed(flow.sent)
    for (const name of outputs) console.info(`${name}: median ${Math.round(median(gaps[name]))} ms`)
    for (const name of outputs) expect(median(gaps[name]), `${name}: ${gaps[name].join(" ")}`).toBeLessThan(2000)
  })
})
