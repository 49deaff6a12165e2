import { describe, expect, it } from "vitest"
import { plantedBugs } from "./bugs.ts"
import { runSeed } from "./run.ts"
import { shrink } from "./shrink.ts"
import { Summary } from "./summary.ts"

const seeds = 200

describe("the engine in a seeded world", () => {
  it(`keeps its promises under ${seeds} seeds`, async () => {
    const summary = new Summary()
    const broken: string[] = []
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = await runSeed(seed)
      summary.add(outcome)
      for (const each of outcome.broken)
        broken.push(`seed ${seed} (npm run sim -- --replay ${seed}): ${each.slice(0, 300)}`)
    }
    expect(broken).toEqual([])
    // Worlds in which nothing befalls anybody would keep every promise.
    expect(summary.faults).toBeGreaterThan(seeds)
    expect(summary.steps).toBeGreaterThan(100 * seeds)
  }, 300_000)

  it("does the same under the same seed, whatever ran before", async () => {
    for (const seed of [3, 17, 42]) {
      const once = await runSeed({ seed, traced: true })
      await runSeed(seed + 1)
      const again = await runSeed({ seed, traced: true })
      expect(again.digest).toBe(once.digest)
      expect(again.trace).toEqual(once.trace)
      expect((await runSeed(seed + 1)).digest).not.toBe(once.digest)
    }
  })

  it("replays a failing seed alone, and shrinks it to fewer faults that still fail alike each time", async () => {
    const bugs = plantedBugs["commit-before-write"]
    let seed = 1
    let failing = await runSeed(seed, bugs)
    while (failing.broken.length === 0 || failing.faults < 5) failing = await runSeed(++seed, bugs)
    const alone = await runSeed(seed, bugs)
    expect([alone.broken, alone.digest]).toEqual([failing.broken, failing.digest])

    const least = await shrink(seed, bugs)
    expect(least.faults).toBeLessThan(failing.faults)
    expect(least.outcome.events).toBeLessThanOrEqual(failing.events)
    const replayed = await runSeed(least.seed, bugs)
    expect(replayed.broken).not.toEqual([])
    expect([replayed.broken, replayed.digest]).toEqual([least.outcome.broken, least.outcome.digest])
    expect((await runSeed(least.seed)).broken).toEqual([])
  }, 300_000)
})
