import { WeirError } from "../../core/errors.ts"
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
      return store.query(query, args.flag("phi") ? "phi" : "limited").catch(explained)
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

/** What the database says of somebody's own query is theirs to read: it ran as a role that sees what they may see. */
function explained(thrown: unknown): never {
  for (let one = thrown; one instanceof Error; one = one.cause)
    if (/^[0-9A-Z]{5}$/.test(String((one as { code?: unknown }).code)))
      throw new WeirError("bad-record", "sql", `the database says: ${one.message}`, { cause: thrown })
  throw thrown
}
