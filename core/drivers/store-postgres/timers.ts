import type { Timer } from "../../plugin.ts"
import type { StepChange } from "../../ports/store.ts"
import type { Session, Statement } from "./sessions.ts"
import { fromStored, numberArray, textArray, toStored } from "./text.ts"

const due: Statement = {
  name: "timers.due",
  text: `SELECT key, name, due, topic, partition, "offset", since FROM weir.timers
    WHERE task = $1::bigint AND clock = $2::text AND due <= $3::double precision ORDER BY due, key, name LIMIT $4::bigint`,
}

const arm: Statement = {
  name: "timers.arm",
  text: `INSERT INTO weir.timers (task, key, name, clock, due, topic, partition, "offset", since)
    SELECT $1::bigint, q.* FROM unnest($2::text[], $3::text[], $4::text[], $5::double precision[], $6::text[], $7::integer[],
      $8::bigint[], $9::double precision[]) AS q
    ON CONFLICT (task, key, name) DO UPDATE SET clock = excluded.clock, due = excluded.due, topic = excluded.topic,
      partition = excluded.partition, "offset" = excluded."offset", since = excluded.since`,
}

const cancel: Statement = {
  name: "timers.cancel",
  // As rows are deleted; see rows.ts.
  text: `DELETE FROM weir.timers WHERE ctid = ANY(ARRAY(
    SELECT s.ctid FROM unnest($2::text[], $3::text[]) AS q(key, name)
    CROSS JOIN LATERAL (SELECT t.ctid FROM weir.timers t
      WHERE t.task = $1::bigint AND t.key = q.key AND t.name = q.name OFFSET 0) s))`,
}

/** The earliest armed timer of each clock, ms; null when none is. */
export const firstDue: Statement = {
  name: "timers.first",
  text: `SELECT (SELECT min(due) FROM weir.timers WHERE task = $1::bigint AND clock = 'quiet'),
    (SELECT min(due) FROM weir.timers WHERE task = $1::bigint AND clock = 'calendar')`,
}

/** Timers of a task that are due, earliest first. */
export async function dueTimers(
  session: Session,
  task: bigint,
  clock: Timer["clock"],
  until: number,
  limit: number,
): Promise<Timer[]> {
  const rows = await session.run<[string, string, number, string, number, bigint, number | null]>(
    due,
    task,
    clock,
    until,
    limit,
  )
  return rows.map(([key, name, at, topic, partition, offset, since]) => ({
    key: fromStored(key),
    name: fromStored(name),
    due: at,
    clock,
    origin: { topic, partition, offset },
    ...(since === null ? {} : { since }),
  }))
}

/** The statements that arm and cancel. */
export function timerStatements(
  task: bigint,
  change: Pick<StepChange, "timers" | "cancels">,
): (readonly [Statement, ...unknown[]])[] {
  const { timers, cancels } = change
  const statements: (readonly [Statement, ...unknown[]])[] = []
  if (cancels.length > 0)
    statements.push([
      cancel,
      task,
      textArray(cancels.map(([key]) => toStored(key))),
      textArray(cancels.map(([, name]) => toStored(name))),
    ])
  if (timers.length > 0)
    statements.push([
      arm,
      task,
      textArray(timers.map(({ key }) => toStored(key))),
      textArray(timers.map(({ name }) => toStored(name))),
      textArray(timers.map(({ clock }) => clock)),
      numberArray(timers.map((timer) => timer.due)),
      textArray(timers.map(({ origin }) => origin.topic)),
      numberArray(timers.map(({ origin }) => origin.partition)),
      numberArray(timers.map(({ origin }) => origin.offset)),
      numberArray(timers.map(({ since }) => since)),
    ])
  return statements
}
