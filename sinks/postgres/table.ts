import { escapeIdentifier } from "pg"
import type { PoolClient } from "pg"
import type { RecordType, Zone } from "../../core/index.ts"
import type { Column } from "./columns.ts"
import { arraysOf, slices } from "./rows.ts"
import type { Row } from "./rows.ts"

/** The columns that every table has; fields cannot begin with an underscore. */
export const ownColumns = [
  ["_key", "text", "key of the record: below phi a person's pseudonym"],
  ["_id", "text", "id of the row under its key"],
  ["_version", "bigint", "version of the record: the greatest holds"],
  ["_time", "timestamptz", "event time of the record"],
  ["_retracted", "boolean", "the row was taken back: a tombstone without values"],
] as const

/** A topic's table: where it lies and what it holds. */
export interface Table {
  readonly topic: string
  readonly zone: Zone
  readonly type: RecordType
  /** Name of the view of live rows, in the zone's schema. */
  readonly name: string
  readonly columns: readonly (readonly [field: string, column: Column])[]
}

/** Name of the table behind the view: live rows and tombstones. */
export const rowsTable = (name: string): string => `${name}__all`

/** A table or view of a zone, quoted. */
export const relation = (zone: Zone, name: string): string => `${zone}.${escapeIdentifier(name)}`

/** A sequence of the session, by which a statement counts rows as it comes to them, also when it fails. */
export const rowCounter = "pg_temp.weir_rows"

/** The statement that writes rows over older ones; its parameters are arrays, one a column.
 * @param gone columns of fields that the record type no longer has: a newer row holds nothing in them
 * @param counting whether each row is counted in `rowCounter` before anything is made of it */
export function upsertSql({ zone, name, columns }: Table, gone: readonly string[], counting = false): string {
  const fields = columns.map(([, column]) => column)
  const names = [...ownColumns.map(([own]) => own as string), ...fields.map((column) => column.name)].map(
    escapeIdentifier,
  )
  const types = ["text", "text", "bigint", "float8", "boolean", ...fields.map(({ type }) => type)]
  const aliases = names.map((_, at) => `c${at}`)
  const values = aliases.map((alias, at) => (at === 3 ? `to_timestamp(${alias} / 1000)` : alias))
  const unnest = `unnest(${types.map((type, at) => `$${at + 1}::${type}[]`).join(", ")})`
  const u = `u (${aliases.join(", ")}`
  const from = counting ? `(SELECT *, nextval('${rowCounter}') FROM ${unnest}) AS ${u}, n)` : `${unnest} AS ${u})`
  const changes = [
    ...names.slice(2).map((column) => `${column} = excluded.${column}`),
    ...gone.map((column) => `${escapeIdentifier(column)} = NULL`),
  ]
  return `INSERT INTO ${relation(zone, rowsTable(name))} AS held (${names.join(", ")})
    SELECT ${values.join(", ")} FROM ${from}
    ON CONFLICT (_key, _id) DO UPDATE SET ${changes.join(", ")} WHERE excluded._version > held._version`
}

/** Writes rows where they are newer than what is held. */
export async function upsert(client: PoolClient, sql: string, rows: readonly Row[]): Promise<void> {
  for (const slice of slices(rows)) await client.query(sql, arraysOf(slice))
}
