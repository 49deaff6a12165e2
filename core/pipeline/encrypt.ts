import { identitySecret } from "../sealing/sealing.ts"
import type { Path, Source } from "./document.ts"
import { unknownName } from "./faults.ts"
import type { CompiledStage, EncryptSettings } from "./model.ts"
import type { Shape } from "./shape.ts"
import { vaultSecrets } from "./vaults.ts"

const parts = ["objects", "values"] as const

/** Reads `encrypt:`; faults are reported. It names the vault of a step, as erasing goes by vaults.
 * @param needed gains the secrets that it takes */
export function encryptSettings(
  source: Source,
  root: Shape,
  stages: readonly CompiledStage[],
  needed: Map<string, Path>,
): EncryptSettings | undefined {
  const encrypt = root.map("encrypt", ["vault", "what"])
  if (encrypt === undefined) return undefined
  const vault = encrypt.string("vault")
  if (vault === undefined) {
    if (!encrypt.has("vault")) source.fault(["encrypt"], "missing vault: the secret that opens the vault of a step")
    return undefined
  }
  const what = encrypt.strings("what") ?? parts
  for (const part of what)
    if (!(parts as readonly string[]).includes(part))
      source.fault(["encrypt", "what"], unknownName("part", part, parts))
  if (what.includes("values") && !what.includes("objects"))
    source.fault(["encrypt", "what"], "values need objects too: what is too large for a record is an object")
  const named = vaultSecrets(stages)
  if (!named.includes(vault))
    source.fault(
      ["encrypt", "vault"],
      named.length === 0
        ? "no step has a vault: name it under with: of the privacy steps"
        : unknownName("vault", vault, named),
    )
  for (const secret of [vault, identitySecret]) needed.set(secret, ["encrypt"])
  return { vault, what: what as EncryptSettings["what"] }
}
