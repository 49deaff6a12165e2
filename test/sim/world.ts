import { Dice } from "./dice.ts"

/** A process of the world. A dead one never hears of anything again; a stopped one (SIGSTOP) hears later. */
export class SimProcess {
  readonly name: string
  state: "running" | "stopped" | "dead" = "running"
  /** It stood still for longer than a session: what it does now, it does as one that was thought dead. */
  zombie = false
  /** Its run sleeps until it looks again whether everything is through. When it sleeps no more, it is about to end. */
  looksAgain = false
  /** Called when it dies: what servers do when a connection breaks. */
  readonly onDeath = new Set<() => void>()
  constructor(name: string) {
    this.name = name
  }
}

/** What the simulated ports ask of their surroundings. */
export interface World {
  readonly dice: Dice
  /** ms since 1970. */
  readonly now: number
  /** Waits until the schedule goes on with this operation. `point` names its kind, `what` its subject. */
  step(process: SimProcess, point: string, what?: string): Promise<void>
  /** A fault is due here, and is counted under its name. */
  fault(point: string, chance?: number): boolean
  /** Calls back once the clock is there; returns how to take it back. */
  alarm(process: SimProcess | undefined, at: number, ring: () => void): () => void
  /** Counts that something worth seeing came about. */
  hit(point: string): void
  note(line: () => string): void
}

interface Operation {
  readonly process: SimProcess
  readonly point: string
  readonly what: string
  readonly resume: () => void
}

interface Alarm {
  readonly process: SimProcess | undefined
  readonly at: number
  readonly ring: (() => void) | undefined
}

/** What the world may still do to its processes. */
export interface Faults {
  /** How many faults are left. */
  budget: number
  /** Chance of one at each operation. */
  readonly rate: number
  /** Chance that an operation comes at once, after the one before it, and is no place for others. */
  readonly coarse: number
  /** Faults that are passed over, by their number from 0: how a failing seed shrinks. */
  readonly skip: ReadonlySet<number>
}

const traceLines = 50_000

/** A seeded world: every operation on a port is a place where it may be put off, fail, or never come back, in an order that the
 * seed alone decides. Nothing waits for real time. */
export class SimWorld implements World {
  readonly dice: Dice
  readonly faults: Faults
  now = 1_000_000
  steps = 0
  /** How many faults were drawn, those that were passed over included. */
  drawn = 0
  /** What was hit how often. */
  readonly hits = new Map<string, number>()
  /** What happened, if anybody wants to know. */
  readonly trace: string[] | undefined
  /** A process that the schedule neglects. */
  slow: SimProcess | undefined
  #waiting: Operation[] = []
  #parked: Operation[] = []
  #alarms: Alarm[] = []

  constructor(seed: number, faults: Faults, traced: boolean) {
    this.dice = new Dice(seed)
    this.faults = faults
    this.trace = traced ? [] : undefined
  }

  step(process: SimProcess, point: string, what = ""): Promise<void> {
    if (process.state === "running" && this.dice.next() < this.faults.coarse) {
      this.note(() => `${process.name} ${point} ${what} (at once)`)
      return Promise.resolve()
    }
    return new Promise((resume) => {
      if (process.state === "dead") return
      const operation = { process, point, what, resume }
      if (process.state === "running") this.#waiting.push(operation)
      else this.#parked.push(operation)
    })
  }

  fault(point: string, chance = 1): boolean {
    if (this.faults.budget <= 0 || !this.dice.chance(this.faults.rate * chance)) return false
    this.faults.budget--
    if (this.faults.skip.has(this.drawn++)) return false
    this.hit(point)
    this.note(() => `fault ${this.drawn - 1}: ${point}`)
    return true
  }

  hit(point: string): void {
    this.hits.set(point, (this.hits.get(point) ?? 0) + 1)
  }

  note(line: () => string): void {
    if (this.trace !== undefined && this.trace.length < traceLines)
      this.trace.push(`${this.steps} +${this.now - 1_000_000}ms ${line()}`)
  }

  alarm(process: SimProcess | undefined, at: number, ring: () => void): () => void {
    const alarm: { process: SimProcess | undefined; at: number; ring: (() => void) | undefined } = { process, at, ring }
    this.#alarms.push(alarm)
    return () => void (alarm.ring = undefined)
  }

  kill(process: SimProcess): void {
    if (process.state === "dead") return
    this.note(() => `kill ${process.name}`)
    for (const operation of [...this.#waiting, ...this.#parked])
      if (operation.process === process) this.hit(`crash at ${operation.point}`)
    this.bury(process)
  }

  /** Ends a process for good: nothing of it goes on. */
  bury(process: SimProcess): void {
    process.state = "dead"
    this.#waiting = this.#waiting.filter((operation) => operation.process !== process)
    this.#parked = this.#parked.filter((operation) => operation.process !== process)
    this.#alarms = this.#alarms.filter((alarm) => alarm.process !== process)
    for (const each of process.onDeath) each()
    process.onDeath.clear()
  }

  stop(process: SimProcess, forMs: number, sessionMs: number): void {
    if (process.state !== "running") return
    this.note(() => `stop ${process.name} for ${forMs}`)
    this.hit("process stopped")
    process.state = "stopped"
    this.#parked.push(...this.#waiting.filter((operation) => operation.process === process))
    this.#waiting = this.#waiting.filter((operation) => operation.process !== process)
    this.alarm(undefined, this.now + forMs, () => {
      if (process.state !== "stopped") return
      this.note(() => `continue ${process.name}`)
      process.state = "running"
      if (forMs > sessionMs) {
        process.zombie = true
        this.hit("zombie continued")
      }
      this.#waiting.push(...this.#parked.filter((operation) => operation.process === process))
      this.#parked = this.#parked.filter((operation) => operation.process !== process)
    })
  }

  /** Goes on until `done`; throws when nothing can happen any more, or after too many steps.
   * @param disturb called before each step: kills, stops and starts processes; true when it did */
  async run(done: () => boolean, disturb: () => boolean, limit: number): Promise<void> {
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
    const operation = waiting[at]!
    waiting[at] = waiting.at(-1)!
    waiting.pop()
    this.note(() => `${operation.process.name} ${operation.point} ${operation.what}`)
    operation.resume()
    return true
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
    alarm!.ring!()
    return true
  }
}
