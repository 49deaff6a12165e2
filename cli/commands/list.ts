import type { AnyPlugin } from "../../core/plugin.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { exit } from "../exit.ts"
import { knownPlugins } from "../load.ts"
import { columns, json } from "../table.ts"

/** What users call a plugin. */
export const kindOf = (plugin: AnyPlugin): string => {
  if (plugin.kind === "source" || plugin.kind === "sink") return plugin.kind
  return plugin.privacy === true ? "privacy transform" : "transform"
}

const order = ["source", "transform", "privacy transform", "sink"]

export const list: Command = {
  name: "list",
  summary: "Lists the plugins: those built in, and with a pipeline file those of its packages",
  positionals: ["[FILE]"],
  options: { json: jsonOption },
  async run(args, app, io) {
    const plugins = [...(await knownPlugins(args.positionals[0], app)).values()].toSorted(
      (a, b) => order.indexOf(kindOf(a)) - order.indexOf(kindOf(b)) || (a.name < b.name ? -1 : 1),
    )
    if (args.flag("json")) {
      const told = plugins.map((plugin) => {
        const { name, summary, from = "weir" } = plugin
        return { name, kind: kindOf(plugin), summary, from }
      })
      io.stdout.write(`${json(told, 2)}\n`)
      return exit.ok
    }
    const rows = plugins.map((plugin) => {
      const { name, summary, from } = plugin
      return [name, kindOf(plugin), from === undefined ? summary : `${summary} (${from})`]
    })
    io.stdout.write(`${columns(rows).join("\n")}\n`)
    return exit.ok
  },
}
