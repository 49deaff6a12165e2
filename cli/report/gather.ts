import type { CompiledPipeline, CompiledStage, CompiledTopic } from "../../core/pipeline/model.ts"
import { fatal } from "../../core/errors.ts"
import type { StateRow, Store } from "../../core/ports/store.ts"
import type { App, Io } from "../app.ts"
import { knownLetters } from "../dead-letters/letters.ts"
import { withLog, withObjects, withOpenedLog, withStore } from "../ports.ts"
import { readRecords } from "../topics/read.ts"
import { version } from "../version.ts"
import { ImageTally, persons, sorted, studyPseudonym } from "./images.ts"
import type { KnownInstance, KnownPerson } from "./images.ts"
import { reviewsOf } from "./reviews.ts"
import { Newest, recordReports } from "./records.ts"
import type { PrivacyReport, StageReport, Subject } from "./model.ts"

const isImages = ({ steps }: CompiledStage): boolean => steps.some(({ plugin }) => plugin.name === "deidentify-dicom")

/** The stages of a pipeline that de-identify images. */
export const imageStages = ({ stages }: CompiledPipeline): readonly CompiledStage[] => stages.filter(isImages)

/** The committed state of a stage. Throws fatal `report-unsupported` where the Store does not tell it. */
export function rowsOf(store: Store, pipeline: CompiledPipeline, stage: CompiledStage): AsyncIterable<StateRow> {
  if (store.rows === undefined) throw fatal("report-unsupported", "this Store does not tell the state of stages")
  return store.rows(pipeline.name, stage.name)
}

const transformsOf = ({ steps }: CompiledStage): StageReport["transforms"] =>
  steps
    .filter(({ plugin }) => "privacy" in plugin && plugin.privacy === true)
    .map(({ plugin, options }) => {
      const states = "states" in plugin ? (plugin.states as ((options: unknown) => string) | undefined) : undefined
      return { plugin: plugin.name, statement: states?.(options) ?? "" }
    })

/** Gathers a report of a pipeline from what is committed; a run may go on meanwhile. */
export class Gathering {
  readonly #pipeline: CompiledPipeline
  readonly #app: App
  readonly #io: Io

  constructor(pipeline: CompiledPipeline, app: App, io: Io) {
    this.#pipeline = pipeline
    this.#app = app
    this.#io = io
  }

  async pipeline(): Promise<PrivacyReport> {
    return this.#report({ kind: "pipeline" }, await this.#stages(this.#privacyStages()))
  }

