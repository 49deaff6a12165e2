import type { Dice } from "../sim/dice.ts"
import type { CommitPoint } from "./points.ts"
import { oldStore } from "./old-store.ts"
import { killAtPoint, killWeir, restart, seconds, stopAtPoint, stopWeir, victimOf } from "./processes.ts"
import type { Strike } from "./processes.ts"
import type { Line } from "./proxy.ts"
import { processes } from "./servers.ts"
import type { World } from "./world.ts"

/** What can go wrong in a round. */
export const faultKinds = [
  "kill weir",
  "kill at commit point",
  "stop at commit point",
  "stop weir",
  "kill broker",
  "kill postgres",
  "cut connections",
  "half-open connections",
  "slow s3",
  "failing s3",
  "full disk: log",
  "full disk: objects",
  "full disk: postgres",
  "clock jump",
  "rolling restart",
  "upgrade",
  "old store",
] as const
export type FaultKind = (typeof faultKinds)[number]

/** What a fault did. */
export interface Struck {
  readonly kind: FaultKind
  /** For people: on whom, and how long. */
  readonly what: string
  /** The commit point that a process was killed at. */
  readonly killedAt?: CommitPoint
  /** Nobody came to the point: no fault. */
  readonly missed?: true
}

/** What is drawn for a round before it begins. */
export interface Plan {
  readonly kind: FaultKind
  /** The point to kill or to stop at. */
  readonly point?: CommitPoint
}

const pauseFor = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const killBroker: Strike = async (world, dice) => {
  const broker = dice.pick(world.servers.brokers)
  await broker.service.kill()
  await broker.start()
  world.remember()
  return { what: broker.service.name }
}

const killPostgres: Strike = async (world) => {
  const { postgres } = world.servers
  await postgres.service.kill()
  await postgres.start()
  world.remember()
  return { what: "postgres and its children" }
}

/** The ways of some process to some server. */
function someWays(world: World, dice: Dice): { readonly ways: readonly Line[]; readonly what: string } {
  const process = dice.below(processes)
  const { kafka, postgres, s3 } = world.lines[process]!
  const [what, ways] = dice.pick([
    ["kafka", kafka],
    ["postgres", [postgres]],
    ["s3", [s3]],
    ["everything", world.waysOf(process)],
  ] as const)
  return { ways, what: `weir-${process} to ${what}` }
}

const cut: Strike = async (world, dice) => {
  const { ways, what } = someWays(world, dice)
  const ms = dice.pick([0, 1000, 4000])
  for (const way of ways) way.refuse(true)
  await pauseFor(ms)
  for (const way of ways) way.refuse(false)
  return { what: `${what}, for ${seconds(ms)}` }
}

const halfOpen: Strike = async (world, dice) => {
  const { ways, what } = someWays(world, dice)
  for (const way of ways) way.lose()
  return { what }
}

const everyS3 = ({ lines }: World) => lines.map(({ s3 }) => s3)

const slowS3: Strike = async (world, dice) => {
  const ms = dice.pick([200, 500, 1500])
  for (const line of everyS3(world)) line.slowMs = ms
  await pauseFor(5000)
  for (const line of everyS3(world)) line.slowMs = 0
  return { what: `${ms} ms more a request, for 5 s` }
}

const answer = (status: string, code: string): string => {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>told to</Message></Error>`
  return `HTTP/1.1 ${status}\r\nContent-Type: application/xml\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
}

const failingS3: Strike = async (world, dice) => {
  const [status, code] = dice.pick([
    ["503 Slow Down", "SlowDown"],
    ["500 Internal Server Error", "InternalError"],
    ["403 Forbidden", "AccessDenied"],
  ] as const)
  for (const line of everyS3(world)) line.failing = answer(status, code)
  await pauseFor(5000)
  for (const line of everyS3(world)) line.failing = undefined
  return { what: `${code}, for 5 s` }
}

/** A broker whose only disk is full ends by itself, which is Kafka's way; it is started again once there is space. */
const fullLog: Strike = async (world, dice) => {
  const broker = dice.pick(world.servers.brokers)
  broker.disk.fill()
  const ended = await Promise.race([broker.service.exit.then(() => true), pauseFor(6000).then(() => false)])
  broker.disk.empty()
  if (!broker.service.running) await broker.start()
  world.remember()
  return { what: `${broker.service.name}${ended ? ", which ended" : " for 6 s"}` }
}

const fullObjects: Strike = async (world) => {
  const { disk } = world.servers.s3
  disk.fill()
  await pauseFor(6000)
  disk.empty()
  return { what: "for 6 s" }
}

const fullPostgres: Strike = async (world) => {
  const { disk, service, start } = world.servers.postgres
  disk.fill()
  await pauseFor(6000)
  disk.empty()
  const ended = !service.running
  if (ended) await start()
  world.remember()
  return { what: `for 6 s${ended ? ", and it ended" : ""}` }
}

const clockJump: Strike = async (world, dice) => {
  const weir = victimOf(world, dice)
  const ms = dice.pick([-86_400_000, -7_200_000, -60_000, 60_000, 7_200_000, 86_400_000])
  weir.shiftClock(ms)
  return { what: `weir-${weir.process} by ${ms / 60_000} min` }
}

async function roll(world: World): Promise<void> {
  for (const weir of world.weirs) {
    const badly = await weir.end()
    if (badly !== undefined)
      world.died.push(`weir-${weir.process} drained badly: ${badly}; its log: ${weir.service.log}`)
    restart(world, weir)
    await weir.ready()
  }
}

const rollingRestart: Strike = async (world) => {
  await roll(world)
  return { what: "one after the other" }
}

const upgrade: Strike = async (world) => {
  const { number } = world.release
  world.release = { number: number + 1, factor: 1 + ((number + 1) % 3) }
  await roll(world)
  return { what: `release ${number + 1}` }
}

const strikes: Readonly<Record<FaultKind, Strike>> = {
  "kill weir": killWeir,
  "kill at commit point": killAtPoint,
  "stop at commit point": stopAtPoint,
  "stop weir": stopWeir,
  "kill broker": killBroker,
  "kill postgres": killPostgres,
  "cut connections": cut,
  "half-open connections": halfOpen,
  "slow s3": slowS3,
  "failing s3": failingS3,
  "full disk: log": fullLog,
  "full disk: objects": fullObjects,
  "full disk: postgres": fullPostgres,
  "clock jump": clockJump,
  "rolling restart": rollingRestart,
  upgrade,
  "old store": oldStore,
}

/** Does what is planned, and undoes it: afterwards everything runs, or is starting. */
export async function strike(world: World, dice: Dice, plan: Plan): Promise<Struck> {
  const { kind } = plan
  return { kind, ...(await strikes[kind](world, dice, plan)) }
}
