import { Pool } from "pg"
import type { PoolClient } from "pg"
import { Schema, defineSink, fatal, retryable } from "../../../core/index.ts"
import type { Context, Rec, SinkInput, SinkInstance, Span } from "../../../core/index.ts"

const tables = `
  CREATE SCHEMA IF NOT EXISTS insert_only;
  CREATE TABLE IF NOT EXISTS insert_only.positions (
    topic text, partition integer, epoch bigint NOT NULL, next bigint, PRIMARY KEY (topic, partition));
  CREATE TABLE IF NOT EXISTS insert_only.rows (
    topic text, partition integer, "offset" bigint, key text, id text, op text, version bigint, value text)`

/** A process that was killed may hold the lock on a position, or be making the tables, for as long as the server has not noticed. */
const settings = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s'"

const json = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item))

/** Every error of the server is met by claiming again, but those that say that the statement is wrong. */
function meaning(thrown: unknown): Error {
  const { name, code } = thrown as { readonly name?: string; readonly code?: string }
  if (name === "WeirError") return thrown as Error
  return /^(22|23|42)/.test(code ?? "")
    ? fatal("insert-refused", `PostgreSQL refused an insert (${code})`, { cause: thrown })
    : retryable("unknown-outcome", `PostgreSQL cannot answer now (${code})`, { cause: thrown })
}

/** Rows that are only ever inserted, without a key or ON CONFLICT: a record that is written twice is there twice. */
class InsertOnly {
  readonly delivery = "transactional"
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async claim(topic: string, partition: number) {
    const { rows } = await this.#pool
      .query<{ epoch: string; next: string | null }>(
        `INSERT INTO insert_only.positions AS held VALUES ($1, $2, 1, NULL)
         ON CONFLICT (topic, partition) DO UPDATE SET epoch = held.epoch + 1 RETURNING epoch, next`,
        [topic, partition],
      )
      .catch((thrown: unknown) => Promise.reject(meaning(thrown)))
    const { epoch, next } = rows[0]!
    return { epoch: BigInt(epoch), next: next === null ? undefined : BigInt(next) }
  }

  async write(batch: readonly Rec[], at: Span): Promise<void> {
    const client = await this.#pool.connect().catch((thrown: unknown) => Promise.reject(meaning(thrown)))
    try {
      await client.query("BEGIN")
      await move(client, at)
      await insert(client, batch)
      await client.query("COMMIT")
      client.release()
    } catch (thrown) {
      client.release(true)
      throw meaning(thrown)
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}

async function move(client: PoolClient, { topic, partition, from, next, epoch }: Span): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE insert_only.positions SET next = $4
     WHERE topic = $1 AND partition = $2 AND epoch = $5 AND coalesce(next, $3) = $3`,
    [topic, partition, from, next, epoch],
  )
  if (rowCount !== 1) throw retryable("fenced", `another owner has claimed ${topic}/${partition}`)
}

async function insert(client: PoolClient, batch: readonly Rec[]): Promise<void> {
  const columns = [
    batch.map(({ at }) => at.topic),
    batch.map(({ at }) => at.partition),
    batch.map(({ at }) => at.offset),
    batch.map(({ key }) => key),
    batch.map(({ id }) => id),
    batch.map(({ op }) => op),
    batch.map(({ version }) => version),
    batch.map(({ value }) => json(value)),
  ]
  await client.query(
    `INSERT INTO insert_only.rows
     SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[])`,
    columns,
  )
}

const insertOnly = defineSink({
  name: "insert-only",
  summary: "Inserts each record as a row of one table in the Store's database, with the position beside the rows",
  delivery: "transactional",
  options: Schema.Struct({}),
  async create(_: object, context: Context, _inputs: readonly SinkInput[]): Promise<SinkInstance> {
    const pool = new Pool({
      connectionString: context.storeUrl,
      max: 6,
      connectionTimeoutMillis: 8000,
      // An answer may be lost without an end of the connection; what became of a commit is known by the next claim.
      query_timeout: 10_000,
      onConnect: async (client) => void (await client.query(settings)),
    })
    pool.on("error", () => {})
    // The server ends what idles in a transaction, as that of a process that was stopped: whoever has the client finds out by its
    // next query.
    pool.on("connect", (client) => client.on("error", () => {}))
    // Without a claim there is no row to lock, so processes make the tables one after the other.
    await pool
      .query(`SELECT pg_advisory_lock(11); ${tables}; SELECT pg_advisory_unlock(11)`)
      .catch((thrown: unknown) => Promise.reject(meaning(thrown)))
    return new InsertOnly(pool)
  },
})

/** What the pipelines of these tests name under `plugins:`. */
export default [insertOnly]
