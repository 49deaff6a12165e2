import type { CompiledPipeline } from "./model.ts"

/** What the privacy transforms that stand between `phi` and a topic say of how its records were de-identified, in the order of the
 * file; empty for a topic in `phi` and for transforms that say nothing. */
export function privacyStatements({ topics, stages }: CompiledPipeline, topic: string): readonly string[] {
  const found = new Set<string>()
  const seen = new Set<string>()
  const follow = (name: string): void => {
    if (seen.has(name) || topics.get(name)?.zone === "phi") return
    seen.add(name)
    for (const stage of stages) {
      if (!Object.values(stage.outputs).includes(name)) continue
      for (const { plugin, options } of stage.steps) {
        const states = "states" in plugin ? plugin.states?.(options as never) : undefined
        if (states !== undefined) found.add(states)
      }
      for (const input of stage.inputs.keys()) follow(input)
    }
  }
  follow(topic)
  return [...found]
}
