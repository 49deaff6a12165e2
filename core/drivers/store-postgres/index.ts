import { Client } from "pg"
import type { Store } from "../../ports/store.ts"
import { claimTask, taskPositions } from "./claim.ts"
import { postgresError } from "./errors.ts"
import { migrate } from "./migrate.ts"
import { objectKeyTables } from "./object-keys.ts"
import { queryAs } from "./query.ts"
import { recordKeyTables } from "./record-keys.ts"
import { objectReferences } from "./references.ts"
import { reviewTables } from "./reviews.ts"
import { rowsOf } from "./stage-rows.ts"
import { tasksOf } from "./tasks.ts"
import { Sessions, checkUrl, connection } from "./sessions.ts"
import { vaultTables } from "./vault.ts"

/** Where the Store is. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`; PostgreSQL 15 or newer, in UTF8. The user may create schemas there; to answer
   * `query` it has to have CREATEROLE as well. */
  readonly url: string
  /** Steps that may be under way at the same time, each on a connection of its own; others wait. 16 when not named. */
  readonly steps?: number
}

/** Connections for what a step may ask for while it is under way. */
const sideConnections = 4

/** Opens the Store in a PostgreSQL database, whose schema `weir` is brought up to date first.
 * @throws fatal `store-url`, `store-newer`, `server-version`; systemic `login-refused`; retryable `unreachable` */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { url, steps = 16 } = options
  checkUrl(url)
  await prepare(url)
  const sessions = new Sessions(url, steps)
  const side = new Sessions(url, sideConnections)
  let closing: Promise<void> | undefined
  return {
    driver: "postgres",
    url,
    claim: (pipeline, stage, partition) => claimTask(sessions, side, pipeline, stage, partition),
    tasks: (pipeline) => tasksOf(side, pipeline),
    rows: (pipeline, stage) => rowsOf(side, pipeline, stage),
    positions: (pipeline) => taskPositions(side, pipeline),
    query: (sql, zone) => queryAs(url, side, sql, zone),
    async audit(action, detail) {
      const row = [action, detail].map((text) => text.replaceAll("\0", "\uFFFD"))
      await side.use("audit", (session) =>
        session.run("INSERT INTO weir.audit (action, detail) VALUES ($1, $2)", ...row),
      )
    },
    objects: objectReferences(side),
    objectKeys: objectKeyTables(side),
    recordKeys: recordKeyTables(side),
    vault: vaultTables(side),
    reviews: reviewTables(side),
    close: () => (closing ??= Promise.all([sessions.close(), side.close()]).then(() => {})),
  }
}

async function prepare(url: string): Promise<void> {
  const client = new Client(connection(url))
  client.on("error", () => {})
  try {
    await client.connect()
    await migrate(client)
  } catch (thrown) {
    throw postgresError(thrown, "opening the Store")
  } finally {
    await client.end().catch(() => {})
  }
}
