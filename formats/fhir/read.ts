import { isUtf8 } from "node:buffer"
import { isDeeper } from "./depth.ts"
import { hasDuplicateKeys } from "./duplicate-keys.ts"
import type { Resource } from "./resource.ts"

/** Why a text is not read as a resource. */
export type FhirReadCode = "not-utf8" | "too-deep" | "not-json" | "not-an-object" | "duplicate-key" | "no-resource-type"

/** A text that is no resource; carries no value of it. */
export class FhirReadError extends Error {
  override readonly name = "FhirReadError"
  readonly code: FhirReadCode

  constructor(code: FhirReadCode) {
    super(`the text is no FHIR resource: ${code}`)
    this.code = code
  }
}

/** Levels of nesting; FHIR's own elements stay under 20, without limit only in extensions. */
const mostLevels = 1000

/** Reads a resource of any type, a Bundle too, of which no name is stated twice; undefined where there is white space alone.
 * A byte order mark is passed over. Throws FhirReadError. */
export function readResource(bytes: Uint8Array): Resource | undefined {
  if (!isUtf8(bytes)) throw new FhirReadError("not-utf8")
  if (isDeeper(bytes, mostLevels)) throw new FhirReadError("too-deep")
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
  if (text.trim() === "") return undefined
  const value = parsed(text)
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new FhirReadError("not-an-object")
  if (hasDuplicateKeys(text)) throw new FhirReadError("duplicate-key")
  const { resourceType } = value as { readonly resourceType?: unknown }
  if (typeof resourceType !== "string" || !/^[A-Za-z]{1,64}$/.test(resourceType))
    throw new FhirReadError("no-resource-type")
  return value as Resource
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's text quotes what it read, so it goes nowhere.
    throw new FhirReadError("not-json")
  }
}
