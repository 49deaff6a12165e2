import type { Command } from "../command.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"

export const check: Command = {
  name: "check",
  summary: "Tells everything that is wrong with a pipeline file, with line and column; never connects",
  positionals: ["FILE"],
  options: {},
  async run(args, app, io) {
    const [file] = args.positionals
    const { pipeline } = await loadPipeline(file!, app, io)
    const { topics, sources, stages, sinks } = pipeline
    const counts = [
      `${sources.length} sources`,
      `${stages.length} stages`,
      `${sinks.length} sinks`,
      `${topics.size} topics`,
    ]
    io.stdout.write(`${file}: ${pipeline.name} is right: ${counts.join(", ")}\n`)
    return exit.ok
  },
}
