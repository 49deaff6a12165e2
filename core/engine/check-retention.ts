import type { CompiledPipeline } from "../pipeline/model.ts"
import { vaultSecrets } from "../pipeline/vaults.ts"
import { Findings } from "../ports/finding.ts"
import type { Finding } from "../ports/finding.ts"

/** Whether what erasing a person cannot reach ends by itself: records of topics in `phi`, values that are too large for them, and
 * originals that no stage has counted. Looked at where a step has a vault. */
export function checkRetention(pipeline: CompiledPipeline): readonly Finding[] {
  const vaults = vaultSecrets(pipeline.stages)
  if (vaults.length === 0) return []
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
  if (pipeline.encrypt === undefined)
    found.warning(
      "objects in phi are not encrypted: copies of an erased person's objects, in backups of the bucket, stay readable",
      `add encrypt: { vault: ${vaults[0]} }`,
    )
  else found.ok("objects in phi are encrypted, each under a key of its own")
  return found.all
}
