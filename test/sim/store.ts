import { retryable } from "../../core/errors.ts"
import type { Timer } from "../../core/plugin.ts"
import type {
  InputPosition,
  OutboxRow,
  StateKey,
  StateRow,
  StepChange,
  StepTransaction,
  Store,
  TaskStore,
} from "../../core/ports/store.ts"
import type { SimProcess, SimWorld } from "./world.ts"

type Rows = Map<string, Map<string, string>>

interface TaskRow {
  epoch: bigint
  outbox: bigint
  published: bigint
  positions: Map<string, InputPosition>
  facts: Readonly<Record<string, unknown>>
  readonly rows: Rows
  readonly timers: Map<string, Timer>
  pending: OutboxRow[]
  /** The transaction that holds the row. */
  holder: Session | undefined
}

/** A connection in a transaction: it ends by its own word, by its process's death, or when the server ends it. */
class Session {
  readonly process: SimProcess
  alive = true
  readonly #undo: (() => void)[] = []
  constructor(process: SimProcess) {
    this.process = process
    process.onDeath.push(() => this.end())
  }
  holds(release: () => void): void {
    this.#undo.push(release)
  }
  end(): void {
    if (!this.alive) return
    this.alive = false
    for (const each of this.#undo.splice(0)) each()
  }
}

/** Ways in which a Store could be wrong, for showing that the seeds find them. */
export interface StoreBugs {
  readonly noFencing?: boolean
  /** Outbox rows are numbered by a sequence of the database: numbers are taken before the commit, and lost with a rollback. */
  readonly outboxFromSequence?: boolean
  readonly timersWithoutEpoch?: boolean
}

const keySlot = (key: string, name: string): string => `${key}\u0000${name}`

/** The database server: what outlives every process. */
export class SimDatabase {
  readonly world: SimWorld
  readonly bugs: StoreBugs
  readonly tasks = new Map<string, TaskRow>()
  readonly shared = new Map<string, Rows>()
  readonly objects = new Map<string, { count: number; refreshed: number }>()
  readonly #locks = new Map<string, { holder: Session; readonly queue: { session: Session; resume: () => void }[] }>()
  #sequence = 0n

  constructor(world: SimWorld, bugs: StoreBugs = {}) {
    this.world = world
    this.bugs = bugs
  }

  connect(process: SimProcess): Store {
    const world = this.world
    const step = async (label: string) => {
      await world.step(process, label)
      if (world.fault(label)) throw retryable("unreachable", "the connection to the database broke")
    }
    return {
      driver: "sim",
      url: "",
      claim: async (pipeline, stage, partition) => {
        await step(`claim ${stage}/${partition}`)
        return this.#claim(process, step, `${pipeline}/${stage}`, partition)
      },
      positions: async (pipeline) => {
        await step("positions")
        return [...this.tasks].flatMap(([name, { positions }]) => {
          const [of, stage, partition] = name.split("/") as [string, string, string]
          return of === pipeline ? [{ stage, partition: Number(partition), positions: [...positions.values()] }] : []
        })
      },
      query: async () => ({ columns: [], rows: [] }),
      audit: async () => {},
      objects: {
        refresh: async (zone, keys) => {
          await step("refresh")
          for (const key of keys) {
            const row = this.objects.get(`${zone}/${key}`) ?? { count: 0, refreshed: 0 }
            this.objects.set(`${zone}/${key}`, { ...row, refreshed: world.now })
          }
        },
        count: async (zone, keys, by) => {
          await step("count")
          for (const key of keys) {
            const row = this.objects.get(`${zone}/${key}`) ?? { count: 0, refreshed: 0 }
            this.objects.set(`${zone}/${key}`, { ...row, count: row.count + by })
          }
        },
        sweep: async () => 0,
      },
      close: async () => {},
    }
  }

  nextOutbox(task: TaskRow): bigint {
    if (this.bugs.outboxFromSequence !== true) return task.outbox + 1n
    return ++this.#sequence
  }

