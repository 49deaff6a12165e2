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
import type { Operation } from "./operations.ts"
import { perform, turnBefore } from "./world.ts"
import type { SimProcess, World } from "./world.ts"

type Rows = Map<string, Map<string, string>>
type Do = <A>(operation: Operation, what: string, work: () => A | Promise<A>) => Promise<A>

const away = () => retryable("unreachable", "the connection to the database broke")

/** What a line to the server may do to a COMMIT, and to all else; for tests of what a client makes of it. */
export interface Line {
  /** How often an answer was waited for. */
  roundTrips: number
  /** What becomes of the next COMMIT. */
  cut: "question" | "answer" | undefined
  refusing: boolean
}

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
  /** Outbox rows are numbered by a sequence of the database, of which each connection takes some ahead (CACHE): numbers are lost with
   * a commit that fails, and come in another order than the commits. */
  readonly outboxFromSequence?: boolean
  /** Firing timers is taken for something apart: it neither holds the task's row nor looks at the epoch. */
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

/** How many numbers a connection takes ahead of a sequence, and connections of a process. */
const cached = 4n
const connections = 2

/** The database server: what outlives every process. */
export class SimDatabase {
  readonly world: World
  readonly bugs: StoreBugs
  readonly tasks = new Map<string, TaskRow>()
  readonly shared = new Map<string, Rows>()
  readonly objects = new Map<string, ReferenceRow>()
  readonly locks: Locks
  /** Numbers of all outbox rows that were ever committed, by task. */
  readonly ledger = new Map<string, bigint[]>()
  readonly #ahead = new Map<string, { next: bigint; end: bigint }>()
  #sequence = 1n

  constructor(world: World, bugs: StoreBugs = {}) {
    this.world = world
    this.bugs = bugs
    this.locks = new Locks(world)
  }

  connect(process: SimProcess, line?: Line): Store {
    const { world } = this
    const go: Do = (operation, what, work) => {
      if (line !== undefined) line.roundTrips++
      return perform(world, process, operation, what, away, () => {
        if (line?.refusing === true) throw away()
        return work()
      })
    }
    const references = new References(this, process, go)
    return {
      driver: "sim",
      url: "",
      claim: (pipeline, stage, partition) =>
        go("store.claim", stage, () => new SimTask(this, process, go, line, `${pipeline}/${stage}`, partition)),
      positions: async (pipeline) =>
        [...this.tasks].flatMap(([name, { positions }]) => {
          const [of, stage, partition] = name.split("/") as [string, string, string]
          return of === pipeline ? [{ stage, partition: Number(partition), positions: [...positions.values()] }] : []
        }),
      query: () => Promise.reject(fatal("query", "the simulated Store answers no queries")),
      audit: async () => {
        if (line?.refusing === true) throw away()
      },
      objects: references,
      close: () => perform(world, process, "store.close", "", away, () => {}),
    }
  }

  nextOutbox(task: TaskRow, process: SimProcess): bigint {
    if (this.bugs.outboxFromSequence !== true) return task.outbox + 1n
    const connection = `${process.name}/${this.world.dice.below(connections)}`
    let own = this.#ahead.get(connection)
    if (own === undefined || own.next === own.end) {
      own = { next: this.#sequence, end: this.#sequence + cached }
      this.#sequence = own.end
      this.#ahead.set(connection, own)
    }
    return own.next++
  }

  task(name: string): TaskRow {
    let task = this.tasks.get(name)
    if (task === undefined) this.tasks.set(name, (task = newTask()))
    return task
  }

  committed(name: string, number: bigint): void {
    const known = this.ledger.get(name)
    if (known === undefined) this.ledger.set(name, [number])
    else known.push(number)
  }
}

interface ReferenceRow {
  readonly count: number
  readonly refreshed: number
  readonly counted: boolean
}

/** References to objects, each row changed under its lock. */
class References {
  readonly #database: SimDatabase
  readonly #process: SimProcess
  readonly #do: Do

  constructor(database: SimDatabase, process: SimProcess, go: Do) {
    this.#database = database
    this.#process = process
    this.#do = go
  }

