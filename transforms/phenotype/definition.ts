/** A code of a value set; `prefix` means every code that starts with it. */
export interface CodePattern {
  readonly system: string
  readonly code: string
  readonly prefix: boolean
}

/** An offset from a study's start. Days, hours are fixed spans; months and years go by the calendar (UTC). */
export interface Offset {
  readonly count: number
  readonly unit: "h" | "d" | "m" | "y"
}

/** Both ends belong to the window. */
export interface Window {
  readonly from: Offset
  readonly to: Offset
}

export interface Quantity {
  readonly value: number
  /** UCUM code. */
  readonly unit: string
}

interface LeafBase {
  readonly codes: readonly CodePattern[]
  readonly window: Window | undefined
  /** The fact must be of the study's encounter. */
  readonly sameEncounter: boolean
  /** How many facts make it true. */
  readonly count: number
  /** study: a fact belongs to the studies on its highest rung alone. patient: it counts for each study whose window holds it,
   * unless it names other studies by UID or accession number. */
  readonly join: "study" | "patient"
}

/** A laboratory value or other measurement (Observation). */
export interface LabLeaf extends LeafBase {
  readonly kind: "lab"
  readonly atLeast: Quantity | undefined
  readonly atMost: Quantity | undefined
  /** g/mol; without it mass and amount of substance are incommensurable. */
  readonly molarMass: number | undefined
}
/** A diagnosis (Condition). */
export interface ConditionLeaf extends LeafBase {
  readonly kind: "condition"
}
/** A report (DiagnosticReport) by its conclusion codes or its own code. */
export interface ReportLeaf extends LeafBase {
  readonly kind: "report"
  readonly category: ReportCategory | undefined
}
export type Leaf = LabLeaf | ConditionLeaf | ReportLeaf

export type Rule =
  | { readonly kind: "leaf"; readonly leaf: Leaf }
  | { readonly kind: "all" | "any"; readonly rules: readonly Rule[] }
  | { readonly kind: "not"; readonly rule: Rule }

export interface Definition {
  readonly name: string
  readonly version: string
  /** Version and hash of the text: what a label records. */
  readonly ruleVersion: string
  readonly summary: string
  /** A study must have one of each list that is not empty. */
  readonly modality: readonly string[]
  readonly bodyPart: readonly string[]
  readonly rule: Rule
  /** FHIR resource types that must be complete past the window before a negative is said. */
  readonly feeds: readonly string[]
  readonly horizon: Offset
}

/** Codes of DiagnosticReport.category by their plain names: HL7 v2-0074 (diagnostic service section ID, v2.9) and the LOINC parts
 * that US Core uses. */
export const reportCategories = {
  pathology: ["PAT", "SP", "CP", "CG", "LP7839-6"],
  radiology: ["RAD", "IMG", "RX", "CT", "NMR", "RUS", "XRC", "NMS", "LP29684-5"],
  laboratory: ["LAB", "CH", "HM", "MB", "SR", "CUS", "LP29693-6"],
} as const
export type ReportCategory = keyof typeof reportCategories

/** The FHIR type that each kind of leaf reads. */
export const leafTypes = { lab: "Observation", condition: "Condition", report: "DiagnosticReport" } as const
export type FactType = (typeof leafTypes)[keyof typeof leafTypes]

/** The leaves of a rule, in the order of its text. */
export function leavesOf(rule: Rule): readonly Leaf[] {
  if (rule.kind === "leaf") return [rule.leaf]
  return rule.kind === "not" ? leavesOf(rule.rule) : rule.rules.flatMap(leavesOf)
}

const offsetPattern = /^([+-]?\d{1,5})(h|d|m|y)$/

/** Reads `-30d`, `0d`, `+6m`; undefined for anything else. */
export function parseOffset(text: unknown): Offset | undefined {
  const match = typeof text === "string" ? offsetPattern.exec(text) : null
  return match === null ? undefined : { count: Number(match[1]), unit: match[2] as Offset["unit"] }
}

/** A time moved by an offset, ms UTC; a day that the month lacks becomes its last. */
export function shift(time: number, { count, unit }: Offset): number {
  if (unit === "h") return time + count * 3_600_000
  if (unit === "d") return time + count * 86_400_000
  const date = new Date(time)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + (unit === "y" ? 12 * count : count))
  const last = new Date(date)
  last.setUTCMonth(last.getUTCMonth() + 1, 0)
  date.setUTCDate(Math.min(day, last.getUTCDate()))
  return date.getTime()
}
