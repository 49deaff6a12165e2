import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { WaveName } from "./calendar.ts"
import { fileOf, headerOf } from "./dicom/instance.ts"
import { kinds, seriesOf } from "./dicom/series.ts"
import type { InstancePlan, SeriesPlan } from "./dicom/series.ts"
import { dead, dropped, released } from "./fate.ts"
import type { Fate } from "./fate.ts"
import { personas } from "./personas.ts"
import { dicomName } from "./person.ts"
import type { PersonPlan, StudyPlan } from "./plan.ts"
import { plantDicom } from "./planted.ts"
import type { Ledger } from "./planted.ts"
import type { Arrival } from "./truth.ts"

const refusals = {
  overlay: "refused.overlay",
  exif: "refused.app-segment",
  "name-in-coil": "refused.identifier-left",
} as const

/** What should become of an instance (the de-identifier without `faces: allow`). */
function fateOf(study: StudyPlan, series: SeriesPlan, { quirk }: InstancePlan): Fate {
  if (quirk !== undefined && quirk !== "no-preamble") return dead(refusals[quirk])
  if (series.screen || study.kind === "us-abdomen") return dead("refused.burned-in-text-risk")
  return study.kind === "mr-head" ? dead("refused.face-risk") : released
}

/** How the archive names a patient's folder: by record number. */
const folderOf = (plan: PersonPlan): string =>
  plan.has("no-patient-id") ? `UNKNOWN-${plan.person.name}` : plan.person.mrn

const fileName = ({ number }: InstancePlan): string => `I${String(number).padStart(4, "0")}.dcm`

/** Copies of a first instance, sent again. */
function copies(plan: PersonPlan, study: StudyPlan): readonly { readonly wave: WaveName; readonly folder: string }[] {
  if (study.number !== 1) return []
  return [
    ...(plan.index % 7 === 1 ? [{ wave: "wave1" as const, folder: `${folderOf(plan)}/copy` }] : []),
    ...(plan.index % 5 === 2 ? [{ wave: "wave2" as const, folder: `resent/${folderOf(plan)}` }] : []),
  ]
}

/** Writes the images of patients and says what becomes of each file. */
export class Images {
  readonly #out: string
  readonly #personas: number
  /** Bytes written. */
  bytes = 0

  constructor(out: string) {
    this.#out = out
    this.#personas = personas.length
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    await writeFile(join(this.#out, path), bytes)
    this.bytes += bytes.length
  }

  /** The images of all studies of a patient; gives their arrivals. */
  async person(plan: PersonPlan, ledger: Ledger): Promise<readonly Arrival[]> {
    const arrivals: Arrival[] = []
    for (const study of plan.studies)
      for (const series of seriesOf(plan, study, this.#personas)) {
        arrivals.push(...(await this.#series(plan, study, series, ledger)))
      }
    return arrivals
  }

  async #series(plan: PersonPlan, study: StudyPlan, series: SeriesPlan, ledger: Ledger): Promise<readonly Arrival[]> {
    const arrivals: Arrival[] = []
    const all = seriesOf(plan, study, this.#personas)
    const studyInstances = all.reduce((sum, { instances }) => sum + instances.length, 0)
    const base = { person: plan.person.name, type: "dicom" }
    for (const wave of ["wave1", "wave2"] as const) {
      const instances = series.instances.filter(({ late }) => late === (wave === "wave2"))
      if (instances.length === 0) continue
      const folder = `${wave}/dicom/${folderOf(plan)}/${study.accession}/S${series.number}`
      await mkdir(join(this.#out, folder), { recursive: true })
      ledger.plant("accession", study.accession, { path: `${folder}/`, at: "path" })
      for (const instance of instances) {
        const context = { plan, study, series, instance, studyInstances }
        const header = headerOf(context)
        const bytes = fileOf(context, header)
        const file = `${folder}/${fileName(instance)}`
        plantDicom(ledger, header, `${folder}/`, file)
        await this.#write(file, bytes)
        arrivals.push({ ...base, wave, file, ...fateOf(study, series, instance) })
        if (series.number === 1 && instance.number === 1) arrivals.push(...(await this.#copies(plan, study, bytes)))
      }
    }
    return arrivals
  }

  async #copies(plan: PersonPlan, study: StudyPlan, bytes: Uint8Array): Promise<readonly Arrival[]> {
    const arrivals: Arrival[] = []
    for (const { wave, folder } of copies(plan, study)) {
      const file = `${wave}/dicom/${folder}/${kinds[study.kind].modality}0001.dcm`
      await mkdir(join(this.#out, `${wave}/dicom/${folder}`), { recursive: true })
      await this.#write(file, bytes)
      arrivals.push({ wave, file, person: plan.person.name, type: "dicom", ...dropped("duplicate") })
    }
    return arrivals
  }

  /** Files that are no images, and images that broke on their way; made of the first patient's. */
  async broken(plan: PersonPlan, ledger: Ledger): Promise<readonly Arrival[]> {
    const folder = "wave1/dicom/import"
    await mkdir(join(this.#out, folder), { recursive: true })
    const { person } = plan
    const texts = [
      ["README.txt", `Exported for ${person.given} ${person.family}\n`],
      ["notes.dcm", `${dicomName(person)} brought a CD, record ${person.mrn}\n`],
      ["empty.dcm", ""],
    ] as const
    const arrivals: Arrival[] = []
    for (const [name, text] of texts) {
      await this.#write(`${folder}/${name}`, Buffer.from(text, "utf8"))
      arrivals.push({ wave: "wave1", file: `${folder}/${name}`, type: "dicom", ...dropped("not-dicom") })
    }
    for (const [name, reason, harm] of harms) {
      const file = `${folder}/${name}`
      const bytes = harm(brokenImage(plan, name, ledger, file))
      await this.#write(file, bytes)
      arrivals.push({ wave: "wave1", file, person: person.name, type: "dicom", ...dead(reason) })
    }
    return arrivals
  }
}

/** An instance of the first patient's first study that exists nowhere else, as explicit little endian. */
function brokenImage(plan: PersonPlan, name: string, ledger: Ledger, file: string): Uint8Array {
  const study = plan.studies[0]!
  const [main] = seriesOf(plan, study, personas.length)
  const uid = study.random.uid("broken", name)
  const series: SeriesPlan = { ...main!, coding: "explicit" }
  const instance = { ...main!.instances[0]!, uid }
  const context = { plan: { ...plan, index: 0 }, study, series, instance, studyInstances: series.instances.length }
  ledger.plant("uid", uid, { path: file, at: "(0008,0018)" })
  return fileOf(context, headerOf(context))
}

/** Cut inside the patient's attributes; a length that reaches beyond the file. */
const harms: readonly (readonly [name: string, reason: string, harm: (bytes: Uint8Array) => Uint8Array])[] = [
  ["truncated.dcm", "truncated", (bytes) => bytes.subarray(0, Buffer.from(bytes).indexOf("LO", 1200) + 7)],
  ["wrong-length.dcm", "truncated", (bytes) => wrongLength(bytes)],
]

/** Makes Pixel Data (7FE0,0010) claim to have 4 GB. */
function wrongLength(bytes: Uint8Array): Uint8Array {
  const harmed = Buffer.from(bytes)
  const at = harmed.lastIndexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00]))
  harmed.writeUInt32LE(0xfffffff0, at + 8)
  return harmed
}
