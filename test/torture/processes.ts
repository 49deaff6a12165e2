import type { Dice } from "../sim/dice.ts"
import type { Plan, Struck } from "./faults.ts"
import { pointText } from "./points.ts"
import type { CommitPoint } from "./points.ts"
import { TimedOut, until } from "./service.ts"
import type { Weir } from "./weir.ts"
import type { World } from "./world.ts"

/** For people. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
/** How long somebody may take to come to a commit point. */
const catchMs = 15_000
/** Past the session, everybody has noticed. */
const evictedMs = 30_000

/** Does one fault, and undoes it. */
export type Strike = (world: World, dice: Dice, plan: Plan) => Promise<Omit<Struck, "kind">>

/** Any of the processes. */
export const victimOf = ({ weirs }: World, dice: Dice): Weir => dice.pick(weirs)

/** Starts a process that has ended; it is not ready yet. */
export function restart(world: World, weir: Weir): void {
  weir.start(world.release)
  world.remember()
}

/** kill -9 at any time. */
export const killWeir: Strike = async (world, dice) => {
  const weir = victimOf(world, dice)
  await weir.kill()
  restart(world, weir)
  return { what: `weir-${weir.process}` }
}

/** Gives somebody a reason to come to the point: claims come with a change of the group, leaving with an end. */
async function provoke(world: World, dice: Dice, { name }: CommitPoint, victim: Weir): Promise<() => Promise<void>> {
  const other = dice.pick(world.weirs.filter((weir) => weir !== victim))
  const mover = name === "group leave" ? victim : name === "task claim" ? other : undefined
  if (mover === undefined) return async () => {}
  const ended = mover.end()
  return async () => {
    await ended
    if (!mover.service.running) restart(world, mover)
  }
}

/** Waits until somebody is at the point, and does what is to be done to him there in the same turn. */
async function atPoint(world: World, dice: Dice, plan: Plan, signal: "SIGKILL" | "SIGSTOP") {
  const point = plan.point!
  const victim = victimOf(world, dice)
  const only = point.name === "group leave" || point.name === "task claim" ? victim.process : undefined
  const caught = world.gate.arm(point, only, (process) => {
    const weir = world.weirs[process]!
    weir.expected = true
    weir.service.signal(signal)
  })
  const settle = await provoke(world, dice, point, victim)
  const timeout = new AbortController()
  const found = await Promise.race([
    caught,
    new Promise<undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), catchMs)
      timeout.signal.addEventListener("abort", () => clearTimeout(timer))
    }),
  ])
  timeout.abort()
  world.gate.disarm()
  return { point, found, settle }
}

/** kill -9 at a commit point. */
export const killAtPoint: Strike = async (world, dice, plan) => {
  const { point, found, settle } = await atPoint(world, dice, plan, "SIGKILL")
  if (found !== undefined) {
    const weir = world.weirs[found.process]!
    await weir.kill()
    restart(world, weir)
  }
  await settle()
  if (found === undefined) return { what: `nobody came to ${pointText(point)}`, missed: true }
  return { what: `weir-${found.process} at ${pointText(point)}`, killedAt: point }
}

/** Stopped until the others have its partitions; what it had sent arrives only then, and it wakes. */
export const stopAtPoint: Strike = async (world, dice, plan) => {
  const { point, found, settle } = await atPoint(world, dice, plan, "SIGSTOP")
  if (found === undefined) {
    await settle()
    return { what: `nobody came to ${pointText(point)}`, missed: true }
  }
  const weir = world.weirs[found.process]!
  const took = await stopped(world, weir)
  found.release()
  weir.service.signal("SIGCONT")
  weir.expected = false
  await settle()
  return { what: `weir-${found.process} at ${pointText(point)} for ${took}` }
}

async function stopped(world: World, weir: Weir): Promise<string> {
  const began = performance.now()
  weir.service.note("stopped")
  const running = world.weirs.filter(({ service }) => service.running).length
  try {
    await until(
      "the others to take over",
      async () => (await world.settledWith(running - 1)) || undefined,
      evictedMs,
      200,
    )
  } catch (error) {
    if (!(error instanceof TimedOut)) throw error
  }
  weir.service.note("continued")
  return seconds(performance.now() - began)
}

/** SIGSTOP at any time, until the others have its partitions. */
export const stopWeir: Strike = async (world, dice) => {
  const weir = victimOf(world, dice)
  weir.expected = true
  weir.service.signal("SIGSTOP")
  const took = await stopped(world, weir)
  weir.service.signal("SIGCONT")
  weir.expected = false
  return { what: `weir-${weir.process} for ${took}` }
}
