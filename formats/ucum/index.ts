import ucum from "@lhncbc/ucum-lhc"

/** A unit as the library holds it; only what conversion needs. */
interface ParsedUnit {
  convertFrom(value: number, from: ParsedUnit): number
  convertMolMass(value: number, to: ParsedUnit, molarMass: number): number
  isMolMassCommensurable(other: ParsedUnit): boolean
}
interface Library {
  detectConversionType(from: ParsedUnit, to: ParsedUnit): string
  /** Throws, or gives the unit, its code as understood, and remarks. */
  readonly uStrParser_: { parseString(code: string, use: string, suggest: boolean): [ParsedUnit | null, string | null] }
}
const load = (ucum as { UcumLhcUtils: { getInstance(): Library } }).UcumLhcUtils

/** Why a value cannot be said in another unit. */
export type UnitFault = "unit-invalid" | "incommensurable"

export type Converted = { readonly value: number } | { readonly fault: UnitFault }

const longestCode = 100
const cacheSize = 2000
const cache = new Map<string, ParsedUnit | undefined>()

/** The parser is asked directly: the library's own entrance writes the text of units that it cannot read to the console. */
function read(code: string): ParsedUnit | undefined {
  if (code.length === 0 || code.length > longestCode || !/^[!-~]+$/.test(code)) return undefined
  try {
    const [unit, understood] = load.getInstance().uStrParser_.parseString(code, "validate", false)
    // A synonym ("Gauss" for "G") comes back as another code; it is no UCUM.
    return unit === null || understood !== code ? undefined : unit
  } catch {
    return undefined
  }
}

function parsed(code: string): ParsedUnit | undefined {
  if (cache.has(code)) return cache.get(code)
  const unit = read(code)
  if (cache.size >= cacheSize) cache.clear()
  cache.set(code, unit)
  return unit
}

/** True for a valid case-sensitive UCUM code (UCUM 2.1); names and synonyms of units are not codes. */
export const isUnit = (code: string): boolean => parsed(code) !== undefined

/** Binary floating point leaves 0.9999999999999999 of 1; no measurement has 12 digits. */
const rounded = (value: number): number => Number(value.toPrecision(12))

function converted(value: number, from: ParsedUnit, to: ParsedUnit, molarMass: number | undefined): number | undefined {
  try {
    const kind = load.getInstance().detectConversionType(from, to)
    if (kind === "normal") return to.convertFrom(value, from)
    if (kind !== "mol|mass" || molarMass === undefined || !from.isMolMassCommensurable(to)) return undefined
    return from.convertMolMass(value, to, molarMass)
  } catch {
    return undefined
  }
}

/** A value in another unit, to 12 significant digits; the same unit gives the same value.
 * @param molarMass g/mol; mass and amount of substance are commensurable only when it is given */
export function convert(value: number, from: string, to: string, molarMass?: number): Converted {
  const [source, target] = [parsed(from), parsed(to)]
  if (source === undefined || target === undefined) return { fault: "unit-invalid" }
  if (from === to) return { value }
  const result = converted(value, source, target, molarMass)
  return result === undefined || !Number.isFinite(result) ? { fault: "incommensurable" } : { value: rounded(result) }
}
