import table from "./allow-list.json" with { type: "json" }

/** What to do with an element: a rule for a value, or the elements inside it. */
export type Rule =
  | { readonly kind: Plain }
  | { readonly kind: "token"; readonly codes: ReadonlySet<string> }
  | { readonly kind: "ref"; readonly types: readonly string[] }
  | { readonly kind: "extensions"; readonly byUrl: ReadonlyMap<string, Rule> }
  | {
      readonly kind: "elements"
      readonly elements: ReadonlyMap<string, Rule>
      /** Those of them that R4 demands. */
      readonly required?: readonly Required[]
    }

/** An element that R4 demands. */
export interface Required {
  /** The element that stands in for it where it is a choice, as `medicationCodeableConcept`. */
  readonly name: string
  /** What a choice begins with, as `medication`. */
  readonly choice?: string
  /** Whether it is a value of JSON, whose extensions stand beside it (`_status`). */
  readonly primitive: boolean
}

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
  "age-range",
  "samples",
  "currency",
  "link-id",
  "answer-date",
  "answer-number",
  "other-patient",
  "masked",
  "masked-text",
] as const
type Plain = (typeof plain)[number]

type Written = string | { readonly [element: string]: Written }
const types: Readonly<Record<string, Written>> = table.types
const demanded: Readonly<Record<string, readonly string[]>> = table.required
const made = new Map<string, Rule>()

/** @param path of what the rule is for: a resource type, a type of the table, and elements in it */
function ruleOf(written: Written, path: string): Rule {
  if (typeof written !== "string") return elementsOf(written, path)
  if (written === "extensions") return extensionsOf(path.split(".")[0]!)
  const known = made.get(written)
  if (known !== undefined) return known
  const rule = writtenRule(written)
  made.set(written, rule)
  return rule
}

function writtenRule(written: string): Rule {
  if ((plain as readonly string[]).includes(written)) return { kind: written as Plain }
  const list = /^(token|ref)\((.+)\)$/.exec(written)
  if (list?.[1] === "token") return { kind: "token", codes: new Set(list[2]!.split("|")) }
  if (list?.[1] === "ref") return { kind: "ref", types: list[2]!.split("|") }
  const type = types[written]
  if (type === undefined || typeof type === "string") throw new TypeError(`allow-list: ${written} is no rule`)
  // A type may hold itself.
  const elements = new Map<string, Rule>()
  const rule: Rule = { kind: "elements", elements, required: requiredOf(written, type) }
  made.set(written, rule)
  for (const [name, inner] of Object.entries(type)) elements.set(name, ruleOf(inner, `${written}.${name}`))
  return rule
}

const elementsOf = (written: { readonly [element: string]: Written }, path: string): Rule => ({
  kind: "elements",
  elements: new Map(Object.entries(written).map(([name, inner]) => [name, ruleOf(inner, `${path}.${name}`)])),
  required: requiredOf(path, written),
})

const primitives =
  /^(?:boolean|integer|decimal|date|instant|birth-date|time|uid|samples|currency|link-id|answer-date|answer-number|masked-text|token\(.*\))$/
const primitiveTypes = /^(?:DateTime|PositiveInt)$/

function requiredOf(path: string, written: { readonly [element: string]: Written }): readonly Required[] {
  return (demanded[path] ?? []).map((name) => {
    const [base, type] = name.split("[x]") as [string, string | undefined]
    if (type !== undefined) return { name: base + type, choice: base, primitive: primitiveTypes.test(type) }
    const rule = written[name]
    if (rule === undefined) throw new TypeError(`allow-list: ${path}.${name} is demanded and not listed`)
    return { name, primitive: typeof rule === "string" && primitives.test(rule) }
  })
}

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
const standardHosts = ["http://terminology.hl7.org/", "http://hl7.org/fhir/", ...table.standardHosts.begin]

/** True for code systems that are published: their codes are terms and name nobody. */
export const isStandardSystem = (system: string): boolean =>
  standard.has(system) || standardHosts.some((host) => system.startsWith(host))

const absent = Object.entries(table.extensions["*"])[0]!
/** The extension that stands for a value which is not there, and the reasons that it may give (R4, data-absent-reason). */
export const absentUrl = absent[0]
export const absentReasons: ReadonlySet<string> = new Set(absent[1].valueCode.slice("token(".length, -1).split("|"))

/** The texts that the allow-list itself may put into a resource: types, elements, tokens, urls. */
export const definedTerms: ReadonlySet<string> = collect(table.resources, collect(table.extensions, new Set()))

function collect(written: unknown, into: Set<string>): Set<string> {
  if (typeof written === "string") for (const term of written.split(/[(|)]/)) into.add(term)
  else if (typeof written === "object" && written !== null)
    for (const [name, inner] of Object.entries(written)) collect(inner, into.add(name))
  return into
}
