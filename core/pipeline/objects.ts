import type { Source } from "./document.ts"
import { duration } from "./shape.ts"
import type { Shape } from "./shape.ts"

/** A subscriber who is a week behind still finds what a record that was taken back since then names. */
const sevenDaysMs = 7 * 86_400_000

/** `objects.sweep-after`: how long after its last reference an object is removed, ms; undefined: never. */
export function sweepAfter(source: Source, root: Shape | undefined): number | undefined {
  // That it is no mapping was told where the driver is read.
  const settings = typeof root?.raw("objects") === "object" ? root.map("objects") : undefined
  if (settings?.has("sweep-after") !== true) return sevenDaysMs
  const after = duration(settings.string("sweep-after") ?? "")
  if (after === undefined) source.fault(["objects", "sweep-after"], "expected a duration such as 7d, or forever")
  return after?.ms
}
