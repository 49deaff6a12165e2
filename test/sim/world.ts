/** A seeded world: every operation on a port is a place where it may be put off, fail, or never come back, in an order that the
 * seed alone decides. Nothing waits for real time. */

/** mulberry32: 32 bits of state, enough to draw schedules. */
export class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  /** In [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }
  chance(probability: number): boolean {
    return this.next() < probability
  }
  pick<A>(items: readonly A[]): A {
    return items[this.below(items.length)]!
  }
}

/** A process of the world. A dead one never hears of anything again; a stopped one (SIGSTOP) hears later. */
export class SimProcess {
  readonly name: string
  state: "running" | "stopped" | "dead" = "running"
  /** Called when it dies: what servers do when a connection breaks. */
  readonly onDeath: (() => void)[] = []
  constructor(name: string) {
    this.name = name
  }
}

interface Operation {
  readonly process: SimProcess
  readonly label: string
  readonly resume: () => void
}

interface Alarm {
  readonly process: SimProcess | undefined
  readonly at: number
  readonly ring: () => void
}

/** What the world may still do to its processes. */
export interface Faults {
  /** How many faults are left. */
  budget: number
  /** Chance of one at each operation. */
  readonly rate: number
}

export class SimWorld {
  readonly dice: Dice
  readonly faults: Faults
  /** ms since 1970. */
  now = 1_000_000
  steps = 0
  /** What happened, for a failing seed. */
  readonly trace: string[] = []
  #waiting: Operation[] = []
  #alarms: Alarm[] = []

  constructor(seed: number, faults: Faults) {
    this.dice = new Dice(seed)
    this.faults = faults
  }

  /** Waits until the schedule goes on with this operation. */
  step(process: SimProcess, label: string): Promise<void> {
    return new Promise((resume) => void this.#waiting.push({ process, label, resume }))
  }

  /** A fault is due here, and is counted. */
  fault(label: string, chance = 1): boolean {
    if (this.faults.budget <= 0 || !this.dice.chance(this.faults.rate * chance)) return false
    this.faults.budget--
    this.note(`fault ${label}`)
    return true
  }

  note(line: string): void {
    if (this.trace.length < 20000) this.trace.push(`${this.steps} ${line}`)
  }

  /** Calls back once the clock is there; returns how to take it back. */
  alarm(process: SimProcess | undefined, at: number, ring: () => void): () => void {
    const alarm = { process, at, ring }
    this.#alarms.push(alarm)
    return () => {
      const index = this.#alarms.indexOf(alarm)
      if (index >= 0) this.#alarms.splice(index, 1)
    }
  }

  kill(process: SimProcess): void {
    if (process.state === "dead") return
    this.note(`kill ${process.name}`)
    process.state = "dead"
    this.#waiting = this.#waiting.filter((operation) => operation.process !== process)
    this.#alarms = this.#alarms.filter((alarm) => alarm.process !== process)
    for (const each of process.onDeath) each()
  }

  stop(process: SimProcess, forMs: number): void {
    if (process.state !== "running") return
    this.note(`stop ${process.name} for ${forMs}`)
    process.state = "stopped"
    this.alarm(undefined, this.now + forMs, () => {
      if (process.state !== "stopped") return
      this.note(`continue ${process.name}`)
      process.state = "running"
    })
  }

  /** Goes on until `done`; throws when nothing can happen any more, or after too many steps.
   * @param disturb called before each step: kills, stops and starts processes; true when it did */
  async run(done: () => boolean, disturb: () => boolean, limit: number): Promise<void> {
    for (;;) {
      // All that the last step set off has settled when a macrotask runs.
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (done()) return
      if (++this.steps > limit) throw new Error(`stuck: ${limit} steps`)
      if (!disturb() && !this.#go()) throw new Error("stuck: nothing is left to happen")
    }
  }

  #go(): boolean {
    const ready = this.#waiting.filter(({ process }) => process.state === "running")
    const next = this.#earliest()
    // Time mostly stands while something can happen, but not always.
    if (ready.length === 0 || (next !== undefined && this.dice.chance(0.02)))
      return next !== undefined && this.#ring(next)
    const operation = this.dice.pick(ready)
    this.#waiting.splice(this.#waiting.indexOf(operation), 1)
    this.note(`${operation.process.name} ${operation.label}`)
    operation.resume()
    return true
  }

  #earliest(): Alarm | undefined {
    let found: Alarm | undefined
    for (const alarm of this.#alarms)
      if ((alarm.process?.state ?? "running") === "running" && (found === undefined || alarm.at < found.at))
        found = alarm
    return found
  }

  #ring(alarm: Alarm): true {
    this.#alarms.splice(this.#alarms.indexOf(alarm), 1)
    this.now = Math.max(this.now, alarm.at)
    alarm.ring()
    return true
  }
}
