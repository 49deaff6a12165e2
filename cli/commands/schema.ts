import type { Command } from "../command.ts"
import { exit } from "../exit.ts"
import { knownPlugins } from "../load.ts"
import { pipelineSchema } from "../pipeline-schema.ts"
import { json } from "../table.ts"

export const schema: Command = {
  name: "schema",
  summary: "Prints a JSON Schema of pipeline files, for editors; with a pipeline file it knows its packages too",
  positionals: ["[FILE]"],
  options: {},
  more: "example: weir schema > weir.schema.json, and in the pipeline file: # yaml-language-server: $schema=weir.schema.json",
  async run(args, app, io) {
    io.stdout.write(`${json(pipelineSchema(await knownPlugins(args.positionals[0], app)), 2)}\n`)
    return exit.ok
  },
}
