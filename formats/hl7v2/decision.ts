import type { Hl7Options } from "./mapping.ts"

/** What was done to a field. reduced: a part of it stands; year: of a date its year alone; mapped: a code stands for it; cleaned: a
 * text in which something was replaced; added: it was not there before. */
export type FieldAction = "kept" | "reduced" | "shifted" | "year" | "mapped" | "cleaned" | "removed" | "added"

const dates: ReadonlySet<string> = new Set(["date", "dates", "DT", "TS", "DTM", "DR"])
const codes: ReadonlySet<string> = new Set(["person", "name", "order", "visit", "message", "uid"])
const texts: ReadonlySet<string> = new Set(["text", "code", "TX", "FT", "ST", "CE", "CWE", "CNE", "CF", "IS", "ID", ""])

/** What a rule did to a field, by comparison.
 * @param rule of the table; of OBX-5 the type that OBX-2 states */
export function actionOf(
  rule: string,
  before: string,
  after: string,
  profile: Hl7Options["profile"] = "shifted",
): FieldAction {
  if (after.replaceAll(/\W/g, "") === "" && after !== before) return "removed"
  if (after === before) return "kept"
  if (dates.has(rule)) return profile === "safe-harbor" ? "year" : profile === "limited-data-set" ? "kept" : "shifted"
  if (codes.has(rule)) return "mapped"
  return texts.has(rule) ? "cleaned" : "reduced"
}
