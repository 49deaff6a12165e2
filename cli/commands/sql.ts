import type { Command } from "../command.ts"
import { phiOption } from "../command.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { withStore } from "../ports.ts"
import { cell, columns, json } from "../table.ts"

export const sql: Command = {
  name: "sql",
  summary: "Asks the Store's database, as a role that sees only what is below phi",
  positionals: ["FILE", "QUERY"],
  options: { phi: phiOption, json: { doc: "a JSON array with an object a row" } },
  more: 'example: weir sql pipeline.yaml "select * from limited.curated_labels limit 5"',
  async run(args, app, io) {
    const [file, query] = args.positionals as [string, string]
    const { pipeline } = await loadPipeline(file, app, io)
    const result = await withStore(pipeline, app, async (store) => {
      if (args.flag("phi")) await store.audit("sql", query)
      return store.query(query, args.flag("phi") ? "phi" : "limited")
    })
    if (args.flag("json")) {
      const rows = result.rows.map((row) => Object.fromEntries(result.columns.map((name, at) => [name, row[at]])))
      io.stdout.write(`${json(rows, 2)}\n`)
    } else {
      io.stdout.write(`${columns([result.columns, ...result.rows.map((row) => row.map(cell))]).join("\n")}\n`)
      io.stderr.write(`${result.rows.length} ${result.rows.length === 1 ? "row" : "rows"}\n`)
    }
    return exit.ok
  },
}
