import { Pool } from "pg"
import type { PoolClient } from "pg"
import { fatal, retryable } from "../../core/index.ts"
import { isLost, meaningOf } from "./errors.ts"

/** A lock never outlives its owner: the server gives up on waits, on idle transactions and on dead peers in under 10 s. A commit
 * that was answered is on disk, whatever the server's default. */
const sessionSettings = `
  SET search_path = pg_catalog;
  SET lock_timeout = '5s';
  SET idle_in_transaction_session_timeout = '8s';
  SET tcp_user_timeout = '8s';
  SET tcp_keepalives_idle = 4;
  SET tcp_keepalives_interval = 2;
  SET tcp_keepalives_count = 2;
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

/** What needs no work of the server is answered within this time, ms: a connection that was lost without a word while nothing used
 * it is found when it is next taken, long before a batch's own timeout. */
const answerMs = 8_000

/** Connections to the server of a url.
 * @throws fatal `bad-url`; the url holds a password, so neither it nor the parser's error is told */
export function openPool(url: string): Pool {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw fatal("bad-url", "the url of the postgres sink is not of the form postgres://user@host:port/database", {
      path: "url",
      hint: "percent-encode what is special in user and password",
    })
  const pool = new Pool({
    connectionString: url,
    application_name: "weir postgres sink",
    max: 8,
    connectionTimeoutMillis: 8_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1_000,
    // A peer that vanished while it was sent to is noticed by the system after minutes only.
    query_timeout: 60_000,
    onConnect: async (client) => {
      await client.query(sessionSettings)
    },
  })
  // A connection that dies while nobody uses it, or between two statements, says so here; the next statement fails by itself.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return pool
}

/** Not waited for as long as what it ends: without an answer the connection is dropped. */
const rollback = { text: "ROLLBACK", query_timeout: 5_000 }

async function begin(pool: Pool, timeout: number): Promise<PoolClient> {
  const statement = { text: "BEGIN", query_timeout: timeout }
  const client = await pool.connect()
  try {
    await client.query(statement)
    return client
  } catch (thrown) {
    client.release(true)
    throw thrown
  }
}

async function commit(client: PoolClient): Promise<void> {
  const { command } = await client.query("COMMIT").catch((thrown: unknown) => {
    throw isLost(thrown)
      ? retryable("unknown-outcome", "the connection was lost while the transaction was committed", { cause: thrown })
      : thrown
  })
  if (command !== "COMMIT") throw retryable("rolled-back", "the server rolled the transaction back")
}

/** Runs work in one transaction, committed when it resolves and undone when it throws. Errors are thrown as they come; see
 * meaningOf. A lost answer to COMMIT is retryable `unknown-outcome`.
 * @param answer how long the connection has to answer that it is there, ms */
export async function transaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  answer = answerMs,
): Promise<T> {
  const client = await begin(pool, answer)
  let whole = true
  try {
    const result = await work(client)
    await commit(client)
    return result
  } catch (thrown) {
    whole = await client.query(rollback).then(
      () => true,
      () => false,
    )
    throw thrown
  } finally {
    client.release(!whole)
  }
}

/** As `work`, with every error given its meaning. */
export const meaningful = <T>(work: Promise<T>): Promise<T> =>
  work.catch((thrown: unknown) => {
    throw meaningOf(thrown)
  })
