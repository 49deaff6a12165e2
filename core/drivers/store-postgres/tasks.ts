import type { TaskState } from "../../ports/store.ts"
import { positionsFromJson } from "./rows.ts"
import type { Sessions, Statement } from "./sessions.ts"

const tasks: Statement = {
  name: "tasks.look",
  text: `SELECT s.name, t.partition, t.epoch, t.outbox, t.published, t.positions, t.facts,
      (SELECT count(*) FROM weir.outbox o WHERE o.task = t.id AND o.number > t.published),
      (SELECT count(*) FROM weir.timers m WHERE m.task = t.id AND m.clock = 'quiet'),
      (SELECT min(m.due) FROM weir.timers m WHERE m.task = t.id AND m.clock = 'quiet'),
      (SELECT count(*) FROM weir.timers m WHERE m.task = t.id AND m.clock = 'calendar'),
      (SELECT min(m.due) FROM weir.timers m WHERE m.task = t.id AND m.clock = 'calendar')
    FROM weir.stages s JOIN weir.tasks t ON t.stage = s.id WHERE s.pipeline = $1 ORDER BY s.name, t.partition`,
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
    }),
  )
}
