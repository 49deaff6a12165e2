import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { cp, mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parse, stringify } from "yaml"
import { generate } from "../../../synth/index.ts"

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..")

/** A delivery of the synthetic hospital, as its truth.json has it. */
export interface Wave {
  readonly name: string
  readonly asOf: string
  readonly completeThrough: string
}

/** Makes the synthetic hospital in a folder, from which `newRun` copies. */
export async function makeHospital(folder: string, patients: number, seed: string): Promise<readonly Wave[]> {
  await generate({ patients, seed, out: folder })
  const { waves } = JSON.parse(await readFile(join(folder, "truth.json"), "utf8")) as { waves: readonly Wave[] }
  return waves
}

/** What is other than in examples/demo.yaml. */
export interface Changes {
  /** Settings of the ports; the demo's embedded ones where they are not named. */
  readonly log?: object
  readonly store?: object
  readonly objects?: object
  /** The pipeline's name, which groups, transactions and the engine's topics are named by. */
  readonly name?: string
  /** What the topics' names begin with. */
  readonly topicPrefix?: string
  /** Topics that the insert-only sink reads; no such sink when none are named. */
  readonly insertOnly?: readonly string[]
}

/** The names of the demo's topics. */
export const topics = [
  "dicom.arrivals",
  "fhir.arrivals",
  "people.events",
  "people.facts",
  "imaging.studies",
  "imaging.instances",
  "labels",
  "curated.studies",
  "curated.instances",
  "curated.resources",
  "curated.labels",
] as const

type Topics = string | readonly string[] | Readonly<Record<string, string>>

interface PipelineFile {
  topics: Record<string, object>
  sources: Record<string, { to: Topics; with: Record<string, unknown> }>
  stages: Record<string, { from: Topics; to: Topics }>
  sinks: Record<string, { use: string; from: Topics }>
}

/** The pipeline with other names of topics. */
function renamed(file: PipelineFile, rename: (topic: string) => string): PipelineFile {
  const each = (named: Topics): Topics => {
    if (typeof named === "string") return rename(named)
    if (Array.isArray(named)) return named.map(rename)
    return Object.fromEntries(Object.entries(named).map(([port, topic]) => [port, rename(topic as string)]))
  }
  file.topics = Object.fromEntries(Object.entries(file.topics).map(([topic, rest]) => [rename(topic), rest]))
  for (const source of Object.values(file.sources)) source.to = each(source.to)
  for (const stage of Object.values(file.stages)) [stage.from, stage.to] = [each(stage.from), each(stage.to)]
  for (const sink of Object.values(file.sinks)) sink.from = each(sink.from)
  return file
}

/** How a process ended, and what it said. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that runs a pipeline. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<End>
}

/** A folder in which the demo's pipeline runs on the synthetic hospital. */
export class RunFolder {
  readonly path: string
  readonly pipeline: string
  readonly #hospital: string
  readonly #changes: Changes

  private constructor(path: string, hospital: string, changes: Changes) {
    this.path = path
    this.pipeline = join(path, "pipeline.yaml")
    this.#hospital = hospital
    this.#changes = changes
  }

  /** Keys are the same in every folder, so that pseudonyms are. */
  static async make(path: string, hospital: string, changes: Changes = {}): Promise<RunFolder> {
    await mkdir(join(path, "keys"), { recursive: true })
    for (const key of ["project", "identity"])
      await writeFile(join(path, "keys", key), `the ${key} key of this test, long enough\n`)
    for (const name of ["phenotypes", "codes"]) await cp(join(hospital, name), join(path, name), { recursive: true })
    return new RunFolder(path, hospital, changes)
  }

  /** Files of a wave arrive, and the pipeline says how far the feeds are complete. */
  async deliver(wave: Wave): Promise<void> {
    for (const [from, to] of [
      ["dicom", "incoming"],
      ["ehr", "ehr"],
    ] as const) {
      const arriving = join(this.path, `${to}-${wave.name}`)
      await cp(join(this.#hospital, wave.name, from), arriving, { recursive: true })
      await mkdir(join(this.path, to), { recursive: true })
      await rename(arriving, join(this.path, to, wave.name))
    }
    await writeFile(this.pipeline, await this.#text(wave))
  }

  async #text(wave: Wave): Promise<string> {
    const { topicPrefix = "", insertOnly = [], ...ports } = this.#changes
    const text = await readFile(join(root, "examples", "demo.yaml"), "utf8")
    const file = renamed(parse(text) as PipelineFile, (topic) => topicPrefix + topic)
    const sources = Object.values(file.sources)
    for (const source of sources) source.with["complete-through"] = wave.completeThrough
    if (insertOnly.length > 0) {
      Object.assign(file, { plugins: [relative(this.path, join(root, "test/integration/hospital/insert-only.ts"))] })
      file.sinks["inserts"] = { use: "insert-only", from: insertOnly.map((topic) => topicPrefix + topic) }
    }
    return stringify({ ...file, ...ports })
  }

  /** Starts `weir run` on it, in a process of its own. */
  start(wave: Wave, log: (text: string) => void = () => {}): Running {
    const args = [join(root, "cli/bin.ts"), "run", this.pipeline, "--until-idle", "--as-of", wave.asOf, "--json"]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.path })
    const ended = new Promise<End>((settle, reject) => {
      let [stdout, stderr] = ["", ""]
      child.stdout.on("data", (bytes: Buffer) => void (stdout += bytes.toString()))
      child.stderr.on("data", (bytes: Buffer) => {
        stderr += bytes.toString()
        log(bytes.toString())
      })
      child.on("error", reject)
      child.on("close", (code, signal) => settle({ code, signal, stdout, stderr }))
    })
    return { child, ended }
  }

  /** Runs to the end; throws with what it said when that is not 0. */
  async run(wave: Wave): Promise<End> {
    const end = await this.start(wave).ended
    if (end.code !== 0) throw new Error(`weir ended ${end.code ?? end.signal}:\n${end.stderr.slice(-4000)}`)
    return end
  }
}
