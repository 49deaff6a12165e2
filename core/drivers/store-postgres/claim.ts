import type { Claim, OutboxRow, TaskPositions, TaskStore } from "../../ports/store.ts"
import { fenced } from "./errors.ts"
import { positionsFromJson } from "./rows.ts"
import type { Session, Sessions, Statement } from "./sessions.ts"
import { beginStep } from "./step.ts"
import type { Owned } from "./step.ts"
import { firstDue } from "./timers.ts"

const addStage: Statement = {
  name: "stages.add",
  text: `INSERT INTO weir.stages (pipeline, name) SELECT $1, $2
    WHERE NOT EXISTS (SELECT FROM weir.stages WHERE pipeline = $1 AND name = $2) ON CONFLICT DO NOTHING`,
}

const addTask: Statement = {
  name: "tasks.add",
  text: `INSERT INTO weir.tasks (stage, partition) SELECT s.id, $3::integer FROM weir.stages s
    WHERE s.pipeline = $1 AND s.name = $2
      AND NOT EXISTS (SELECT FROM weir.tasks t WHERE t.stage = s.id AND t.partition = $3::integer) ON CONFLICT DO NOTHING`,
}

const raiseEpoch: Statement = {
  name: "tasks.claim",
  text: `UPDATE weir.tasks t SET epoch = t.epoch + 1 FROM weir.stages s
    WHERE s.pipeline = $1 AND s.name = $2 AND t.stage = s.id AND t.partition = $3::integer
    RETURNING t.id, t.stage, t.epoch, t.outbox, t.published, t.positions, t.facts`,
}

const pendingRows: Statement = {
  name: "outbox.pending",
  text: "SELECT number, payload FROM weir.outbox WHERE task = $1::bigint AND number > $2::bigint ORDER BY number",
}

// A session that waits for a lock itself holds nothing back: it is another claim, or its own wait ends it.
const endBlockers = `SELECT pg_terminate_backend(b.pid) FROM unnest(pg_blocking_pids($1::integer)) AS b(pid)
  JOIN pg_stat_activity a ON a.pid = b.pid WHERE a.wait_event_type IS DISTINCT FROM 'Lock'`

const markRows: Statement = {
  name: "outbox.mark",
  text: `WITH task AS (
      UPDATE weir.tasks SET published = greatest(published, $3::bigint) WHERE id = $1::bigint AND epoch = $2::bigint RETURNING id
    ), trim AS (
      DELETE FROM weir.outbox o USING task WHERE o.task = task.id AND o.number <= $3::bigint
    ) SELECT id FROM task`,
}

/** An older owner that holds the row for longer than this is ended. */
const patienceMs = 500

/** Raises the epoch of a task, which is made when it is new, and reads what it left.
 * @param sessions for the claim and its steps
 * @param side for what must not wait behind steps */
export async function claimTask(
  sessions: Sessions,
  side: Sessions,
  pipeline: string,
  stage: string,
  partition: number,
): Promise<TaskStore> {
  const what = `${pipeline}/${stage}/${partition}`
  const name = [pipeline, stage, partition]
  const { owned, claim } = await side.use(what, async (session) => {
    await session.run(addStage, pipeline, stage)
    await session.run(addTask, ...name)
    try {
      const raising = Promise.all([session.run("BEGIN"), session.run<Row>(raiseEpoch, ...name)])
      const [, rows] = await withoutBlockers(side, session, raising)
      const read = await readClaim(session, what, rows[0]!)
      await session.commit([])
      return read
    } catch (error) {
      await session.rollback()
      throw error
    }
  })
  return new PostgresTask(sessions, owned, claim)
}

const positionRows: Statement = {
  name: "tasks.positions",
  text: `SELECT s.name, t.partition, t.positions FROM weir.tasks t JOIN weir.stages s ON s.id = t.stage
    WHERE s.pipeline = $1 ORDER BY s.name, t.partition`,
}

/** Where every task of a pipeline stands. */
export const taskPositions = (side: Sessions, pipeline: string): Promise<readonly TaskPositions[]> =>
  side.use(`${pipeline}: positions`, async (session) => {
    const rows = await session.run<[string, number, unknown]>(positionRows, pipeline)
    return rows.map(([stage, partition, positions]) => ({ stage, partition, positions: positionsFromJson(positions) }))
  })

type Row = [bigint, bigint, bigint, bigint, bigint, unknown, Record<string, unknown>]

async function readClaim(session: Session, what: string, row: Row): Promise<{ owned: Owned; claim: Claim }> {
  const [task, stage, epoch, outbox, published, positions, facts] = row
  const [pending, due] = await Promise.all([
    session.run<[bigint, Uint8Array]>(pendingRows, task, published),
    session.run<[number | null, number | null]>(firstDue, task),
  ])
  return {
    owned: { task, stage, epoch, what },
    claim: {
      epoch,
      outbox,
      published,
      positions: positionsFromJson(positions),
      facts,
      pending: pending.map(([number, payload]): OutboxRow => ({ number, payload })),
      dueQuiet: due[0]![0] ?? undefined,
      dueCalendar: due[0]![1] ?? undefined,
    },
  }
}

/** While work waits for locks, ends the sessions that hold them. */
async function withoutBlockers<T>(side: Sessions, session: Session, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    side.use("claim", (other) => other.run(endBlockers, session.pid)).catch(() => {})
  }, patienceMs)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

class PostgresTask implements TaskStore {
  readonly epoch: bigint
  readonly outbox: bigint
  readonly published: bigint
  readonly positions: Claim["positions"]
  readonly facts: Claim["facts"]
  readonly pending: readonly OutboxRow[]
  readonly dueQuiet: number | undefined
  readonly dueCalendar: number | undefined
  readonly #sessions: Sessions
  readonly #owned: Owned

  constructor(sessions: Sessions, owned: Owned, claim: Claim) {
    this.#sessions = sessions
    this.#owned = owned
    this.epoch = claim.epoch
    this.outbox = claim.outbox
    this.published = claim.published
    this.positions = claim.positions
    this.facts = claim.facts
    this.pending = claim.pending
    this.dueQuiet = claim.dueQuiet
    this.dueCalendar = claim.dueCalendar
  }

  begin: TaskStore["begin"] = () => beginStep(this.#sessions, this.#owned)

  async markPublished(number: bigint): Promise<void> {
    const { task, epoch, what } = this.#owned
    const marked = await this.#sessions.use(what, (session) => session.run(markRows, task, epoch, number))
    if (marked.length === 0) throw fenced(what)
  }

  /** Nothing is held between steps. */
  async release(): Promise<void> {}
}
