import { badRecord, curatedResource, fatal, fhirResource, personEvent } from "../../core/index.ts"
import type { CuratedResource, FhirResource, PersonEvent } from "../../core/index.ts"
import { codings } from "../../formats/fhir/resource.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import type { CodeTest } from "./options.ts"

/** A code and its system. */
export interface Code {
  readonly system: string
  readonly code: string
}

/** Equivalences (FHIR R4 ConceptMap) by which who says the source code says the target too: it means the same, or more. */
const implied = new Set(["equal", "equivalent", "wider", "subsumes"])

function stated(body: string): readonly Code[] {
  let resource: unknown
  try {
    resource = JSON.parse(body)
  } catch {
    // The parser's text quotes the body, so it goes nowhere.
  }
  if (typeof resource !== "object" || resource === null || Array.isArray(resource))
    throw badRecord("body-not-json", "the body of a resource is not a JSON object", { path: "body" })
  return codings(resource as Resource)
}

function split(text: string): Code {
  const at = text.lastIndexOf("|")
  return { system: text.slice(0, Math.max(at, 0)), code: text.slice(at + 1) }
}

/** How to find the codes of a record's value, by record type. */
const readers: Readonly<Record<string, (value: never) => readonly Code[]>> = {
  [personEvent.name]: ({ body, codes }: PersonEvent) => [
    ...(body === null ? [] : stated(body)),
    ...codes.filter(({ relationship }) => implied.has(relationship)),
  ],
  [fhirResource.name]: ({ body }: FhirResource) => stated(body),
  [curatedResource.name]: ({ codes }: CuratedResource) => codes.map(split),
}

/** The function that tells the codes of a record of the type: those that its resource states, and those that it implies by
 * map-codes. It throws bad record `body-not-json`.
 * @throws fatal `no-codes` for types whose records have none */
export function codesOf(type: string, at: string): (value: unknown) => readonly Code[] {
  const read = readers[type]
  if (read === undefined)
    throw fatal("no-codes", `records of type ${type} state no codes`, {
      path: at,
      hint: `select by code on ${Object.keys(readers).join(", ")}`,
    })
  return read as (value: unknown) => readonly Code[]
}

const plain = (code: string): string => code.replaceAll(".", "").toUpperCase()

/** Whether a code is one of those that are asked for. */
export function codePredicate({ system, in: listed, under }: CodeTest): (code: Code) => boolean {
  const systems = new Set(typeof system === "string" ? [system] : system)
  if (listed === undefined && under === undefined) return (code) => systems.has(code.system)
  const codes = new Set(listed ?? [])
  const prefixes = (under === undefined ? [] : typeof under === "string" ? [under] : under).map(plain)
  return ({ system: of, code }) =>
    systems.has(of) && (codes.has(code) || (prefixes.length > 0 && beginsWith(plain(code), prefixes)))
}

const beginsWith = (code: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => code.startsWith(prefix))
