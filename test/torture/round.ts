import { Dice } from "../sim/dice.ts"
import { strike } from "./faults.ts"
import type { Plan, Struck } from "./faults.ts"
import { TimedOut, until } from "./service.ts"
import { progressMs, settle } from "./settle.ts"
import type { World } from "./world.ts"

/** How many events are made before each fault. */
const eventsBefore = 15

/** How a round went. */
export interface RoundEnd {
  readonly round: number
  readonly struck: readonly Struck[]
  /** From the end of the last fault until everything was whole, ms. */
  readonly recoveredMs: number
  readonly ms: number
  readonly events: number
  readonly lost: number
  readonly doubled: number
  readonly stuck: boolean
  /** What is wrong, for people: ids, places, logs. */
  readonly wrong: readonly string[]
}

/** Of a round that does not come to its end: what is missing although later events came through is lost. */
async function lostOf(world: World, file: string, dice: Dice): Promise<{ lost: number; stuck: boolean }> {
  const before = (await world.judge.progress()) ?? 0
  for (let batch = 0; batch < 6; batch++) world.traffic.batch(dice, file, 8)
  const began = performance.now()
  let moved = false
  while (performance.now() - began < 20_000) {
    moved ||= ((await world.judge.progress()) ?? 0) > before
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  const { missing } = await world.judge.look(world.release.factor).catch(() => ({ missing: ["cannot look"] }))
  return moved ? { lost: missing.length, stuck: missing.length === 0 } : { lost: 0, stuck: true }
}

/** One round: events all the time, the planned faults one after the other, then everything must become whole. */
export async function runRound(world: World, seed: number, round: number, plans: readonly Plan[]): Promise<RoundEnd> {
  const dice = new Dice(Math.imul(seed, 0x9e3779b1) + round)
  const began = performance.now()
  const file = `round-${String(round).padStart(5, "0")}`
  const first = world.ledger.next
  const struck: Struck[] = []
  const wrong: string[] = []
  world.traffic.start(dice, file)
  for (const plan of plans) {
    // Faults meet work.
    const made = world.ledger.next
    await until("some traffic", () => world.ledger.next >= made + eventsBefore || undefined, 30_000, 20)
    try {
      struck.push(await strike(world, dice, plan))
    } catch (error) {
      if (!(error instanceof TimedOut)) throw error
      struck.push({ kind: plan.kind, what: "did not come to its end" })
      wrong.push(`${plan.kind}: ${error.message}`)
      break
    }
    world.traffic.start(dice, file)
  }
  const ended = performance.now()
  await Promise.all(world.weirs.map((weir) => weir.ready(progressMs).catch(() => {})))
  world.traffic.stop()
  world.traffic.batch(dice, file, 9)
  const { verdict, stuck } = await settle(world, ended)
  const recoveredMs = performance.now() - ended
  wrong.push(...world.died)
  if (stuck) wrong.push(`${verdict.missing.length} things are missing`, ...verdict.missing.slice(0, 20))
  const outcome = stuck
    ? await lostOf(world, file, dice)
    : { lost: 0, stuck: wrong.length > 0 && world.died.length === 0 }
  wrong.push(...verdict.doubled.slice(0, 20))
  world.calm()
  await world.judge.look(world.release.factor).catch(() => {})
  return {
    round,
    struck,
    recoveredMs,
    ms: performance.now() - began,
    events: world.ledger.next - first,
    ...outcome,
    doubled: verdict.doubled.length,
    wrong,
  }
}
