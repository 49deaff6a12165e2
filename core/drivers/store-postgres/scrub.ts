import { Client } from "pg"
import { postgresError } from "./errors.ts"
import { connection } from "./sessions.ts"

const tables = `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
  WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`

/** Writes every table anew and ends the old write-ahead log, on a server that is this Store's alone: what was deleted is then in no
 * file of it, statistics included. Others wait meanwhile. The disk itself may keep freed blocks. */
export async function scrub(url: string): Promise<void> {
  const client = new Client(connection(url))
  client.on("error", () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ name: string }>(tables)
    // The planner's statistics hold frequent values, and their old rows too.
    for (const { name } of rows) await client.query(`VACUUM (FULL, ANALYZE) ${name}`)
    await client.query("VACUUM (FULL) pg_catalog.pg_statistic")
    // The second checkpoint removes the segments before the first.
    for (let times = 0; times < 2; times++) {
      await client.query("SELECT pg_switch_wal()")
      await client.query("CHECKPOINT")
    }
  } catch (thrown) {
    throw postgresError(thrown, "scrubbing the Store")
  } finally {
    await client.end().catch(() => {})
  }
}
