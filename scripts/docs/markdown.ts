/** Markdown of reference pages. */
const generated = "<!-- Made by `npm run docs` from the declaration; change that instead. -->"

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")
/** A table; `|` in cells is escaped. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(" | ")} |`).join("\n")
export const code = (text: string): string => `\`${text}\``
/** A page that says that it is made. */
export const page = (title: string, ...blocks: readonly string[]): string =>
  `${[generated, `# ${title}`, ...blocks].join("\n\n")}\n`

/** What is used of JSON Schema. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

/** Parts that hold together, as one. */
const merged = ({ allOf = [], ...own }: JsonSchema): JsonSchema =>
  Object.assign({}, ...allOf.map(merged), own) as JsonSchema

const definitionName = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1)

/** A type as a reader of YAML would say it. */
export function typeText(given: JsonSchema): string {
  const schema = merged(given)
  if (schema.$ref !== undefined) return definitionName(schema.$ref)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" or ")
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeText))].join(" or ")
  if (schema.type === "array") return `list of ${schema.items === undefined ? "anything" : typeText(schema.items)}`
  if (schema.type === "object" && typeof schema.additionalProperties === "object")
    return `map of ${typeText(schema.additionalProperties)}`
  return schema.type ?? "anything"
}

/** The rows of an object's options, those of nested objects behind their own. */
export function optionRows(schema: JsonSchema, path = ""): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, given]) => {
    const option = merged(given)
    const needed = schema.required?.includes(name) === true ? "yes" : ""
    const text = option.default === undefined ? "" : ` (default ${JSON.stringify(option.default)})`
    const own = [code(path + name), typeText(option), needed, (option.description ?? "") + text]
    const list = option.items?.properties === undefined ? [] : optionRows(option.items, `${path}${name}[].`)
    return [own, ...optionRows(option, `${path}${name}.`), ...list]
  })
}
