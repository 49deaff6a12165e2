import { WeirError, fatal } from "../../errors.ts"
import type { StepChange, StepTransaction } from "../../ports/store.ts"
import { fenced } from "./errors.ts"
import { keyStatements } from "./object-keys.ts"
import { recordKeyStatements } from "./record-keys.ts"
import { referenceStatements } from "./references.ts"
import { deleteStatements, getRows, ownState, positionsToJson, putStatements, scanRows, sharedState } from "./rows.ts"
import type { Session, Sessions, Statement } from "./sessions.ts"
import { textArray, toStored } from "./text.ts"
import { dueTimers, timerStatements } from "./timers.ts"

/** A claimed task in the database. */
export interface Owned {
  readonly task: bigint
  readonly stage: bigint
  readonly epoch: bigint
  /** For messages: pipeline/stage/partition. */
  readonly what: string
}

const lockTask: Statement = {
  name: "tasks.lock",
  text: "SELECT epoch FROM weir.tasks WHERE id = $1::bigint FOR UPDATE",
}

// An update whose condition is never met locks the row that is there and writes nothing.
const lockKeys: Statement = {
  name: "shared_locks.lock",
  text: `INSERT INTO weir.shared_locks AS l (stage, key)
    SELECT $1::bigint, q.key FROM (SELECT DISTINCT key COLLATE "C" AS key FROM unnest($2::text[]) AS k(key)) q ORDER BY q.key
    ON CONFLICT (stage, key) DO UPDATE SET key = l.key WHERE false`,
}

// Keys may be identifiers of persons: with the last row of a key the row by which it was locked goes too. Who waits for it inserts it
// anew.
const forgetLocks: Statement = {
  name: "shared_locks.forget",
  text: `DELETE FROM weir.shared_locks WHERE ctid = ANY(ARRAY(
    SELECT l.ctid FROM (SELECT DISTINCT key COLLATE "C" AS key FROM unnest($2::text[]) AS k(key)) q
    JOIN weir.shared_locks l ON l.stage = $1::bigint AND l.key = q.key
    WHERE NOT EXISTS (SELECT FROM weir.shared_state s WHERE s.stage = $1::bigint AND s.key = q.key)))`,
}

const endStep: Statement = {
  name: "tasks.step",
  text: `WITH task AS (
      UPDATE weir.tasks SET outbox = outbox + CASE WHEN $2::bytea IS NULL THEN 0 ELSE 1 END,
        published = greatest(published, $3::bigint), positions = positions || $4::jsonb, facts = coalesce($5::jsonb, facts)
      WHERE id = $1::bigint RETURNING id, outbox
    ), publish AS (
      INSERT INTO weir.outbox (task, number, payload) SELECT id, outbox, $2::bytea FROM task WHERE $2::bytea IS NOT NULL
    ), trim AS (
      DELETE FROM weir.outbox WHERE task = $1::bigint AND number <= $3::bigint
    ) SELECT outbox FROM task`,
}

/** Opens a step: a transaction that holds the task's row.
 * @throws fatal `fenced` */
export async function beginStep(sessions: Sessions, owned: Owned): Promise<StepTransaction> {
  const session = await sessions.session(owned.what)
  try {
    const [, rows] = await Promise.all([session.run("BEGIN"), session.run<[bigint]>(lockTask, owned.task)])
    if (rows[0]?.[0] !== owned.epoch) throw fenced(owned.what)
    session.keepAlive()
    return new PostgresStep(session, owned)
  } catch (error) {
    await session.rollback()
    session.release()
    throw error
  }
}

class PostgresStep implements StepTransaction {
  readonly shared: StepTransaction["shared"]
  readonly #session: Session
  readonly #owned: Owned
  #open = true

  constructor(session: Session, owned: Owned) {
    this.#session = session
    this.#owned = owned
    const { stage } = owned
    this.shared = {
      lock: (keys) => this.#lock(keys),
      get: (keys) => getRows(this.#session, sharedState, stage, keys),
      scan: (ranges) => scanRows(this.#session, sharedState, stage, ranges),
    }
  }

  get: StepTransaction["get"] = (keys) => getRows(this.#session, ownState, this.#owned.task, keys)

  scan: StepTransaction["scan"] = (ranges) => scanRows(this.#session, ownState, this.#owned.task, ranges)

  due: StepTransaction["due"] = (clock, until, limit) => dueTimers(this.#session, this.#owned.task, clock, until, limit)

  async #lock(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#session.run(lockKeys, this.#owned.stage, textArray(keys.map(toStored)))
  }

  async commit(change: StepChange): Promise<bigint> {
    try {
      const answers = await this.#session.commit(this.#statements(change))
      this.#end()
      return answers.at(-1)![0]![0] as bigint
    } catch (error) {
      await this.rollback()
      throw error
    }
  }

  #statements(change: StepChange): (readonly [Statement, ...unknown[]])[] {
    const { task, stage } = this.#owned
    try {
      return [
        ...deleteStatements(ownState, task, change.deletes),
        ...putStatements(ownState, task, change.puts),
        ...deleteStatements(sharedState, stage, change.sharedDeletes),
        ...putStatements(sharedState, stage, change.sharedPuts),
        ...(change.sharedDeletes.length === 0
          ? []
          : [[forgetLocks, stage, textArray(change.sharedDeletes.map(([key]) => toStored(key)))] as const]),
        ...timerStatements(task, change),
        ...referenceStatements(change.references ?? []),
        ...keyStatements(change.keys ?? []),
        ...recordKeyStatements(change.recordKeys ?? []),
        [
          endStep,
          task,
          change.outbox,
          change.published ?? 0n,
          positionsToJson(change.positions),
          change.facts === undefined ? undefined : JSON.stringify(change.facts),
        ],
      ]
    } catch (error) {
      // Which record it comes from cannot be said any more, and to do the step again ends here again.
      if (error instanceof WeirError && error.meaning === "bad-record") throw fatal(error.code, error.message)
      throw error
    }
  }

  async rollback(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#session.rollback()
    this.#session.release()
  }

  #end(): void {
    this.#open = false
    this.#session.release()
  }
}
