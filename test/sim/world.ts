import { Dice } from "./dice.ts"
import { Faults } from "./faults.ts"
import type { FaultPlan } from "./faults.ts"
import type { Mishap, Operation } from "./operations.ts"

/** A process of the world. A dead one never hears of anything again; a stopped one (SIGSTOP) hears later. */
export class SimProcess {
  readonly name: string
  state: "running" | "stopped" | "dead" = "running"
  /** It stood still for longer than a session: what it does now, it does as one that was thought dead. */
  zombie = false
  /** It never stands still for longer than this, ms. */
  patience = Number.POSITIVE_INFINITY
  /** How often it was stopped. */
  stops = 0
  /** Its run sleeps until it looks again whether everything is through. When it sleeps no more, it is about to end. */
  looksAgain = false
  /** Called when it dies: what servers do when a connection breaks. */
  readonly onDeath = new Set<() => void>()
  /** Called when it is stopped: what servers do, later, about one who is silent. */
  readonly onStop = new Set<() => void>()
  constructor(name: string) {
    this.name = name
  }
}

/** What becomes of an operation when its turn has come, where that is more than to go on. */
export type Turn = "crash" | "stop" | undefined

/** What the simulated ports ask of their surroundings. */
export interface World {
  readonly dice: Dice
  /** ms since 1970. */
  readonly now: number
  /** Decides what befalls an operation, and counts it. */
  befalls(operation: Operation): Mishap | undefined
  /** Waits until the schedule goes on with this. `point` names its kind, `what` its subject. */
  step(process: SimProcess, point: string, what?: string, turn?: Turn): Promise<void>
  /** Calls back once the clock is there; returns how to take it back. */
  alarm(process: SimProcess | undefined, at: number, ring: () => void): () => void
  /** Counts that something worth seeing came about. */
  hit(point: string): void
  note(line: () => string): void
}

/** Does an operation that is done at once, or not at all, with whatever befalls it. */
export async function perform<A>(
  world: World,
  process: SimProcess,
  operation: Operation,
  what: string,
  failure: () => Error,
  work: () => A | Promise<A>,
): Promise<A> {
  const mishap = world.befalls(operation)
  await world.step(process, operation, what, turnBefore(mishap))
  if (mishap === "refused") throw failure()
  const result = await work()
  if (mishap === "crash after") await world.step(process, operation, what, "crash")
  if (mishap === "answer lost") throw failure()
  return result
}

/** What becomes of an operation before it is done. */
export const turnBefore = (mishap: Mishap | undefined): Turn =>
  mishap === "crash before" ? "crash" : mishap === "zombie" ? "stop" : undefined

interface Waiting {
  readonly process: SimProcess
  readonly point: string
  readonly what: string
  readonly number: number
  turn: Turn
  readonly resume: () => void
}

interface Alarm {
  readonly process: SimProcess | undefined
  readonly at: number
  readonly ring: (() => void) | undefined
}

const traceLines = 50_000
const begin = 1_000_000

/** A seeded world: every operation on a port is a place where it may be put off, fail, or never come back, in an order that the
 * seed alone decides. Nothing waits for real time. */
export class SimWorld implements World {
  readonly dice: Dice
  readonly faults: Faults
  now = begin
  steps = 0
  /** Of everything that happened, in order: equal for equal schedules. */
  digest = 0x811c9dc5
  /** What was hit how often. */
  readonly hits = new Map<string, number>()
  /** What happened, if anybody wants to know. */
  readonly trace: string[] | undefined
  /** A process that the schedule neglects. */
  slow: SimProcess | undefined
  /** Told of a process that died of a fault. */
  onCrash: (process: SimProcess) => void = () => {}
  readonly sessionMs: number
  #waiting: Waiting[] = []
  #parked: Waiting[] = []
  #alarms: Alarm[] = []
  #number = 0
  #newest = 0

  constructor(seed: number, plan: FaultPlan, sessionMs: number, traced: boolean) {
    this.dice = new Dice(seed)
    this.sessionMs = sessionMs
    this.faults = new Faults(plan, this.dice, (fault) => {
      this.#digest(fault)
      this.note(() => `fault ${this.faults.drawn - 1}: ${fault}`)
    })
    this.trace = traced ? [] : undefined
  }

  befalls(operation: Operation): Mishap | undefined {
    const mishap = this.faults.befalls(operation)
    if (mishap === "torn") this.hit("torn write")
    return mishap
  }

