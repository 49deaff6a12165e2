import type { KeyRewrap, ObjectKeyRow, ObjectKeyTables } from "../../ports/object-keys.ts"
import type { Sessions, Statement } from "./sessions.ts"
import { textArray, toStored } from "./text.ts"

// As references.refresh does, and the key with it: one statement for each put.
const refresh: Statement = {
  name: "object_keys.refresh",
  text: `INSERT INTO weir.object_references AS r (zone, key, wrapped) VALUES ($1::text, $2::text, decode($3, 'hex'))
    ON CONFLICT (zone, key) DO UPDATE SET refreshed = clock_timestamp(),
      counted = CASE WHEN r.counted IS NOT NULL THEN false END, wrapped = coalesce(r.wrapped, excluded.wrapped)
    RETURNING wrapped, owner`,
}

const find: Statement = {
  name: "object_keys.find",
  text: `SELECT (q.at - 1)::integer, r.wrapped, r.owner FROM unnest($2::text[]) WITH ORDINALITY AS q(key, at)
    JOIN weir.object_references r ON r.zone = $1::text AND r.key = q.key WHERE r.wrapped IS NOT NULL`,
}

const rewrap: Statement = {
  name: "object_keys.rewrap",
  text: `UPDATE weir.object_references r SET wrapped = decode(q.wrapped, 'hex'), owner = decode(q.owner, 'hex')
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS q(zone, key, before, wrapped, owner)
    WHERE r.zone = q.zone AND r.key = q.key AND r.wrapped = decode(q.before, 'hex')`,
}

const forget: Statement = {
  name: "object_keys.forget",
  text: `UPDATE weir.object_references r SET wrapped = NULL, owner = NULL FROM unnest($2::text[]) AS q(key)
    WHERE r.zone = $1::text AND r.key = q.key`,
}

type Row = [wrapped: Buffer, owner: Buffer | null]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const rowFrom = ([wrapped, owner]: Row): ObjectKeyRow => (owner === null ? { wrapped } : { wrapped, owner })

/** What a step says of keys; after its references, which lock the rows in order. */
export function keyStatements(rewraps: readonly KeyRewrap[]): (readonly [Statement, ...unknown[]])[] {
  if (rewraps.length === 0) return []
  return [
    [
      rewrap,
      textArray(rewraps.map(({ zone }) => zone)),
      textArray(rewraps.map(({ key }) => toStored(key))),
      textArray(rewraps.map(({ from }) => hex(from))),
      textArray(rewraps.map(({ to }) => hex(to.wrapped))),
      textArray(rewraps.map(({ to }) => (to.owner === undefined ? undefined : hex(to.owner)))),
    ],
  ]
}

/** Keys of sealed objects. */
export function objectKeyTables(sessions: Sessions): ObjectKeyTables {
  return {
    async refresh(zone, key, fresh) {
      const rows = await sessions.use(`key of an object of ${zone}`, (session) =>
        session.run<Row>(refresh, zone, toStored(key), hex(fresh)),
      )
      return rowFrom(rows[0]!)
    },
    async find(zone, keys) {
      const found = keys.map((): ObjectKeyRow | undefined => undefined)
      if (keys.length === 0) return found
      const rows = await sessions.use(`keys of objects of ${zone}`, (session) =>
        session.run<[number, ...Row]>(find, zone, textArray(keys.map(toStored))),
      )
      for (const [at, ...row] of rows) found[at] = rowFrom(row)
      return found
    },
    async rewrap(rewraps) {
      const [statement] = keyStatements(rewraps)
      if (statement !== undefined) await sessions.use("keys of objects", (session) => session.run(...statement))
    },
    async forget(zone, keys) {
      if (keys.length === 0) return
      await sessions.use(`keys of objects of ${zone}`, (session) =>
        session.run(forget, zone, textArray(keys.map(toStored))),
      )
    },
  }
}
