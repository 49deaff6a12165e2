import { convert } from "../../formats/ucum/index.ts"
import type { LabLeaf, Quantity } from "./definition.ts"
import type { Measured } from "./stored.ts"

/** Whether a value passes the bounds, or why nobody can say. */
export type Verdict =
  "pass" | "fail" | "value-missing" | "unit-missing" | "unit-invalid" | "incommensurable" | "comparator-open"

/** The values that a stated quantity may have. */
function range(
  value: number,
  comparator: string | undefined,
): { low: number; high: number; lowOpen: boolean; highOpen: boolean } {
  const below = comparator === "<" || comparator === "<="
  const above = comparator === ">" || comparator === ">="
  return {
    low: below ? -Infinity : value,
    high: above ? Infinity : value,
    lowOpen: comparator === ">",
    highOpen: comparator === "<",
  }
}

function against(
  measured: Measured,
  unit: string,
  bound: Quantity,
  least: boolean,
  molarMass: number | undefined,
): Verdict {
  const converted = convert(measured.value, unit, bound.unit, molarMass)
  if ("fault" in converted) return converted.fault
  const { low, high, lowOpen, highOpen } = range(converted.value, measured.comparator)
  const limit = bound.value
  if (least) return low >= limit ? "pass" : high < limit || (high === limit && highOpen) ? "fail" : "comparator-open"
  return high <= limit ? "pass" : low > limit || (low === limit && lowOpen) ? "fail" : "comparator-open"
}

/** Holds a measurement against the bounds of a rule; without bounds any measurement passes. */
export function measure(measured: Measured | undefined, leaf: LabLeaf): Verdict {
  if (leaf.atLeast === undefined && leaf.atMost === undefined) return "pass"
  if (measured === undefined) return "value-missing"
  if (measured.unit === undefined) return "unit-missing"
  const verdicts: Verdict[] = []
  if (leaf.atLeast !== undefined) verdicts.push(against(measured, measured.unit, leaf.atLeast, true, leaf.molarMass))
  if (leaf.atMost !== undefined) verdicts.push(against(measured, measured.unit, leaf.atMost, false, leaf.molarMass))
  return verdicts.find((verdict) => verdict === "fail") ?? verdicts.find((verdict) => verdict !== "pass") ?? "pass"
}
