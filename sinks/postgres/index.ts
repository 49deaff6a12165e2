import type { Pool } from "pg"
import { Schema, defineSink, fatal, partial, retryable } from "../../core/index.ts"
import type { Context, Rec, SinkInput, SinkInstance, Span } from "../../core/index.ts"
import { columnsOf } from "./columns.ts"
import { isRowError, meaningOf } from "./errors.ts"
import { lay } from "./layout.ts"
import { refusedRows } from "./poison.ts"
import { claim, lockPosition, movePosition, position, setPosition } from "./positions.ts"
import { prepare } from "./rows.ts"
import type { Row } from "./rows.ts"
import { meaningful, openPool, transaction } from "./session.ts"
import { rowsTable, upsert, upsertSql } from "./table.ts"
import type { Table, Target } from "./table.ts"

const options = Schema.Struct({
  url: Schema.optionalKey(
    Schema.String.annotate({ description: "address of the database, postgres://… (default: the Store's server)" }),
  ),
  tables: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.String).annotate({
      description: "table by topic (default: the topic's name in lower case, with _ for dots and dashes)",
    }),
  ),
})
type Options = typeof options.Type

/** What the server has against rows, and which. */
class Refused extends Error {
  readonly rows: readonly Row[]
  constructor(rows: readonly Row[], cause: unknown) {
    super("rows refused", { cause })
    this.rows = rows
  }
}

/** Writes rows and the position in one transaction, under the epoch of the claim. */
class PostgresSink {
  readonly delivery = "transactional"
  readonly #pool: Pool
  readonly #sink: string
  readonly #targets: ReadonlyMap<string, Target>
  /** By partition, the end of the last batch in which rows were refused: such batches come in a row, and it costs less to look
   * for the rows at once than to fail first. */
  readonly #refusing = new Map<string, bigint>()

  constructor(pool: Pool, sink: string, targets: ReadonlyMap<string, Target>) {
    this.#pool = pool
    this.#sink = sink
    this.#targets = targets
  }

