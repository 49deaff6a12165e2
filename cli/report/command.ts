import { resolve } from "node:path"
import { unknownName } from "../../core/pipeline/faults.ts"
import type { CompiledPipeline, CompiledTopic } from "../../core/pipeline/model.ts"
import { badRecord } from "../../core/errors.ts"
import type { App, Io } from "../app.ts"
import type { Arguments, Command } from "../command.ts"
import { phiOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { audited } from "../ports.ts"
import { json } from "../table.ts"
import type { PrivacyReport } from "./model.ts"

const command = "report"

const asTable = (name: string): string => name.toLowerCase().replaceAll(/[.-]/g, "_")

/** A topic below `phi` by its name, or by the name of the table that a sink makes of it, with or without its schema. */
function dataSetOf({ topics }: CompiledPipeline, name: string): CompiledTopic {
  const below = [...topics.values()].filter(({ zone }) => zone !== "phi")
  const found =
    below.find((topic) => topic.name === name) ??
    below.find((topic) => [asTable(topic.name), `${topic.zone}.${asTable(topic.name)}`].includes(name))
  if (found !== undefined) return found
  throw new UsageError(
    [
      unknownName(
        "data set",
        name,
        below.map((topic) => topic.name),
      ),
    ],
    command,
  )
}

function faultsOf(args: Arguments, outs: readonly string[]): readonly string[] {
  const subjects = ["study", "data-set", "instance"].filter((name) => args.text(name) !== undefined)
  const instance = args.text("instance") !== undefined
  return [
    ...(subjects.length > 1 ? [`--${subjects.join(" and --")} exclude each other`] : []),
    ...(instance === args.flag("before-after") ? [] : ["--instance and --before-after go together"]),
    ...(instance && outs.length === 0 ? ["--before-after needs --out FILE: what is phi is not printed"] : []),
    ...(args.flag("original") && args.text("study") === undefined ? ["--original goes with --study"] : []),
  ]
}

function refuseWithoutPhi(args: Arguments, what: string): void {
  if (args.flag("phi")) return
  throw badRecord("phi-not-asked-for", `${what} is phi and is not shown`, {
    hint: "add --phi to look all the same; that you looked is written down",
  })
}

async function reportOf(args: Arguments, pipeline: CompiledPipeline, app: App, io: Io): Promise<PrivacyReport> {
  const { Gathering } = await import("./gather.ts")
  const gathering = new Gathering(pipeline, app, io)
  const [study, dataSet] = [args.text("study"), args.text("data-set")]
  if (dataSet !== undefined) return gathering.dataSet(dataSetOf(pipeline, dataSet))
  if (study === undefined) return gathering.pipeline()
  const original = args.flag("original")
  if (original) {
    refuseWithoutPhi(args, "which pseudonym a study has")
    await audited(pipeline, app, command, `${pipeline.name}: pseudonym of a study by its original UID`)
  }
  const found = await gathering.study(study, original)
  if (found !== undefined) return found
  const hint = original ? "" : "; a study that is named by its original UID needs --original"
  throw new UsageError(
    [`no study that was released or refused has this ${original ? "UID" : "pseudonym"}${hint}`],
    command,
  )
}

export const report: Command = {
  name: command,
  summary: "Tells what de-identification applied and what came of it: of a pipeline, a study or a data set",
  positionals: ["FILE"],
  options: {
    study: { value: "UID", doc: "of this study alone, by its pseudonym: the Study Instance UID that it has below phi" },
    original: { doc: "--study is the original Study Instance UID; needs --phi, as the report tells its pseudonym" },
    "data-set": { value: "NAME", doc: "of what this topic (or table) below phi holds" },
    instance: { value: "UID", doc: "of one image, by its SOP Instance UID, original or pseudonym" },
    "before-after": { doc: "each element of the image with its value before and after; needs --phi" },
    phi: phiOption,
    out: { value: "A.html,B.json", doc: "writes pages and JSON, mode 0600 (default: JSON on stdout)" },
  },
  more: "A report holds names of the pipeline file, codes, numbers and pseudonyms; only --before-after shows values.",
  async run(args, app, io) {
    const outs = (args.text("out") ?? "").split(",").filter((path) => path !== "")
    const faults = faultsOf(args, outs)
    if (faults.length > 0) throw new UsageError(faults, command)
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const { isPage, writeOwn } = await import("./write.ts")
    const instance = args.text("instance")
    const write = async <T>(made: T, page: (made: T) => string) => {
      for (const path of outs) await writeOwn(resolve(path), isPage(path) ? page(made) : `${json(made, 2)}\n`)
    }
    if (instance !== undefined) {
      refuseWithoutPhi(args, "what an image holds")
      const { beforeAfter, beforeAfterPage } = await import("./before-after.ts")
      await write(await beforeAfter(pipeline, app, io, instance), beforeAfterPage)
      return exit.ok
    }
    const { privacyPage } = await import("./page.ts")
    const made = await reportOf(args, pipeline, app, io)
    await write(made, privacyPage)
    if (outs.length === 0) io.stdout.write(`${json(made, 2)}\n`)
    return exit.ok
  },
}
