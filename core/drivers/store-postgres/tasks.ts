import type { TaskState } from "../../ports/store.ts"
import { positionsFromJson } from "./rows.ts"
import type { Sessions, Statement } from "./sessions.ts"

const tasks: Statement = {
  name: "tasks.look",
  text: `SELECT s.name, t.partition, t.epoch, t.outbox, t.published, t.positions, t.facts,
      (SELECT count(*) FROM weir.outbox o WHERE o.task = t.id AND o.number > t.published),
      m.quiet, m.quiet_due, m.calendar, m.calendar_due, m.waiting, m.since
    FROM weir.stages s JOIN weir.tasks t ON t.stage = s.id
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE clock = 'quiet') AS quiet,
        min(due) FILTER (WHERE clock = 'quiet') AS quiet_due, count(*) FILTER (WHERE clock = 'calendar') AS calendar,
        min(due) FILTER (WHERE clock = 'calendar') AS calendar_due, count(since) AS waiting, min(since) AS since
      FROM weir.timers WHERE task = t.id) m
    WHERE s.pipeline = $1 ORDER BY s.name, t.partition`,
}

type Row = [
  stage: string,
  partition: number,
  epoch: bigint,
  outbox: bigint,
  published: bigint,
  positions: unknown,
  facts: Readonly<Record<string, unknown>>,
  pending: bigint,
  quiet: bigint,
  quietDue: number | null,
  calendar: bigint,
  calendarDue: number | null,
  waiting: bigint,
  since: number | null,
]

/** What is committed of the tasks of a pipeline; takes no lock. */
export async function tasksOf(sessions: Sessions, pipeline: string): Promise<readonly TaskState[]> {
  const rows = await sessions.use(`tasks of ${pipeline}`, (session) => session.run<Row>(tasks, pipeline))
  return rows.map(
    ([
      stage,
      partition,
      epoch,
      outbox,
      published,
      positions,
      facts,
      pending,
      quiet,
      quietDue,
      calendar,
      calendarDue,
      waiting,
      since,
    ]) => ({
      stage,
      partition,
      epoch,
      outbox,
      published,
      positions: positionsFromJson(positions),
      facts,
      pending: Number(pending),
      timers: {
        quiet: { armed: Number(quiet), due: quietDue ?? undefined },
        calendar: { armed: Number(calendar), due: calendarDue ?? undefined },
      },
      waiting: { entries: Number(waiting), since: since ?? undefined },
    }),
  )
}
