import table from "./data/table-e1-1.json" with { type: "json" }
import { attributeType } from "./attribute-type.ts"

/** Options of PS3.15 E.3 that can be asked for; each is off unless named. */
export type ProfileOption = "retain-longitudinal-modified-dates" | "retain-patient-characteristics" | "retain-uids"

/** Edition of PS3.15 whose Table E.1-1 is applied. */
export const profileEdition = table.edition

/** Codes of CID 7050 De-identification Method (PS3.16) for the profile and each option. */
export const methodCodes: ReadonlyMap<ProfileOption | "basic", readonly [code: string, meaning: string]> = new Map<
  ProfileOption | "basic",
  readonly [string, string]
>([
  ["basic", ["113100", "Basic Application Confidentiality Profile"]],
  ["retain-longitudinal-modified-dates", ["113107", "Retain Longitudinal Temporal Information Modified Dates Option"]],
  ["retain-patient-characteristics", ["113108", "Retain Patient Characteristics Option"]],
  ["retain-uids", ["113110", "Retain UIDs Option"]],
])

/** Action codes of PS3.15 Table E.1-1a that stand for one action: remove, zero length, dummy, replaced UID. */
export type BasicAction = "X" | "Z" | "D" | "U"

/** What is to be done with an attribute: an action, or what an option keeps. `clean` is to keep a sequence and treat its items. */
export type Action = BasicAction | "date" | "age" | "keep" | "clean"

/** A row of Table E.1-1 under the options that were asked for. */
export interface Rule {
  /** As in the table, with alternatives: `X/Z/D`. */
  readonly basic: string
  /** What an option asks for instead; undefined when none does. */
  readonly option: Action | undefined
}

/** Whether a rule's action depends on the attribute's type in the IOD. */
const alternatives: ReadonlyMap<string, (required: boolean, present: boolean) => BasicAction> = new Map<
  string,
  (required: boolean, present: boolean) => BasicAction
>([
  ["X/Z", (_, present) => (present ? "Z" : "X")],
  ["X/D", (_, present) => (present ? "D" : "X")],
  ["Z/D", (required) => (required ? "D" : "Z")],
  ["X/Z/D", (required, present) => (required ? "D" : present ? "Z" : "X")],
  ["X/Z/U*", (required, present) => (required ? "U" : present ? "Z" : "X")],
])

/** The action of the basic profile; of alternatives the one that the attribute's type in the IOD leaves (PS3.15 Table E.1-1a):
 * the strongest for type 3, zero length for 2 and 2C, a value for 1 and 1C. */
export function basicAction(basic: string, sopClass: string, parent: number, tag: number): BasicAction {
  const choose = alternatives.get(basic)
  if (choose === undefined) return basic as BasicAction
  const type = attributeType(sopClass, parent, tag)
  return choose(type.startsWith("1"), type !== "3")
}

const columns = table.columns.split(", ")
const uidColumn = columns.indexOf("rtnUIDsOpt")
const characteristicsColumn = columns.indexOf("rtnPatCharsOpt")
const datesColumn = columns.indexOf("rtnLongModifDatesOpt")
const patientAge = "00101010"
const selectorAge = "0072005F"
const offsetFromUtc = "00080201"

function optionAction(row: readonly string[], options: ReadonlySet<ProfileOption>): Action | undefined {
  if (options.has("retain-uids") && row[uidColumn] === "K") return "keep"
  if (options.has("retain-patient-characteristics") && row[characteristicsColumn] === "K")
    return row[0] === patientAge || row[0] === selectorAge ? "age" : "keep"
  // An offset changes with summer time, so beside a shifted date it would tell the true season.
  const isDate = row[datesColumn] === "C" && row[0] !== offsetFromUtc
  if (options.has("retain-longitudinal-modified-dates") && isDate) return "date"
  return undefined
}

/** The rows of Table E.1-1 for single attributes, under options. Attributes that an option asks to be cleaned (C) but that are not
 * dates take the basic action: their text cannot be cleaned yet. */
export function rulesFor(options: ReadonlySet<ProfileOption>): ReadonlyMap<number, Rule> {
  const rules = new Map<number, Rule>()
  for (const row of table.rows as string[][])
    if (/^[0-9A-F]{8}$/.test(row[0]!))
      rules.set(parseInt(row[0]!, 16), { basic: row[1]!, option: optionAction(row, options) })
  return rules
}
