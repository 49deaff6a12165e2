import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { classify } from "../../core/errors.ts"
import { runPipeline } from "../../core/engine/run.ts"
import { keyCodec } from "../../formats/avro/index.ts"
import { eventsOf, SimTable, torture } from "./hospital.ts"
import type { Event } from "./hospital.ts"
import { SimBroker } from "./log.ts"
import type { LogBugs } from "./log.ts"
import { SimDatabase } from "./store.ts"
import type { StoreBugs } from "./store.ts"
import { SimProcess, SimWorld } from "./world.ts"

/** Bugs that are planted to show that the seeds find them. */
export interface Bugs {
  readonly log?: LogBugs
  readonly store?: StoreBugs
  readonly sinkWritesLater?: boolean
}

/** What a run of one seed came to: empty when every promise was kept. */
export interface Outcome {
  readonly seed: number
  readonly broken: readonly string[]
  readonly faults: number
  readonly trace: readonly string[]
}

const maxSteps = 60_000
const noObjects = new Proxy({} as never, {
  get: (_, name) =>
    name === "then"
      ? undefined
      : name === "close"
        ? async () => {}
        : name === "driver"
          ? "sim"
          : () => Promise.reject(new Error("no objects here")),
})

class Run {
  readonly world: SimWorld
  readonly broker: SimBroker
  readonly database: SimDatabase
  readonly table: SimTable
  readonly files: readonly (readonly Event[])[]
  readonly #bugs: Bugs
  readonly #running = new Map<SimProcess, Promise<void>>()
  #finished = 0
  #started = 0
  #failure: string | undefined

  constructor(seed: number, bugs: Bugs) {
    this.world = new SimWorld(seed, { budget: 4 + (seed % 9), rate: 0.02 })
    this.broker = new SimBroker(this.world, bugs.log)
    this.database = new SimDatabase(this.world, bugs.store)
    this.table = new SimTable(this.world)
    this.files = eventsOf(12 + (seed % 30), 1 + (seed % 5))
    this.#bugs = bugs
  }

  async go(): Promise<string | undefined> {
    this.#start()
    this.#start()
    try {
      await this.world.run(
        () => this.#finished > 0 || this.#failure !== undefined,
        () => this.#disturb(),
        maxSteps,
      )
    } catch (error) {
      return (error as Error).message
    }
    return this.#failure
  }

  #start(): void {
    const process = new SimProcess(`p${++this.#started}`)
    const { world, broker, database, table, files } = this
    const sinkWritesLater = this.#bugs.sinkWritesLater === true
    const pipeline = torture({ files, table, process, ...(sinkWritesLater ? { writesLater: true } : {}) })
    const program = runPipeline(pipeline, {
      drivers: {
        log: async () => broker.connect(process),
        store: async () => database.connect(process),
        objects: async () => noObjects,
      },
      environment: {},
      logger: {
        info: (event, fields) => world.note(`${process.name} ${event} ${JSON.stringify(fields)}`),
        warn: (event, fields) => world.note(`${process.name} ${event} ${JSON.stringify(fields)}`),
      },
      untilIdle: true,
    })
    const ended = Effect.runPromise(
      program.pipe(
        Effect.provideService(Clock.Clock, clockOf(world, process)),
        Effect.provideService(Random.Random, randomOf(world)),
        Effect.provideService(Scheduler.Scheduler, new Scheduler.MixedScheduler("sync")),
      ),
    ).then(
      () => {
        this.#finished++
        this.#running.delete(process)
      },
      (thrown: unknown) => {
        const error = classify(thrown)
        this.#running.delete(process)
        world.kill(process)
        // What cannot start, is started again; what says that it cannot go on is a finding.
        if (error.meaning === "fatal" && error.code !== "unreachable")
          this.#failure = `${process.name} ended: ${error.code}: ${error.message} ${error.code === "unclassified" ? String((error.cause as Error)?.stack) : ""}`
      },
    )
    this.#running.set(process, ended)
  }

  /** Kills, stops and starts whole processes. */
  #disturb(): boolean {
    const { world } = this
    const alive = [...this.#running.keys()].filter(({ state }) => state === "running")
    const short = alive.length === 0 || (this.#running.size < 2 && world.dice.chance(0.01))
    if (short && this.#running.size < 3) {
      this.#start()
      return true
    }
    if (alive.length === 0 || !world.fault("process", 0.4)) return false
    const process = world.dice.pick(alive)
    if (world.dice.chance(0.6)) {
      world.kill(process)
      this.#running.delete(process)
    } else world.stop(process, 2000 + world.dice.below(20_000))
    return true
  }
}

function clockOf(world: SimWorld, process: SimProcess): Clock.Clock {
  const millis = () => world.now
  const nanos = () => BigInt(world.now) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const cancel = world.alarm(process, world.now + Duration.toMillis(duration), () => resume(Effect.void))
        return Effect.sync(cancel)
      }),
  }
}

const randomOf = (world: SimWorld) => ({
  nextIntUnsafe: () => world.dice.below(2 ** 31),
  nextDoubleUnsafe: () => world.dice.next(),
})

/** Runs the torture pipeline under one seed and asks after every event. */
export async function runSeed(seed: number, bugs: Bugs = {}): Promise<Outcome> {
  const run = new Run(seed, bugs)
  const { budget } = run.world.faults
  const failure = await run.go()
  const broken = failure === undefined ? judge(run) : [failure]
  return { seed, broken, faults: budget - run.world.faults.budget, trace: run.world.trace }
}

function judge({ broker, table, files }: Run): string[] {
  const broken: string[] = []
  const expect = (what: string, found: unknown, wanted: unknown) => {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
    if (a !== b) broken.push(`${what}: ${a}, not ${b}`)
  }
  const idsIn = (topic: string) =>
    broker.topics
      .get(topic)!
      .partitions.flatMap(({ messages }) => messages.map(({ key }) => keyCodec.decode(key!)))
      .filter(({ id }) => !id.startsWith("~"))
  const all = files.flat()
  const passed = all.filter(({ fate }) => fate === "pass")
  const numbers = (topic: string) =>
    idsIn(topic)
      .map(({ id }) => Number(id))
      .sort((a, b) => a - b)
  const sorted = (events: readonly Event[]) => events.map(({ id }) => id).sort((a, b) => a - b)
  expect("arrivals", numbers("arrivals"), sorted(all))
  expect("kept", numbers("kept"), sorted(passed))
  const dead = broker.topics.get("torture.dead-letters")!.partitions[0]!.messages.length
  expect("dead letters", dead, all.filter(({ fate }) => fate === "fail" || fate === "poison").length)
  const dropped = broker.topics
    .get("torture.drops")!
    .partitions[0]!.messages.flatMap(
      ({ value }) => (JSON.parse(Buffer.from(value!).toString()) as { drops: unknown[] }).drops,
    )
  expect("drops", dropped.length, all.filter(({ fate }) => fate === "drop").length)
  for (const key of new Set(passed.map((event) => event.key))) {
    const versions = table.rows
      .filter((row) => row.key === key && row.id === "count")
      .map(({ version }) => Number(version))
    const count = passed.filter((event) => event.key === key).length
    expect(
      `rows of ${key}`,
      versions,
      Array.from({ length: count }, (_, at) => at + 1),
    )
    const summaries = table.rows
      .filter((row) => row.key === key && row.id === "summary")
      .map(({ version }) => Number(version))
    expect(
      `summaries of ${key}`,
      summaries,
      Array.from({ length: summaries.length }, (_, at) => at + 1),
    )
    if (summaries.length === 0) broken.push(`no summary of ${key}`)
  }
  return broken
}
