import type { StateRow } from "../../ports/store.ts"
import type { Sessions, Statement } from "./sessions.ts"
import { fromStored } from "./text.ts"

const tasks: Statement = {
  name: "stage-rows.tasks",
  text: `SELECT t.id FROM weir.stages s JOIN weir.tasks t ON t.stage = s.id
    WHERE s.pipeline = $1 AND s.name = $2 ORDER BY t.partition`,
}

/** A page begins behind a row, so that no transaction is held open between pages. */
const page: Statement = {
  name: "stage-rows.page",
  text: `SELECT key, sort, value FROM weir.state WHERE task = $1 AND (key, sort) > ($2, $3)
    ORDER BY key, sort LIMIT 2000`,
}

/** What is committed of the state of a stage, task after task; takes no lock. */
export async function* rowsOf(sessions: Sessions, pipeline: string, stage: string): AsyncGenerator<StateRow> {
  const found = await sessions.use(`tasks of ${pipeline}`, (session) => session.run<[bigint]>(tasks, pipeline, stage))
  for (const [task] of found)
    for (let [key, sort] = ["", ""]; ;) {
      const rows = await sessions.use(`rows of ${stage}`, (session) =>
        session.run<[string, string, string]>(page, String(task), key, sort),
      )
      for (const [ownKey, ownSort, value] of rows) yield [fromStored(ownKey), fromStored(ownSort), value]
      const last = rows.at(-1)
      if (last === undefined) break
      ;[key, sort] = last
    }
}
