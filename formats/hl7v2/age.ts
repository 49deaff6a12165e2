import table from "./data/segments.json" with { type: "json" }
import type { Message, Segment } from "./message.ts"
import { isNumber } from "./forms.ts"

/** The greatest age that is told as it is (45 CFR 164.514(b)(2)(i)(C)). */
export const greatestAge = 89

const aYear: ReadonlyMap<string, number> = new Map(Object.entries(table.ageUnits))

/** An age as it may be told: as it is up to 89 years, 90 for all above; undefined for what is none.
 * @param unit code of the unit; years unless it is known */
export function cappedAge(raw: string, unit: string): string | undefined {
  const found = /\d+(?:\.\d+)?/.exec(raw)?.[0]
  if (found === undefined) return undefined
  const inYear = aYear.get(unit) ?? 1
  if (Number(found) / inYear >= greatestAge + 1) return String(Math.ceil((greatestAge + 1) * inYear))
  return isNumber(raw) ? raw : undefined
}

/** The age as an observation, after the last one; messages without observations have none. */
export function withAge(
  told: readonly Segment[],
  age: number | undefined,
  { delimiters }: Message,
): readonly Segment[] {
  const at = told.findLastIndex(({ name }) => name === "OBX")
  if (age === undefined || at < 0) return told
  const { component } = delimiters
  const last = told[at]!
  const written = age > greatestAge ? ["SN", `>=${component}${greatestAge + 1}`] : ["NM", String(age)]
  const fields = [
    "OBX",
    String(Number(last.fields[1] ?? "0") + 1),
    written[0]!,
    ["30525-0", "Age", "LN"].join(component),
    "",
    written[1]!,
    ["a", "a", "UCUM"].join(component),
    "",
    "",
    "",
    "",
    "F",
  ]
  const segment: Segment = { name: "OBX", number: last.number + 1, fields, end: last.end === "" ? "\r" : last.end }
  const before = last.end === "" ? { ...last, end: "\r" } : last
  return [...told.slice(0, at), before, segment, ...told.slice(at + 1)]
}
