import type { RecordKeyRewrap, RecordKeyRow, RecordKeyTables } from "../../ports/record-keys.ts"
import type { Sessions, Statement } from "./sessions.ts"
import { textArray } from "./text.ts"

// In order of the ids, so that two writers of the same rows wait for each other and never in a circle.
const make: Statement = {
  name: "record_keys.make",
  text: `INSERT INTO weir.record_keys AS r (id, topic, wrapped)
    SELECT decode(q.id, 'hex'), q.topic, decode(q.wrapped, 'hex')
    FROM unnest($1::text[], $2::text[], $3::text[]) AS q(id, topic, wrapped) ORDER BY q.id
    ON CONFLICT (id) DO UPDATE SET made = clock_timestamp() RETURNING id, wrapped, owner`,
}

const find: Statement = {
  name: "record_keys.find",
  text: `SELECT r.id, r.wrapped, r.owner FROM unnest($1::text[]) AS q(id) JOIN weir.record_keys r ON r.id = decode(q.id, 'hex')`,
}

const rewrap: Statement = {
  name: "record_keys.rewrap",
  text: `UPDATE weir.record_keys r SET wrapped = decode(q.wrapped, 'hex'), owner = decode(q.owner, 'hex')
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS q(id, before, wrapped, owner)
    WHERE r.id = decode(q.id, 'hex') AND r.wrapped = decode(q.before, 'hex')`,
}

const sweep: Statement = {
  name: "record_keys.sweep",
  text: `DELETE FROM weir.record_keys WHERE topic = $1::text
    AND made < clock_timestamp() - $2::double precision * interval '1 millisecond' RETURNING 1`,
}

type Row = [id: Buffer, wrapped: Buffer, owner: Buffer | null]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const rowFrom = ([id, wrapped, owner]: Row): RecordKeyRow => (owner === null ? { id, wrapped } : { id, wrapped, owner })

/** What a step says of the keys of records that it read. */
export function recordKeyStatements(rewraps: readonly RecordKeyRewrap[]): (readonly [Statement, ...unknown[]])[] {
  if (rewraps.length === 0) return []
  return [
    [
      rewrap,
      textArray(rewraps.map(({ to }) => hex(to.id))),
      textArray(rewraps.map(({ from }) => hex(from))),
      textArray(rewraps.map(({ to }) => hex(to.wrapped))),
      textArray(rewraps.map(({ to }) => (to.owner === undefined ? undefined : hex(to.owner)))),
    ],
  ]
}

/** Keys of sealed records. */
export function recordKeyTables(sessions: Sessions): RecordKeyTables {
  const use = <R extends readonly unknown[]>(statement: Statement, ...values: readonly unknown[]) =>
    sessions.use("keys of records", (session) => session.run<R>(statement, ...values))
  const inOrder = (ids: readonly Uint8Array[], rows: readonly Row[]) => {
    const byId = new Map(rows.map((row) => [hex(row[0]), rowFrom(row)]))
    return ids.map((id) => byId.get(hex(id)))
  }
  return {
    async make(rows) {
      if (rows.length === 0) return []
      // One statement cannot meet the same row twice.
      const distinct = [...new Map(rows.map((row) => [hex(row.id), row])).values()]
      const made = await use<Row>(
        make,
        textArray(distinct.map(({ id }) => hex(id))),
        textArray(distinct.map(({ topic }) => topic)),
        textArray(distinct.map(({ wrapped }) => hex(wrapped))),
      )
      return inOrder(
        rows.map(({ id }) => id),
        made,
      ) as RecordKeyRow[]
    },
    find: async (ids) => (ids.length === 0 ? [] : inOrder(ids, await use<Row>(find, textArray(ids.map(hex))))),
    async rewrap(rewraps) {
      const [statement] = recordKeyStatements(rewraps)
      if (statement !== undefined) await use(...statement)
    },
    sweep: async (topic, olderThanMs) => (await use(sweep, topic, olderThanMs)).length,
  }
}
