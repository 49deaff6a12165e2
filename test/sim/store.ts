import { badRecord, fatal, retryable } from "../../core/errors.ts"
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
import { Locks, Session } from "./sessions.ts"
import type { SimProcess, World } from "./world.ts"

type Rows = Map<string, Map<string, string>>
type Step = (point: string, what?: string) => Promise<void>

interface TaskRow {
  epoch: bigint
  outbox: bigint
  published: bigint
  readonly positions: Map<string, InputPosition>
  /** JSON. */
  facts: string
  readonly rows: Rows
  readonly timers: Map<string, Timer>
  pending: OutboxRow[]
  /** The transaction that holds the row. */
  holder: Session | undefined
}

/** Ways in which a Store could be wrong, for showing that the seeds find them. */
export interface StoreBugs {
  readonly noFencing?: boolean
  /** Outbox rows are numbered by a sequence of the database: numbers are taken before the commit, and lost with a rollback. */
  readonly outboxFromSequence?: boolean
  /** A step that fires timers does not look at the epoch, nor hold the row. */
  readonly timersWithoutEpoch?: boolean
  /** Objects are removed without holding their rows, by what was read before. */
  readonly sweepsLive?: boolean
}

const slotOf = (key: string, name: string): string => `${key}\u0000${name}`
const newTask = (): TaskRow => ({
  epoch: 0n,
  outbox: 0n,
  published: 0n,
  positions: new Map(),
  facts: "{}",
  rows: new Map(),
  timers: new Map(),
  pending: [],
  holder: undefined,
})

/** The database server: what outlives every process. */
export class SimDatabase {
  readonly world: World
  readonly bugs: StoreBugs
  readonly tasks = new Map<string, TaskRow>()
  readonly shared = new Map<string, Rows>()
  readonly objects = new Map<string, { count: number; refreshed: number }>()
  readonly locks = new Locks()
  #sequence = 0n

  constructor(world: World, bugs: StoreBugs = {}) {
    this.world = world
    this.bugs = bugs
  }

  connect(process: SimProcess): Store {
    const step: Step = async (point, what) => {
      await this.world.step(process, point, what)
      if (this.world.fault(point)) throw retryable("unreachable", "the connection to the database broke")
    }
    return {
      driver: "sim",
      url: "",
      claim: async (pipeline, stage, partition) => {
        await step("claim", stage)
        return new SimTask(this, process, step, `${pipeline}/${stage}`, partition)
      },
      positions: async (pipeline) => {
        await step("claim", "positions")
        return [...this.tasks].flatMap(([name, { positions }]) => {
          const [of, stage, partition] = name.split("/") as [string, string, string]
          return of === pipeline ? [{ stage, partition: Number(partition), positions: [...positions.values()] }] : []
        })
      },
      query: () => Promise.reject(fatal("query", "the simulated Store answers no queries")),
      audit: async () => {},
      objects: {
        refresh: (zone, keys) =>
          this.#object(process, step, zone, keys, (row) => ({ ...row, refreshed: this.world.now })),
        count: (zone, keys, by) =>
          this.#object(process, step, zone, keys, (row) => ({ ...row, count: row.count + by })),
        sweep: (zone, olderThanMs, remove) => this.#sweep(process, step, zone, olderThanMs, remove),
      },
      close: async () => {},
    }
  }

