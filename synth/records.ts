import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import type { WaveName } from "./calendar.ts"
import { dead, dropped, waiting } from "./fate.ts"
import type { Fate } from "./fate.ts"
import { diagnosisLines } from "./fhir/diagnosis.ts"
import { directoryLines } from "./fhir/directory.ts"
import { laboratoryLines } from "./fhir/laboratory.ts"
import { patientLines } from "./fhir/patient.ts"
import { reportLines } from "./fhir/report.ts"
import type { Line } from "./fhir/resource.ts"
import { visitLines } from "./fhir/visit.ts"
import { LineFile } from "./output.ts"
import type { PersonPlan } from "./plan.ts"
import { plantResource } from "./planted.ts"
import type { Ledger } from "./planted.ts"
import type { Arrival } from "./truth.ts"

/** The biggest feed comes compressed. */
const pathOf = (wave: WaveName, type: string): string =>
  `${wave}/ehr/${type}.ndjson${wave === "wave1" && type === "Observation" ? ".gz" : ""}`

/** All that the record system tells of a patient, in the order in which it tells it. */
function linesOf(plan: PersonPlan): readonly Line[] {
  const lines = [...visitLines(plan), ...laboratoryLines(plan), ...diagnosisLines(plan), ...reportLines(plan)]
  const unknown = plan.has("late-patient")
  return [
    ...patientLines(plan),
    ...lines.map((line) =>
      unknown && line.wave === "wave1" && line.fate.fate === "released" ? { ...line, fate: waiting } : line,
    ),
  ]
}

interface Repeat {
  readonly wave: WaveName
  readonly type: string
  readonly text: string
  readonly person: string
}

/** Lines that the feed sends again, unchanged: soon after, or weeks later. */
function repeatsOf(plan: PersonPlan, lines: readonly Line[]): readonly Repeat[] {
  if (plan.has("late-patient")) return []
  const repeated = (type: string, wave: WaveName): readonly Repeat[] => {
    const line = lines.find((one) => one.resource.resourceType === type && one.wave === "wave1")
    if (line === undefined) return []
    return [{ wave, type, text: JSON.stringify(line.resource), person: plan.person.name }]
  }
  return [
    ...(plan.index % 3 === 0 ? repeated("DiagnosticReport", "wave1") : []),
    ...(plan.index % 4 === 1 ? repeated("Observation", "wave1") : []),
    ...(plan.index % 4 === 2 ? repeated("ImagingStudy", "wave2") : []),
  ]
}

/** Writes the NDJSON files of both waves and says what becomes of each line. */
export class Records {
  readonly #out: string
  readonly #files = new Map<string, LineFile>()
  #repeats: readonly Repeat[] = []

  constructor(out: string) {
    this.#out = out
  }

  async open(): Promise<void> {
    for (const wave of ["wave1", "wave2"]) await mkdir(join(this.#out, wave, "ehr"), { recursive: true })
  }

  #line(wave: WaveName, type: string, text: string, fate: Fate, person?: string): Arrival {
    const path = pathOf(wave, type)
    let file = this.#files.get(path)
    if (file === undefined) this.#files.set(path, (file = new LineFile(join(this.#out, path))))
    const line = file.line(text)
    return { wave, file: path, line, ...(person === undefined ? {} : { person }), type, ...fate }
  }

  #tell(lines: readonly Line[], ledger: Ledger, person?: string): readonly Arrival[] {
    return lines.map(({ wave, resource, fate }) => {
      const { resourceType } = resource
      plantResource(ledger, resource, pathOf(wave, resourceType))
      return this.#line(wave, resourceType, JSON.stringify(resource), fate, person)
    })
  }

  /** The records of a patient, and what the feed repeats of the one before; gives their arrivals. */
  async person(plan: PersonPlan, ledger: Ledger): Promise<readonly Arrival[]> {
    const lines = linesOf(plan)
    const told = this.#tell(lines, ledger, plan.person.name)
    const again = this.#again()
    this.#repeats = repeatsOf(plan, lines)
    for (const file of this.#files.values()) await file.flush()
    return [...told, ...again]
  }

  #again(): readonly Arrival[] {
    return this.#repeats.map(({ wave, type, text, person }) =>
      this.#line(wave, type, text, dropped("duplicate"), person),
    )
  }

  /** What comes at the end: the last repeats, resources that name no person, and lines that nobody can read. */
  finish(house: Ledger): readonly Arrival[] {
    const noId = { resourceType: "Observation", status: "final", code: { text: "Potassium" } }
    const badDate = { ...noId, id: "bad-date", effectiveDateTime: "0000-13-45" }
    return [
      ...this.#again(),
      ...this.#tell(directoryLines(), house),
      this.#line("wave1", "Encounter", '{"resourceType":"Encounter","id":"torn","status":', dead("not-json")),
      this.#line("wave1", "Observation", JSON.stringify(noId), dead("no-id")),
      this.#line("wave2", "Observation", JSON.stringify(badDate), dead("bad-date")),
    ]
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close()
  }
}
