import { fatal } from "../../errors.ts"
import type { ReferenceChange, Store } from "../../ports/store.ts"
import type { Session, Sessions, Statement } from "./sessions.ts"
import { numberArray, textArray, toStored } from "./text.ts"

// In key order, so that two writers of the same keys wait for each other and never in a circle.
const refresh: Statement = {
  name: "references.refresh",
  text: `INSERT INTO weir.object_references AS r (zone, key)
    SELECT $1::text, q.key FROM (SELECT DISTINCT key COLLATE "C" AS key FROM unnest($2::text[]) AS k(key)) q ORDER BY q.key
    ON CONFLICT (zone, key) DO UPDATE SET refreshed = clock_timestamp(), counted = CASE WHEN r.counted IS NOT NULL THEN false END`,
}

// Null stays null: an older version put the object.
const countedNow = `counted = CASE WHEN r.counted IS NOT NULL THEN true END,
      refreshed = CASE WHEN excluded.count < 0 THEN clock_timestamp() ELSE r.refreshed END`

const count: Statement = {
  name: "references.count",
  text: `INSERT INTO weir.object_references AS r (zone, key, count, counted)
    SELECT $1::text, q.key, q.times * $3::bigint, true
    FROM (SELECT key COLLATE "C" AS key, count(*) AS times FROM unnest($2::text[]) AS k(key) GROUP BY 1) q ORDER BY q.key
    ON CONFLICT (zone, key) DO UPDATE SET count = r.count + excluded.count, ${countedNow}`,
}

const change: Statement = {
  name: "references.change",
  text: `INSERT INTO weir.object_references AS r (zone, key, count, counted)
    SELECT q.zone, q.key, q.by, true FROM (
      SELECT zone COLLATE "C" AS zone, key COLLATE "C" AS key, sum(by)::bigint AS by
      FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(zone, key, by) GROUP BY 1, 2) q ORDER BY q.zone, q.key
    ON CONFLICT (zone, key) DO UPDATE SET count = r.count + excluded.count, ${countedNow}`,
}

/** What a step says of references. It comes late in a step, and in one order: nothing waits in a circle. */
export function referenceStatements(changes: readonly ReferenceChange[]): (readonly [Statement, ...unknown[]])[] {
  if (changes.length === 0) return []
  const zones = textArray(changes.map(({ zone }) => zone))
  const keys = textArray(changes.map(({ key }) => toStored(key)))
  return [[change, zones, keys, numberArray(changes.map(({ by }) => by))]]
}

const unreferenced: Statement = {
  name: "references.unreferenced",
  text: `SELECT key FROM weir.object_references WHERE zone = $1::text AND count <= 0
    AND counted IS NOT NULL AND ($4::double precision IS NOT NULL OR counted)
    AND refreshed <= clock_timestamp() - CASE WHEN counted THEN $2::double precision ELSE $4::double precision END * interval '1 millisecond'
    ORDER BY refreshed LIMIT $3::integer FOR UPDATE SKIP LOCKED`,
}

const forget: Statement = {
  name: "references.forget",
  text: "DELETE FROM weir.object_references r USING unnest($2::text[]) AS q(key) WHERE r.zone = $1::text AND r.key = q.key",
}

/** A writer waits while its object is being removed, so few at a time. */
const sweepAtOnce = 100

/** Counts of references to objects. */
export function objectReferences(sessions: Sessions): Store["objects"] {
  const write = async (zone: string, keys: readonly string[], statement: Statement, ...more: unknown[]) => {
    if (keys.length === 0) return
    const literal = textArray(keys.map(toStored))
    await sessions.use(`references of ${zone}`, (session) => session.run(statement, zone, literal, ...more))
  }
  return {
    refresh: (zone, keys) => write(zone, keys, refresh),
    async count(zone, keys, by) {
      if (!Number.isSafeInteger(by)) throw fatal("reference-count", "objects are counted in whole numbers")
      await write(zone, keys, count, by)
    },
    async sweep(zone, olderThanMs, remove, uncountedOlderThanMs = olderThanMs) {
      for (let swept = 0; ;) {
        const some = await sessions.transaction(`sweep of ${zone}`, (session) =>
          sweepSome(session, zone, [olderThanMs, uncountedOlderThanMs], remove),
        )
        swept += some
        if (some < sweepAtOnce) return swept
      }
    },
  }
}

async function sweepSome(
  session: Session,
  zone: string,
  [counted, uncounted]: readonly [number, number],
  remove: (keys: readonly string[]) => Promise<void>,
): Promise<number> {
  const keys = (
    await session.run<[string]>(
      unreferenced,
      zone,
      counted,
      sweepAtOnce,
      Number.isFinite(uncounted) ? uncounted : undefined,
    )
  ).map(([key]) => key)
  if (keys.length === 0) return 0
  session.keepAlive()
  await remove(keys)
  await session.run(forget, zone, textArray(keys))
  return keys.length
}
