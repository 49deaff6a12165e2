import type { Pool, PoolClient, QueryResult } from "pg"
import type { WeirError } from "../../core/index.ts"
import { isRowError, rowError } from "./errors.ts"
import type { Row } from "./rows.ts"
import { transaction } from "./session.ts"
import { rowCounter, upsert } from "./table.ts"

/** Ends the trial; nothing of it stays. */
class Undo extends Error {}

/** Rows of one statement of a trial: few enough that sending what follows a refused row again costs little. */
const sliceRows = 125

/** The rows that the server refuses, found in a transaction that is undone.
 * @param sql writes rows
 * @param counting does the same, and counts the rows in `rowCounter` as it comes to them
 * @returns by index in the batch */
export async function refusedRows(
  pool: Pool,
  sql: string,
  counting: string,
  rows: readonly Row[],
): Promise<ReadonlyMap<number, WeirError>> {
  const refused = new Map<number, WeirError>()
  const trial = transaction(pool, async (client) => {
    const search = new Search(client, sql, counting, refused)
    await search.begin()
    for (let from = 0; from < rows.length; from += sliceRows) await search.scan(rows.slice(from, from + sliceRows))
    throw new Undo()
  })
  await trial.catch((thrown: unknown) => {
    if (!(thrown instanceof Undo)) throw thrown
  })
  return refused
}

const undo = "ROLLBACK TO SAVEPOINT rows"
const count = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS count FROM ${rowCounter}`

/** Looks for refused rows. The counter is not undone with the statement that failed, so it tells how far that came. */
class Search {
  readonly #client: PoolClient
  readonly #sql: string
  readonly #counting: string
  readonly #refused: Map<number, WeirError>
  /** What the counter stands at; undefined where there is none: then rows are found by halving alone. */
  #count: number | undefined

  constructor(client: PoolClient, sql: string, counting: string, refused: Map<number, WeirError>) {
    this.#client = client
    this.#sql = sql
    this.#counting = counting
    this.#refused = refused
  }

  async begin(): Promise<void> {
    await this.#client.query("SAVEPOINT counter")
    try {
      await this.#client.query(`CREATE TEMPORARY SEQUENCE ${rowCounter}`)
      this.#count = 0
    } catch {
      // The user may make no temporary tables.
      await this.#client.query("ROLLBACK TO SAVEPOINT counter")
    }
    await this.#client.query("SAVEPOINT rows")
  }

  /** Goes on behind each row that is refused. */
  async scan(rows: readonly Row[]): Promise<void> {
    let rest = rows
    while (rest.length > 0) {
      if (this.#count === undefined) return this.#halve(rest)
      const before = this.#count
      const error = await this.#attempt(this.#counting, rest)
      if (error === undefined) return
      const at = this.#count - before - 1
      const suspect = rest[at]
      // What is checked before or after all rows (lists that do not parse, a foreign key) need not be the fault of the last one.
      if (suspect === undefined || (at === rest.length - 1 && rest.length > 1 && !(await this.#isRefused(suspect))))
        return this.#halve(rest)
      this.#refused.set(suspect.index, rowError(error))
      rest = rest.slice(at + 1)
    }
  }

  async #isRefused(row: Row): Promise<boolean> {
    return (await this.#attempt(this.#sql, [row])) !== undefined
  }

  async #halve(rows: readonly Row[]): Promise<void> {
    const error = await this.#attempt(this.#sql, rows)
    if (error === undefined) return
    if (rows.length === 1) {
      this.#refused.set(rows[0]!.index, rowError(error))
      return
    }
    const middle = rows.length >> 1
    await this.#halve(rows.slice(0, middle))
    await this.#halve(rows.slice(middle))
  }

  /** What the server has against the rows; undefined when it takes them. */
  async #attempt(sql: string, rows: readonly Row[]): Promise<unknown> {
    const counts = sql === this.#counting
    try {
      await upsert(this.#client, sql, rows)
      if (counts) this.#count! += rows.length
      return undefined
    } catch (thrown) {
      if (!isRowError(thrown)) throw thrown
      await this.#undo(counts)
      return thrown
    }
  }

  /** Undoes what failed; with the count it is one question for both. */
  async #undo(counts: boolean): Promise<void> {
    if (!counts) return void (await this.#client.query(undo))
    const [, counted] = (await this.#client.query(`${undo}; ${count}`)) as unknown as QueryResult<{ count: string }>[]
    this.#count = Number(counted!.rows[0]!.count)
  }
}
