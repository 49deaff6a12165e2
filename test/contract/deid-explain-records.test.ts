import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { RecordExplanation } from "../../cli/deid/explain.ts"
import { main } from "../../main.ts"

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "weir-explain-records-"))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function explain(name: string, content: string, ...flags: readonly string[]) {
  const path = join(dir, name)
  await writeFile(path, content)
  let [out, err] = ["", ""]
  const code = await main(["deid", "explain", path, ...flags], {
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    environment: {},
    signal: new AbortController().signal,
    now: () => 0,
  })
  return { code, out, err }
}
async function records(name: string, content: string, ...flags: readonly string[]) {
  const { code, out, err } = await explain(name, content, ...flags, "--json")
  expect(code, err).toBe(0)
  const said = JSON.parse(out) as { readonly tool: string; readonly records: readonly RecordExplanation[] }
  expect(said.tool).toMatch(/^weir /)
  return said.records
}
const of = ({ elements }: RecordExplanation, path: string) => elements.find((one) => one.path === path)

const observation = {
  resourceType: "Observation",
  id: "obs-4711",
  status: "final",
  code: {
    coding: [
      { system: "http://loinc.org", code: "4548-4", display: "of Jane" },
      { system: "x", code: "a b" },
    ],
  },
  subject: { reference: "Patient/p-4711", display: "Jane Doe" },
  effectiveDateTime: "2019-03-04",
  valueString: "Doe, Jane",
  "Jane Doe": 1,
  extension: [{ url: "http://doe.example", valueString: "Jane" }],
}
const patient = { resourceType: "Patient", id: "p-4711", birthDate: "1950-01-02", name: [{ family: "Doe" }] }
const value = /\bdoe\b|jane|4711|2019|1950|smithers|elm st/i

describe("weir deid explain, of a FHIR resource", () => {
  it("tells of each element the rule that decides and what becomes of it, and no value", async () => {
    const [one] = await records("o.json", JSON.stringify(observation))
    expect(one).toMatchObject({ format: "fhir", profile: "shifted", verdict: "released" })
    expect(of(one!, "Observation.effectiveDateTime")).toMatchObject({ rule: "date", action: "shifted" })
    expect(of(one!, "Observation.subject")).toMatchObject({ rule: "person", action: "mapped" })
    expect(of(one!, "Observation.code.coding[0]")).toMatchObject({ rule: "Coding", action: "reduced" })
    expect(of(one!, "Observation.code.coding[1]")).toEqual({
      path: "Observation.code.coding[1]",
      rule: "Coding",
      action: "removed",
      reason: "coding-not-a-code",
    })
    expect(of(one!, "Observation.valueString")).toMatchObject({ rule: "not-listed", action: "removed" })
    const { out } = await explain("o.json", JSON.stringify(observation))
    expect(out).toMatch(/Observation\.subject +person +mapped +who it is about/)
    expect(out).toContain("(not an element name)")
    expect(out).not.toMatch(value)
    expect((await explain("o.json", JSON.stringify(observation), "--json")).out).not.toMatch(value)
  })

  it("tells it by the profile, and of the entries of a Bundle with the birth date that its Patient has", async () => {
    const bundle = JSON.stringify({
      resourceType: "Bundle",
      entry: [{ resource: patient }, { resource: observation }, { resource: { resourceType: "Binary", id: "b" } }],
    })
    const [first, second, third] = await records("b.json", bundle, "--profile", "safe-harbor")
    expect(of(first!, "Patient.name")).toMatchObject({ rule: "not-listed", action: "removed" })
    expect(of(first!, "Patient.birthDate")).toMatchObject({ rule: "birth-date", action: "removed" })
    expect(second).toMatchObject({ place: "entry[1]", profile: "safe-harbor" })
    expect(of(second!, "Observation.effectiveDateTime")).toMatchObject({ action: "year" })
    expect(second!.elements).toContainEqual({ path: "Observation.extension", rule: "age-at-event", action: "added" })
    expect(third).toMatchObject({ verdict: "resource-type", elements: [] })
  })

  it("explains the entries of a transaction, which have no ids yet, as they are de-identified", async () => {
    const { id: _, ...nameless } = observation
    const entry = [{ fullUrl: "urn:uuid:0c3c0f5e-0000-4000-8000-000000000001", resource: nameless }]
    const [one] = await records("t.json", JSON.stringify({ resourceType: "Bundle", type: "transaction", entry }))
    expect(one).toMatchObject({ place: "entry[0]", verdict: "released" })
  })

  it("says that what would come out still names its person, also where UIDs stay", async () => {
    const identifier = [
      { system: "urn:oid:1.9", value: "12345678" },
      { system: "urn:dicom:uid", value: "urn:oid:1.2.3.4.5" },
    ]
    const left = JSON.stringify({ ...observation, identifier, valueQuantity: { value: 12345678 } })
    for (const flags of [[], ["--options", "retain-uids"]])
      expect(await records("left.json", left, ...flags)).toMatchObject([{ verdict: "self-check" }])
    const kept = JSON.stringify({ resourceType: "ImagingStudy", id: "s1", status: "available", identifier })
    const [mapped] = await records("uid.json", kept)
    const [retained] = await records("uid.json", kept, "--options", "retain-uids")
    expect([mapped?.verdict, retained?.verdict]).toEqual(["released", "released"])
  })

  it("knows no birth date where a file has several Patients", async () => {
    const resource = [patient, { ...patient, id: "p-2" }, observation].map((one) => ({ resource: one }))
    const bundle = JSON.stringify({ resourceType: "Bundle", entry: resource })
    const told = await records("two.json", bundle, "--profile", "safe-harbor")
    expect(told[2]!.elements.filter(({ rule }) => rule === "age-at-event")).toEqual([])
  })

  it("says of an entry of a Bundle that is none what is wrong with it", async () => {
    const bundle = JSON.stringify({ resourceType: "Bundle", entry: [{}, null, { resource: 7 }, { resource: null }] })
    for (const flags of [[], ["--options", "retain-uids"]])
      expect((await records("none.json", bundle, ...flags)).map(({ place, verdict }) => `${place} ${verdict}`)).toEqual(
        [0, 1, 2, 3].map((at) => `entry[${at}] not-a-resource`),
      )
  })

  it("says that a file is no JSON without quoting it", async () => {
    const { out } = await explain("bad.json", '{"resourceType": "Jane Doe')
    expect(out).toContain("refused: body-not-json")
    expect(out).not.toMatch(value)
  })
})