  /** What a topic holds, with the stages that its rows come from. */
  async dataSet(topic: CompiledTopic): Promise<PrivacyReport> {
    const newest = new Newest<string | undefined>()
    await withOpenedLog(this.#pipeline, this.#app, this.#io, async (log) => {
      if (!(await log.topics()).some(({ name }) => name === topic.name)) return
      await withObjects(this.#pipeline, topic.zone, this.#app, this.#io, async (objects) => {
        // A replay may bring an older version after a newer one: readers go by version.
        const records = readRecords(log, topic, objects, { from: 0n, limit: Infinity })
        for await (const { key, id, op, version, value } of records) {
          const { profile } = (value ?? {}) as { readonly profile?: unknown }
          const said = typeof profile === "string" ? profile : ""
          newest.add(JSON.stringify([key, id]), version, op === "retract" ? undefined : said)
        }
      })
    })
    const profiles = new Map<string, number>()
    const standing = newest.rows.filter((profile) => profile !== undefined)
    for (const profile of standing) if (profile !== "") profiles.set(profile, (profiles.get(profile) ?? 0) + 1)
    const { name, zone } = topic
    const subject = { kind: "data-set", topic: name, zone, rows: standing.length, profiles: sorted(profiles) } as const
    return this.#report(subject, await this.#stages(this.#above(topic)))
  }

  /** A study by its pseudonym, or with `original` by its Study Instance UID; undefined when it is not known. */
  async study(uid: string, original: boolean): Promise<PrivacyReport | undefined> {
    const stages: StageReport[] = []
    let study: string | undefined
    for (const stage of imageStages(this.#pipeline)) {
      const tally = new ImageTally()
      const originals = new Set<string>()
      await this.#each(stage, ({ instances, studies }) => {
        for (const [own, row] of studies) {
          const pseudonym = studyPseudonym(row)
          if (pseudonym === undefined || (original ? own : pseudonym) !== uid) continue
          study = pseudonym
          originals.add(own)
          for (const instance of instances) if (isOf(instance, own, pseudonym)) tally.add(instance)
        }
      })
      for (const own of originals)
        stages.push({
          stage: stage.name,
          transforms: transformsOf(stage),
          images: tally.report(),
          ...(await this.#reviews(stage, own)),
        })
    }
    return study === undefined ? undefined : this.#report({ kind: "study", study }, stages)
  }

  #report(subject: Subject, stages: readonly StageReport[]): PrivacyReport {
    const made = new Date(this.#io.now()).toISOString()
    const tool = `weir ${version()}`
    return { format: "weir-privacy-report-1", subject, pipeline: this.#pipeline.name, tool, made, stages }
  }

  #privacyStages(): readonly CompiledStage[] {
    return this.#pipeline.stages.filter(({ privacy }) => privacy)
  }

  /** The privacy stages from which records of a topic may come. */
  #above(topic: CompiledTopic): readonly CompiledStage[] {
    const { stages, topics } = this.#pipeline
    const seen = new Set<string>()
    const look = (name: string): void => {
      if (seen.has(name)) return
      seen.add(name)
      for (const stage of stages)
        if (Object.values(stage.outputs).includes(name)) for (const input of stage.inputs.keys()) look(input)
    }
    look(topic.name)
    return this.#privacyStages().filter(({ outputs }) =>
      Object.values(outputs).some((name) => seen.has(name) && topics.get(name)?.zone !== "phi"),
    )
  }

  async #stages(stages: readonly CompiledStage[]): Promise<readonly StageReport[]> {
    const letters = await knownLetters(this.#pipeline, this.#app, this.#io)
    const records = await withLog(this.#pipeline, this.#app, (log) => recordReports(log, this.#pipeline.name))
    const reports: StageReport[] = []
    for (const stage of stages) {
      const ofRecords = records.get(stage.name)
      const own = letters.filter(({ letter }) => letter.stage === stage.name)
      const open = new Map<string, number>()
      // One that failed again has another letter, which tells of it.
      for (const { letter, state } of own)
        if (state === "open" || state === "pending") open.set(letter.code, (open.get(letter.code) ?? 0) + 1)
      reports.push({
        stage: stage.name,
        transforms: transformsOf(stage),
        ...(isImages(stage) ? { images: await this.#images(stage) } : {}),
        ...(ofRecords === undefined ? {} : { records: ofRecords }),
        ...(await this.#reviews(stage)),
        deadLetters: sorted(open),
        deadLettersFixed: own.filter(({ state }) => state === "fixed").length,
      })
    }
    return reports
  }

  async #reviews(stage: CompiledStage, study?: string): Promise<Pick<StageReport, "reviews">> {
    if (!isImages(stage)) return {}
    const reviews = await withStore(this.#pipeline, this.#app, (store) =>
      reviewsOf(store, this.#pipeline, stage.name, study),
    )
    return reviews === undefined ? {} : { reviews }
  }

  async #images(stage: CompiledStage) {
    const tally = new ImageTally()
    await this.#each(stage, ({ instances }) => {
      for (const instance of instances) tally.add(instance)
    })
    return tally.report()
  }

  async #each(stage: CompiledStage, act: (person: KnownPerson) => void): Promise<void> {
    await withStore(this.#pipeline, this.#app, async (store) => {
      for await (const person of persons(rowsOf(store, this.#pipeline, stage))) act(person)
    })
  }
}

/** Of what left, only what is kept of its release says which study it was of. */
const isOf = ({ row: { stated, verdict } }: KnownInstance, study: string, pseudonym: string): boolean =>
  stated === undefined ? verdict?.released?.studyInstanceUid === pseudonym : stated.study === study
