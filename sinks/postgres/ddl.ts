import { escapeIdentifier, escapeLiteral } from "pg"
import type { PoolClient } from "pg"
import { zones } from "../../core/index.ts"
import type { Zone } from "../../core/index.ts"
import { ownColumns, relation, rowsTable } from "./table.ts"
import type { Table } from "./table.ts"

/** Makes a schema that only its owner and the roles that it is granted to can use. */
export async function makeSchema(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ open: boolean }>(
    `SELECT EXISTS (SELECT FROM aclexplode(nspacl) WHERE grantee = 0) AS open FROM pg_namespace WHERE nspname = $1`,
    [schema],
  )
  // The privilege to create is asked for also where IF NOT EXISTS would do nothing.
  if (rows[0] === undefined) await client.query(`CREATE SCHEMA ${schema}`)
  if (rows[0]?.open === true) await client.query(`REVOKE ALL ON SCHEMA ${schema} FROM PUBLIC`)
}

/** Makes the table behind the view. */
export async function createTable(client: PoolClient, { zone, name, columns, topic, type }: Table): Promise<void> {
  const all = relation(zone, rowsTable(name))
  const own = ownColumns.map(([column, sql]) => `${column} ${sql}${column === "_time" ? "" : " NOT NULL"}`)
  const fields = columns.map(([, column]) => `${escapeIdentifier(column.name)} ${column.type}`)
  await client.query(`CREATE TABLE ${all} (${[...own, ...fields, "PRIMARY KEY (_key, _id)"].join(", ")})`)
  await client.query(
    `COMMENT ON TABLE ${all} IS ${escapeLiteral(`zone ${zone}: rows of topic ${topic} (${type.name}), those taken back included`)}`,
  )
}

/** Adds columns for new fields; they are null in the rows that are there. */
export async function addColumns(client: PoolClient, { zone, name }: Table, added: Table["columns"]): Promise<void> {
  const changes = added.map(([, column]) => `ADD COLUMN ${escapeIdentifier(column.name)} ${column.type}`)
  await client.query(`ALTER TABLE ${relation(zone, rowsTable(name))} ${changes.join(", ")}`)
}

/** Makes or widens the view of live rows, with the fields' docs as comments.
 * @param columns all that the sink ever made for fields */
export async function makeView(
  client: PoolClient,
  { zone, name, topic, type, columns: now }: Table,
  columns: readonly string[],
): Promise<void> {
  const view = relation(zone, name)
  const own = ownColumns.filter(([column]) => column !== "_retracted")
  const shown = [...own.map(([column]) => column), ...columns.map(escapeIdentifier)]
  const comments = [
    ...own.map(([column, , doc]) => [column as string, doc]),
    ...now.map(([, { name: column, doc }]) => [escapeIdentifier(column), doc]),
  ]
  await client.query(
    `CREATE OR REPLACE VIEW ${view} AS SELECT ${shown.join(", ")} FROM ${relation(zone, rowsTable(name))} WHERE NOT _retracted`,
  )
  await client.query(
    [
      `COMMENT ON VIEW ${view} IS ${escapeLiteral(`zone ${zone}, topic ${topic}: ${type.doc}`)}`,
      ...comments.map(([column, doc]) => `COMMENT ON COLUMN ${view}.${column} IS ${escapeLiteral(doc!)}`),
    ].join(";"),
  )
}

/** Those who read a zone: its own role and the roles of the zones above. The Store's migrations make the roles. */
const readers = (zone: Zone): string[] => zones.slice(0, zones.indexOf(zone) + 1).map((above) => `weir_${above}`)

/** Lets the roles that may read the zone read the table, and nobody else. */
export async function grant(client: PoolClient, { zone, name }: Table): Promise<void> {
  const relations = [relation(zone, rowsTable(name)), relation(zone, name)]
  const open = await client.query(
    "SELECT FROM pg_class WHERE oid = ANY ($1::regclass[]) AND EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0)",
    [relations],
  )
  if (open.rowCount !== 0) await client.query(`REVOKE ALL ON ${relations.join(", ")} FROM PUBLIC`)
  const roles = await client.query<{ role: string; schema: boolean; tables: boolean }>(
    `SELECT rolname AS role, has_schema_privilege(rolname, $2, 'USAGE') AS schema,
       has_table_privilege(rolname, $3, 'SELECT') AND has_table_privilege(rolname, $4, 'SELECT') AS tables
     FROM pg_roles WHERE rolname = ANY ($1)`,
    [readers(zone), zone, ...relations],
  )
  for (const { role, schema, tables } of roles.rows) {
    if (!schema) await client.query(`GRANT USAGE ON SCHEMA ${zone} TO ${role}`)
    if (!tables) await client.query(`GRANT SELECT ON ${relations.join(", ")} TO ${role}`)
  }
}
