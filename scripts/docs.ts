/** Writes docs/reference from the declarations of plugins, record types, commands and the pipeline file:
 *
 *     node scripts/docs.ts            writes
 *     node scripts/docs.ts --check    changes nothing; ends 1 when a page is stale, missing or left over */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as core from "../core/index.ts"
import type { AnyPlugin, FieldType, Fields, Port, Ports, RecordType } from "../core/index.ts"
import { optionsJsonSchema } from "../core/index.ts"
import { builtIns } from "../main.ts"
import { commandsPage } from "./docs/commands.ts"
import { code, optionRows, page, table } from "./docs/markdown.ts"
import type { JsonSchema } from "./docs/markdown.ts"
import { pipelineFilePage } from "./docs/pipeline-file.ts"

const folder = join(import.meta.dirname, "..", "docs", "reference")

function optionsBlock(plugin: AnyPlugin): string {
  const schema = optionsJsonSchema(plugin) as JsonSchema
  const tableOf = (of: JsonSchema): string => table(["option", "type", "required", "what it does"], optionRows(of))
  if (Object.keys(schema.properties ?? {}).length === 0) return "It takes no options."
  const definitions = Object.entries(schema.$defs ?? {}).map(([name, of]) => `### ${name}\n\n${tableOf(of)}`)
  return [tableOf(schema), ...definitions].join("\n\n")
}

const typeLink = (type: Port<unknown>["type"]): string => {
  if (typeof type !== "string") return `[${type.name}](../records/${type.name}.md)`
  return type === "same" ? "that of the input" : "any"
}

const portsBlock = (title: string, ports: Ports): string =>
  `## ${title}\n\n${table(
    ["name", "record type", "key", "zone"],
    Object.entries(ports).map(([name, { type, key, zone }]) => [
      code(name),
      typeLink(type),
      key === "same" ? "that of the input" : key,
      zone,
    ]),
  )}`

const kinds: Readonly<Record<AnyPlugin["kind"], string>> = {
  source: "source",
  transform: "transform",
  stateful: "stateful transform",
  sink: "sink",
}

function factsOf(plugin: AnyPlugin): string {
  const facts = [`Kind: ${kinds[plugin.kind]}.`]
  if (plugin.kind === "source")
    facts.push(plugin.runs === "once" ? "One process of the group runs it." : "Every process of the group runs it.")
  if (plugin.kind === "sink") facts.push(`Delivery: ${plugin.delivery ?? "said by each instance"}.`)
  if ("privacy" in plugin && plugin.privacy === true)
    facts.push("A privacy transform: it may take records down the zones.")
  if (plugin.secrets !== undefined) facts.push("It uses a secret, which its options name.")
  return facts.join(" ")
}

const pluginPage = (plugin: AnyPlugin): string =>
  page(
    plugin.name,
    `${plugin.summary}.`,
    factsOf(plugin),
    ...("inputs" in plugin ? [portsBlock("Inputs", plugin.inputs as Ports)] : []),
    ...("outputs" in plugin ? [portsBlock("Outputs", plugin.outputs as Ports)] : []),
    `## Options under \`with:\`\n\n${optionsBlock(plugin)}`,
  )

/** The type of a field without the records that are nested in it. */
function fieldType(type: FieldType<unknown>): string {
  if (type.optional === true) return `${fieldType(type.item!)}, or null`
  if (type.item !== undefined) return `list of ${fieldType(type.item)}`
  return type.fields === undefined ? String(type.avro) : "record"
}

const isList = ({ optional, item }: FieldType<unknown>): boolean =>
  item !== undefined && (optional === true ? isList(item) : true)

function fieldRows(fields: Fields, path = ""): string[][] {
  return Object.entries(fields).flatMap(([name, { type, mark, doc }]) => [
    [code(path + name), fieldType(type), mark === "nested" ? "" : mark, doc],
    ...(type.fields === undefined ? [] : fieldRows(type.fields, `${path}${name}${isList(type) ? "[]" : ""}.`)),
  ])
}

const recordTypes = Object.values(core)
  .filter(
    (value): value is RecordType => typeof value === "object" && value !== null && "avro" in value && "id" in value,
  )
  .toSorted((a, b) => (a.name < b.name ? -1 : 1))

const recordPage = (type: RecordType): string =>
  page(
    type.name,
    `${type.doc}.`,
    `Its row id is ${type.id.map(code).join(" / ")}, each percent-encoded.`,
    table(["field", "type", "mark", "what it is"], fieldRows(type.fields)),
    "The mark is what de-identification does to the field: `identifier` becomes a keyed pseudonym, `uid` is mapped, `date` is shifted, `text` is dropped, `quasi` is kept in `limited` and dropped in `clean`, `keep` is kept.",
  )

function indexPage(plugins: readonly AnyPlugin[]): string {
  const of = (kind: AnyPlugin["kind"]): string =>
    table(
      [kinds[kind], "what it does"],
      plugins
        .filter((plugin) => plugin.kind === kind)
        .map(({ name, summary }) => [`[${name}](plugins/${name}.md)`, summary]),
    )
  const records = recordTypes.map(({ name, doc }) => [`[${name}](records/${name}.md)`, doc])
  const present = (["source", "transform", "stateful", "sink"] as const).filter((kind) =>
    plugins.some((plugin) => plugin.kind === kind),
  )
  return page(
    "Reference",
    "- [the pipeline file](pipeline-file.md): every key of it\n- [commands](commands.md): every command of `weir` with its options",
    "## Plugins",
    ...present.map(of),
    "## Record types",
    table(["record type", "what it is"], records),
  )
}

/** Every page by its path under docs/reference. */
function pages(): ReadonlyMap<string, string> {
  const plugins = builtIns.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return new Map([
    ["index.md", indexPage(plugins)],
    ["commands.md", commandsPage()],
    ["pipeline-file.md", pipelineFilePage()],
    ...plugins.map((plugin) => [`plugins/${plugin.name}.md`, pluginPage(plugin)] as const),
    ...recordTypes.map((type) => [`records/${type.name}.md`, recordPage(type)] as const),
  ])
}

/** The pages that are there. */
const standing = (): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    : []

function main(check: boolean): number {
  const wanted = pages()
  const textAt = (path: string) =>
    existsSync(join(folder, path)) ? readFileSync(join(folder, path), "utf8") : undefined
  const stale = [...wanted].filter(([path, text]) => textAt(path) !== text).map(([path]) => path)
  const left = standing().filter((path) => !wanted.has(path))
  if (check) {
    for (const path of [...stale, ...left]) console.error(`docs/reference/${path} is stale: run npm run docs`)
    return stale.length + left.length === 0 ? 0 : 1
  }
  for (const path of stale) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), wanted.get(path)!)
  }
  for (const path of left) rmSync(join(folder, path))
  console.log(`docs/reference: ${wanted.size} pages, ${stale.length} written, ${left.length} removed`)
  return 0
}

process.exitCode = main(process.argv.includes("--check"))
