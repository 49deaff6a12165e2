import { Client } from "pg"
import { Findings, clockFinding } from "../../ports/finding.ts"
import type { Finding } from "../../ports/finding.ts"
import { postgresError } from "./errors.ts"
import { migrations } from "./migrations/index.ts"
import { checkUrl, connection } from "./sessions.ts"

interface Server {
  readonly version: number
  readonly encoding: string
  readonly standby: boolean
  readonly fsync: string
  readonly pages: string
  readonly commit: string
  readonly create: boolean
  readonly roles: boolean
  readonly made: boolean
  readonly free: number
}

const server = `SELECT current_setting('server_version_num')::integer AS version,
  current_setting('server_encoding') AS encoding,
  pg_is_in_recovery() AS standby,
  current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS pages,
  current_setting('synchronous_commit') AS commit,
  has_database_privilege(current_database(), 'CREATE') AS create,
  (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS roles,
  (SELECT count(*) = 3 FROM pg_roles WHERE rolname IN ('weir_phi', 'weir_limited', 'weir_clean')) AS made,
  (current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
    - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'))::integer AS free`

/** Looks whether a PostgreSQL server is fit to be the Store; makes nothing.
 * @param connections that one process of the pipeline opens at most */
export async function checkPostgres(url: string, connections = 20): Promise<readonly Finding[]> {
  const found = new Findings("store")
  let client: Client | undefined
  try {
    checkUrl(url)
    client = new Client(connection(url))
    client.on("error", () => {})
    await client.connect()
    const { rows } = await client.query<Server>(server)
    checkServer(rows[0]!, connections, found)
    await checkMigrations(client, found)
    const before = Date.now()
    const clock = await client.query<{ ms: number }>(
      "SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms",
    )
    clockFinding(found, clock.rows[0]!.ms, before, Date.now())
  } catch (thrown) {
    const { message, hint } = postgresError(thrown, "connecting")
    found.failed(message, hint ?? "see the server's log")
  } finally {
    await client?.end().catch(() => {})
  }
  return found.all
}

function checkServer(is: Server, connections: number, found: Findings): void {
  const version = Math.floor(is.version / 10_000)
  if (version < 15) found.failed(`the server is PostgreSQL ${version}`, "use PostgreSQL 15 or newer")
  else found.ok(`PostgreSQL ${version} answers`)
  if (is.encoding !== "UTF8") found.failed(`the database is in ${is.encoding}`, "make one with ENCODING 'UTF8'")
  if (is.standby) found.failed("the server is a standby and only reads", "name the primary in store.url")
  const durable = "a crash of the machine would lose what was said to be kept"
  if (is.fsync !== "on") found.failed("fsync is off", `turn it on: ${durable}`)
  if (is.pages !== "on") found.failed("full_page_writes is off", `turn it on: ${durable}`)
  if (is.fsync === "on" && is.pages === "on") found.ok("commits are on disk: fsync and full_page_writes are on")
  if (is.commit === "off")
    found.warning(
      "synchronous_commit is off by default",
      "Weir's own sessions turn it on; other users of the tables do not",
    )
  if (!is.create) found.failed("the user may not create schemas", "GRANT CREATE ON DATABASE ... TO it")
  if (!is.roles)
    found[is.made ? "ok" : "warning"](
      is.made ? "the roles of the zones are there" : "the user may not create roles",
      "give it CREATEROLE: without it nobody can read by zone, and weir sql and weir status do not work",
    )
  else found.ok("the roles of the zones are there, or can be made")
  if (is.free < connections)
    found.warning(
      `${is.free} connections are free, a process takes up to ${connections}`,
      "raise max_connections, or see who holds them in pg_stat_activity",
    )
}

async function checkMigrations(client: Client, found: Findings): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass('weir.migrations') IS NOT NULL AS there")
  const number = rows[0]!.there
    ? (await client.query<{ number: number }>("SELECT coalesce(max(number), 0) AS number FROM weir.migrations"))
        .rows[0]!.number
    : 0
  const known = migrations.length
  if (number > known)
    found.failed(`it was written by a newer Weir (migration ${number}, this one knows ${known})`, "run that version")
  else if (number === known) found.ok(`its tables are those of this version (migration ${number})`)
  else if (number === 0) found.ok("its tables are made when a pipeline first runs")
  else
    found.warning(
      `its tables are those of an older Weir (migration ${number} of ${known})`,
      "the next run brings them up to date, and no older Weir can use them then: back it up first",
    )
}
