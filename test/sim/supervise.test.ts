import { expect, it } from "vitest"
import { supervise } from "../../core/engine/supervise.ts"
import { retryable } from "../../core/errors.ts"
import { runIn } from "./effect-world.ts"
import { SimProcess, SimWorld } from "./world.ts"

const calm = { budget: 0, rate: 0, coarse: 0, targets: [], skip: new Set<number>() }

it("asks again whether a task is still owned when nobody answers, and does not leave it to nobody", async () => {
  const world = new SimWorld(1, calm, 6000, false)
  const asked: string[] = []
  let runs = 0
  const supervised = supervise({
    name: "stage",
    partition: 0,
    standing: { paused: () => {}, dropped: () => {}, progress: () => {} } as never,
    run: async () => {
      if (++runs === 1) throw retryable("unknown-outcome", "the answer was lost")
    },
    owned: async () => {
      asked.push("owned")
      if (asked.length < 3) throw retryable("unreachable", "the coordinator did not answer")
      return true
    },
  })
  let done = false
  const running = runIn(world, new SimProcess("p"), supervised, new AbortController().signal).then(() => (done = true))
  await world.run(
    () => done,
    () => false,
    1000,
  )
  await running
  expect([runs, asked.length]).toEqual([2, 3])
})
