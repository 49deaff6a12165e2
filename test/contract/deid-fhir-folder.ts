import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { identityKeyFrom, personKey, pseudonymizer } from "../../core/index.ts"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FileResult, FilesGiven } from "../../cli/deid/index.ts"
import { main } from "../../main.ts"
import { projectKey } from "./dicom-border.ts"

export const base = pseudonymizer(projectKey)
export const keyOf = (mrn: string): string => personKey(identityKeyFrom(projectKey), "mrn", mrn)
export const personOf = (mrn: string): string => base.person(keyOf(mrn))

export type Json = Readonly<Record<string, unknown>>

export const mrn = (value: string, system = "urn:oid:1.2.3.4.5"): Json => ({
  type: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "MR" }] },
  system,
  value,
})
export const patient = (id: string, record: string, more: Json = {}): Json => ({
  resourceType: "Patient",
  id,
  identifier: [{ system: "http://hl7.org/fhir/sid/us-ssn", value: "999-12-3456" }, mrn(record)],
  name: [{ family: "Alvasson", given: ["Jolanda"] }],
  birthDate: "1950-01-02",
  gender: "female",
  address: [{ line: ["12 Quokka Lane"], city: "Wombatville", postalCode: "02139" }],
  telecom: [{ system: "phone", value: "617-555-0143" }],
  ...more,
})
export const observation = (id: string, subject: string, more: Json = {}): Json => ({
  resourceType: "Observation",
  id,
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "4548-4" }], text: "HbA1c of Jolanda" },
  subject: { reference: subject, display: "Jolanda Alvasson" },
  effectiveDateTime: "2019-03-04",
  valueQuantity: { value: 6.1, unit: "%", system: "http://unitsofmeasure.org", code: "%" },
  note: [{ text: "Mrs Alvasson, MRN-471147, lives in Wombatville" }],
  ...more,
})
/** What of these two must not be in an output. */
export const planted =
  /Alva|Jolanda|471147|999-12|999123456|Quokka|Wombat|617-555|1950-01-02|2019-03-04|hospital\.example|sibling-7/

export const lines = (...resources: readonly (Json | string)[]): string =>
  resources.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n")

/** A folder of files, and that of their results. */
export class TestFolder {
  readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  static async make(): Promise<TestFolder> {
    const folder = new TestFolder(await mkdtemp(join(tmpdir(), "weir-deid-fhir-")))
    await mkdir(folder.input)
    await writeFile(join(folder.dir, "key"), projectKey)
    return folder
  }

  get input(): string {
    return join(this.dir, "in")
  }

  get output(): string {
    return join(this.dir, "out")
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true })
  }

  put(name: string, given: Json | readonly unknown[] | string | Uint8Array): Promise<void> {
    const isText = typeof given === "string" || given instanceof Uint8Array
    return writeFile(join(this.input, name), isText ? given : JSON.stringify(given))
  }

  async run(more: Partial<FilesGiven> = {}): Promise<FileResult[]> {
    const { input, output } = this
    const results: FileResult[] = []
    for await (const result of deidentifyEach({ input, output, projectKey, ...more })) results.push(result)
    return results
  }

  /** The text of a result. */
  async read({ output }: FileResult): Promise<string> {
    const bytes = await readFile(join(this.output, output))
    return (output.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8")
  }

  async json(result: FileResult) {
    return JSON.parse(await this.read(result))
  }

  /** Runs the command on the folder. */
  async weir(...more: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
    const said: string[] = []
    const io = {
      stdout: { write: (text: string) => said.push(text) },
      stderr: { write: (text: string) => said.push(text) },
      environment: {},
      signal: new AbortController().signal,
      now: () => 0,
    }
    const code = await main(["deid", this.input, ...more, "--key-file", join(this.dir, "key")], io)
    return { code, said: said.join("") }
  }
}

export const fates = (results: readonly FileResult[]) =>
  results.map(({ input: of, status, reason }) => [of, status, reason])
