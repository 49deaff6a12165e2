import type { CompiledPipeline } from "../pipeline/model.ts"
import { Findings } from "../ports/finding.ts"
import type { Finding } from "../ports/finding.ts"

/** Whether a step has a vault: a project whose persons can be looked up, and erased. */
const hasVault = ({ stages }: CompiledPipeline): boolean =>
  stages.some(({ steps }) => steps.some(({ options }) => typeof (options as { vault?: unknown }).vault === "string"))

/** Whether what erasing a person cannot reach ends by itself: records of topics in `phi`, values that are too large for them, and
 * originals that no stage has counted. Looked at where a step has a vault. */
export function checkRetention(pipeline: CompiledPipeline): readonly Finding[] {
  if (!hasVault(pipeline)) return []
  const found = new Findings("retention")
  const phi = [...pipeline.topics.values()].filter(({ zone }) => zone === "phi")
  const kept = phi.filter(({ retention, compact }) => retention === undefined || compact).map(({ name }) => name)
  if (kept.length > 0)
    found.warning(
      `topics in phi keep records for ever: ${kept.join(", ")}; so records of an erased person stay, and objects that no stage counted`,
      "give each of them a retention, such as 90d, under topics:",
    )
  else found.ok("every topic in phi has a retention, and with it uncounted objects")
  if (pipeline.sweepAfter === undefined)
    found.warning("objects that nothing refers to are never removed", "take a duration for sweep-after under objects:")
  return found.all
}