describe("weir deid explain, of an HL7 v2 message", () => {
  const message = [
    "MSH|^~\\&|LAB||||20190304||ORU^R01|77|P|2.5",
    "PID|1||4711^^^HOSP^MR||Doe^Jane||19500102|F|||12 Elm St",
    "ZXX|1|secret",
    "OBX|1|TX|4548-4^HbA1c^LN||Seen by Dr. John Smithers on 03/01/2019.",
  ]

  it("tells of each field the rule, of texts where what kind of thing is replaced, and no value", async () => {
    const text = `${message.join("\r")}\r`
    const [one] = await records("m.hl7", text)
    expect(one).toMatchObject({ format: "hl7v2", verdict: "released" })
    expect(of(one!, "PID[1]-5")).toMatchObject({ rule: "name", action: "mapped" })
    expect(of(one!, "PID[1]-7")).toMatchObject({ rule: "birth-date", action: "removed" })
    expect(of(one!, "PID[1]-11")).toMatchObject({ rule: "address", action: "removed", reason: "not-of-its-kind" })
    expect(of(one!, "ZXX[1]-2")).toMatchObject({ rule: "z-segment", action: "removed" })
    expect(of(one!, "OBX[1]-5")).toMatchObject({ rule: "value TX", action: "cleaned" })
    const at = message[3]!.split("|")[5]!.indexOf("03/01")
    expect(one!.findings).toContainEqual({ path: "OBX[1]-5", kind: "date", start: at, end: at + 10 })
    for (const flags of [[], ["--json"]]) expect((await explain("m.hl7", text, ...flags)).out).not.toMatch(value)
  })

  it("tells why one of several is refused, and where", async () => {
    const two = `${message.join("\r")}\r${message.with(1, "PID|1|||").join("\r")}\r`
    const [first, second] = await records("two.hl7", two)
    expect(first).toMatchObject({ place: "message 1", verdict: "released" })
    expect(second).toMatchObject({ place: "message 2", verdict: "no-patient", path: "PID[1]-3" })
  })
})

describe("weir deid explain, of a report", () => {
  const text = "Jane Doe was seen on 03/01/2019.\n"

  it("tells what kind of thing is replaced where; without its person it is refused", async () => {
    const [alone] = await records("alone.txt", text)
    expect(alone).toMatchObject({ format: "text", verdict: "no-person" })
    await writeFile(join(dir, "r.person.json"), JSON.stringify({ patientId: "4711", names: ["Doe^Jane"] }))
    const [one] = await records("r.txt", text)
    expect(one).toMatchObject({ verdict: "released" })
    expect(one!.elements).toEqual([{ path: "text", rule: "text", action: "cleaned" }])
    expect(one!.findings.map(({ kind, start }) => [kind, start])).toEqual([
      ["name", 0],
      ["name", 5],
      ["date", 21],
    ])
    expect((await explain("r.txt", text)).out).not.toMatch(value)
  })

  it("refuses options that are of DICOM alone", async () => {
    const { code, err } = await explain("r.txt", text, "--options", "clean-descriptors", "--faces", "allow")
    expect(code).toBe(64)
    expect(err).toMatch(/clean-descriptors is of DICOM[\s\S]*--faces is of DICOM/)
    expect((await explain("r.txt", text, "--profile", "none")).code).toBe(64)
  })
})
