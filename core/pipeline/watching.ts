import { canaryKinds } from "../canary/canary.ts"
import type { CanaryKind } from "../canary/canary.ts"
import type { Source } from "./document.ts"
import { unknownName } from "./faults.ts"
import type { CompiledCanaries, SelfCheckPolicy } from "./model.ts"
import { duration } from "./shape.ts"
import type { Shape } from "./shape.ts"

/** Five hits within an hour raise the alarm, unless the file says otherwise. */
export const defaultSelfCheck: SelfCheckPolicy = { hits: 5, within: 3_600_000, onRepeat: "alarm" }

/** Reads `canaries:`; faults are reported. */
export function canarySettings(source: Source, root: Shape): CompiledCanaries | undefined {
  const canaries = root.map("canaries", ["file", "except"])
  if (canaries === undefined) return undefined
  const file = canaries.string("file")
  if (!canaries.has("file")) source.fault(["canaries"], "missing file: what weir canary new wrote")
  const except = canaries.strings("except") ?? []
  for (const kind of except)
    if (!(canaryKinds as readonly string[]).includes(kind))
      source.fault(["canaries", "except"], unknownName("kind", kind, canaryKinds))
  return { file: file ?? "", except: except as readonly CanaryKind[] }
}

/** Reads `self-check:`; faults are reported. */
export function selfCheckPolicy(source: Source, root: Shape): SelfCheckPolicy {
  const given = root.map("self-check", ["hits", "within", "on-repeat"])
  if (given === undefined) return defaultSelfCheck
  const within = given.has("within") ? duration(given.string("within") ?? "")?.ms : defaultSelfCheck.within
  if (within === undefined) source.fault(["self-check", "within"], "expected a duration such as 1h")
  const policy = given.string("on-repeat") ?? defaultSelfCheck.onRepeat
  if (policy !== "alarm" && policy !== "stop")
    source.fault(["self-check", "on-repeat"], unknownName("policy", policy, ["alarm", "stop"]))
  return {
    hits: given.integer("hits", 1) ?? defaultSelfCheck.hits,
    within: within ?? defaultSelfCheck.within,
    onRepeat: policy === "stop" ? "stop" : "alarm",
  }
}
