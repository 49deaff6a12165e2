import { optionsJsonSchema } from "../../core/pipeline/options.ts"
import { unknownName } from "../../core/pipeline/faults.ts"
import type { AnyPlugin, Port } from "../../core/plugin.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { knownPlugins } from "../load.ts"
import { columns, json } from "../table.ts"
import { kindOf } from "./list.ts"

/** The part of JSON Schema that options use. */
interface OptionSchema {
  readonly type?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly items?: OptionSchema
  readonly anyOf?: readonly OptionSchema[]
  readonly properties?: Readonly<Record<string, OptionSchema>>
  readonly required?: readonly string[]
}

function typeOf({ type, enum: values, items, anyOf }: OptionSchema): string {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(" | ")
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf))].join(" or ")
  return type === "array" && items !== undefined ? `list of ${typeOf(items)}` : (type ?? "any")
}

function optionRows({ properties = {}, required = [] }: OptionSchema, before = ""): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => [
    [`  ${before}${name}`, typeOf(schema), required.includes(name) ? "required" : "", schema.description ?? ""],
    ...optionRows(schema, `${before}${name}.`),
  ])
}

const portRows = (ports: Readonly<Record<string, Port<unknown>>>): string[][] =>
  Object.entries(ports).map(([name, { key, zone, type }]) => [
    `  ${name}`,
    typeof type === "string" ? `${type} record type` : type.name,
    `key: ${key}`,
    `zone: ${zone}`,
  ])

const portsOf = (plugin: AnyPlugin, side: "inputs" | "outputs") =>
  ((plugin as unknown as Record<string, unknown>)[side] ?? {}) as Readonly<Record<string, Port<unknown>>>

function text(plugin: AnyPlugin): string {
  const section = (title: string, rows: string[][]) => (rows.length === 0 ? [] : ["", title, ...columns(rows)])
  const { name, summary, from } = plugin
  return [
    `${name}: ${kindOf(plugin)}${from === undefined ? "" : ` from ${from}`}`,
    summary,
    ...section("options (under with:)", optionRows(optionsJsonSchema(plugin) as OptionSchema)),
    ...section("inputs", portRows(portsOf(plugin, "inputs"))),
    ...section("outputs", portRows(portsOf(plugin, "outputs"))),
    ...(plugin.kind === "source"
      ? ["", `runs: ${plugin.runs === "once" ? "once in the group" : "in each process"}`]
      : []),
    "",
  ].join("\n")
}

const data = (plugin: AnyPlugin) => {
  const ports = (side: "inputs" | "outputs") =>
    Object.fromEntries(
      Object.entries(portsOf(plugin, side)).map(([name, { key, zone, type }]) => [
        name,
        { key, zone, type: typeof type === "string" ? type : type.name },
      ]),
    )
  const { name, summary, from = "weir" } = plugin
  const [inputs, outputs] = [ports("inputs"), ports("outputs")]
  return { name, kind: kindOf(plugin), summary, from, options: optionsJsonSchema(plugin), inputs, outputs }
}

export const describe: Command = {
  name: "describe",
  summary: "Tells what a plugin does, its options, inputs and outputs",
  positionals: ["PLUGIN", "[FILE]"],
  options: { json: jsonOption },
  async run(args, app, io) {
    const [name, file] = args.positionals
    const plugins = await knownPlugins(file, app)
    const plugin = plugins.get(name!)
    if (plugin === undefined) throw new UsageError([unknownName("plugin", name!, plugins.keys())], "describe")
    io.stdout.write(args.flag("json") ? `${json(data(plugin), 2)}\n` : text(plugin))
    return exit.ok
  },
}