  refresh(zone: string, keys: readonly string[]): Promise<void> {
    const { world } = this.#database
    return this.#do("store.objects.refresh", zone, () =>
      this.#change(zone, keys, (row) => ({ ...row, refreshed: world.now, counted: false })),
    )
  }

  count(zone: string, keys: readonly string[], by: number): Promise<void> {
    const { world } = this.#database
    return this.#do("store.objects.count", zone, () =>
      this.#change(zone, keys, (row) => ({
        count: row.count + by,
        refreshed: by < 0 ? world.now : row.refreshed,
        counted: true,
      })),
    )
  }

  sweep(
    zone: string,
    olderThanMs: number,
    remove: (keys: readonly string[]) => Promise<void>,
    uncountedOlderThanMs = olderThanMs,
  ): Promise<number> {
    return this.#do("store.objects.sweep", zone, () => this.#sweep(zone, [olderThanMs, uncountedOlderThanMs], remove))
  }

  async #change(zone: string, keys: readonly string[], change: (row: ReferenceRow) => ReferenceRow): Promise<void> {
    const { world, locks, objects } = this.#database
    const session = new Session(world, this.#process)
    try {
      for (const key of [...new Set(keys)].sort()) await locks.lock(session, `object ${zone}/${key}`)
      for (const key of keys) {
        const slot = `${zone}/${key}`
        objects.set(slot, change(objects.get(slot) ?? { count: 0, refreshed: world.now, counted: false }))
      }
    } finally {
      session.end()
    }
  }

  async #sweep(
    zone: string,
    [counted, uncounted]: readonly [number, number],
    remove: (keys: readonly string[]) => Promise<void>,
  ): Promise<number> {
    const { world, locks, objects, bugs } = this.#database
    const prefix = `${zone}/`
    const old = (slot: string) => {
      const row = objects.get(slot)
      return row !== undefined && row.count === 0 && row.refreshed <= world.now - (row.counted ? counted : uncounted)
    }
    const found = [...objects.keys()].filter((slot) => slot.startsWith(prefix) && old(slot)).sort()
    const session = new Session(world, this.#process)
    try {
      if (bugs.sweepsLive !== true) for (const slot of found) await locks.lock(session, `object ${slot}`)
      const gone = bugs.sweepsLive === true ? found : found.filter(old)
      if (gone.length < found.length) world.hit("sweep spared what was refreshed")
      if (gone.length === 0) return 0
      await remove(gone.map((slot) => slot.slice(prefix.length)))
      // A server that heard nothing for too long has given the rows to others.
      if (!session.alive) throw away()
      for (const slot of gone) objects.delete(slot)
      world.hit("sweep removed")
      return gone.length
    } finally {
      session.end()
    }
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
  readonly #do: Do
  readonly #line: Line | undefined
  readonly #stage: string
  readonly #name: string
  readonly #task: TaskRow

  constructor(
    database: SimDatabase,
    process: SimProcess,
    go: Do,
    line: Line | undefined,
    stage: string,
    partition: number,
  ) {
    this.#database = database
    this.#process = process
    this.#do = go
    this.#line = line
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

  begin(): Promise<StepTransaction> {
    return this.#do("task.begin", this.#name, () => {
      this.check()
      const { world, bugs, shared } = this.#database
      const task = this.#task
      const session = new Session(world, this.#process)
      if (bugs.timersWithoutEpoch !== true) {
        if (task.holder?.alive === true) throw retryable("lock-timeout", `${this.#name} is held`)
        task.holder = session
        session.holds(() => void (task.holder = undefined))
      }
      if (!shared.has(this.#stage)) shared.set(this.#stage, new Map())
      return new SimTransaction(this.#database, session, task, this.#do, this.#line, () => this.check(), this.#name)
    })
  }

  async markPublished(number: bigint): Promise<void> {
    this.check()
    publishedUpTo(this.#task, number)
  }

  release(): Promise<void> {
    return this.#do("task.release", this.#name, () => {})
  }

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
  readonly #do: Do
  readonly #line: Line | undefined
  readonly #check: () => void
  readonly #name: string

  constructor(
    database: SimDatabase,
    session: Session,
    task: TaskRow,
    go: Do,
    line: Line | undefined,
    check: () => void,
    name: string,
  ) {
    this.#database = database
    this.#session = session
    this.#task = task
    this.#do = go
    this.#line = line
    this.#check = check
    this.#name = name
    const stage = name.slice(0, name.lastIndexOf("/"))
    this.#sharedRows = database.shared.get(stage)!
    this.shared = {
      lock: (keys) =>
        this.#go("step.shared.lock", async () => {
          for (const key of keys) await database.locks.lock(session, `${stage} ${key}`)
          this.#alive()
        }),
      get: (keys) => this.#go("step.shared.get", () => reads(this.#sharedRows).get(keys)),
      scan: (ranges) => this.#go("step.shared.scan", () => reads(this.#sharedRows).scan(ranges)),
    }
  }

  /** One operation; the first that fails ends the transaction. */
  async #go<A>(operation: Operation, work: () => A | Promise<A>): Promise<A> {
    try {
      return await this.#do(operation, this.#name, () => {
        this.#alive()
        return work()
      })
    } catch (error) {
      this.#session.end()
      throw error
    }
  }

  #alive(): void {
    if (!this.#session.alive) throw away()
  }

  get(keys: readonly StateKey[]) {
    return this.#go("step.get", () => reads(this.#task.rows).get(keys))
  }

  scan(ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) {
    return this.#go("step.scan", () => reads(this.#task.rows).scan(ranges))
  }

  due(clock: Timer["clock"], until: number, limit: number) {
    return this.#go("step.due", () => {
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
    const { process } = this.#session
    const fires = change.cancels.length > 0
    const operation = fires ? "step.commit timers" : "step.commit"
    const mishap = world.befalls(operation)
    if (this.#line !== undefined) this.#line.roundTrips++
    const cut = this.#cut()
    const late = mishap === "zombie" && world.dice.chance(0.3)
    await world.step(process, operation, this.#name, late ? undefined : turnBefore(mishap))
    if (!fires || bugs.timersWithoutEpoch !== true) this.#checked(change)
    if (mishap === "refused" || cut === "question") throw this.#unknown()
    for (const { zone, key } of change.references ?? [])
      await this.#database.locks.lock(this.#session, `object ${zone}/${key}`)
    const number = this.#apply(change)
    this.#session.end()
    await world.step(process, "committed", this.#name, mishap === "crash after" ? "crash" : late ? "stop" : undefined)
    if (mishap === "answer lost" || cut === "answer") throw this.#unknown()
    return number
  }

  #cut(): Line["cut"] {
    const cut = this.#line?.cut
    if (this.#line !== undefined) this.#line.cut = undefined
    return cut
  }

  #checked(change: StepChange): void {
    try {
      this.#alive()
      this.#check()
      checkKeys([...change.puts, ...change.sharedPuts])
      if (change.timers.some(({ due }) => !Number.isFinite(due))) throw fatal("timer", "a timer without a time")
    } catch (error) {
      this.#session.end()
      throw error
    }
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
    for (const { zone, key, by } of change.references ?? []) {
      const { objects, world } = this.#database
      const row = objects.get(`${zone}/${key}`) ?? { count: 0, refreshed: world.now }
      const refreshed = by < 0 ? world.now : row.refreshed
      objects.set(`${zone}/${key}`, { count: row.count + by, refreshed, counted: true })
    }
    if (change.facts !== undefined) task.facts = JSON.stringify(change.facts)
    if (change.published !== undefined) publishedUpTo(task, change.published)
    if (change.outbox === undefined) return task.outbox
    const number = this.#database.nextOutbox(task, this.#session.process)
    if (number > task.outbox) task.outbox = number
    this.#database.committed(this.#name, number)
    task.pending.push({ number, payload: change.outbox })
    return number
  }

  async rollback(): Promise<void> {
    if (!this.#session.alive) return
    await perform(this.#database.world, this.#session.process, "step.rollback", this.#name, away, () =>
      this.#session.end(),
    )
  }
}
