import { isUid } from "./forms.ts"
import type { Hl7Options } from "./mapping.ts"
import { textTypes } from "./texts.ts"

/** What was done to a field. reduced: a part of it stands; year: of a date its year alone; mapped: a code stands for it; cleaned: a
 * text in which something was replaced; added: it was not there before. */
export type FieldAction = "kept" | "reduced" | "shifted" | "year" | "mapped" | "cleaned" | "removed" | "added"

const dates: ReadonlySet<string> = new Set(["date", "dates", "DT", "TS", "DTM", "DR"])
const codes: ReadonlySet<string> = new Set(["person", "name", "order", "visit", "message", "uid"])
const texts: ReadonlySet<string> = new Set(["text", "code", "TX", "FT", "ST", "CE", "CWE", "CNE", "CF", "IS", "ID", ""])

const valueTypes: ReadonlySet<string> = new Set(
  [...dates, ...texts, "NM", "SN", "TM"].filter((name) => !/[a-z]/.test(name)),
)

/** The type of a value as OBX-2 states it; what is none of the standard's is a text of the sender, and none. */
export const valueType = (stated: string): string => (valueTypes.has(stated.trim()) ? stated.trim() : "")

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
  // A UID that stands in the place of a text is mapped.
  if (codes.has(rule) || (textTypes.has(rule) && isUid(before) && isUid(after))) return "mapped"
  return texts.has(rule) ? "cleaned" : "reduced"
}
