import type { Command } from "../command.ts"
import { exit } from "../exit.ts"
import { asOfTime } from "../dates.ts"
import { loadPipeline } from "../load.ts"
import { summaryJson, summaryTable } from "../summary.ts"

export const run: Command = {
  name: "run",
  summary: "Runs a pipeline, and ends with a table of what came in, went out, was held, dropped and refused",
  positionals: ["FILE"],
  options: {
    "until-idle": { doc: "end when the sources have no more to give and all of it has passed the sinks" },
    "as-of": {
      value: "DATE",
      doc: "what calendar timers go by instead of the clock: YYYY-MM-DD or a time with its zone",
    },
    json: { doc: "print the table as JSON on stdout; progress and the log are on stderr" },
  },
  more: "SIGTERM or Ctrl-C drains: the steps under way commit, then it ends. A second one, or 30 seconds, ends it at once.",
  async run(args, app, io) {
    const asOf = asOfTime(args.text("as-of"), "run")
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const options = { untilIdle: args.flag("until-idle"), ...(asOf === undefined ? {} : { asOf }) }
    const { runWithProgress } = await import("../run-pipeline.ts")
    const { ended, summary, fates } = await runWithProgress(pipeline, options, app, io)
    if (ended === "stopped") io.stderr.write("stopped: what was under way is committed\n")
    io.stdout.write(
      args.flag("json") ? summaryJson(pipeline, summary, ended, fates) : summaryTable(pipeline, summary, fates),
    )
    return exit.ok
  },
}
