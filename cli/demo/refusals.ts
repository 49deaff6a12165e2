import { deadLetterTopic, dropTopic } from "../../core/engine/runtime.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { App } from "../app.ts"
import { withLog } from "../ports.ts"
import { columns } from "../table.ts"
import { readNotes } from "../topics/read.ts"

/** Why images are refused, for readers who do not know the codes; of other dead letters their own message is shown. */
const explained: Readonly<Record<string, string>> = {
  "refused.burned-in-text-risk": "ultrasound, secondary captures and screen saves may carry a name in their pixels",
  "refused.face-risk": "a face could be rendered from a series of the head",
  "refused.overlay": "overlays may hold drawn text, and cannot be cleaned yet",
  "refused.app-segment": "a compressed frame carries segments beside the image",
  "refused.identifier-left": "the self-check found an identifier of the person in what was to be released",
}

interface Ended {
  /** Arrivals, each once, however often something was made of it. */
  readonly origins: Set<string>
  readonly message: string
}

/** What was refused, could not be read or was dropped: how many arrivals, by code, and why. */
export async function refusals(pipeline: CompiledPipeline, app: Pick<App, "drivers">): Promise<readonly string[]> {
  const dead = new Map<string, Ended>()
  const dropped = new Map<string, Ended>()
  const end = (ends: Map<string, Ended>, stage: unknown, code: unknown, origin: unknown, message: string) => {
    const slot = `${String(stage)} ${String(code)}`
    if (!ends.has(slot)) ends.set(slot, { origins: new Set(), message })
    ends.get(slot)!.origins.add(String(origin))
  }
  await withLog(pipeline, app, async (log) => {
    for await (const { value } of readNotes(log, deadLetterTopic(pipeline.name))) {
      const { stage, code, origin, message } = value
      end(dead, stage, code, origin, explained[String(code)] ?? String(message))
    }
    for await (const { value } of readNotes(log, dropTopic(pipeline.name)))
      for (const [origin, reason] of value["drops"] as readonly (readonly [string, string])[])
        end(dropped, value["stage"], reason, origin, "")
  })
  const rows = (ends: ReadonlyMap<string, Ended>) =>
    columns(
      [...ends].map(([slot, { origins, message }]) => [String(origins.size), ...slot.split(" "), message]),
      new Set([0]),
    ).map((line) => `  ${line}`)
  return ["dead letters", ...rows(dead), "dropped", ...rows(dropped)]
}