  /** Waits for a lock; rejects with `deadlock` where waiting would never end. */
  async lock(session: Session, key: string): Promise<void> {
    const lock = this.#locks.get(key)
    if (lock === undefined) {
      const held = { holder: session, queue: [] as { session: Session; resume: () => void }[] }
      this.#locks.set(key, held)
      session.holds(() => this.#release(key))
      return
    }
    if (lock.holder === session) return
    if (this.#wouldWaitFor(lock.holder, session)) throw retryable("deadlock", "two steps wait for each other")
    await new Promise<void>((resume, reject) => {
      lock.queue.push({ session, resume })
      session.holds(() => reject(retryable("unreachable", "the server ended the session")))
    })
  }

  #wouldWaitFor(holder: Session, session: Session): boolean {
    for (const { holder: next, queue } of this.#locks.values())
      if (queue.some((waiter) => waiter.session === holder))
        if (next === session || this.#wouldWaitFor(next, session)) return true
    return false
  }

  #release(key: string): void {
    const lock = this.#locks.get(key)!
    let next = lock.queue.shift()
    while (next !== undefined && !next.session.alive) next = lock.queue.shift()
    if (next === undefined) {
      this.#locks.delete(key)
      return
    }
    lock.holder = next.session
    next.session.holds(() => this.#release(key))
    next.resume()
  }

  #task(name: string): TaskRow {
    let task = this.tasks.get(name)
    if (task === undefined)
      this.tasks.set(
        name,
        (task = {
          epoch: 0n,
          outbox: 0n,
          published: 0n,
          positions: new Map(),
          facts: {},
          rows: new Map(),
          timers: new Map(),
          pending: [],
          holder: undefined,
        }),
      )
    return task
  }

  #claim(process: SimProcess, step: (label: string) => Promise<void>, stage: string, partition: number): TaskStore {
    const name = `${stage}/${partition}`
    const task = this.#task(name)
    // A new owner ends the session that blocks its row.
    task.holder?.end()
    task.epoch++
    const epoch = task.epoch
    const due = (clock: Timer["clock"]) => {
      const times = [...task.timers.values()].filter((timer) => timer.clock === clock).map((timer) => timer.due)
      return times.length === 0 ? undefined : Math.min(...times)
    }
    const check = () => {
      if (task.epoch !== epoch && this.bugs.noFencing !== true) throw retryable("fenced", `${name} was claimed again`)
    }
    return {
      epoch,
      outbox: task.outbox,
      published: task.published,
      positions: [...task.positions.values()],
      facts: task.facts,
      pending: [...task.pending],
      dueQuiet: due("quiet"),
      dueCalendar: due("calendar"),
      begin: async () => {
        await step(`begin ${name}`)
        check()
        const session = new Session(process)
        if (task.holder?.alive === true) throw retryable("lock-timeout", `${name} is held`)
        task.holder = session
        session.holds(() => void (task.holder = undefined))
        if (!this.shared.has(stage)) this.shared.set(stage, new Map())
        return new SimTransaction(this, session, task, this.shared.get(stage)!, step, check, name)
      },
      markPublished: async (number) => {
        await step(`mark ${name}`)
        check()
        publishedUpTo(task, number)
      },
      release: async () => {},
    }
  }
}

function publishedUpTo(task: TaskRow, number: bigint): void {
  if (number <= task.published) return
  task.published = number
  task.pending = task.pending.filter((row) => row.number > number)
}

const within = (sort: string, from: string | undefined, to: string | undefined): boolean =>
  (from === undefined || Buffer.compare(Buffer.from(sort), Buffer.from(from)) >= 0) &&
  (to === undefined || Buffer.compare(Buffer.from(sort), Buffer.from(to)) < 0)

const reads = (rows: Rows) => ({
  get: (keys: readonly StateKey[]) => keys.map(([key, sort]) => rows.get(key)?.get(sort)),
  scan: (ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) =>
    ranges.map(({ key, from, to }) =>
      [...(rows.get(key) ?? [])]
        .filter(([sort]) => within(sort, from, to))
        .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    ),
})

function write(rows: Rows, puts: readonly StateRow[], deletes: readonly StateKey[]): void {
  for (const [key, sort, value] of puts) {
    if (!rows.has(key)) rows.set(key, new Map())
    rows.get(key)!.set(sort, value)
  }
  for (const [key, sort] of deletes) rows.get(key)?.delete(sort)
}

class SimTransaction implements StepTransaction {
  readonly shared: StepTransaction["shared"]
  readonly #database: SimDatabase
  readonly #session: Session
  readonly #task: TaskRow
  readonly #sharedRows: Rows
  readonly #step: (label: string) => Promise<void>
  readonly #check: () => void
  readonly #name: string
  #fired = false

