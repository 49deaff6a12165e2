import { deadLetterTopic } from "../../core/engine/runtime.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { audited, withLog } from "../ports.ts"
import { columns, json } from "../table.ts"
import { readNotes } from "../topics/read.ts"

/** One dead letter, as it is listed. */
interface Row {
  readonly stage: string
  readonly code: string
  readonly origin: string
  readonly path: string
  readonly message: string
}

/** A place in a topic says nothing of anybody; what a source read is named by files, and those may be. */
const place = /^[^:]*\[\d+\]@\d+$/

const told = (origin: string, phi: boolean): string =>
  phi || place.test(origin) ? origin : `${origin.split(":")[0]}:(file not shown)`

export const deadLetters: Command = {
  name: "dead-letters list",
  summary: "Lists what was refused or could not be read: stage, code, origin and path",
  positionals: ["FILE"],
  options: {
    phi: { doc: "also name the files of sources, which may hold identifiers; that you looked is written down" },
    stage: { value: "NAME", doc: "of this source, stage or sink alone" },
    code: { value: "CODE", doc: "with this code alone" },
    json: jsonOption,
  },
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const phi = args.flag("phi")
    const topic = deadLetterTopic(pipeline.name)
    if (phi) await audited(pipeline, app, "dead-letters list", `${pipeline.name}: ${topic}`)
    const rows: Row[] = []
    await withLog(pipeline, app, async (log) => {
      for await (const { value } of readNotes(log, topic)) {
        const of = (name: string) => String(value[name] ?? "")
        if (of("stage") !== (args.text("stage") ?? of("stage")) || of("code") !== (args.text("code") ?? of("code")))
          continue
        const origin = told(of("origin"), phi)
        rows.push({ stage: of("stage"), code: of("code"), origin, path: of("path"), message: of("message") })
      }
    })
    if (args.flag("json")) io.stdout.write(`${json(rows, 2)}\n`)
    else {
      const head = ["stage", "code", "origin", "path", "message"]
      io.stdout.write(`${columns([head, ...rows.map((row) => Object.values(row) as string[])]).join("\n")}\n`)
    }
    return exit.ok
  },
}