  /** Changes the rows of objects, each under its lock. */
  async #object(
    process: SimProcess,
    step: Step,
    zone: string,
    keys: readonly string[],
    change: (row: { count: number; refreshed: number }) => { count: number; refreshed: number },
  ): Promise<void> {
    await step("object rows", zone)
    const session = new Session(process)
    try {
      for (const key of [...new Set(keys)].sort()) await this.locks.lock(session, `object ${zone}/${key}`)
      for (const key of keys) {
        const slot = `${zone}/${key}`
        this.objects.set(slot, change(this.objects.get(slot) ?? { count: 0, refreshed: this.world.now }))
      }
    } finally {
      session.end()
    }
  }

  async #sweep(
    process: SimProcess,
    step: Step,
    zone: string,
    olderThanMs: number,
    remove: (keys: readonly string[]) => Promise<void>,
  ): Promise<number> {
    await step("sweep", zone)
    const prefix = `${zone}/`
    const old = (slot: string) => {
      const row = this.objects.get(slot)
      return row !== undefined && row.count === 0 && row.refreshed <= this.world.now - olderThanMs
    }
    const found = [...this.objects.keys()].filter((slot) => slot.startsWith(prefix) && old(slot)).sort()
    const session = new Session(process)
    try {
      if (this.bugs.sweepsLive !== true) for (const slot of found) await this.locks.lock(session, `object ${slot}`)
      const gone = this.bugs.sweepsLive === true ? found : found.filter(old)
      if (gone.length === 0) return 0
      await remove(gone.map((slot) => slot.slice(prefix.length)))
      for (const slot of gone) this.objects.delete(slot)
      this.world.hit("sweep removed")
      return gone.length
    } finally {
      session.end()
    }
  }

  nextOutbox(task: TaskRow): bigint {
    if (this.bugs.outboxFromSequence !== true) return task.outbox + 1n
    return ++this.#sequence
  }

  task(name: string): TaskRow {
    let task = this.tasks.get(name)
    if (task === undefined) this.tasks.set(name, (task = newTask()))
    return task
  }
}

class SimTask implements TaskStore {
  readonly epoch: bigint
  readonly outbox: bigint
  readonly published: bigint
  readonly positions: readonly InputPosition[]
  readonly facts: Readonly<Record<string, unknown>>
  readonly pending: readonly OutboxRow[]
  readonly dueQuiet: number | undefined
  readonly dueCalendar: number | undefined
  readonly #database: SimDatabase
  readonly #process: SimProcess
  readonly #step: Step
  readonly #stage: string
  readonly #name: string
  readonly #task: TaskRow

