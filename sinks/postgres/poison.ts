import type { Pool, PoolClient } from "pg"
import type { WeirError } from "../../core/index.ts"
import { isRowError, rowError } from "./errors.ts"
import type { Row } from "./rows.ts"
import { transaction } from "./session.ts"
import { upsert } from "./table.ts"

/** Ends the trial; nothing of it stays. */
class Undo extends Error {}

/** The rows that the server refuses, found by halving in a transaction that is undone.
 * @param first what the server said of them all
 * @returns by index in the batch */
export async function refusedRows(
  pool: Pool,
  sql: string,
  rows: readonly Row[],
  first: unknown,
): Promise<ReadonlyMap<number, WeirError>> {
  const refused = new Map<number, WeirError>()
  const trial = transaction(pool, async (client) => {
    await halve(client, sql, rows, first, refused)
    throw new Undo()
  })
  await trial.catch((thrown: unknown) => {
    if (!(thrown instanceof Undo)) throw thrown
  })
  return refused
}

async function halve(
  client: PoolClient,
  sql: string,
  rows: readonly Row[],
  thrown: unknown,
  refused: Map<number, WeirError>,
): Promise<void> {
  if (rows.length === 1) {
    refused.set(rows[0]!.index, rowError(thrown))
    return
  }
  const middle = rows.length >> 1
  for (const half of [rows.slice(0, middle), rows.slice(middle)]) {
    const error = await attempt(client, sql, half)
    if (error !== undefined) await halve(client, sql, half, error, refused)
  }
}

/** What the server has against the rows; undefined when it takes them. */
async function attempt(client: PoolClient, sql: string, rows: readonly Row[]): Promise<unknown> {
  await client.query("SAVEPOINT rows")
  try {
    await upsert(client, sql, rows)
    return undefined
  } catch (thrown) {
    if (!isRowError(thrown)) throw thrown
    return thrown
  } finally {
    await client.query("ROLLBACK TO SAVEPOINT rows")
  }
}
