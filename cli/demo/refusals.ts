import { deadLetterTopic, dropTopic } from "../../core/engine/runtime.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { App } from "../app.ts"
import { withLog } from "../ports.ts"
import { columns } from "../table.ts"
import { readNotes } from "../topics/read.ts"

/** What was refused, could not be read or was dropped: how many, by code, with what the first of them says. */
export async function refusals(pipeline: CompiledPipeline, app: Pick<App, "drivers">): Promise<readonly string[]> {
  const dead = new Map<string, { count: number; readonly message: string }>()
  const dropped = new Map<string, number>()
  await withLog(pipeline, app, async (log) => {
    for await (const { value } of readNotes(log, deadLetterTopic(pipeline.name))) {
      const slot = `${String(value["stage"])} ${String(value["code"])}`
      const known = dead.get(slot)
      if (known === undefined) dead.set(slot, { count: 1, message: String(value["message"]) })
      else known.count++
    }
    for await (const { value } of readNotes(log, dropTopic(pipeline.name)))
      for (const [, reason] of value["drops"] as readonly (readonly [string, string])[]) {
        const slot = `${String(value["stage"])} ${reason}`
        dropped.set(slot, (dropped.get(slot) ?? 0) + 1)
      }
  })
  const letters = [...dead].map(([slot, { count, message }]) => [String(count), ...slot.split(" "), message])
  const drops = [...dropped].map(([slot, count]) => [String(count), ...slot.split(" ")])
  return [
    "dead letters",
    ...columns(letters, new Set([0])).map((line) => `  ${line}`),
    "dropped",
    ...columns(drops, new Set([0])).map((line) => `  ${line}`),
  ]
}
