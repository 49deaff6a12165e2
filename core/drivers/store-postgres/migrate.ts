import type { Client } from "pg"
import { fatal } from "../../errors.ts"
import { migrations } from "./migrations/index.ts"
import { ensureRoles, hasRoles } from "./roles.ts"

/** Any number of processes may start at once; "weir" in ASCII. */
const advisoryLock = 0x77656972

const oldestServer = 150_000

/** Brings the schema `weir` of a database to this version's state, one process at a time. Does nothing when it is there.
 * @throws fatal `server-version`, `server-encoding`, `store-newer` */
export async function migrate(client: Client): Promise<void> {
  await checkServer(client)
  if ((await applied(client)) === migrations.length && (await hasRoles(client))) return
  await client.query("SET lock_timeout = '120s'")
  await client.query(`SELECT pg_advisory_lock(${advisoryLock})`)
  try {
    await client.query("CREATE SCHEMA IF NOT EXISTS weir")
    await client.query(
      `CREATE TABLE IF NOT EXISTS weir.migrations
       (number integer PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`,
    )
    for (let number = (await applied(client)) + 1; number <= migrations.length; number++) {
      const { name, sql } = migrations[number - 1]!
      await client.query(
        `BEGIN; ${sql}; INSERT INTO weir.migrations (number, name) VALUES (${number}, '${name}'); COMMIT`,
      )
    }
    await ensureRoles(client)
  } finally {
    await client.query(`SELECT pg_advisory_unlock(${advisoryLock})`)
  }
}

async function checkServer(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: string; encoding: string }>(
    "SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding",
  )
  const { version, encoding } = rows[0]!
  if (Number(version) < oldestServer)
    throw fatal("server-version", `the Store needs PostgreSQL 15 or newer, the server is ${version}`)
  if (encoding !== "UTF8")
    throw fatal("server-encoding", `the Store needs a database in UTF8, this one is in ${encoding}`)
}

/** Number of the newest applied migration. */
async function applied(client: Client): Promise<number> {
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass('weir.migrations') IS NOT NULL AS there")
  if (!rows[0]!.there) return 0
  const newest = await client.query<{ number: number }>(
    "SELECT coalesce(max(number), 0) AS number FROM weir.migrations",
  )
  const { number } = newest.rows[0]!
  if (number > migrations.length)
    throw fatal(
      "store-newer",
      `the Store was written by a newer Weir (migration ${number}, this one knows ${migrations.length})`,
      {
        hint: "run that version, or a Store of its own",
      },
    )
  return number
}
