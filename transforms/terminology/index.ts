import { Schema, WeirError, badRecord, defineTransform, personEvent, port } from "../../core/index.ts"
import type { Context, PersonEvent, Port } from "../../core/index.ts"
import { codings } from "../../formats/fhir/resource.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import type { MappedCode } from "./code-table.ts"
import { CodeTables } from "./load.ts"

const options = Schema.Struct({
  maps: Schema.Union([Schema.String, Schema.Array(Schema.String)]).annotate({
    description:
      "folder of FHIR ConceptMaps (.json) and tables (.csv: from_system, from_code, to_system, to_code, relationship, display), or a list of folders and files",
  }),
})

/** Distinct codes that are counted by name; more are counted by system. */
const mostLabels = 1000

/** A code of a terminology, not what somebody typed in its place: short, and no capitalised word, which may be a name. */
const looksLikeCode = (code: string): boolean => /^[A-Za-z0-9.-]{1,20}$/.test(code) && !/[A-Z][a-z]/.test(code)

/** Counts unmapped codes. Only what looks like a system and a code is told. */
class Unmapped {
  readonly #count: Context["count"]
  readonly #labels = new Set<string>()

  constructor(count: Context["count"]) {
    this.#count = count
  }

  add(system: string, code: string): void {
    const known = /^(?:https?:\/\/|urn:oid:)[\w.:/#-]{1,120}$/.test(system) ? system : "other-system"
    const label = `${known}|${known === system && looksLikeCode(code) ? code : "other"}`
    if (this.#labels.size < mostLabels) this.#labels.add(label)
    this.#count("unmapped-codes", this.#labels.has(label) ? label : `${known}|other`)
  }
}

function parsed(body: string): Resource {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Resource
  } catch {
    // The parser's text quotes the body, so it goes nowhere.
  }
  throw badRecord("body-not-json", "the body of a resource is not a JSON object", { path: "body" })
}

const slotOf = (match: MappedCode): string =>
  JSON.stringify([match.fromSystem, match.fromCode, match.system, match.code, match.relationship, match.table])

/** The matches of all codes of a resource, those that it has already included: each once, in one order. */
function mapped(event: PersonEvent, tables: CodeTables, unmapped: Unmapped): readonly MappedCode[] {
  const found = new Map(event.codes.map((match) => [slotOf(match), match]))
  const seen = new Set<string>()
  for (const { system, code } of codings(parsed(event.body!))) {
    const slot = `${system}\n${code}`
    if (seen.has(slot)) continue
    seen.add(slot)
    const matches = tables.matches(system, code)
    if (matches.length === 0) unmapped.add(system, code)
    for (const match of matches) found.set(slotOf(match), match)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, match]) => match)
}

const output: Port<PersonEvent> = { key: "same", zone: "any", type: personEvent }

/** Adds to each resource all matches of its codes in FHIR ConceptMaps and CSV tables, with their relationship as the tables state it
 * (R4 equivalence). Persons and instances pass as they are; codes without a match are counted. */
export const mapCodes = defineTransform({
  name: "map-codes",
  summary: "Maps the codes of resources by FHIR ConceptMaps and CSV tables, keeping every match",
  options,
  inputs: { in: port(personEvent, "any") },
  outputs: { out: output },
  async create(given, context) {
    const paths = typeof given.maps === "string" ? [given.maps] : given.maps
    const tables = await CodeTables.load(paths.map((path) => context.resolve(path)))
    const unmapped = new Unmapped(context.count)
    return {
      apply(batch, out) {
        for (const record of batch) {
          const { key, id, op, version, time, value, headers } = record
          const draft = { key, id, op, version, time, value, ...(headers === undefined ? {} : { headers }) }
          try {
            if (value === null || value.kind !== "resource" || value.body === null) out.emit("out", record, draft)
            else out.emit("out", record, { ...draft, value: { ...value, codes: mapped(value, tables, unmapped) } })
          } catch (error) {
            if (!(error instanceof WeirError) || error.meaning !== "bad-record") throw error
            out.fail(record, error)
          }
        }
      },
    }
  },
})
