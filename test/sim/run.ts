import { classify } from "../../core/errors.ts"
import { runPipeline } from "../../core/engine/run.ts"
import type { Logger } from "../../core/context.ts"
import { SimBroker } from "./broker.ts"
import type { LogBugs } from "./broker.ts"
import { runIn } from "./effect-world.ts"
import { blobs, historiesOf, planOf } from "./events.ts"
import type { Histories, Plan } from "./events.ts"
import { judge } from "./judge.ts"
import { SimLog } from "./log.ts"
import { SimBucket } from "./objects.ts"
import { silentMs } from "./sessions.ts"
import { SimDatabase } from "./store.ts"
import type { StoreBugs } from "./store.ts"
import { SimMap, SimTable } from "./tables.ts"
import { surround, torture } from "./torture.ts"
import type { PluginBugs } from "./torture.ts"
import { SimProcess, SimWorld } from "./world.ts"

/** Bugs that are planted to show that the seeds find them. */
export interface Bugs {
  readonly log?: LogBugs
  readonly store?: StoreBugs
  readonly plugins?: PluginBugs
  readonly sinkNoFencing?: boolean
}

/** One run: a seed, and how it was made smaller. */
export interface Seed {
  readonly seed: number
  /** Instead of the plan's. */
  readonly events?: number
  readonly waves?: number
  /** Faults that are passed over, by number. */
  readonly skip?: readonly number[]
  readonly traced?: boolean
}

/** What a run of one seed came to. */
export interface Outcome {
  readonly seed: number
  /** Empty when every promise was kept. */
  readonly broken: readonly string[]
  /** How many faults came about. */
  readonly faults: number
  /** How many were drawn, with those that were passed over. */
  readonly drawn: number
  readonly steps: number
  readonly events: number
  /** What was hit how often. */
  readonly hits: ReadonlyMap<string, number>
  /** By `operation|mishap`, how often it came about. */
  readonly coverage: ReadonlyMap<string, number>
  /** Of all that happened, in order. */
  readonly digest: number
  /** Empty unless it was asked for. */
  readonly trace: readonly string[]
}

const maxSteps = 40_000
/** Objects that nothing refers to are swept when they are older. */
const sweptAfterMs = 600_000
/** How long a process is watched that comes back when all is done. */
const zombieSteps = 40
/** The session timeout of groups, ms. */
const sessionMs = 6000

/** How a process is known to have ended. */
type End = "finished" | "killed" | "failed" | "shut down"

class Run {
  readonly plan: Plan
  readonly world: SimWorld
  readonly broker: SimBroker
  readonly database: SimDatabase
  readonly bucket: SimBucket
  readonly table: SimTable
  readonly map = new SimMap()
  histories: Histories = { feed: [], push: [] }
  readonly asOf: number | undefined
  readonly #seed: number
  readonly #bugs: Bugs
  readonly #running = new Map<SimProcess, AbortController>()
  #finished = false
  #until = 0
  #last: End | undefined
  #started = 0
  #sweeps = 0
  #failure: string | undefined

  constructor({ seed, events, waves, skip, traced }: Seed, bugs: Bugs) {
    const plan = planOf(seed)
    this.plan = { ...plan, events: events ?? plan.events, waves: waves ?? plan.waves }
    this.#seed = seed
    const { budget, rate, coarse, targets } = plan
    const faults = { budget, rate, coarse, targets, skip: new Set(skip) }
    this.world = new SimWorld(seed, faults, sessionMs, traced === true)
    this.world.onCrash = (process) => this.#ended(process, "killed")
    this.broker = new SimBroker(this.world, sessionMs, bugs.log)
    this.database = new SimDatabase(this.world, bugs.store)
    this.bucket = new SimBucket(this.world)
    this.table = new SimTable(this.world, bugs.sinkNoFencing)
    this.asOf = plan.asOf
    this.#bugs = bugs
    // Left by others long ago: nothing refers to them, and who puts them again finds them there.
    for (let blob = 0; blob < blobs; blob++) {
      this.bucket.objects.set(`blob/${blob}`, Buffer.from(String(blob)))
      this.database.objects.set(`phi/blob/${blob}`, { count: 0, refreshed: 0, counted: false })
    }
  }

  async go(): Promise<string | undefined> {
    for (let wave = 0; wave < this.plan.waves; wave++) {
      const more = historiesOf(this.#seed, wave * this.plan.events, this.plan.events)
      this.histories = {
        feed: more.feed.map((file, at) => [...(this.histories.feed[at] ?? []), ...file]),
        push: more.push.map((file, at) => [...(this.histories.push[at] ?? []), ...file]),
      }
      if (wave > 0) this.world.hit("second wave")
      const failure = await this.#wave()
      if (failure !== undefined) return failure
    }
    return undefined
  }

  async #wave(): Promise<string | undefined> {
    this.#finished = false
    this.#last = undefined
    this.#start()
    if (this.plan.processes > 1) this.#start()
    try {
      await this.world.run(
        () => this.#failure !== undefined || this.#over(),
        () => this.#disturb(),
        this.world.steps + maxSteps,
      )
    } catch (error) {
      return (error as Error).message
    }
    return this.#failure
  }

