import type { Rule } from "./allow-list.ts"
import { isObject } from "./json.ts"
import type { Json } from "./json.ts"
import type { Mapping, Profile } from "./mapping.ts"

/** What was done to an element. reduced: a part of it stands; year: of a date its year alone; mapped: a code stands for it; added: it
 * was not there before. */
export type ElementAction = "kept" | "reduced" | "shifted" | "year" | "mapped" | "removed" | "added"

const ofDates: Readonly<Record<Profile, ElementAction>> = {
  shifted: "shifted",
  "safe-harbor": "year",
  "limited-data-set": "kept",
}

/** Names a rule, as the allow-list writes it. */
export const ruleName = (rule: Rule): string => (rule.kind === "ref" ? `ref(${rule.types.join("|")})` : rule.kind)

/** What a rule did to a value, by comparison where it may leave some as they are. */
export function actionOf(
  { kind }: Rule,
  before: unknown,
  after: unknown,
  { profile = "shifted" }: Mapping,
): ElementAction {
  if (after === undefined) return "removed"
  switch (kind) {
    case "date":
    case "instant":
      return ofDates[profile]
    case "person":
    case "ref":
      return "mapped"
    case "uid":
      return before === after ? "kept" : "mapped"
    case "identifiers":
    case "accession":
      return isObject(before) && isObject(after) && before["value"] === after["value"] ? "kept" : "mapped"
    default:
      return isWhole(before, after) ? "kept" : "reduced"
  }
}

const isWhole = (before: unknown, after: unknown): boolean =>
  !isObject(before) || (isObject(after) && Object.keys(before).every((name) => before[name] === after[name]))

/** A name that no rule lists may be anything. */
const shownName = (name: string): string => (/^_?[a-z][A-Za-z0-9]{0,63}$/.test(name) ? name : "(not an element name)")

/** Tells of the elements of an object that no rule lists: each goes whole.
 * @param besides names that are dealt with elsewhere */
export function tellUnlisted(
  value: Json,
  rules: ReadonlyMap<string, Rule>,
  path: string,
  { decided }: Mapping,
  besides: readonly string[] = [],
): void {
  if (decided === undefined) return
  for (const name of Object.keys(value))
    if (!rules.has(name) && !besides.includes(name)) decided(`${path}.${shownName(name)}`, "not-listed", "removed")
}
