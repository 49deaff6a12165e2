import table from "./data/table-e1-1.json" with { type: "json" }
import { attributeType } from "./attribute-type.ts"
import type { AttributeType } from "./attribute-type.ts"

/** Options of PS3.15 E.3 by their titles, in the order of Table E.1-1's columns; each is off unless named. Those about pixels are no
 * columns of the table: what they ask for is done to the pixel data before. */
export const profileOptions = [
  "retain-safe-private",
  "retain-uids",
  "retain-device-identity",
  "retain-institution-identity",
  "retain-patient-characteristics",
  "retain-longitudinal-full-dates",
  "retain-longitudinal-modified-dates",
  "clean-descriptors",
  "clean-structured-content",
  "clean-graphics",
  "clean-pixel-data",
  "clean-recognizable-visual-features",
] as const

/** An option of PS3.15 E.3 that can be asked for. */
export type ProfileOption = (typeof profileOptions)[number]

/** Edition of PS3.15 whose Table E.1-1 is applied. */
export const profileEdition = table.edition

/** Codes of CID 7050 De-identification Method (PS3.16) for the profile and each option. */
export const methodCodes: ReadonlyMap<ProfileOption | "basic", readonly [code: string, meaning: string]> = new Map<
  ProfileOption | "basic",
  readonly [string, string]
>([
  ["basic", ["113100", "Basic Application Confidentiality Profile"]],
  ["clean-pixel-data", ["113101", "Clean Pixel Data Option"]],
  ["clean-recognizable-visual-features", ["113102", "Clean Recognizable Visual Features Option"]],
  ["clean-graphics", ["113103", "Clean Graphics Option"]],
  ["clean-structured-content", ["113104", "Clean Structured Content Option"]],
  ["clean-descriptors", ["113105", "Clean Descriptors Option"]],
  ["retain-longitudinal-full-dates", ["113106", "Retain Longitudinal Temporal Information Full Dates Option"]],
  ["retain-longitudinal-modified-dates", ["113107", "Retain Longitudinal Temporal Information Modified Dates Option"]],
  ["retain-patient-characteristics", ["113108", "Retain Patient Characteristics Option"]],
  ["retain-device-identity", ["113109", "Retain Device Identity Option"]],
  ["retain-uids", ["113110", "Retain UIDs Option"]],
  ["retain-safe-private", ["113111", "Retain Safe Private Option"]],
  ["retain-institution-identity", ["113112", "Retain Institution Identity Option"]],
])

/** Whether an option cleans texts. */
export const cleansTexts = (option: ProfileOption): boolean =>
  option === "clean-descriptors" || option === "clean-structured-content" || option === "clean-graphics"

/** What is wrong with a set of options; undefined when nothing is. Full and modified dates exclude each other (PS3.15 E.3.6). */
export function optionsFault(options: readonly string[]): string | undefined {
  const unknown = options.find((option) => !(profileOptions as readonly string[]).includes(option))
  if (unknown !== undefined) return "an option is not known"
  return options.includes("retain-longitudinal-full-dates") && options.includes("retain-longitudinal-modified-dates")
    ? "retain-longitudinal-full-dates and retain-longitudinal-modified-dates exclude each other"
    : undefined
}

/** Action codes of PS3.15 Table E.1-1a that stand for one action: remove, zero length, dummy, replaced UID. */
export type BasicAction = "X" | "Z" | "D" | "U"

/** What is to be done with an attribute where an option says so: `keep` it, `age` keep up to 90 years, `date` shift it, `text` clean
 * it (C) by its VR. Sequences are kept under each of them, and their items treated. */
export type OptionAction = "keep" | "age" | "date" | "text"

/** A row of Table E.1-1 under the options that were asked for. */
export interface Rule {
  /** As in the table, with alternatives: `X/Z/D`. */
  readonly basic: string
  /** What an option asks for instead; undefined when none does. */
  readonly option: OptionAction | undefined
}