  #over(): boolean {
    if (!this.#finished) return false
    if (this.plan.until === "last") return this.#running.size === 0 && this.#last === "finished"
    // Who stands still comes back once more, when others have done all that it was about to do.
    const { steps } = this.world
    if ([...this.#running.keys()].some(({ state }) => state === "stopped")) this.#until = steps + zombieSteps
    if (steps < this.#until) return false
    for (const process of Array.from(this.#running.keys())) this.#ended(process, "killed")
    return true
  }

  #start(): void {
    const process = new SimProcess(`p${++this.#started}`)
    const stop = new AbortController()
    const { world, broker, database, table, map, bucket } = this
    if (this.plan.slow && world.slow === undefined) world.slow = process
    const note = (event: string, fields: unknown) =>
      world.note(() => `${process.name} ${event} ${JSON.stringify(fields)}`)
    const logger: Logger = { info: note, warn: note, error: note }
    const store = database.connect(process)
    const bugs = this.#bugs.plugins ?? {}
    surround(logger, { world, process, table, map, store, bugs, histories: () => this.histories })
    const program = runPipeline(torture(this.plan), {
      drivers: {
        log: async () => new SimLog(broker, process),
        store: async () => store,
        objects: async () => bucket.connect(process),
      },
      environment: {},
      logger,
      untilIdle: true,
      ...(this.asOf === undefined ? {} : { asOf: this.asOf }),
    })
    this.#running.set(process, stop)
    runIn(world, process, program, stop.signal).then(
      () => this.#ended(process, "finished"),
      (thrown: unknown) => (stop.signal.aborted ? this.#ended(process, "shut down") : this.#broke(process, thrown)),
    )
  }

  #ended(process: SimProcess, end: End): void {
    this.world.note(() => `${process.name} ${end}`)
    if (!this.#running.delete(process)) return
    this.world.bury(process)
    this.#last = end
    if (end === "finished") this.#finished = true
  }

  /** What cannot start, is started again; what says that it cannot go on is a finding. */
  #broke(process: SimProcess, thrown: unknown): void {
    const error = classify(thrown)
    this.#ended(process, "failed")
    if (error.meaning !== "fatal" && error.meaning !== "partial") return
    const why = error.code === "unclassified" ? String((error.cause as Error | undefined)?.stack) : ""
    this.#failure = `${process.name} ended: ${error.code}: ${error.message} ${why}`
  }

  /** Removes objects that nothing refers to, beside everything else and in a process of its own. It never stands still for as long
   * as its server keeps the rows for it: no object store fences a delete that comes later (docs/decisions/0034). */
  #sweep(): void {
    const { world } = this
    const process = new SimProcess(`sweep${++this.#sweeps}`)
    process.patience = silentMs - 1
    const objects = this.bucket.connect(process)
    this.database
      .connect(process)
      .objects.sweep("phi", sweptAfterMs, (keys) => objects.delete(keys))
      .catch(() => {})
      .finally(() => world.bury(process))
  }

  /** Kills, stops, shuts down and starts whole processes. */
  #disturb(): boolean {
    const { world } = this
    const size = this.#running.size
    if (size === 0) {
      this.#start()
      return true
    }
    // After the first has come to its end the others have to come to theirs: nothing new begins.
    if (!this.#finished && size < 3 && world.dice.chance(0.0005)) {
      world.hit("process joined")
      this.#start()
      return true
    }
    const alive = [...this.#running.keys()].filter(({ state }) => state === "running")
    // Somebody sees that nothing goes on, and starts another.
    if (alive.length === 0 && size < 3 && world.dice.chance(0.05)) {
      world.hit("process joined")
      this.#start()
      return true
    }
    if (alive.length === 0) return false
    if (world.dice.chance(0.002)) {
      this.#sweep()
      return true
    }
    if (!world.faults.due("process", 0.1)) return false
    this.#fate(world.dice.pick(alive))
    return true
  }

  #fate(process: SimProcess): void {
    const { world } = this
    const fate = world.dice.next()
    if (fate < 0.4) world.kill(process)
    else if (fate < 0.6) world.stop(process, 500 + world.dice.below(5000))
    else if (fate < 0.85) world.stop(process, world.pastSession())
    else {
      world.hit("process shut down")
      this.#running.get(process)!.abort()
    }
  }
}

/** Runs the torture pipeline under one seed and asks after every event. */
export async function runSeed(seed: number | Seed, bugs: Bugs = {}): Promise<Outcome> {
  // Errors are many here, and nobody reads where they were made.
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return await outcomeOf(seed, bugs)
  } finally {
    Error.stackTraceLimit = limit
  }
}

async function outcomeOf(seed: number | Seed, bugs: Bugs): Promise<Outcome> {
  const given = typeof seed === "number" ? { seed } : seed
  const run = new Run(given, bugs)
  const failure = await run.go()
  const { world } = run
  run.broker.complete()
  const broken = failure === undefined ? judge(run) : [failure]
  return {
    seed: given.seed,
    broken,
    faults: world.faults.stood,
    drawn: world.faults.drawn,
    steps: world.steps,
    events: run.plan.events,
    hits: world.hits,
    coverage: world.faults.coverage,
    digest: world.digest,
    trace: world.trace ?? [],
  }
}
