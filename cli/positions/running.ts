import type { Reading } from "../../core/engine/positions.ts"
import { systemic } from "../../core/errors.ts"
import type { Log } from "../../core/ports/log.ts"

/** Refuses to touch what a process works on now. */
export async function refuseIfRunning(log: Log, { name, group }: Reading): Promise<void> {
  const members = await log.members(group)
  if (members === 0) return
  throw systemic("running", `${name} is running in ${members} ${members === 1 ? "process" : "processes"}`, {
    hint: "stop the pipeline first; a process that died leaves the group in a few seconds",
  })
}
