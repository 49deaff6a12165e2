import table from "./allow-list.json" with { type: "json" }

/** What to do with an element: a rule for a value, or the elements inside it. */
export type Rule =
  | { readonly kind: Plain }
  | { readonly kind: "token"; readonly codes: ReadonlySet<string> }
  | { readonly kind: "ref"; readonly types: readonly string[] }
  | { readonly kind: "extensions"; readonly byUrl: ReadonlyMap<string, Rule> }
  | { readonly kind: "elements"; readonly elements: ReadonlyMap<string, Rule> }

const plain = [
  "boolean",
  "integer",
  "decimal",
  "date",
  "instant",
  "birth-date",
  "Address",
  "time",
  "Coding",
  "Quantity",
  "Age",
  "person",
  "uid",
  "sop-class",
  "identifiers",
  "accession",
] as const
type Plain = (typeof plain)[number]

type Written = string | { readonly [element: string]: Written }
const types: Readonly<Record<string, Written>> = table.types
const made = new Map<string, Rule>()

function ruleOf(written: Written, resourceType: string): Rule {
  if (typeof written !== "string") return elementsOf(written, resourceType)
  if (written === "extensions") return extensionsOf(resourceType)
  const known = made.get(written)
  if (known !== undefined) return known
  const rule = writtenRule(written, resourceType)
  made.set(written, rule)
  return rule
}

function writtenRule(written: string, resourceType: string): Rule {
  if ((plain as readonly string[]).includes(written)) return { kind: written as Plain }
  const list = /^(token|ref)\((.+)\)$/.exec(written)
  if (list?.[1] === "token") return { kind: "token", codes: new Set(list[2]!.split("|")) }
  if (list?.[1] === "ref") return { kind: "ref", types: list[2]!.split("|") }
  const type = types[written]
  if (type === undefined) throw new TypeError(`allow-list: ${written} is no rule`)
  return ruleOf(type, resourceType)
}

const elementsOf = (written: { readonly [element: string]: Written }, resourceType: string): Rule => ({
  kind: "elements",
  elements: new Map(Object.entries(written).map(([name, inner]) => [name, ruleOf(inner, resourceType)])),
})

/** Inside an extension, `extension` lists its parts by their urls. */
function extensionRule(written: { readonly [element: string]: Written }): Rule {
  const { extension, ...values } = written
  const rule = elementsOf(values, "")
  if (extension === undefined || typeof extension === "string" || rule.kind !== "elements") return rule
  const byUrl = new Map(
    Object.entries(extension).map(([url, part]) => [url, elementsOf(part as { [element: string]: Written }, "")]),
  )
  return { kind: "elements", elements: new Map([...rule.elements, ["extension", { kind: "extensions", byUrl }]]) }
}

function extensionsOf(resourceType: string): Rule {
  const listed = (table.extensions as Readonly<Record<string, Readonly<Record<string, Written>>>>)[resourceType] ?? {}
  return {
    kind: "extensions",
    byUrl: new Map(
      Object.entries(listed).map(([url, written]) => [url, extensionRule(written as { [element: string]: Written })]),
    ),
  }
}

/** The allowed elements of each resource type; a type that is missing here does not pass. */
export const allowed: ReadonlyMap<string, Rule> = new Map(
  Object.entries(table.resources as Readonly<Record<string, Written>>).map(([type, written]) => [
    type,
    ruleOf(written, type),
  ]),
)

/** LOINC codes of observations whose value is an age, and of those whose value is a birth date. */
export const ageCodes: ReadonlySet<string> = new Set(table.ageCodes)
export const birthDateCodes: ReadonlySet<string> = new Set(table.birthDateCodes)

const standard: ReadonlySet<string> = new Set(table.standardSystems)

/** True for code systems that are published: their codes are terms and name nobody. */
export const isStandardSystem = (system: string): boolean =>
  standard.has(system) || /^http:\/\/(?:terminology\.hl7\.org|hl7\.org\/fhir)\//.test(system)

/** The texts that the allow-list itself may put into a resource: types, elements, tokens, urls. */
export const definedTerms: ReadonlySet<string> = collect(table.resources, collect(table.extensions, new Set()))

function collect(written: unknown, into: Set<string>): Set<string> {
  if (typeof written === "string") for (const term of written.split(/[(|)]/)) into.add(term)
  else if (typeof written === "object" && written !== null)
    for (const [name, inner] of Object.entries(written)) collect(inner, into.add(name))
  return into
}