  constructor(database: SimDatabase, process: SimProcess, step: Step, stage: string, partition: number) {
    this.#database = database
    this.#process = process
    this.#step = step
    this.#stage = stage
    this.#name = `${stage}/${partition}`
    const task = (this.#task = database.task(this.#name))
    // A new owner ends the session that blocks its row.
    task.holder?.end()
    this.epoch = ++task.epoch
    this.outbox = task.outbox
    this.published = task.published
    this.positions = [...task.positions.values()]
    this.facts = JSON.parse(task.facts) as Record<string, unknown>
    this.pending = [...task.pending]
    this.dueQuiet = earliest(task, "quiet")
    this.dueCalendar = earliest(task, "calendar")
  }

  async begin(): Promise<StepTransaction> {
    await this.#step("begin", this.#name)
    this.check()
    const task = this.#task
    const session = new Session(this.#process)
    if (task.holder?.alive === true) throw retryable("lock-timeout", `${this.#name} is held`)
    task.holder = session
    session.holds(() => void (task.holder = undefined))
    const { shared } = this.#database
    if (!shared.has(this.#stage)) shared.set(this.#stage, new Map())
    const rows = shared.get(this.#stage)!
    return new SimTransaction(this.#database, session, task, rows, this.#step, () => this.check(), this.#name)
  }

  async markPublished(number: bigint): Promise<void> {
    await this.#step("mark", this.#name)
    this.check()
    publishedUpTo(this.#task, number)
  }

  async release(): Promise<void> {}

  check(): void {
    const { bugs, world } = this.#database
    if (this.#task.epoch === this.epoch || bugs.noFencing === true) return
    if (this.#process.zombie) world.hit("zombie fenced: store")
    throw retryable("fenced", `${this.#name} was claimed again`)
  }
}

function earliest(task: TaskRow, clock: Timer["clock"]): number | undefined {
  let found: number | undefined
  for (const timer of task.timers.values())
    if (timer.clock === clock && (found === undefined || timer.due < found)) found = timer.due
  return found
}

function publishedUpTo(task: TaskRow, number: bigint): void {
  if (number <= task.published) return
  task.published = number
  task.pending = task.pending.filter((row) => row.number > number)
}

function checkKeys(keys: Iterable<readonly [key: string, sort: string, ...rest: string[]]>): void {
  for (const [key, sort] of keys)
    for (const text of [key, sort])
      if (text.length > 2000 || !text.isWellFormed()) throw badRecord("state-key", "a key that no row can have")
}

const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

const reads = (rows: Rows) => ({
  get(keys: readonly StateKey[]) {
    checkKeys(keys)
    return keys.map(([key, sort]) => rows.get(key)?.get(sort))
  },
  scan: (ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) =>
    ranges.map(({ key, from, to }) =>
      [...(rows.get(key) ?? [])]
        .filter(([sort]) => (from === undefined || order(sort, from) >= 0) && (to === undefined || order(sort, to) < 0))
        .sort(([a], [b]) => order(a, b)),
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
  readonly #step: Step
  readonly #check: () => void
  readonly #name: string

  constructor(
    database: SimDatabase,
    session: Session,
    task: TaskRow,
    sharedRows: Rows,
    step: Step,
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
    const stage = name.slice(0, name.lastIndexOf("/"))
    this.shared = {
      lock: (keys) =>
        this.#go("shared lock", async () => {
          for (const key of keys) await database.locks.lock(session, `${stage} ${key}`)
          this.#alive()
        }),
      get: (keys) => this.#go("shared get", () => reads(this.#sharedRows).get(keys)),
      scan: (ranges) => this.#go("shared scan", () => reads(this.#sharedRows).scan(ranges)),
    }
  }

  /** One operation; the first that fails ends the transaction. */
  async #go<A>(point: string, work: () => A | Promise<A>): Promise<A> {
    try {
      await this.#step(point, this.#name)
      this.#alive()
      return await work()
    } catch (error) {
      this.#session.end()
      throw error
    }
  }

  #alive(): void {
    if (!this.#session.alive) throw retryable("unreachable", "the server ended the session")
  }

  get(keys: readonly StateKey[]) {
    return this.#go("get", () => reads(this.#task.rows).get(keys))
  }

  scan(ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) {
    return this.#go("scan", () => reads(this.#task.rows).scan(ranges))
  }

  due(clock: Timer["clock"], until: number, limit: number) {
    return this.#go("due", () => {
      const found = [...this.#task.timers.values()]
        .filter((timer) => timer.clock === clock && timer.due <= until)
        .sort((a, b) => a.due - b.due)
        .slice(0, limit)
      if (found.length > 0) this.#database.world.hit(`timers due: ${clock}`)
      return found
    })
  }

  async commit(change: StepChange): Promise<bigint> {
    const { world, bugs } = this.#database
    const fires = change.cancels.length > 0
    const loose = fires && bugs.timersWithoutEpoch === true
    if (loose) await this.#step("commit", this.#name)
    else
      await this.#go(fires ? "commit of a timer" : "commit", () => {
        this.#check()
        checkKeys([...change.puts, ...change.sharedPuts])
        if (change.timers.some(({ due }) => !Number.isFinite(due))) throw fatal("timer", "a timer without a time")
      })
    if (world.fault("commit: not done", 0.5)) throw this.#unknown()
    const number = this.#apply(change)
    this.#session.end()
    await world.step(this.#session.process, "committed", this.#name)
    if (world.fault("commit: answer lost")) throw this.#unknown()
    return number
  }

  #unknown(): Error {
    this.#session.end()
    return retryable("unknown-outcome", "the answer to COMMIT was lost")
  }

  #apply(change: StepChange): bigint {
    const task = this.#task
    write(task.rows, change.puts, change.deletes)
    write(this.#sharedRows, change.sharedPuts, change.sharedDeletes)
    for (const [key, name] of change.cancels) task.timers.delete(slotOf(key, name))
    for (const timer of change.timers) task.timers.set(slotOf(timer.key, timer.name), timer)
    for (const position of change.positions) task.positions.set(position.topic, position)
    if (change.facts !== undefined) task.facts = JSON.stringify(change.facts)
    if (change.published !== undefined) publishedUpTo(task, change.published)
    if (change.outbox === undefined) return task.outbox
    const number = this.#database.nextOutbox(task)
    if (number > task.outbox) task.outbox = number
    task.pending.push({ number, payload: change.outbox })
    return number
  }

  async rollback(): Promise<void> {
    if (!this.#session.alive) return
    await this.#database.world.step(this.#session.process, "rollback", this.#name)
    this.#session.end()
  }
}
