import { pipelineSchema } from "../../cli/pipeline-schema.ts"
import { builtIns } from "../../main.ts"
import { optionRows, page, table, typeText } from "./markdown.ts"
import type { JsonSchema } from "./markdown.ts"

type Part = JsonSchema & { readonly oneOf?: readonly Part[] }

const keysOf = (schema: JsonSchema): string => {
  // What a plugin adds by its `use` stands on its own page.
  const own = Object.entries(schema.properties ?? {}).map(([name, key]) => [name, withoutUses(key)])
  const rows = optionRows({ ...schema, allOf: [], properties: Object.fromEntries(own) as Record<string, JsonSchema> })
  return table(["key", "type", "required", "what it is"], rows)
}

function withoutUses(schema: JsonSchema): JsonSchema {
  const { allOf: _, items, ...own } = schema
  return items === undefined ? own : { ...own, items: withoutUses(items) }
}

function sectionOf(name: string, part: Part, required: boolean): string {
  const described = part.description === undefined ? "" : `${part.description}.`
  const lead = `${described[0]?.toUpperCase() ?? ""}${described.slice(1)}${required ? " Required." : ""}`
  const drivers = (part.oneOf ?? []).map((each) => {
    const driver = String(each.properties?.["driver"]?.const)
    return `### driver: ${driver}\n\n${keysOf(each)}`
  })
  const { additionalProperties: item, items } = part
  const forms = typeof item === "object" ? ((item as Part).oneOf ?? [item]) : []
  return [
    `## ${name}`,
    lead.trim(),
    ...drivers,
    ...(part.properties === undefined ? [] : [keysOf(part)]),
    ...(forms.length === 0 ? [] : ["A name of your own for each, and below it:"]),
    ...forms.map(keysOf),
    ...(items === undefined ? [] : ["Of each in the list:", keysOf(items)]),
    ...(part.oneOf === undefined && part.properties === undefined && forms.length === 0 && items === undefined
      ? [`Type: ${typeText(part)}.`]
      : []),
  ].join("\n\n")
}

/** The page of the pipeline file's keys, from the schema that editors use. */
export function pipelineFilePage(): string {
  const schema = pipelineSchema(new Map(builtIns.map((plugin) => [plugin.name, plugin]))) as JsonSchema
  return page(
    "The pipeline file",
    "`${NAME}` in a text stands for an environment variable. `weir check FILE` names every fault of a file; `weir schema` prints these keys as a JSON Schema for editors.",
    ...Object.entries(schema.properties ?? {}).map(([name, part]) =>
      sectionOf(name, part as Part, schema.required?.includes(name) === true),
    ),
  )
}
