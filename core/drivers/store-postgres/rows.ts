import type { InputPosition, StateKey, StateRow } from "../../ports/store.ts"
import { fromStored, textArray, toStored } from "./text.ts"
import type { Session, Statement } from "./sessions.ts"

type Stored = Readonly<
  Record<string, { readonly next: string; readonly last?: readonly [offset: string, checksum: number] }>
>

/** Positions as JSON by topic; offsets as text, for JSON's numbers are not exact. */
export const positionsToJson = (positions: readonly InputPosition[]): string =>
  JSON.stringify(
    Object.fromEntries(
      positions.map(({ topic, next, last }) => [
        topic,
        { next: `${next}`, ...(last === undefined ? {} : { last: [`${last.offset}`, last.checksum] }) },
      ]),
    ),
  )

/** The inverse of `positionsToJson`. */
export const positionsFromJson = (stored: unknown): InputPosition[] =>
  Object.entries(stored as Stored).map(([topic, { next, last }]) => ({
    topic,
    next: BigInt(next),
    ...(last === undefined ? {} : { last: { offset: BigInt(last[0]), checksum: last[1] } }),
  }))

/** A table of keyed, sorted rows: a task's own or its stage's. */
export interface KeyedTable {
  readonly get: Statement
  readonly scan: Statement
  readonly put: Statement
  readonly delete: Statement
}

// Of a join, the plan that a session made while the table was new would read all rows of the owner for as long as it lives. LATERAL
// with OFFSET 0 makes it one look into the index for each key. Rows may be deleted by their place, for whoever deletes holds the
// task's row or the key's lock.
const keyedTable = (table: string, owner: string): KeyedTable => ({
  get: {
    name: `${table}.get`,
    text: `SELECT (q.at - 1)::integer, s.value
      FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS q(key, sort, at)
      CROSS JOIN LATERAL (SELECT t.value FROM weir.${table} t
        WHERE t.${owner} = $1::bigint AND t.key = q.key AND t.sort = q.sort OFFSET 0) s`,
  },
  // Two branches, so that each upper bound is one of the index and not a filter over the rest of the key.
  scan: {
    name: `${table}.scan`,
    text: `SELECT (q.at - 1)::integer, s.sort, s.value
      FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS q(key, low, high, at)
      CROSS JOIN LATERAL (SELECT t.sort, t.value FROM weir.${table} t
        WHERE t.${owner} = $1::bigint AND t.key = q.key AND t.sort >= q.low AND t.sort < q.high ORDER BY t.sort) s
      WHERE q.high IS NOT NULL
      UNION ALL SELECT (q.at - 1)::integer, s.sort, s.value
      FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS q(key, low, high, at)
      CROSS JOIN LATERAL (SELECT t.sort, t.value FROM weir.${table} t
        WHERE t.${owner} = $1::bigint AND t.key = q.key AND t.sort >= q.low ORDER BY t.sort) s
      WHERE q.high IS NULL`,
  },
  put: {
    name: `${table}.put`,
    text: `INSERT INTO weir.${table} (${owner}, key, sort, value)
      SELECT $1::bigint, q.key, q.sort, q.value FROM unnest($2::text[], $3::text[], $4::text[]) AS q(key, sort, value)
      ON CONFLICT (${owner}, key, sort) DO UPDATE SET value = excluded.value`,
  },
  delete: {
    name: `${table}.delete`,
    text: `DELETE FROM weir.${table} WHERE ctid = ANY(ARRAY(
      SELECT s.ctid FROM unnest($2::text[], $3::text[]) AS q(key, sort)
      CROSS JOIN LATERAL (SELECT t.ctid FROM weir.${table} t
        WHERE t.${owner} = $1::bigint AND t.key = q.key AND t.sort = q.sort OFFSET 0) s))`,
  },
})

/** Rows of a task. */
export const ownState = keyedTable("state", "task")
/** Rows that the tasks of a stage share. */
export const sharedState = keyedTable("shared_state", "stage")

/** Values of keys, in their order; undefined where no row is. One statement. */
export async function getRows(
  session: Session,
  table: KeyedTable,
  owner: bigint,
  keys: readonly StateKey[],
): Promise<(string | undefined)[]> {
  const values = keys.map((): string | undefined => undefined)
  if (keys.length === 0) return values
  const found = await session.run<[number, string]>(
    table.get,
    owner,
    textArray(keys.map(([key]) => toStored(key))),
    textArray(keys.map(([, sort]) => toStored(sort))),
  )
  for (const [at, value] of found) values[at] = value
  return values
}

/** Rows of ranges, each in order. One statement. */
export async function scanRows(
  session: Session,
  table: KeyedTable,
  owner: bigint,
  ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[],
): Promise<(readonly [sort: string, value: string])[][]> {
  const rows = ranges.map((): [string, string][] => [])
  if (ranges.length === 0) return rows
  const found = await session.run<[number, string, string]>(
    table.scan,
    owner,
    textArray(ranges.map(({ key }) => toStored(key))),
    textArray(ranges.map(({ from = "" }) => toStored(from))),
    textArray(ranges.map(({ to }) => (to === undefined ? undefined : toStored(to)))),
  )
  for (const [at, sort, value] of found) rows[at]!.push([fromStored(sort), value])
  return rows
}

type Send = readonly [Statement, ...unknown[]]

const sliceChars = 8_000_000

/** The statements that write rows: one for about 8 million characters. */
export function putStatements(table: KeyedTable, owner: bigint, rows: readonly StateRow[]): Send[] {
  const statements: Send[] = []
  let from = 0
  let chars = 0
  for (const [at, [, , value]] of rows.entries()) {
    chars += value.length
    if (chars < sliceChars && at + 1 < rows.length) continue
    const slice = rows.slice(from, at + 1)
    statements.push([
      table.put,
      owner,
      textArray(slice.map(([key]) => toStored(key))),
      textArray(slice.map(([, sort]) => toStored(sort))),
      textArray(slice.map((row) => row[2])),
    ])
    from = at + 1
    chars = 0
  }
  return statements
}

/** The statement that deletes rows, if any. */
export const deleteStatements = (table: KeyedTable, owner: bigint, keys: readonly StateKey[]): Send[] =>
  keys.length === 0
    ? []
    : [
        [
          table.delete,
          owner,
          textArray(keys.map(([key]) => toStored(key))),
          textArray(keys.map(([, sort]) => toStored(sort))),
        ],
      ]