  step(process: SimProcess, point: string, what = "", turn: Turn = undefined): Promise<void> {
    if (turn === undefined && process.state === "running" && this.dice.next() < this.faults.plan.coarse) {
      this.note(() => `${process.name} ${point} ${what} (at once)`)
      return Promise.resolve()
    }
    return new Promise((resume) => {
      if (process.state === "dead") return
      const waiting = { process, point, what, number: ++this.#number, turn, resume }
      if (process.state === "running") this.#waiting.push(waiting)
      else this.#parked.push(waiting)
    })
  }

  hit(point: string): void {
    this.hits.set(point, (this.hits.get(point) ?? 0) + 1)
  }

  note(line: () => string): void {
    if (this.trace !== undefined && this.trace.length < traceLines)
      this.trace.push(`${this.steps} +${this.now - begin}ms ${line()}`)
  }

  alarm(process: SimProcess | undefined, at: number, ring: () => void): () => void {
    const alarm: { process: SimProcess | undefined; at: number; ring: (() => void) | undefined } = { process, at, ring }
    this.#alarms.push(alarm)
    return () => void (alarm.ring = undefined)
  }

  kill(process: SimProcess): void {
    if (process.state === "dead") return
    this.note(() => `kill ${process.name}`)
    this.hit("process killed")
    for (const waiting of [...this.#waiting, ...this.#parked])
      if (waiting.process === process) this.faults.count(waiting.point, "crash before")
    this.bury(process)
    this.onCrash(process)
  }

  /** Ends a process for good: nothing of it goes on. */
  bury(process: SimProcess): void {
    process.state = "dead"
    this.#waiting = this.#waiting.filter((waiting) => waiting.process !== process)
    this.#parked = this.#parked.filter((waiting) => waiting.process !== process)
    this.#alarms = this.#alarms.filter((alarm) => alarm.process !== process)
    for (const each of process.onDeath) each()
    process.onDeath.clear()
  }

  /** Stops a process for a while; when that is longer than a session, it comes back as a zombie. */
  stop(process: SimProcess, ms: number): void {
    if (process.state !== "running") return
    const forMs = Math.min(ms, process.patience)
    this.note(() => `stop ${process.name} for ${forMs}`)
    this.hit("process stopped")
    process.state = "stopped"
    process.stops++
    const parked = this.#waiting.filter((waiting) => waiting.process === process)
    if (forMs > this.sessionMs) for (const { point } of parked) this.faults.count(point, "zombie")
    this.#parked.push(...parked)
    this.#waiting = this.#waiting.filter((waiting) => waiting.process !== process)
    for (const each of process.onStop) each()
    this.alarm(undefined, this.now + forMs, () => {
      if (process.state !== "stopped") return
      this.note(() => `continue ${process.name}`)
      process.state = "running"
      if (forMs > this.sessionMs) {
        process.zombie = true
        this.hit("zombie continued")
      }
      this.#waiting.push(...this.#parked.filter((waiting) => waiting.process === process))
      this.#parked = this.#parked.filter((waiting) => waiting.process !== process)
    })
  }

  /** How long a stopped process stands still that shall be thought dead, ms. */
  pastSession(): number {
    return this.sessionMs + 500 + this.dice.below(16_000)
  }

  /** Goes on until `done`; throws when nothing can happen any more, or after too many steps.
   * @param disturb called before each step: kills, stops and starts processes; true when it did */
  async run(done: () => boolean, disturb: () => boolean, limit: number): Promise<void> {
    // From here on everything runs in microtasks, however this was called.
    await undefined
    for (;;) {
      // Ticks come after microtasks: all that the last step set off has settled.
      await new Promise<void>((resolve) => process.nextTick(resolve))
      if (done()) return
      if (++this.steps > limit) throw new Error(`stuck: ${limit} steps`)
      if (!disturb() && !this.#go()) throw new Error("stuck: nothing is left to happen")
    }
  }

  #go(): boolean {
    const waiting = this.#waiting
    // Time mostly stands while something can happen, but not always.
    if (waiting.length === 0 || this.dice.chance(0.02)) {
      const next = this.#earliest()
      if (next !== undefined) return this.#ring(next)
      if (waiting.length === 0) return false
    }
    let at = this.dice.below(waiting.length)
    if (waiting[at]!.process === this.slow && this.dice.chance(0.9)) at = this.dice.below(waiting.length)
    this.#take(at)
    return true
  }

  #take(at: number): void {
    const waiting = this.#waiting
    const one = waiting[at]!
    const { process, turn } = one
    this.note(() => `${process.name} ${one.point} ${one.what}${turn === undefined ? "" : `: ${turn}`}`)
    this.#digest(one.point)
    this.#digest(process.name)
    if (turn === "crash") return this.kill(process)
    if (turn === "stop") {
      one.turn = undefined
      return this.stop(process, this.pastSession())
    }
    waiting[at] = waiting.at(-1)!
    waiting.pop()
    if (one.number < this.#newest) this.hit("reordered")
    else this.#newest = one.number
    one.resume()
  }

  /** FNV-1a. */
  #digest(text: string): void {
    let digest = this.digest ^ this.now
    for (let at = 0; at < text.length; at++) digest = Math.imul(digest ^ text.charCodeAt(at), 0x01000193)
    this.digest = digest >>> 0
  }

  #earliest(): number | undefined {
    const alarms = this.#alarms
    let found: number | undefined
    let gone = 0
    for (let index = 0; index < alarms.length; index++) {
      const alarm = alarms[index]!
      if (alarm.ring === undefined) {
        gone++
        continue
      }
      if (gone > 0) alarms[index - gone] = alarm
      if ((alarm.process?.state ?? "running") !== "running") continue
      if (found === undefined || alarm.at < alarms[found]!.at) found = index - gone
    }
    alarms.length -= gone
    return found
  }

  #ring(index: number): true {
    const [alarm] = this.#alarms.splice(index, 1)
    this.now = Math.max(this.now, alarm!.at)
    this.#digest("ring")
    alarm!.ring!()
    return true
  }
}