  constructor(
    database: SimDatabase,
    session: Session,
    task: TaskRow,
    sharedRows: Rows,
    step: (label: string) => Promise<void>,
    check: () => void,
    name: string,
  ) {
    this.#database = database
    this.#session = session
    this.#task = task
    this.#sharedRows = sharedRows
    this.#step = step
    this.#check = check
    this.#name = name
    this.shared = {
      lock: async (keys) => {
        await this.#go("lock")
        for (const key of keys) await database.lock(session, `${name.replace(/\/\d+$/, "")} ${key}`)
        this.#alive()
      },
      get: async (keys) => (await this.#go("shared-get"), reads(this.#sharedRows).get(keys)),
      scan: async (ranges) => (await this.#go("shared-scan"), reads(this.#sharedRows).scan(ranges)),
    }
  }

  async #go(label: string): Promise<void> {
    try {
      await this.#step(`${label} ${this.#name}`)
      this.#alive()
    } catch (error) {
      this.#session.end()
      throw error
    }
  }

  #alive(): void {
    if (!this.#session.alive) throw retryable("unreachable", "the server ended the session")
  }

  async get(keys: readonly StateKey[]) {
    await this.#go("get")
    return reads(this.#task.rows).get(keys)
  }

  async scan(ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) {
    await this.#go("scan")
    return reads(this.#task.rows).scan(ranges)
  }

  async due(clock: Timer["clock"], until: number, limit: number) {
    await this.#go("due")
    this.#fired = true
    return [...this.#task.timers.values()]
      .filter((timer) => timer.clock === clock && timer.due <= until)
      .sort((a, b) => a.due - b.due)
      .slice(0, limit)
  }

  async commit(change: StepChange): Promise<bigint> {
    const { world, bugs } = this.#database
    await this.#go("commit")
    if (!(bugs.timersWithoutEpoch === true && this.#fired)) this.#check()
    if (world.fault(`commit ${this.#name}: not done`, 0.5)) {
      this.#session.end()
      throw retryable("unknown-outcome", "the answer to COMMIT was lost")
    }
    const number = this.#apply(change)
    this.#session.end()
    await world.step(this.#session.process, `committed ${this.#name}`)
    if (world.fault(`commit ${this.#name}: answer lost`))
      throw retryable("unknown-outcome", "the answer to COMMIT was lost")
    return number
  }

  #apply(change: StepChange): bigint {
    const task = this.#task
    write(task.rows, change.puts, change.deletes)
    write(this.#sharedRows, change.sharedPuts, change.sharedDeletes)
    for (const [key, name] of change.cancels) task.timers.delete(keySlot(key, name))
    for (const timer of change.timers) task.timers.set(keySlot(timer.key, timer.name), timer)
    for (const position of change.positions) task.positions.set(position.topic, position)
    if (change.facts !== undefined) task.facts = structuredClone(change.facts)
    if (change.published !== undefined) publishedUpTo(task, change.published)
    if (change.outbox === undefined) return task.outbox
    const number = this.#database.nextOutbox(task)
    if (number > task.outbox) task.outbox = number
    task.pending.push({ number, payload: change.outbox })
    return number
  }

  async rollback(): Promise<void> {
    if (!this.#session.alive) return
    await this.#database.world.step(this.#session.process, `rollback ${this.#name}`)
    this.#session.end()
  }
}
