import type { Finding } from "../../core/ports/finding.ts"
import type { Command } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { columns, json } from "../table.ts"

export const check: Command = {
  name: "check",
  summary: "Tells everything that is wrong with a pipeline file, with line and column; connects only with --connect",
  positionals: ["FILE"],
  options: {
    connect: {
      doc: "also look at Log, Store, Objects, clocks, secrets and what plugins connect to, before anything runs",
    },
    json: { doc: "with --connect, print what was found as JSON on stdout" },
  },
  more: "--connect ends 0, or 1 if anything failed. It makes missing buckets, and a probe object that it removes; on embedded ports their folders.",
  async run(args, app, io) {
    if (args.flag("json") && !args.flag("connect")) throw new UsageError(["--json needs --connect"], "check")
    const [file] = args.positionals
    const { pipeline } = await loadPipeline(file!, app, io)
    if (args.flag("connect")) {
      const { checkConnect } = await import("../../core/engine/check-connect.ts")
      const found = await checkConnect(pipeline, { drivers: app.drivers, environment: io.environment })
      io.stdout.write(args.flag("json") ? `${json(found, 2)}\n` : findingsText(found))
      return found.some(({ level }) => level === "failed") ? exit.failed : exit.ok
    }
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

/** A line a finding, with what to do next below it. */
function findingsText(found: readonly Finding[]): string {
  const lines = columns(found.map(({ level, about, message }) => [level, about, message]))
  const told = found.flatMap(({ hint }, at) => [lines[at]!, ...(hint === undefined ? [] : [`         -> ${hint}`])])
  const count = (level: Finding["level"]) => found.filter((each) => each.level === level).length
  return [...told, `${count("ok")} ok, ${count("warning")} warnings, ${count("failed")} failed`, ""].join("\n")
}
