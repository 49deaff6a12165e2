import type { Zone } from "../record.ts"
import type { Path, Source } from "./document.ts"
import type { CompiledStage, CompiledStep } from "./model.ts"

interface BorderStep {
  readonly step: CompiledStep
  readonly stage: string
  readonly path: Path
  readonly project: string
  readonly random: boolean
  readonly vault: string | undefined
}

/** Reports what is wrong with the options of privacy steps beside the zones that they write, and steps of one project (one key) whose
 * codes would differ: all are safe-harbor or none, and those that name a vault name the same. Keyed codes are the same with a vault
 * and without; a step without one only leaves no way back. */
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
      const own = typeof vault === "string" ? vault : undefined
      steps.push({ step, stage: name, path, project: key, random: profile === "safe-harbor", vault: own })
    }
  for (const each of steps) {
    const others = steps.filter(({ project }) => project === each.project)
    const first = others[0]!
    const named = others.find(({ vault }) => vault !== undefined)?.vault
    const fault =
      each.random !== first.random
        ? `${first.step.plugin.name} of stage ${first.stage} has the same key ${each.project} and is ${first.random ? "" : "not "}safe-harbor: their codes would differ; make all steps of a project safe-harbor or none, or give them keys of their own`
        : each.vault !== undefined && each.vault !== named
          ? `another step of the same key ${each.project} names the vault ${named}: a project has one vault`
          : undefined
    if (fault !== undefined) source.fault([...each.path, "with"], `${each.step.plugin.name}: ${fault}`)
  }
}
