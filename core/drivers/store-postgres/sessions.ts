import { Client, Pool, types } from "pg"
import type { ClientConfig, PoolClient, QueryArrayResult } from "pg"
import { fatal, retryable } from "../../errors.ts"
import { isLost, postgresError, sqlState, unknownOutcome } from "./errors.ts"

/** What a connection of the Store knows how to read: int8 as bigint. */
export const typeParsers: NonNullable<ClientConfig["types"]> = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === types.builtins.INT8 && format !== "binary" ? BigInt : types.getTypeParser(oid, format as "text")) as never,
}

/** What all connections share. A server that does not answer is given up in under 10 s. */
export const connection = (url: string): ClientConfig => ({
  connectionString: url,
  application_name: "weir",
  connectionTimeoutMillis: 8_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 3_000,
  types: typeParsers,
})

/** Checks the form of an address; neither it nor the parser's error is told, for it holds a password.
 * @throws fatal `store-url` */
export function checkUrl(url: string): void {
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return
  throw fatal("store-url", "the Store's url is not of the form postgres://user@host:port/database", {
    path: "store.url",
    hint: "percent-encode what is special in user and password",
  })
}

/** No lock outlives its owner; a commit that was answered is on disk, whatever the server's default; statements are look-ups of
 * keys, and a plan that was made while a table was small must not read all of it when it is large. */
const settings = `
  SET search_path = pg_catalog;
  SET lock_timeout = '5s';
  SET idle_in_transaction_session_timeout = '9s';
  SET enable_seqscan = off;
  SET enable_hashjoin = off;
  SET enable_mergejoin = off;
  SET jit = off;
  SET plan_cache_mode = force_generic_plan;
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

/** Some systems have no such setting of a socket, and there the server refuses them. */
const socketSettings = `
  SET tcp_keepalives_idle = '3s';
  SET tcp_keepalives_interval = '2s';
  SET tcp_keepalives_count = 3;
  SET tcp_user_timeout = '9s';
  SET client_connection_check_interval = '2s'`

/** A pool's own timeout would also end the wait for a free connection; a step may hold one for long. */
class TimedClient extends Client {
  constructor(config: ClientConfig) {
    super({ ...config, connectionTimeoutMillis: 8_000 })
  }
}

/** Connections to the server of a url, handed out one to a transaction. */
export class Sessions {
  readonly #pool: Pool

  constructor(url: string, max: number) {
    const { connectionTimeoutMillis: _, ...config } = connection(url)
    this.#pool = new Pool({
      ...config,
      max,
      Client: TimedClient as unknown as new () => Client,
      pipeline: true,
      query_timeout: 30_000,
      idleTimeoutMillis: 30_000,
      onConnect: async (client) => {
        await client.query(settings)
        await client.query(socketSettings).catch((thrown: unknown) => {
          if (sqlState(thrown) === undefined) throw thrown
        })
      },
    })
    // A connection that dies while nobody uses it says so here; it leaves the pool by itself.
    this.#pool.on("error", () => {})
  }

  async session(what: string): Promise<Session> {
    try {
      return new Session(await this.#pool.connect(), what)
    } catch (thrown) {
      throw postgresError(thrown, what)
    }
  }

  /** Runs work on a connection of its own, outside a transaction. */
  async use<T>(what: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.session(what)
    try {
      return await work(session)
    } finally {
      session.release()
    }
  }

  /** Runs work in a transaction. */
  async transaction<T>(what: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.session(what)
    try {
      const [, result] = await Promise.all([session.run("BEGIN"), work(session)])
      await session.commit([])
      return result
    } catch (error) {
      await session.rollback()
      throw error
    } finally {
      session.release()
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}

/** A statement that a connection prepares once. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** How long a transaction may lie still before it is told that its owner lives; the server ends it after 9 s. */
const aliveEveryMs = 2_500

/** A connection in the hands of one user. Statements go out without waiting for the answers of those before. Errors are given
 * their meaning, and after one that says that the connection is gone, it is. */
export class Session {
  readonly what: string
  readonly #client: PoolClient
  readonly #onError = () => {
    this.#lost = true
  }
  #lost = false
  #released = false
  #waiting = 0
  #alive: NodeJS.Timeout | undefined

  constructor(client: PoolClient, what: string) {
    this.#client = client
    this.what = what
    client.on("error", this.#onError)
  }

  get pid(): number {
    return (this.#client as unknown as { processID: number }).processID
  }

  async #raw(statement: Statement | string, values: readonly unknown[]): Promise<QueryArrayResult> {
    this.#waiting++
    try {
      return await this.#client.query({
        ...(typeof statement === "string" ? { text: statement } : statement),
        values: values as unknown[],
        rowMode: "array",
      })
    } catch (thrown) {
      if (isLost(thrown)) this.#lost = true
      throw thrown
    } finally {
      this.#waiting--
    }
  }

  /** Rows as arrays of columns. */
  async run<R extends readonly unknown[]>(statement: Statement | string, ...values: readonly unknown[]): Promise<R[]> {
    try {
      return (await this.#raw(statement, values)).rows as unknown as R[]
    } catch (thrown) {
      throw postgresError(thrown, this.what)
    }
  }

  /** Tells the server from now on that a transaction that lies still has an owner. */
  keepAlive(): void {
    this.#alive = setInterval(() => {
      if (this.#waiting === 0) this.#raw("SELECT 1", []).catch(() => {})
    }, aliveEveryMs)
    this.#alive.unref()
  }

  /** Sends the last statements of a transaction and COMMIT at once. Resolves to the rows of each statement.
   * @throws retryable `unknown-outcome` when nobody can tell whether it was committed */
  async commit(last: readonly (readonly [Statement, ...unknown[]])[]): Promise<unknown[][][]> {
    const sent = last.map(([statement, ...values]) => this.#raw(statement, values))
    const [answer, ...answers] = await Promise.allSettled([this.#raw("COMMIT", []), ...sent])
    const refused = answers.find(
      (each) => each.status === "rejected" && sqlState(each.reason) !== undefined && !isLost(each.reason),
    )
    if (refused?.status === "rejected") throw postgresError(refused.reason, this.what)
    if (answer.status === "rejected")
      throw isLost(answer.reason) ? unknownOutcome(this.what, answer.reason) : postgresError(answer.reason, this.what)
    if (answer.value.command !== "COMMIT")
      throw retryable("rolled-back", `${this.what}: PostgreSQL rolled the transaction back`)
    return answers.map((each) => (each.status === "fulfilled" ? (each.value.rows as unknown[][]) : []))
  }

  /** Ends the transaction without a trace; where that cannot be said any more the connection ends. */
  async rollback(): Promise<void> {
    if (this.#lost || this.#released) return
    await this.#raw("ROLLBACK", []).catch(() => {
      this.#lost = true
    })
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    clearInterval(this.#alive)
    this.#client.removeListener("error", this.#onError)
    this.#client.release(this.#lost)
  }
}
