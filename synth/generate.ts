import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { timeZone, waves } from "./calendar.ts"
import { definitionFiles } from "./definitions.ts"
import { SynthError } from "./errors.ts"
import { Images } from "./images.ts"
import { JsonPart, put, writeJson } from "./output.ts"
import { planPerson } from "./plan.ts"
import type { PersonPlan } from "./plan.ts"
import { Ledger } from "./planted.ts"
import { Random } from "./random.ts"
import { Records } from "./records.ts"
import { systems } from "./systems.ts"
import { Tally } from "./tally.ts"
import { truePerson } from "./truth.ts"

export interface GenerateOptions {
  /** 1 to 9,999; twenty show everything there is. */
  readonly patients: number
  readonly seed: number | string
  /** A folder that is empty or not there yet. */
  readonly out: string
  /** Called after each patient. */
  readonly onProgress?: (done: number, patients: number) => void
}

/** What was written. */
export interface Summary extends Pick<Tally, "patients" | "studies" | "instances" | "arrivals" | "fates" | "labels"> {
  readonly seed: string
  readonly out: string
  /** Values in planted.json. */
  readonly planted: number
  /** Bytes of DICOM files. */
  readonly imageBytes: number
}

async function checkOptions({ patients, out }: GenerateOptions): Promise<void> {
  if (!Number.isInteger(patients) || patients < 1 || patients > 9999)
    throw new SynthError("bad-patients", "patients", "patients must be a whole number from 1 to 9999")
  await mkdir(out, { recursive: true })
  if ((await readdir(out)).length > 0)
    throw new SynthError("out-not-empty", "out", "the output folder is not empty; name one that is")
}

/** Writes everything about one patient at a time, so that memory does not grow with their number. */
class Hospital {
  readonly tally = new Tally()
  readonly images: Images
  readonly house = new Ledger("hospital")
  planted = 0
  readonly #records: Records
  readonly #people: JsonPart
  readonly #arrivals: JsonPart
  readonly #values: JsonPart
  readonly #out: string

  constructor(out: string) {
    this.#out = out
    this.images = new Images(out)
    this.#records = new Records(out)
    this.#people = new JsonPart(join(out, ".persons"))
    this.#arrivals = new JsonPart(join(out, ".arrivals"))
    this.#values = new JsonPart(join(out, ".planted"))
  }

  open(): Promise<void> {
    return this.#records.open()
  }

  async #keep(ledger: Ledger): Promise<void> {
    const entries = ledger.entries()
    this.planted += entries.length
    await this.#values.add(entries)
  }

  async person(plan: PersonPlan): Promise<void> {
    const ledger = new Ledger(plan.person.name, this.house)
    const images = await this.images.person(plan, ledger)
    const broken = plan.index === 0 ? await this.images.broken(plan, ledger) : []
    const arrivals = [...images, ...broken, ...(await this.#records.person(plan, ledger))]
    const truth = truePerson(plan)
    this.tally.person(truth)
    this.tally.arrived(arrivals)
    await this.#people.add([truth])
    await this.#arrivals.add(arrivals)
    await this.#keep(ledger)
  }

  async close(head: object): Promise<void> {
    const last = this.#records.finish(this.house)
    this.tally.arrived(last)
    await this.#arrivals.add(last)
    await this.#records.close()
    await this.#keep(this.house)
    const { patients, studies, instances, arrivals, fates, labels } = this.tally
    const counts = { patients, studies, instances, arrivals, fates, labels }
    const parts = { persons: this.#people, arrivals: this.#arrivals }
    await writeJson(join(this.#out, "truth.json"), { ...head, counts }, parts)
    await writeJson(join(this.#out, "planted.json"), head, { values: this.#values })
  }
}

/** Writes a synthetic hospital; the same options give the same bytes. Throws SynthError. */
export async function generate(options: GenerateOptions): Promise<Summary> {
  await checkOptions(options)
  const { patients, out, onProgress } = options
  const seed = String(options.seed)
  const random = new Random("weir-synth", seed)
  for (const [path, text] of definitionFiles) await put(out, path, text)
  const hospital = new Hospital(out)
  await hospital.open()
  for (let index = 0; index < patients; index++) {
    await hospital.person(planPerson(random, index, patients))
    onProgress?.(index + 1, patients)
  }
  await hospital.close({ seed, timeZone, waves, identity, accessionIssuers })
  const { studies, instances, arrivals, fates, labels } = hospital.tally
  const { planted, images } = hospital
  return { seed, out, patients, studies, instances, arrivals, fates, labels, planted, imageBytes: images.bytes }
}

/** What a pipeline must declare for the truth to hold. */
const identity = [{ namespace: "mrn", "dicom-issuer": ["HOSP", ""], "fhir-system": [systems.mrn] }]
const accessionIssuers = [["HOSP", "", systems.accession]]
