import { deadLetterTopic } from "../../core/engine/runtime.ts"
import type { Command } from "../command.ts"
import { jsonOption } from "../command.ts"
import { choosing, chosenBy, knownLetters, shown, shownKey } from "../dead-letters/letters.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { audited } from "../ports.ts"
import { columns, json } from "../table.ts"

const phiOption = {
  doc: "also name the files of sources, which may hold identifiers; that you looked is written down",
}

export const deadLetters: Command = {
  name: "dead-letters list",
  summary: "Lists what was refused or could not be read: stage, code, origin and path, and what became of it",
  positionals: ["FILE"],
  options: { phi: phiOption, ...choosing, json: jsonOption },
  more: "state: open, pending (replayed, not come to yet), failed-again, or fixed.",
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const phi = args.flag("phi")
    const chosen = chosenBy(args, "dead-letters list")
    if (phi) await audited(pipeline, app, "dead-letters list", `${pipeline.name}: ${deadLetterTopic(pipeline.name)}`)
    const letters = (await knownLetters(pipeline, app, io)).filter(({ letter }) => chosen(letter))
    const rows = letters.map((known) => {
      const { stage, code, origin, path, message } = shown(known.letter, phi)
      return { stage, code, origin, path: path ?? "", message, state: known.state, key: shownKey(known, phi) }
    })
    if (args.flag("json")) io.stdout.write(`${json(rows, 2)}\n`)
    else {
      const head = ["stage", "code", "origin", "path", "message", "state", "key"]
      io.stdout.write(`${columns([head, ...rows.map((row) => Object.values(row))]).join("\n")}\n`)
    }
    return exit.ok
  },
}

export const deadLetter: Command = {
  name: "dead-letters show",
  summary: "Shows one dead letter by its key, stage|input|ordinal as `dead-letters list` has it",
  positionals: ["FILE", "KEY"],
  options: { phi: phiOption, json: jsonOption },
  async run(args, app, io) {
    const [file, key] = args.positionals as [string, string]
    const { pipeline } = await loadPipeline(file, app, io)
    const phi = args.flag("phi")
    if (phi) await audited(pipeline, app, "dead-letters show", `${pipeline.name}: ${deadLetterTopic(pipeline.name)}`)
    const known = (await knownLetters(pipeline, app, io)).find((each) => each.key === key)
    if (known === undefined)
      throw new UsageError([`there is no dead letter ${key}; see: weir dead-letters list`], "dead-letters show")
    const fields = { ...shown(known.letter, phi), time: new Date(known.letter.time).toISOString(), state: known.state }
    if (args.flag("json")) io.stdout.write(`${json(fields, 2)}\n`)
    else
      io.stdout.write(`${columns(Object.entries(fields).map(([name, value]) => [name, String(value)])).join("\n")}\n`)
    return exit.ok
  },
}
