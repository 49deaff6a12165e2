import type { PoolClient } from "pg"
import { fatal } from "../../core/index.ts"
import type { Zone } from "../../core/index.ts"
import { addColumns, createTable, grant, makeSchema, makeView } from "./ddl.ts"
import { relation, rowsTable } from "./table.ts"
import type { Table } from "./table.ts"

/** What was written down of a table when it was made. */
interface Registered {
  readonly name: string
  readonly zone: Zone
  readonly pipeline: string
  readonly topic: string
  readonly record_type: string
  /** Columns that the sink made for fields, in the order of the view. */
  readonly columns: readonly string[]
}

const sinkSchema = `
  CREATE TABLE IF NOT EXISTS weir_sink.positions (
    sink text, topic text, partition integer, epoch bigint NOT NULL, next bigint, last_offset bigint, last_checksum bigint,
    PRIMARY KEY (sink, topic, partition));
  CREATE TABLE IF NOT EXISTS weir_sink.tables (
    name text PRIMARY KEY, zone text NOT NULL, pipeline text NOT NULL, topic text NOT NULL, record_type text NOT NULL,
    columns text[] NOT NULL)`

/** Makes what the tables need and does not exist: schemas, tables, columns, views, grants. Changes nothing else, so that a start
 * waits for no reader.
 * @returns for each table the columns of fields that its record type no longer has
 * @throws fatal `zone-changed`, `table-taken`, `table-missing`, `column-type-changed`, `record-type-changed` */
export async function lay(
  client: PoolClient,
  pipeline: string,
  tables: readonly Table[],
): Promise<ReadonlyMap<Table, readonly string[]>> {
  // One at a time, also across processes: CREATE IF NOT EXISTS alone is a race.
  await client.query("SELECT pg_advisory_xact_lock(hashtextextended('weir_sink', 0))")
  await makeSchema(client, "weir_sink")
  await client.query(sinkSchema)
  await addLastRead(client)
  const known = await client.query<Registered>(
    "SELECT * FROM weir_sink.tables WHERE name = ANY ($1) OR (pipeline = $2 AND topic = ANY ($3))",
    [tables.map(({ name }) => name), pipeline, tables.map(({ topic }) => topic)],
  )
  const gone = new Map<Table, readonly string[]>()
  for (const table of tables) {
    checkDeclaration(pipeline, table, known.rows)
    await makeSchema(client, table.zone)
    const columns = await makeTable(
      client,
      pipeline,
      table,
      known.rows.find(({ name }) => name === table.name),
    )
    const now = new Set(table.columns.map(([, { name }]) => name))
    gone.set(
      table,
      columns.filter((column) => !now.has(column)),
    )
    await grant(client, table)
  }
  return gone
}

/** Adds what a position of an older version does not have. Where it is there nothing is altered, so that nobody is waited for. */
async function addLastRead(client: PoolClient): Promise<void> {
  const { rows } = await client.query(
    "SELECT FROM pg_attribute WHERE attrelid = 'weir_sink.positions'::regclass AND attname = 'last_offset'",
  )
  if (rows.length > 0) return
  await client.query("ALTER TABLE weir_sink.positions ADD COLUMN last_offset bigint, ADD COLUMN last_checksum bigint")
}

/** What a table is was fixed when it was made: rows of two origins, or of two zones, would mix. */
function checkDeclaration(pipeline: string, table: Table, known: readonly Registered[]): void {
  for (const row of known) {
    if (row.pipeline === pipeline && row.topic === table.topic && row.zone !== table.zone)
      throw fatal(
        "zone-changed",
        `topic ${table.topic} has rows in a table of zone ${row.zone}, and is declared ${table.zone} now`,
        {
          path: `tables.${table.topic}`,
          hint: "declare the zone as it was, or write to a new topic",
        },
      )
    if (row.name !== table.name) continue
    if (row.pipeline !== pipeline || row.topic !== table.topic)
      throw fatal("table-taken", `table ${table.name} belongs to topic ${row.topic} of pipeline ${row.pipeline}`, {
        path: `tables.${table.topic}`,
        hint: "name another table for this topic under tables:",
      })
    if (row.record_type !== table.type.name)
      throw fatal("record-type-changed", `table ${table.name} holds ${row.record_type}, not ${table.type.name}`, {
        path: `tables.${table.topic}`,
        hint: "name another table for this topic under tables:",
      })
  }
}

/** Columns of a table with their types as PostgreSQL prints them; undefined when there is no such table. */
async function columnsHeld(
  client: PoolClient,
  zone: Zone,
  name: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [relation(zone, name)],
  )
  return rows.length === 0 ? undefined : new Map(rows.map(({ name: column, type }) => [column, type]))
}

/** @returns the columns that the sink has made for fields, now and before */
async function makeTable(
  client: PoolClient,
  pipeline: string,
  table: Table,
  registered: Registered | undefined,
): Promise<readonly string[]> {
  const held = await columnsHeld(client, table.zone, rowsTable(table.name))
  const view = await columnsHeld(client, table.zone, table.name)
  const before = registered?.columns ?? []
  const fresh = table.columns.map(([, { name }]) => name).filter((name) => !before.includes(name))
  const columns = [...before, ...fresh]
  if (registered === undefined) {
    if (held !== undefined || view !== undefined) throw taken(table)
    await createTable(client, table)
    await client.query("INSERT INTO weir_sink.tables VALUES ($1, $2, $3, $4, $5, $6)", [
      table.name,
      table.zone,
      pipeline,
      table.topic,
      table.type.name,
      columns,
    ])
  } else {
    if (held === undefined) throw missing(table)
    checkTypes(table, held)
    const added = table.columns.filter(([, { name }]) => !held.has(name))
    if (added.length > 0) await addColumns(client, table, added)
    if (fresh.length > 0)
      await client.query("UPDATE weir_sink.tables SET columns = $2 WHERE name = $1", [table.name, columns])
  }
  if (view === undefined || fresh.length > 0) await makeView(client, table, columns)
  return columns
}

const taken = ({ zone, name, topic }: Table) =>
  fatal("table-taken", `there is a table ${zone}.${name} or ${zone}.${rowsTable(name)} that this sink did not make`, {
    path: `tables.${topic}`,
    hint: "name another table for this topic under tables:",
  })

const missing = ({ zone, name, topic }: Table) =>
  fatal("table-missing", `table ${zone}.${rowsTable(name)} was dropped, but positions say that its rows were written`, {
    path: `tables.${topic}`,
    hint: `to fill it again from the start of the topic, delete its rows in weir_sink.tables (name ${name}) and weir_sink.positions (topic ${topic})`,
  })

function checkTypes(table: Table, held: ReadonlyMap<string, string>): void {
  for (const [field, { name, type }] of table.columns) {
    const now = held.get(name)
    if (now !== undefined && now !== type)
      throw fatal(
        "column-type-changed",
        `column ${name} of table ${table.zone}.${rowsTable(table.name)} is ${now}, and field ${field} needs ${type}`,
        {
          path: `tables.${table.topic}`,
          hint: "give the field a new name, or name another table for this topic under tables: and fill it from the start",
        },
      )
  }
}
