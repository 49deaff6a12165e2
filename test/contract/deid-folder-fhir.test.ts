import { appendFileSync } from "node:fs"
import { readFile, rm, stat, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { FileResult, FilesGiven, Progress } from "../../cli/deid/index.ts"
import type { RunReport } from "../../cli/deid/report.ts"
import {
  TestFolder,
  base,
  fates,
  keyOf,
  lines,
  mrn,
  observation,
  patient,
  personOf,
  planted,
} from "./deid-fhir-folder.ts"
import { slice } from "./dicom-border.ts"
import { dicomText, filesOf, makeHospital } from "./synth-hospital.ts"

let folder: TestFolder
let [dir, input, output] = ["", "", ""]
beforeEach(async () => {
  folder = await TestFolder.make()
  ;({ dir, input, output } = folder)
})
afterEach(() => folder.remove())

const put: TestFolder["put"] = (name, given) => folder.put(name, given)
const run = (more?: Partial<FilesGiven>) => folder.run(more)
const read = (result: FileResult) => folder.read(result)
const json = (result: FileResult) => folder.json(result)
const weir = (...more: readonly string[]) => folder.weir(...more)

describe("de-identifying FHIR files of a folder", () => {
  it("gives a person the same pseudonym and the same shift in images, messages, reports and resources", async () => {
    await put("a.dcm", slice("1.2.3.4.5.61"))
    await put(
      "m.hl7",
      "MSH|^~\\&|LAB||||20190304||ORU^R01|77|P|2.5\rPID|1||MRN-471147^^^^MR||Alvasson^Jolanda\rOBX|1|DT|4548-4^HbA1c^LN||20190304\r",
    )
    await put("r.txt", "Seen on 2019-03-04.")
    await put("r.person.json", { patientId: "MRN-471147", names: ["Alvasson^Jolanda"] })
    await put("o.json", observation("sibling-7", "Patient/p1"))
    await put("p.json", patient("p1", "MRN-471147"))
    const results = await run({ options: { "retain-longitudinal-modified-dates": true } })
    expect(fates(results)).toEqual([
      ["a.dcm", "released", ""],
      ["m.hl7", "released", ""],
      ["o.json", "released", ""],
      ["p.json", "released", ""],
      ["r.person.json", "refused", "person-file"],
      ["r.txt", "released", ""],
    ])
    const person = personOf("MRN-471147")
    const [image, message, told, who, , report] = results as [
      FileResult,
      FileResult,
      FileResult,
      FileResult,
      FileResult,
      FileResult,
    ]
    expect(dicomText(await readFile(join(output, image.output)))).toContain(person)
    expect(await read(message)).toContain(person)
    for (const one of [message, told, who, report]) expect(one.output).toMatch(new RegExp(`^${person}/[0-9a-f]{64}\\.`))
    const day = new Date(Date.UTC(2019, 2, 4) - base.shiftDays(keyOf("MRN-471147")) * 86_400_000)
      .toISOString()
      .slice(0, 10)
    const { subject, effectiveDateTime, valueQuantity } = await json(told)
    expect(effectiveDateTime).toBe(day)
    expect(await read(message)).toContain(day.replaceAll("-", ""))
    expect(await read(report)).toContain(day)
    expect(valueQuantity.value).toBe(6.1)
    expect(subject.identifier.value).toBe(person)
    const known = await json(who)
    expect(known.identifier).toEqual([{ system: "urn:weir:fhir:person", value: person }])
    expect(subject.reference).toBe(`Patient/${known.id}`)
    for (const one of [told, who]) expect(await read(one)).not.toMatch(planted)
    expect((await stat(join(output, told.output))).mtimeMs).toBe(0)
  })

  it("takes one resource a line, in order, and leaves out the lines that it refuses, with their reasons", async () => {
    await put("Patient.ndjson", lines(patient("p1", "MRN-471147"), patient("p2", "MRN-2", { birthDate: "1925-05-05" })))
    const bad = [
      '{"resourceType":"Observation","id":"x","id":"y"}',
      "not json",
      "[1]",
      '{"id":"x"}',
      { resourceType: "Practitioner", id: "dr", name: [{ family: "Alvasson" }] },
      { resourceType: "Observation", status: "final", subject: { reference: "Patient/p1" } },
      observation("o9", "Patient/unknown"),
      observation("o10", "Group/g"),
    ]
    const good = [observation("o1", "Patient/p1"), observation("o2", "Patient/p2"), observation("o3", "Patient/p1")]
    await put("all.ndjson.gz", gzipSync(lines("\uFEFF" + lines(good[0]!), "", good[1]!, ...bad, good[2]!)))
    const [patients, all] = (await run()) as [FileResult, FileResult]
    expect(patients.output).toMatch(/^resources\/[0-9a-f]{64}\.ndjson$/)
    expect(all.output).toMatch(/^resources\/[0-9a-f]{64}\.ndjson\.gz$/)
    const told = (await read(all))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    const [one, two] = [personOf("MRN-471147"), personOf("MRN-2")]
    expect(told.map(({ subject }) => subject.identifier.value)).toEqual([one, two, one])
    expect(all.resources).toMatchObject({
      released: 3,
      leftOut: {
        "duplicate-key": 1,
        "not-json": 1,
        "not-an-object": 1,
        "no-resource-type": 1,
        "resource-type": 1,
        "no-id": 1,
        "no-person": 2,
      },
    })
    for (const file of [patients, all]) expect(await read(file)).not.toMatch(planted)
  })

  it("refuses files that are no resource, or of which nothing is left, and says why", async () => {
    await put("array.json", "[]")
    await put("bad.json", '{"resourceType":"Patient"')
    await put("blank.json", " \n")
    await put("deep.json", `{"resourceType":"Patient","x":${"[".repeat(5000)}${"]".repeat(5000)}}`)
    await put("empty.ndjson", "")
    await put("latin.json", Buffer.from('{"resourceType":"Patient","id":"\xe9"}', "latin1"))
    await put("none.ndjson", lines(observation("a", "Patient/p1"), "{}"))
    await put("nobody.json", patient("p1", "", { identifier: [] }))
    await put("same.ndjson", lines(observation("a", "Patient/p1"), observation("b", "Patient/p1")))
    await put(
      "ssn.json",
      patient("p2", "", { identifier: [{ system: "http://hl7.org/fhir/sid/us-ssn", value: "999-12-3456" }] }),
    )
    await put("twice.json", '{"resourceType":"Patient","id":"a","\\u0069d":"b"}')
    await put("type.json", { resourceType: "Pateint", id: "a" })
    await put("zip.ndjson.gz", "no gzip")
    expect(fates(await run())).toEqual([
      ["array.json", "refused", "not-an-object"],
      ["bad.json", "refused", "not-json"],
      ["blank.json", "refused", "empty"],
      ["deep.json", "refused", "too-deep"],
      ["empty.ndjson", "refused", "empty"],
      ["latin.json", "refused", "not-utf8"],
      ["nobody.json", "refused", "no-person"],
      ["none.ndjson", "refused", "no-resource-left"],
      ["same.ndjson", "refused", "no-person"],
      ["ssn.json", "refused", "no-person"],
      ["twice.json", "refused", "duplicate-key"],
      ["type.json", "refused", "resource-type"],
      ["zip.ndjson.gz", "refused", "gzip-corrupt"],
    ])
    expect(await filesOf(output)).toEqual([])
  })

  it.each([false, true])("names studies as the images beside them do (UIDs as they were: %s)", async (retains) => {
    await put("a.dcm", slice("1.2.3.4.5.61"))
    await put("p.json", patient("p1", "MRN-471147"))
    const study = "urn:oid:1.2.3.4.100.1"
    await put("s.json", {
      resourceType: "ImagingStudy",
      id: "s1",
      status: "available",
      identifier: [{ system: "urn:dicom:uid", value: study }],
      subject: { reference: "Patient/p1" },
      started: "2019-03-04",
    })
    await put(
      "m.hl7",
      "MSH|^~\\&|RIS||||20190304||ORU^R01|77|P|2.5\rPID|1||MRN-471147^^^^MR||Alvasson^Jolanda\rOBX|1|TX|18748-4^Report^LN||Study 1.2.3.4.100.1, two views.\r",
    )
    const results = await run({ options: { "retain-uids": retains } })
    const [image, message, , told] = results as [FileResult, FileResult, FileResult, FileResult]
    const [{ value }] = (await json(told)).identifier
    expect(await readFile(join(output, message.output), "utf8")).toContain(
      `Study ${value.slice("urn:oid:".length)}, two`,
    )
    expect(dicomText(await readFile(join(output, image.output)))).toContain(value.slice("urn:oid:".length))
    expect(value === study).toBe(retains)
  })

  it("tells times of messages as the clocks of a time zone showed them, where one is given", async () => {
    await put(
      "m.hl7",
      "MSH|^~\\&|LAB||||20190304||ORU^R01|77|P|2.5\rPID|1||MRN-471147^^^^MR||Alvasson^Jolanda\rOBR|1|||4548-4^HbA1c^LN|||20190304233000+0000\r",
    )
    const timeOf = async (options: NonNullable<FilesGiven["options"]>) => {
      const [message] = (await run({ options })) as [FileResult]
      return /OBR\|1\|\|\|[^|]*\|\|\|\d{8}([^|\r]*)/.exec(await read(message))![1]
    }
    expect(await timeOf({})).toBe("233000")
    await rm(output, { recursive: true })
    expect(await timeOf({ "time-zone": "Asia/Tokyo" })).toBe("083000")
  })

  it("takes the record number of a Patient before other numbers, and one in use before an old one", async () => {
    const identifier = [
      { system: "urn:oid:1.9", value: "ACCOUNT-1" },
      { ...mrn("MRN-OLD"), use: "old" },
      { type: { coding: [{ code: "DL" }] }, value: "DL-1" },
      mrn("MRN-471147"),
    ]
    await put("p.json", patient("p1", "", { identifier }))
    const [who] = (await run()) as [FileResult]
    expect((await json(who)).identifier[0].value).toBe(personOf("MRN-471147"))
  })

  it("refuses a number that two issuers of images gave", async () => {
    const issuer = (value: string) => ({ tag: "00100021", vr: "LO", value })
    await put("a.dcm", slice("1.2.3.4.5.61", issuer("NORTH")))
    await put("b.dcm", slice("1.2.3.4.5.62", issuer("SOUTH")))
    await put("p.json", patient("p1", "MRN-471147"))
    expect((await run()).map(({ reason }) => reason)).toEqual(Array(3).fill("issuer-ambiguous"))
  })

  it("refuses what is too large, or inflates to far more than it is, or ends early", async () => {
    for (const name of ["large.json", "line.ndjson"]) {
      await put(name, "")
      await truncate(join(input, name), (64 << 20) + 1)
    }
    await put("bomb.ndjson.gz", gzipSync(Buffer.alloc(32 << 20, " ")))
    await put("cut.ndjson.gz", gzipSync(lines(patient("p1", "MRN-471147"))).subarray(0, -20))
    expect(fates(await run()).map(([of, , reason]) => [of, reason])).toEqual([
      ["bomb.ndjson.gz", "gzip-bomb"],
      ["cut.ndjson.gz", "gzip-truncated"],
      ["large.json", "too-large"],
      ["line.ndjson", "line-too-long"],
    ])
  })

  it("passes over a byte order mark", async () => {
    await put("p.json", `\uFEFF${JSON.stringify(patient("p1", "MRN-471147"))}`)
    expect(fates(await run())).toEqual([["p.json", "released", ""]])
  })

  it("refuses what refers to an id that two persons have, and a record number that two systems gave", async () => {
    await put("a.json", patient("p1", "MRN-1"))
    await put("b.json", patient("p1", "MRN-2"))
    await put("c.json", observation("o1", "Patient/p1"))
    await put("x.json", patient("p3", "", { identifier: [mrn("77", "urn:oid:1.1")] }))
    await put("y.json", patient("p4", "", { identifier: [mrn("77", "urn:oid:2.2")] }))
    const reasons = new Map((await run()).map(({ input: of, reason }) => [of, reason]))
    expect(reasons.get("c.json")).toBe("patient-ambiguous")
    expect([reasons.get("x.json"), reasons.get("y.json")]).toEqual(["issuer-ambiguous", "issuer-ambiguous"])
    const namespace = (system: string) => (system === "urn:oid:1.1" ? "north" : undefined)
    const told = new Map((await run({ namespace })).map(({ input: of, reason }) => [of, reason]))
    expect([told.get("x.json"), told.get("y.json")]).toEqual(["", "no-person"])
  })

  it("holds a resource whose result would still say an identifier of its person", async () => {
    const value = { valueQuantity: { value: 12345678 } }
    await put("all.ndjson", lines(patient("p1", "12345678"), observation("o1", "Patient/p1", value)))
    await put("o.json", observation("o2", "Patient/p1", value))
    const [all, one] = (await run()) as [FileResult, FileResult]
    expect(all.resources).toMatchObject({ released: 1, leftOut: { "self-check": 1 } })
    expect(one.reason).toBe("self-check")
    expect(await read(all)).not.toContain("12345678")
  })

  it("leaves nothing planted of the synthetic hospital", { timeout: 120_000 }, async () => {
    const made = await makeHospital(12, 7)
    const results = (await run({ input: join(made.out, "wave1/ehr") })).filter(({ status }) => status === "released")
    expect(results.length).toBeGreaterThan(6)
    const texts = (await Promise.all(results.map(read))).join("")
    const left = made.planted.filter(({ value }) => value.length > 5 && texts.includes(value))
    expect(left.map(({ kind }) => kind)).toEqual([])
  })

  it("makes the same bytes under the same names when it runs again", async () => {
    await put("p.json", patient("p1", "MRN-471147"))
    await put("o.ndjson.gz", gzipSync(lines(observation("o1", "Patient/p1"))))
    await run()
    const first = await filesOf(output)
    await run({ output: join(dir, "again") })
    expect(first).toHaveLength(2)
    expect(await filesOf(join(dir, "again"))).toEqual(first)
  })

  it("fails a file that is written to between the passes, and leaves nothing of it", async () => {
    await put("o.ndjson", lines(observation("o1", "Patient/p1")))
    await put("p.json", patient("p1", "MRN-471147"))
    const onProgress = ({ phase, done }: Progress) => {
      if (phase === "reading" && done === 2) appendFileSync(join(input, "o.ndjson"), "\n")
    }
    expect(fates(await run({ onProgress }))).toEqual([
      ["o.ndjson", "failed", "changed-while-reading"],
      ["p.json", "released", ""],
    ])
    expect(await filesOf(output)).toHaveLength(1)
  })
})

describe("weir deid on FHIR files", { timeout: 120_000 }, () => {
  it("says and reports what was left out, and counts elements by what was done", async () => {
    await put(
      "all.ndjson",
      lines(patient("p1", "MRN-471147"), observation("o1", "Patient/p1"), observation("o2", "Patient/none")),
    )
    await put("dr.json", { resourceType: "Practitioner", id: "dr" })
    const reports = [join(dir, "report.json"), join(dir, "report.html")]
    const { code, said } = await weir(output, "--report", reports.join(","))
    expect(code).toBe(0)
    expect(said).toBe(
      "1 released, 1 refused or left out\n  resource-type 1\n1 FHIR resources left out of files of several\n  no-person 1\n",
    )
    const { files, resources, refusals } = JSON.parse(await readFile(reports[0]!, "utf8")) as RunReport
    expect(files).toEqual({ released: 1, refused: 1, failed: 0 })
    expect(refusals).toEqual({ "resource-type": 1 })
    expect(resources).toMatchObject({ released: 2, leftOut: { "no-person": 1 } })
    expect(resources.actions).toMatchObject({ shifted: 1, added: 2 })
    expect(resources.actions["removed"]).toBeGreaterThan(4)
    const page = await readFile(reports[1]!, "utf8")
    expect(page).toContain("<tr><td>no-person</td><td>1</td></tr>")
    expect(page).not.toMatch(planted)
  })

  it("tells years alone and codes of the vault under safe harbor, the same again with the vault beside it", async () => {
    await put("all.ndjson", lines(patient("p1", "MRN-471147"), observation("o1", "Patient/p1")))
    await put("o.json", observation("o2", "Patient/p1"))
    await writeFile(join(dir, "vault-key"), "v".repeat(32))
    const harbor = [
      "--profile",
      "safe-harbor",
      "--vault",
      join(dir, "vault"),
      "--vault-key-file",
      join(dir, "vault-key"),
    ]
    expect(await weir(output, ...harbor)).toMatchObject({ code: 0 })
    expect(await weir(join(dir, "again"), ...harbor)).toMatchObject({ code: 0 })
    const names = await filesOf(output)
    expect(names).toHaveLength(2)
    expect(await filesOf(join(dir, "again"))).toEqual(names)
    const texts = await Promise.all(names.map((name) => readFile(join(output, name), "utf8")))
    const [who, one, two] = texts
      .flatMap((text) =>
        text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      )
      .sort((a, b) => (a.resourceType < b.resourceType ? 1 : -1))
    expect([one.effectiveDateTime, two.effectiveDateTime]).toEqual(["2019", "2019"])
    expect([one.subject, two.subject]).toEqual([one.subject, one.subject])
    expect(one.subject.reference).toBe(`Patient/${who.id}`)
    expect(who.identifier[0].value).not.toBe(personOf("MRN-471147"))
    expect(texts.join("")).not.toMatch(planted)
  })
})
