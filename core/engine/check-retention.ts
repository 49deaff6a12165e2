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
  const what = pipeline.encrypt?.what ?? []
  if (what.length === 0)
    found.warning(
      "objects and values in phi are not encrypted: copies of what was an erased person's, in the Log and in backups, stay readable",
      `add encrypt: { vault: ${vaults[0]} }`,
    )
  else if (!what.includes("values"))
    found.warning(
      "values in phi are not encrypted: records of an erased person stay readable until their retention",
      "leave out what under encrypt, so that values are encrypted too",
    )
  else found.ok("objects and values in phi are encrypted, under keys that go with their person")
  return found.all
}
