import table from "./geography.json" with { type: "json" }
import { isObject, text } from "./json.ts"
import type { Json } from "./json.ts"

const restricted: ReadonlySet<string> = new Set(table.restrictedZip3)
const states: ReadonlyMap<string, string> = new Map([
  ...table.states.map((code) => [code, code] as const),
  ...Object.entries(table.stateNames).map(([name, code]) => [name.toUpperCase(), code] as const),
])
const unitedStates: ReadonlySet<string> = new Set(table.unitedStates.map((name) => name.toUpperCase()))
const zip = /^(\d{3})\d{2}(?:-?\d{4})?$/

/** The initial three digits of a US ZIP code, `000` where they hold 20,000 people or fewer (45 CFR 164.514(b)(2)(i)(B)); undefined
 * for what is no ZIP code. */
export function zip3(postalCode: string): string | undefined {
  const digits = zip.exec(postalCode.trim())?.[1]
  return digits === undefined ? undefined : restricted.has(digits) ? "000" : digits
}

const isUnitedStates = (address: Json): boolean => unitedStates.has(text(address["country"]).trim().toUpperCase())

/** What of an address is no geographic unit smaller than a State, but for ZIP3: the state by its code, and whether it is in the
 * United States. Of other countries nothing is known to be large enough. */
export function broadAddress(value: unknown): Json | undefined {
  if (!isObject(value) || !isUnitedStates(value)) return undefined
  const state = states.get(text(value["state"]).trim().toUpperCase())
  const postalCode = zip3(text(value["postalCode"]))
  if (state === undefined && postalCode === undefined) return undefined
  return {
    ...(state === undefined ? {} : { state }),
    ...(postalCode === undefined ? {} : { postalCode }),
    ...(text(value["country"]) === "" ? {} : { country: "US" }),
  }
}

const place = /^[\p{L}\p{N} .'’()-]{1,60}$/u

/** What of an address a limited data set may hold (45 CFR 164.514(e)(2)(ii)): town or city, State, ZIP code; and the country. */
export function townAddress(value: unknown): Json | undefined {
  if (!isObject(value)) return undefined
  const kept = ["city", "state", "postalCode", "country"].flatMap((name) =>
    place.test(text(value[name])) ? [[name, value[name]] as const] : [],
  )
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}
