import type { Command } from "../command.ts"
import type { CompiledPipeline, ListenSettings } from "../../core/pipeline/model.ts"
import { UsageError, exit } from "../exit.ts"
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
    listen: { value: "PORT", doc: "answer /healthz, /readyz, /metrics and /status there, on this machine alone" },
    log: { value: "FORM", doc: "text (default) or json, an object a line; progress is not shown then" },
    drain: { value: "SECONDS", doc: "how long ending may take after SIGTERM (default 30)" },
    json: { doc: "print the table as JSON on stdout; progress and the log are on stderr" },
  },
  more: "SIGTERM or Ctrl-C drains: the steps under way commit, then it ends. A second one, or the time of --drain, ends it at once. Spans of each step go where OTEL_EXPORTER_OTLP_ENDPOINT says.",
  async run(args, app, io) {
    const asOf = asOfTime(args.text("as-of"), "run")
    const log = logForm(args.text("log"))
    const drain = args.count("drain", 1)
    const port = args.count("listen", 0)
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    if (drain !== undefined) io.drainWithin?.(drain * 1000)
    const listen = listenOn(port, pipeline)
    const options = {
      untilIdle: args.flag("until-idle"),
      log,
      ...(asOf === undefined ? {} : { asOf }),
      ...(listen === undefined ? {} : { listen }),
    }
    const { runWithProgress } = await import("../run-pipeline.ts")
    const { ended, summary, fates } = await runWithProgress(pipeline, options, app, io)
    if (ended === "stopped") io.stderr.write("stopped: what was under way is committed\n")
    io.stdout.write(
      args.flag("json") ? summaryJson(pipeline, summary, ended, fates) : summaryTable(pipeline, summary, fates),
    )
    return exit.ok
  },
}

/** The port of the command line, with everything else as the pipeline file has it. */
function listenOn(port: number | undefined, { listen }: CompiledPipeline): ListenSettings | undefined {
  if (port === undefined) return undefined
  if (port > 65_535) throw new UsageError(["--listen expects a port of at most 65535"], "run")
  return { host: "127.0.0.1", token: undefined, tls: undefined, ...listen, port }
}

function logForm(form: string | undefined): "text" | "json" {
  if (form === undefined || form === "text" || form === "json") return form ?? "text"
  throw new UsageError(["--log expects text or json"], "run")
}
