import { Dice } from "../sim/dice.ts"
import { afterDeadline, isStuck, tell } from "./aftermath.ts"
import { strike } from "./faults.ts"
import type { Plan, Struck } from "./faults.ts"
import { TimedOut, until } from "./service.ts"
import { progressMs, settle, textsOf, watchProgress } from "./settle.ts"
import type { World } from "./world.ts"

/** How many events are made before each fault. */
const eventsBefore = 15

/** How a round went. */
export interface RoundEnd {
  readonly round: number
  readonly struck: readonly Struck[]
  /** From the end of the last fault until everything was whole, ms. */
  readonly recoveredMs: number
  /** What came last, for people. */
  readonly last?: string
  /** From then until something came through, ms. */
  readonly movedMs?: number
  readonly ms: number
  readonly events: number
  readonly lost: number
  readonly doubled: number
  readonly stuck: boolean
  /** What is wrong, for people: ids, places, logs. */
  readonly wrong: readonly string[]
}

/** One round: events all the time, the planned faults one after the other, then everything must become whole. */
export async function runRound(world: World, seed: number, round: number, plans: readonly Plan[]): Promise<RoundEnd> {
  const dice = new Dice(Math.imul(seed, 0x9e3779b1) + round)
  const began = performance.now()
  world.ledger.begin(`round-${String(round).padStart(5, "0")}`)
  const first = world.ledger.next
  const struck: Struck[] = []
  const wrong: string[] = []
  world.traffic.start(dice)
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
    world.traffic.start(dice)
  }
  const ended = performance.now()
  const progress = watchProgress(world, ended)
  await Promise.all(world.weirs.map((weir) => weir.ready(progressMs).catch(() => {})))
  world.traffic.stop()
  world.traffic.batch(dice, 9)
  const { verdict, stuck, last } = await settle(world, ended, progress)
  const recoveredMs = performance.now() - ended
  wrong.push(...world.died)
  if (stuck) wrong.push(`${verdict.missing.length} things were missing at the deadline`, ...textsOf(verdict.missing))
  const after = stuck ? await afterDeadline(world, dice) : undefined
  if (after !== undefined) wrong.push(...tell(after))
  wrong.push(...verdict.doubled.slice(0, 20))
  world.calm()
  await world.judge.look(world.release.factor).catch(() => {})
  return {
    round,
    struck,
    recoveredMs,
    ...(progress.ms !== undefined && { movedMs: progress.ms }),
    ...(last !== undefined && { last }),
    ms: performance.now() - began,
    events: world.ledger.next - first,
    lost: after?.lost.length ?? 0,
    doubled: verdict.doubled.length + (after?.strange.length ?? 0),
    stuck: after === undefined ? wrong.length > 0 && world.died.length === 0 : isStuck(after),
    wrong,
  }
}