/** What the attribute's type in the IOD leaves of alternatives; `undefined` is the type of what is not known. */
type Choice = (type: AttributeType | undefined) => BasicAction

const required = (type: AttributeType | undefined): boolean => type === undefined || type.startsWith("1")
const present = (type: AttributeType | undefined): boolean => type !== "3"

/** UIDs of references are mapped where the sequence may not go (types 1 and 2), as what else refers to them stays. */
const alternatives: ReadonlyMap<string, Choice> = new Map<string, Choice>([
  ["X/Z", (type) => (present(type) ? "Z" : "X")],
  ["X/D", (type) => (present(type) ? "D" : "X")],
  ["Z/D", (type) => (required(type) ? "D" : "Z")],
  ["X/Z/D", (type) => (required(type) ? "D" : present(type) ? "Z" : "X")],
  ["X/Z/U*", (type) => (present(type) ? "U" : "X")],
])

/** The action of the basic profile; of alternatives the one that the attribute's type in the IOD leaves (PS3.15 Table E.1-1a): the
 * strongest for type 3, zero length for 2 and 2C, a value for 1 and 1C, and where the IOD is not known. */
export function basicAction(basic: string, sopClass: string, parent: number, tag: number): BasicAction {
  const choose = alternatives.get(basic)
  return choose === undefined ? (basic as BasicAction) : choose(attributeType(sopClass, parent, tag))
}

const columns = table.columns.split(", ")
const column = (name: string): number => columns.indexOf(name)
/** Columns of the table by option, those of dates apart. */
const optionColumns: readonly (readonly [ProfileOption, number])[] = [
  ["retain-uids", column("rtnUIDsOpt")],
  ["retain-device-identity", column("rtnDevIdOpt")],
  ["retain-institution-identity", column("rtnInstIdOpt")],
  ["retain-patient-characteristics", column("rtnPatCharsOpt")],
  ["retain-longitudinal-full-dates", column("rtnLongFullDatesOpt")],
  ["clean-descriptors", column("cleanDescOpt")],
  ["clean-structured-content", column("cleanStructContOpt")],
  ["clean-graphics", column("cleanGraphOpt")],
]
const modifiedDates = column("rtnLongModifDatesOpt")
const ages: ReadonlySet<string> = new Set(["00101010", "0072005F"])

/** C wins over K: what one option keeps as it is and another cleans is cleaned. */
function optionAction(row: readonly string[], options: ReadonlySet<ProfileOption>): OptionAction | undefined {
  if (options.has("retain-longitudinal-modified-dates") && row[modifiedDates] === "C") return "date"
  const said = new Set(optionColumns.filter(([option]) => options.has(option)).map(([, at]) => row[at]))
  if (said.has("C")) return "text"
  if (!said.has("K")) return undefined
  return ages.has(row[0]!) ? "age" : "keep"
}

/** The rows of Table E.1-1 for single attributes, under options. */
export function rulesFor(options: ReadonlySet<ProfileOption>): ReadonlyMap<number, Rule> {
  const rules = new Map<number, Rule>()
  for (const row of table.rows as string[][])
    if (/^[0-9A-F]{8}$/.test(row[0]!))
      rules.set(parseInt(row[0]!, 16), { basic: row[1]!, option: optionAction(row, options) })
  return rules
}

const byTag = new Map((table.rows as string[][]).map((row) => [row[0]!, row]))

/** What options say of the row of an attribute, `K` or `C`; empty where they say nothing, or there is no row. */
export function optionCodes(
  tag: number,
  options: readonly ProfileOption[],
): readonly { readonly option: ProfileOption; readonly code: string }[] {
  const row = byTag.get(tag.toString(16).toUpperCase().padStart(8, "0"))
  if (row === undefined) return []
  const all = [...optionColumns, ["retain-longitudinal-modified-dates", modifiedDates] as const]
  return all.flatMap(([option, at]) => (options.includes(option) && row[at] ? [{ option, code: row[at] }] : []))
}
