import { readFile } from "node:fs/promises"
import { join, relative } from "node:path"
import { systemic } from "../../core/errors.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { App, Io } from "../app.ts"
import { nodeCounts } from "../counts.ts"
import { exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { withStore } from "../ports.ts"
import { runWithProgress } from "../run-pipeline.ts"
import { countRows, fateRows } from "../summary.ts"
import { invocation } from "../version.ts"
import { DemoFolder } from "./folder.ts"
import type { Wave } from "./folder.ts"
import { changes, compared, labelsNow } from "./labels.ts"
import type { Label } from "./labels.ts"
import { refusals } from "./refusals.ts"
import { searchBelow } from "./search.ts"
import { retractions, studyStory, studyToShow } from "./story.ts"

export interface DemoOptions {
  readonly folder: string
  readonly patients: number
  readonly seed: string
}

/** Most hits that are listed. */
const mostHits = 20

/** The whole main job on a synthetic hospital in two deliveries, and a search of everything below `phi` for every identifier that
 * was planted. Resolves to 1 when one is found, or a label is not what
 * the hospital's ground truth says. */
export async function runDemo(options: DemoOptions, app: App, io: Io): Promise<number> {
  const started = io.now()
  const seconds = () => `${((io.now() - started) / 1000).toFixed(0)} s`
  const say = (...lines: readonly string[]) => io.stdout.write(`${lines.join("\n")}\n`)
  const title = (text: string) => say("", `== ${text} (${seconds()})`)

  const folder = new DemoFolder(options.folder)
  await folder.renew()
  title("A synthetic hospital")
  const made = await folder.hospital(app.synthesize, options.patients, options.seed)
  say(
    `${made.patients} patients, ${made.studies} studies, ${Math.round(made.imageBytes / 1e6)} MB of DICOM and their FHIR records,`,
  )
  say(`with ${made.planted} identifiers planted in headers, private tags, nested items, texts and file names`)

  const truth = await folder.truth()
  const projectKey = Buffer.from((await readFile(join(folder.path, "keys", "project"), "utf8")).trimEnd())
  const looks: (readonly Label[])[] = []
  let right = true
  let pipeline: CompiledPipeline | undefined
  for (const [at, wave] of truth.waves.entries()) {
    title(
      at === 0
        ? `The first delivery, as of ${wave.asOf}`
        : `Weeks later: pathology, amendments, a merge, duplicates, as of ${wave.asOf}`,
    )
    pipeline = await deliver(folder, wave, app, io, say)
    const labels = await withStore(pipeline, app, labelsNow)
    looks.push(labels)
    const { equal, of } = compared(labels, truth, wave.name, projectKey)
    say(
      "",
      `${labels.length} labels released; ${equal} of the ${of} that the hospital's ground truth speaks of are what it says`,
    )
  }
  const [before = [], after = []] = looks
  const found = changes(before, after)

  const shown = studyToShow(found)
  if (shown !== undefined) {
    title("A study, before and after")
    say(...(await withStore(pipeline!, app, (store) => studyStory(store, shown, { before, after, found }))))
  }
  title("What was taken back, and why")
  say(...(await withStore(pipeline!, app, (store) => retractions(store, found))))
  title("What was refused, and why")
  say(...(await refusals(pipeline!, app)))

  title("Every planted identifier, looked for in everything below phi")
  const search = await searchBelow(pipeline!, app, truth.planted, await control(pipeline!, app))
  const { messages, rows, objects, characters, hits } = search
  say(
    `${messages} messages, ${rows} rows, ${objects} objects with their names: ${Math.round(characters / 1e6)} million characters`,
  )
  if (search.control.size < 3)
    throw systemic("search-blind", "the search did not find a pseudonym that messages, rows and objects must hold")
  say(
    hits.length === 0 ? `none of ${truth.planted.length} identifiers found` : `${hits.length} FOUND:`,
    ...hits.slice(0, mostHits),
  )
  next(folder, seconds(), say)
  return right && hits.length === 0 ? exit.ok : exit.failed
}

/** The pseudonym of somebody of whom an instance was released: messages, rows and objects hold it. */
async function control(pipeline: CompiledPipeline, app: App): Promise<string> {
  const query = "SELECT min(_key) FROM limited.curated_instances"
  const { rows } = await withStore(pipeline, app, (store) => store.query(query, "limited"))
  return String(rows[0]?.[0] ?? "")
}

async function deliver(
  folder: DemoFolder,
  wave: Wave,
  app: App,
  io: Io,
  say: (...lines: readonly string[]) => void,
): Promise<CompiledPipeline> {
  await folder.deliver(wave)
  const { pipeline } = await loadPipeline(folder.pipeline, app, io)
  const { ended, summary, fates } = await runWithProgress(
    pipeline,
    { untilIdle: true, asOf: Date.parse(wave.asOf) },
    app,
    io,
  )
  if (ended === "stopped") throw systemic("stopped", "the demo was stopped; what was under way is committed")
  say(...countRows(nodeCounts(pipeline, summary)), ...fateRows(fates))
  return pipeline
}

function next(folder: DemoFolder, seconds: string, say: (...lines: readonly string[]) => void): void {
  const file = relative(process.cwd(), folder.pipeline)
  const weir = `${invocation()}`
  say(
    "",
    `== Done in ${seconds}. Try next`,
    `${weir} topic ls ${file}`,
    `${weir} topic read ${file} curated.labels --limit 3`,
    `${weir} sql ${file} "select phenotype, value, count(*) from curated_labels group by 1, 2 order by 1, 2"`,
    `${weir} dead-letters list ${file} --stage images`,
    `${weir} describe deidentify-dicom`,
    `${weir} run ${file} --until-idle`,
    `the pipeline is ${file}, the truth ${join(relative(process.cwd(), folder.path), "hospital", "truth.json")}`,
  )
}
