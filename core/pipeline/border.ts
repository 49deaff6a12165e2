import type { Zone } from "../record.ts"
import type { Path, Source } from "./document.ts"
import type { CompiledStage, CompiledStep } from "./model.ts"

interface BorderStep {
  readonly step: CompiledStep
  readonly stage: string
  readonly path: Path
  readonly project: string
  /** How codes are made; steps of one project must agree, or their records do not join. */
  readonly codes: string
}

/** Reports what is wrong with the options of privacy steps beside the zones that they write, and steps of one project (one key) whose
 * pseudonyms would differ: all of them name one vault or none, and all are safe-harbor or none. */
export function borderFaults(source: Source, stages: readonly CompiledStage[], zoneOf: (topic: string) => Zone): void {
  const steps: BorderStep[] = []
  for (const { name, steps: chain, outputs } of stages)
    for (const [at, step] of chain.entries()) {
      const { plugin, options } = step
      if (plugin.kind !== "transform" && plugin.kind !== "stateful") continue
      const path = ["stages", name, "through", at]
      for (const fault of plugin.faults?.(options as never, Object.values(outputs).map(zoneOf)) ?? [])
        source.fault([...path, "with", ...fault.path], `${plugin.name}: ${fault.message}`)
      if (plugin.privacy !== true) continue
      const { key, vault, profile } = (options ?? {}) as Readonly<Record<string, unknown>>
      if (typeof key !== "string") continue
      const codes = `${profile === "safe-harbor" ? "random codes" : "keyed codes"} and ${typeof vault === "string" ? `vault ${vault}` : "no vault"}`
      steps.push({ step, stage: name, path, project: key, codes })
    }
  for (const each of steps) {
    const first = steps.find(({ project }) => project === each.project)!
    if (first.codes === each.codes) continue
    source.fault(
      [...each.path, "with"],
      `${each.step.plugin.name} has ${each.codes}, ${first.step.plugin.name} of stage ${first.stage} has ${first.codes} under the same key ${each.project}: give the steps of one project the same vault, and safe-harbor to all of them or to none`,
    )
  }
}
