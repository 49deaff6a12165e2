import { describe, expect, it } from "vitest"
import { runSeed } from "../sim/run.ts"
import type { Bugs } from "../sim/run.ts"

const seeds = Number(process.env["WEIR_SIM_SEEDS"] ?? 200)
const from = Number(process.env["WEIR_SIM_FROM"] ?? 1)

/** The first seed that finds the bug, among a thousand. */
async function firstThatFinds(bugs: Bugs): Promise<number | undefined> {
  for (let seed = 1; seed <= 1000; seed++) if ((await runSeed(seed, bugs)).broken.length > 0) return seed
  return undefined
}

describe("the engine, through crashes, zombies, rebalances and lost answers", () => {
  it(`keeps every event once, under each of ${seeds} schedules from ${from} on`, { timeout: 1_800_000 }, async () => {
    for (let seed = from; seed < from + seeds; seed++) {
      const { broken } = await runSeed(seed)
      expect(broken, `seed ${seed}; npx node test/sim/replay.ts ${seed} prints what happened`).toEqual([])
    }
  })

  it.each<[string, Bugs]>([
    ["a writer that is kept and opened no more", { log: { keptWriter: true } }],
    ["writers that nobody fences", { log: { noFencing: true } }],
    ["an offset that moves before its dead letter is there", { log: { offsetBeforeDeadLetter: true } }],
    ["a source without append number", { log: { noAppendNumber: true } }],
    ["an end mark that is forwarded early", { log: { endMarkEarly: true } }],
    ["tasks that nobody fences in the Store", { store: { noFencing: true } }],
    ["a sink that moves its position before it writes", { plugins: { commitBeforeWrite: true } }],
    ["a retract that is dropped", { plugins: { retractDropped: true } }],
  ])("is seen to fail with %s", { timeout: 600_000 }, async (_name, bugs) => {
    expect(await firstThatFinds(bugs)).toBeDefined()
  })
})
