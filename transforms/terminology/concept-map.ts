import { equivalenceOf, isNoMatch } from "./code-table.ts"
import type { CodeTable, MappedCode, TableFault } from "./code-table.ts"

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

type Fault = (place: string, message: string) => void

/** The objects of a list, which may be absent; anything else at its place is a fault, or codes would silently map to nothing. */
function objects(value: unknown, place: string, fault: Fault): readonly Json[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every(isObject)) return value
  fault(place, "not a list of objects")
  return []
}

/** Line of the place at which JSON.parse gave up, from its message; 1 where it tells none. */
function lineOf(source: string, error: unknown): number {
  const message = error instanceof Error ? error.message : ""
  const position = message.includes("end of JSON") ? source.length : Number(/position (\d+)/.exec(message)?.[1] ?? 0)
  return source.slice(0, position).split("\n").length
}

/** Reads a FHIR ConceptMap (R4; R5's `relationship` is understood). Matches call it by its url and version, else by `name`. */
export function readConceptMap(source: string, file: string, name: string, faults: TableFault[]): CodeTable {
  const fault: Fault = (place, message) => faults.push({ file, place, message })
  const nothing: CodeTable = { matches: [], unmapped: [] }
  let map: unknown
  try {
    map = JSON.parse(source)
  } catch (error) {
    fault(String(lineOf(source, error)), "not JSON")
    return nothing
  }
  if (!isObject(map) || map["resourceType"] !== "ConceptMap") {
    fault("resourceType", "not a ConceptMap")
    return nothing
  }
  const url = text(map["url"])
  const version = text(map["version"])
  const table = url === undefined ? name : version === undefined ? url : `${url}|${version}`
  const groups = objects(map["group"], "group", fault).map((group, at) =>
    readGroup(group, table, (place, message) => fault(`group[${at}]${place}`, message)),
  )
  return { matches: groups.flatMap(({ matches }) => matches), unmapped: groups.flatMap(({ unmapped }) => unmapped) }
}

function readGroup(group: Json, table: string, fault: Fault): CodeTable {
  const fromSystem = text(group["source"])
  const target = text(group["target"])
  if (fromSystem === undefined || target === undefined) fault("", "a group needs source and target systems")
  const matches: MappedCode[] = []
  const listed = new Set<string>()
  const base = { fromSystem: fromSystem ?? "", table }
  for (const [at, element] of objects(group["element"], ".element", fault).entries()) {
    const fromCode = text(element["code"])
    if (fromCode === undefined) {
      fault(`.element[${at}].code`, "missing code")
      continue
    }
    const targets = objects(element["target"], `.element[${at}].target`, fault)
    // An element without a target leaves its code to what the group says of unmapped ones, unless it says noMap (FHIR R5).
    if (targets.length > 0 || element["noMap"] === true) listed.add(fromCode)
    for (const [to, one] of targets.entries()) {
      const match = readTarget(one, (place, message) => fault(`.element[${at}].target[${to}]${place}`, message))
      if (match !== undefined) matches.push({ ...base, ...match, system: target ?? "", fromCode })
    }
  }
  const unmapped = readUnmapped(group["unmapped"], target ?? "", base, fault)
  return { matches, unmapped: unmapped === undefined ? [] : [{ fromSystem: base.fromSystem, listed, match: unmapped }] }
}

function readTarget(target: Json, fault: Fault): Pick<MappedCode, "code" | "display" | "relationship"> | undefined {
  const stated = text(target["equivalence"]) ?? text(target["relationship"])
  const relationship = stated === undefined ? undefined : equivalenceOf(stated)
  if (relationship === undefined) return void fault(".equivalence", "missing or no FHIR R4 equivalence")
  if (isNoMatch(relationship)) return undefined
  // Such a match holds only together with other elements, which a code alone cannot show.
  if (objects(target["dependsOn"], ".dependsOn", fault).length > 0)
    return void fault(".dependsOn", "dependsOn is not read")
  const code = text(target["code"])
  if (code === undefined) return void fault(".code", "missing code")
  return { code, display: text(target["display"]) ?? null, relationship }
}

/** What a group says of codes that it does not list (R4 ConceptMap.group.unmapped); it states no equivalence for them. */
function readUnmapped(
  unmapped: unknown,
  system: string,
  base: { readonly fromSystem: string; readonly table: string },
  fault: Fault,
): ((code: string) => MappedCode) | undefined {
  if (!isObject(unmapped)) return undefined
  const mode = unmapped["mode"]
  const relationship = equivalenceOf(text(unmapped["relationship"]) ?? "relatedto")
  if (relationship === undefined) return void fault(".unmapped.relationship", "no FHIR relationship")
  if (isNoMatch(relationship)) return undefined
  const match = (fromCode: string, code: string, display: string | null): MappedCode => ({
    ...base,
    system,
    code,
    display,
    fromCode,
    relationship,
  })
  if (mode === "provided" || mode === "use-source-code") return (code) => match(code, code, null)
  const fixed = text(unmapped["code"])
  if (mode === "fixed" && fixed !== undefined) return (code) => match(code, fixed, text(unmapped["display"]) ?? null)
  return void fault(".unmapped", "expected mode provided, or fixed with a code; other maps are not followed")
}