  async claim(topic: string, partition: number) {
    return meaningful(claim(this.#pool, this.#sink, topic, partition))
  }

  async position(topic: string, partition: number) {
    return meaningful(position(this.#pool, this.#sink, topic, partition))
  }

  async setPosition(topic: string, partition: number, next: bigint): Promise<void> {
    return meaningful(setPosition(this.#pool, this.#sink, topic, partition, next))
  }

  async write(batch: readonly Rec[], at: Span): Promise<void> {
    const target = this.#targets.get(at.topic)
    if (target === undefined) throw fatal("topic-not-bound", "the sink was given a topic that it is not bound to")
    const place = `${at.partition}/${at.topic}`
    const before = this.#refusing.get(place)
    // What is left of a batch that was looked through is written at once.
    if (before !== undefined && before !== at.next) {
      await this.#look(target, prepare(batch, target.table.columns, at.from).rows, place, at.next)
      this.#refusing.delete(place)
    }
    try {
      await this.#step(target, batch, at)
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw meaningOf(thrown)
      await this.#look(target, thrown.rows, place, at.next)
      throw retryable("row-refused", "PostgreSQL refused rows that it took a moment later", { cause: thrown.cause })
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  async #step({ table, sql }: Target, batch: readonly Rec[], at: Span): Promise<void> {
    const whole = prepare(batch, table.columns, at.from)
    await transaction(this.#pool, async (client) => {
      const next = await lockPosition(client, this.#sink, at)
      if (at.next <= next) return
      const { rows, failed } = next === at.from ? whole : prepare(batch, table.columns, next)
      if (failed.size > 0) throw partial(failed)
      await upsert(client, sql, table.columns, rows).catch((thrown: unknown) => {
        throw isRowError(thrown) ? new Refused(rows, thrown) : thrown
      })
      await movePosition(client, this.#sink, at)
    })
  }

  /** @throws partial with the rows that the server refuses, when there are any */
  async #look(target: Target, rows: readonly Row[], place: string, next: bigint): Promise<void> {
    const refused = await meaningful(refusedRows(this.#pool, target, rows))
    if (refused.size === 0) return
    this.#refusing.set(place, next)
    throw partial(refused)
  }
}

/** Leaves room for what is appended to the name of the table behind the view: identifiers have 63 bytes. */
const tableName = /^[a-z_][a-z0-9_]{0,57}$/

function tableOf({ topic, zone, type }: SinkInput, named: string | undefined): Table {
  const name = named ?? topic.toLowerCase().replace(/[.-]/g, "_")
  if (!tableName.test(name))
    throw fatal("table-name", `topic ${topic} cannot have the table ${JSON.stringify(name)}`, {
      path: `tables.${topic}`,
      hint: "name one under tables: of lower-case letters, digits and _, 58 at most, not beginning with a digit",
    })
  return { topic, zone, type, name, columns: columnsOf(type) }
}

function tablesOf(given: Options, inputs: readonly SinkInput[]): readonly Table[] {
  const named = given.tables ?? {}
  for (const topic of Object.keys(named))
    if (!inputs.some((input) => input.topic === topic))
      throw fatal("table-name", `a table is named for ${topic}, which is no input of the sink`, {
        path: `tables.${topic}`,
      })
  const tables = inputs.filter(({ of }) => of === undefined).map((input) => tableOf(input, named[input.topic]))
  for (const [at, { name, topic }] of tables.entries()) {
    const other = tables.findIndex((table) => table.name === name || rowsTable(table.name) === name)
    if (other !== at)
      throw fatal("table-name", `topics ${tables[other]!.topic} and ${topic} would share table ${name}`, {
        path: `tables.${topic}`,
        hint: "name another table for one of them under tables:",
      })
  }
  return tables
}

async function create(given: Options, context: Context, inputs: readonly SinkInput[]): Promise<SinkInstance> {
  const tables = tablesOf(given, inputs)
  const pool = openPool(given.url ?? context.storeUrl)
  try {
    const gone = await meaningful(transaction(pool, (client) => lay(client, context.pipeline, tables)))
    const targets = new Map<string, Target>()
    for (const table of tables) {
      const before = gone.get(table) ?? []
      targets.set(table.topic, { table, sql: upsertSql(table, before), counting: upsertSql(table, before, true) })
    }
    for (const { topic, of } of inputs) if (of !== undefined) targets.set(topic, targets.get(of)!)
    return new PostgresSink(pool, `${context.pipeline}/${context.name}`, targets)
  } catch (thrown) {
    await pool.end()
    throw thrown
  }
}

/** Connects, and sees that it may make tables there. */
async function test(given: Options, context: Context): Promise<void> {
  const pool = openPool(given.url ?? context.storeUrl)
  try {
    const sql =
      "SELECT current_setting('server_version_num')::integer >= 150000 AS known, pg_is_in_recovery() AS standby, has_database_privilege(current_database(), 'CREATE') AS may"
    const { rows } = await meaningful(pool.query<{ known: boolean; standby: boolean; may: boolean }>(sql))
    const { known, standby, may } = rows[0]!
    if (!known) throw fatal("server-version", "the server is older than PostgreSQL 15", { hint: "use 15 or newer" })
    if (standby) throw fatal("read-only", "the server is a standby and only reads", { hint: "name the primary in url" })
    if (!may)
      throw fatal("access-refused", "the user may not create schemas", { hint: "GRANT CREATE ON DATABASE ... TO it" })
  } finally {
    await pool.end()
  }
}

/** Writes topics to tables of their zone's schema, a column a field, rows and position in one transaction
 * (docs/decisions/0032-postgres-tables.md, docs/guides/postgres.md). */
export const postgres = defineSink({
  name: "postgres",
  summary: "Writes records to PostgreSQL tables made from their record type, by version, with the position beside them",
  delivery: "transactional",
  options,
  create,
  test,
})
