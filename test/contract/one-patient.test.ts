import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FileResult } from "../../cli/deid/index.ts"
import { identityKeyFrom, personKey, pseudonymizer } from "../../core/index.ts"
import type { CuratedResource, PersonEvent } from "../../core/index.ts"
import { parseMessage } from "../../formats/hl7v2/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { record, runTransform, testContext } from "../kit/index.ts"
import { projectKey, slice } from "./dicom-border.ts"
import { dicomText } from "./synth-hospital.ts"

const person = personKey(identityKeyFrom(projectKey), "mrn", "MRN-471147")
const pseudonyms = pseudonymizer(projectKey)
const pseudonym = pseudonyms.person(person)
const moved = new Date(Date.UTC(2024, 1, 29) - pseudonyms.shiftMs(person)).toISOString().slice(0, 10)

const message = [
  "MSH|^~\\&|APP|HOSP|||20240229103000||ORU^R01^ORU_R01|77|P|2.5.1",
  "PID|1||MRN-471147^^^HOSP^MR||Testperson^Alva||19500101|F",
  "OBR|1||ACC-778899|71250^CT chest^C4|||20240229101500",
  "OBX|1|TX|18748-4^Report^LN||Ms. Testperson (MRN 471147, ACC-778899) was seen on 02/29/2024.||||||F",
  "",
].join("\r")
const report =
  "Patient: Alva Testperson, MRN-471147\nCT of 2024-02-29, accession ACC778899. Compared with 02/19/2024.\n"

/** Everything in one resource of the person, as the stream releases it. */
async function fhir(): Promise<CuratedResource> {
  const made = await deidentifyFhir.create({ key: "k" }, testContext({ secret: () => projectKey }))
  const body = {
    resourceType: "ImagingStudy",
    id: "s1",
    status: "available",
    subject: { reference: "Patient/p1" },
    started: "2024-02-29",
    identifier: [
      { system: "urn:dicom:uid", value: "urn:oid:1.2.3.4.100.1" },
      {
        type: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "ACSN" }] },
        value: "ACC-778899",
      },
    ],
  }
  const value = { kind: "resource", body: JSON.stringify(body), codes: [], identifiers: [], birthDate: null, flags: [] }
  const rec = record({ key: person, id: "resource/ImagingStudy/s1", value: value as unknown as PersonEvent })
  const { emitted } = await runTransform(made, [rec] as never)
  expect(emitted[0]!.draft.key).toBe(pseudonym)
  return emitted[0]!.draft.value as CuratedResource
}

describe("one patient in an image, a resource, a message and a report", () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "weir-one-"))
    await mkdir(join(dir, "in"))
    await writeFile(join(dir, "in/a.dcm"), slice("1.2.3.4.5.61"))
    await writeFile(join(dir, "in/b.hl7"), message)
    await writeFile(join(dir, "in/c.txt"), report)
    const given = {
      patientId: "MRN-471147",
      names: ["Testperson^Alva"],
      birthDate: "1950-01-01",
      accessions: ["ACC-778899"],
    }
    await writeFile(join(dir, "in/c.person.json"), JSON.stringify(given))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const run = async (key = projectKey): Promise<FileResult[]> => {
    const results: FileResult[] = []
    const options = { "retain-longitudinal-modified-dates": true } as const
    const given = { input: join(dir, "in"), output: join(dir, "out"), projectKey: key, options }
    for await (const result of deidentifyEach(given)) results.push(result)
    return results
  }
  const outputs = async (results: readonly FileResult[]) => {
    const named = (input: string) => readFile(join(dir, "out", results.find((each) => each.input === input)!.output))
    return {
      dicom: dicomText(await named("a.dcm")),
      hl7: String(await named("b.hl7")),
      text: String(await named("c.txt")),
    }
  }

  it("has one pseudonym, one shift and one accession number in all of them", async () => {
    const results = await run()
    expect(results.map(({ status, reason }) => `${status} ${reason}`.trim())).toEqual([
      "released",
      "released",
      "refused person-file",
      "released",
    ])
    const { dicom, hl7, text } = await outputs(results)
    const resource = (await fhir()).body
    for (const told of [dicom, hl7, text]) expect(told).toContain(pseudonym)
    expect(dicom).toContain(moved.replaceAll("-", ""))
    expect(hl7).toContain(`|${moved.replaceAll("-", "")}101500`)
    expect(hl7).toContain(`${moved.slice(5, 7)}/${moved.slice(8)}/${moved.slice(0, 4)}`)
    expect(text).toContain(`CT of ${moved},`)
    expect(resource).toContain(moved)
    const accession = pseudonyms.accession("", "ACC-778899")
    for (const told of [dicom, hl7, text, resource]) expect(told).toContain(accession)
    for (const told of [dicom, hl7, text, resource])
      expect(told).not.toMatch(/Alva|Testperson|471147|778899|2024-?02|1950-?01|2024\b/i)
    for (const { output } of results) expect(output).not.toMatch(/Alva|Testperson|471147/i)
  })

  it("tells the age where the birth date was", async () => {
    const { hl7 } = await outputs(await run())
    const { segments } = parseMessage(Buffer.from(hl7))
    expect(segments.find(({ name }) => name === "PID")!.fields[7]).toBe("")
    expect(segments.at(-1)!.fields.slice(2, 6)).toEqual(["NM", "30525-0^Age^LN", "", "74"])
  })

  it("shares nothing with another project", async () => {
    const first = await outputs(await run())
    await rm(join(dir, "out"), { recursive: true })
    const second = await outputs(await run(new Uint8Array(32).fill(8)))
    const tokens = (text: string) => new Set(text.match(/[a-z2-7]{26}|[A-Z2-7]{16}|\d{8}/g) ?? [])
    for (const kind of ["hl7", "text"] as const)
      expect([...tokens(first[kind])].filter((token) => tokens(second[kind]).has(token))).toEqual([])
  })

  it("does not let a report pass whose person nobody states", async () => {
    await rm(join(dir, "in/c.person.json"))
    expect((await run()).map(({ input, reason }) => [input, reason])).toContainEqual(["c.txt", "no-person"])
    await writeFile(join(dir, "in/c.person.json"), JSON.stringify({ patientId: "MRN-471147", names: [] }))
    expect((await run()).map(({ input, reason }) => [input, reason])).toContainEqual(["c.txt", "no-person"])
  })
})
