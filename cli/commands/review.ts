import type { ReviewRow } from "../../core/ports/reviews.ts"
import type { DecisionMade } from "../../core/review/desk.ts"
import type { Command } from "../command.ts"
import { jsonOption, phiOption } from "../command.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { isOf, together } from "../review/choose.ts"
import { deskOf, reviewOf } from "../review/decide.ts"
import { writeFrames } from "../review/frames.ts"
import { withRuntime } from "../runtime.ts"
import { columns, json } from "../table.ts"
import { withStore } from "../ports.ts"

const time = (ms: number): string => new Date(ms).toISOString()

/** A review without what is phi. */
function told({ id, stage, reason, state, held, input, facts }: ReviewRow) {
  const { detail = "", path = "", object, boxes, ...others } = facts
  const { sopInstanceUid: _, seriesInstanceUid: __, studyInstanceUid: ___, ...rest } = others
  const { size } = object
  return { key: id, stage, reason, detail, path, state, held: time(held), input, ...rest, size, boxes }
}

const decisionText = (made: DecisionMade | undefined) =>
  made === undefined
    ? {}
    : { decided: made.at, verdict: made.verdict, by: made.actor, why: made.why, black: made.boxes.length }

export const reviewList: Command = {
  name: "review list",
  summary: "Lists what waits for a person to look at it, and what was decided: why, since when, by whom",
  positionals: ["FILE"],
  options: { state: { value: "STATE", doc: "in this state alone, as pending" }, ...together, json: jsonOption },
  more: "state: pending, accepted, redacted, rejected; passed (without a decision) or gone (it left, or came with other bytes).",
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const wanted = args.text("state")
    const rows = await withStore(pipeline, app, async (store) => {
      const desk = deskOf({ store, pipeline })
      const found = (await desk.list()).filter(isOf(args)).filter(({ state }) => state === (wanted ?? state))
      const made = new Map<string, DecisionMade>()
      for (const stage of new Set(found.map(({ stage }) => stage)))
        for (const [id, one] of await desk.decisions(stage)) made.set(id, one)
      return found.map((row) => ({ ...told(row), ...decisionText(made.get(row.id)) }))
    })
    if (args.flag("json")) io.stdout.write(`${json(rows, 2)}\n`)
    else {
      const lines = rows.map((row) => {
        const { key, stage, reason, detail, state, held, boxes } = row
        return [key, stage, reason, detail, String(boxes.length), state, held, "by" in row ? row.by : ""]
      })
      const head = ["key", "stage", "reason", "detail", "boxes", "state", "held since", "decided by"]
      io.stdout.write(`${columns([head, ...lines], new Set([4])).join("\n")}\n`)
    }
    return exit.ok
  },
}

export const reviewShow: Command = {
  name: "review show",
  summary: "Shows why an instance is held, and what was found in its pictures and how surely; with --png the pictures",
  positionals: ["FILE", "KEY"],
  options: {
    png: {
      value: "DIR",
      doc: "write frames there as PNG: those with boxes, else the first, the middle and the last; they are phi, and that you looked is written down",
    },
    phi: phiOption,
    json: jsonOption,
  },
  async run(args, app, io) {
    const [file, key] = args.positionals as [string, string]
    const { pipeline } = await loadPipeline(file, app, io)
    const [phi, png] = [args.flag("phi"), args.text("png")]
    const shown = await withRuntime(pipeline, app, io, async (runtime) => {
      const desk = deskOf(runtime)
      const row = await reviewOf(desk, key)
      if (phi || png !== undefined)
        await runtime.store.audit("review show", `${pipeline.name}: ${key}${png === undefined ? "" : ", pictures"}`)
      const { sopInstanceUid, seriesInstanceUid, studyInstanceUid, object } = row.facts
      return {
        ...told(row),
        ...(phi ? { sopInstanceUid, seriesInstanceUid, studyInstanceUid, object: object.key } : {}),
        ...decisionText((await desk.decisions(row.stage)).get(row.id)),
        ...(png === undefined ? {} : { png: await writeFrames(runtime, row, png) }),
      }
    })
    if (args.flag("json")) io.stdout.write(`${json(shown, 2)}\n`)
    else {
      const { boxes, ...fields } = shown
      const lines = Object.entries(fields).map(([name, value]) => [name, String(value)])
      const found = boxes.map(({ frame, x, y, width, height, score, judgement }) => [
        `${frame ?? "*"},${x},${y},${width},${height}`,
        String(score),
        judgement,
      ])
      const table = found.length === 0 ? [] : ["", ...columns([["box", "confidence", "judgement"], ...found])]
      io.stdout.write(`${[...columns(lines), ...table].join("\n")}\n`)
    }
    return exit.ok
  },
}
