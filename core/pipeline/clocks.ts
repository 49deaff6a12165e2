import type { Source } from "./document.ts"
import type { CompiledSource, CompiledStage, CompiledStep } from "./model.ts"

const option = "time-zone"

const statedBy = ({ options }: CompiledStep): unknown =>
  (options as Readonly<Record<string, unknown>> | undefined)?.[option]

const knows = ({ plugin }: CompiledStep): boolean =>
  option in ((plugin.options as { readonly fields?: object }).fields ?? {})

/** Reports each privacy step that has an option `time-zone` and does not state it, where a source or stage of the pipeline does. Below
 * the border a time by another clock than that of the images would tell summer from winter, and so narrow the shift. */
export function unstatedClocks(
  source: Source,
  sources: readonly CompiledSource[],
  stages: readonly CompiledStage[],
): void {
  const stated =
    sources.find((one) => statedBy(one) !== undefined)?.name ??
    stages.find(({ steps }) => steps.some((step) => statedBy(step) !== undefined))?.name
  if (stated === undefined) return
  for (const { name, steps } of stages)
    for (const [at, step] of steps.entries()) {
      const { plugin } = step
      if (!("privacy" in plugin) || plugin.privacy !== true || !knows(step) || statedBy(step) !== undefined) continue
      source.fault(
        ["stages", name, "through", at],
        `${plugin.name} states no time-zone, ${stated} does: below, times by two clocks would tell summer from winter; add the same time-zone under with`,
      )
    }
}
