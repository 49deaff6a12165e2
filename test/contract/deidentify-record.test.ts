import { describe, expect, it } from "vitest"
import {
  curatedInstance,
  date,
  int,
  keep,
  label,
  long,
  personEvent,
  pseudonymizer,
  recordType,
  rowId,
  string,
  study,
  text,
  uid,
} from "../../core/index.ts"
import type { Context, Draft, Label, PersonEvent, Rec, Study, Zone } from "../../core/index.ts"
import { deidentifyRecord } from "../../transforms/deidentify/record.ts"
import { shiftText, shiftTime } from "../../transforms/deidentify/record-dates.ts"
import { record, runTransform, testContext } from "../kit/index.ts"
import type { TestContext } from "../kit/index.ts"

const key = Buffer.alloc(32, 7)
const p = pseudonymizer(key)
const day = 86_400_000
const person = "person-key-of-jane"
const shift = p.shiftMs(person)

function context(zone: Zone = "limited", more: TestContext = {}): Context {
  return testContext({
    secret: (name) => (name === "project-key" ? key : Buffer.alloc(3)),
    outputs: { out: { topic: "curated", zone } },
    ...more,
  })
}

const create = (options: object = {}, zone: Zone = "limited", more: TestContext = {}) =>
  deidentifyRecord.create({ key: "project-key", ...options }, context(zone, more))

const typed = (type: { name: string }, draft: Partial<Draft> & { value: unknown }) =>
  ({ ...record({ key: person, ...draft } as never), type: type.name }) as Rec & { input: string }

async function through(rec: Rec & { input: string }, options: object = {}, zone: Zone = "limited") {
  const { emitted, failed } = await runTransform(await create(options, zone), [rec])
  return { draft: emitted[0]?.draft, failed: failed[0]?.error as { code?: string; path?: string } | undefined }
}

const at = Date.UTC(2020, 4, 6, 7, 8, 9)
const aLabel: Label = {
  phenotype: "fracture",
  ruleVersion: "1-abcdef",
  studyInstanceUid: "1.2.826.1",
  value: "positive",
  reason: "matched",
  rung: "encounter",
  ambiguous: false,
  candidates: 1,
  clinicalTime: at,
  knownTime: at + 3 * day,
  grade: "coded-diagnosis",
  evidence: [
    { resourceType: "Condition", resourceId: "c-1", revision: 2, time: at + day, role: "supports" },
    { resourceType: "Study", resourceId: "1.2.826.1", revision: 1, time: at, role: "subject" },
  ],
}
const labelRecord = (value: Label | null = aLabel, more: Partial<Draft> = {}) =>
  typed(label, { id: rowId(["fracture", "1.2.826.1"]), version: 3n, time: at, value, ...more })

const aStudy: Study = {
  studyInstanceUid: "1.2.826.1",
  accessionNumber: "ACC-778899",
  accessionIssuer: "HOSP-RIS",
  modalities: ["CT"],
  bodyParts: ["CHEST"],
  started: at,
  startedPrecision: "second",
  series: [{ seriesInstanceUid: "1.2.826.1.1", modality: "CT", bodyPart: "CHEST", instances: 2 }],
  instances: [
    { sopInstanceUid: "1.2.826.1.1.1", revision: 1 },
    { sopInstanceUid: "1.2.826.1.1.2", revision: 1 },
  ],
  expectedInstances: null,
  complete: true,
}

describe("deidentify-record", () => {
  it("maps a label by its marks: UIDs, ids, dates, key and row id", async () => {
    const { draft } = await through(labelRecord())
    expect(draft).toMatchObject({ key: p.person(person), op: "upsert", version: 3n, time: at - shift })
    expect(draft!.id).toBe(rowId(["fracture", p.uid("1.2.826.1")]))
    expect(draft!.headers).toBeUndefined()
    const value = draft!.value as Label
    expect(value).toMatchObject({
      phenotype: "fracture",
      studyInstanceUid: p.uid("1.2.826.1"),
      clinicalTime: at - shift,
      knownTime: at + 3 * day - shift,
    })
  })

  it("gives evidence the ids that FHIR and DICOM de-identification give", async () => {
    const { draft } = await through(labelRecord())
    expect(
      (draft!.value as Label).evidence.map(({ resourceType, resourceId, time }) => [resourceType, resourceId, time]),
    ).toEqual([
      ["Condition", p.identifier("Condition", "c-1"), at + day - shift],
      ["Study", p.uid("1.2.826.1"), at - shift],
    ])
  })

  it("gives an accession number the pseudonym of number and issuer, with issuers that mean the same one", async () => {
    const rec = typed(study, { id: rowId(["1.2.826.1"]), value: aStudy, time: at })
    const { draft } = await through(rec)
    expect((draft!.value as Study).accessionNumber).toBe(p.accession("HOSP-RIS", "ACC-778899"))
    expect((draft!.value as Study).accessionIssuer).not.toBe("HOSP-RIS")
    const same = await through(rec, { "accession-issuers": [["urn:ris", "HOSP-RIS"]] })
    expect((same.draft!.value as Study).accessionNumber).toBe(p.accession("urn:ris", "ACC-778899"))
    const empty = typed(study, {
      id: rowId(["1.2.826.1"]),
      value: { ...aStudy, accessionNumber: "", accessionIssuer: "" },
    })
    expect((await through(empty)).draft!.value).toMatchObject({ accessionNumber: "", accessionIssuer: "" })
  })

  it("orders mapped lists by what comes out, so that the order tells nothing", async () => {
    const instances = Array.from({ length: 50 }, (_, i) => ({ sopInstanceUid: `1.2.3.${100 + i}`, revision: 1 }))
    const { draft } = await through(typed(study, { id: "1.2.826.1", value: { ...aStudy, instances } }))
    const uids = (draft!.value as Study).instances.map(({ sopInstanceUid }) => sopInstanceUid)
    expect(uids).toEqual(uids.toSorted())
    expect(uids).not.toEqual(instances.map(({ sopInstanceUid }) => p.uid(sopInstanceUid)))
  })

  it("drops texts, and quasi-identifiers below limited", async () => {
    const event = {
      kind: "instance",
      subtype: "dicom",
      name: "1.2.826.1.1.1",
      source: "inbox",
      sourceVersion: "99999",
      instance: {
        object: { key: "instances/ab/cd", size: 1, sha256: "cd", transferSyntax: "1.2.840.10008.1.2.1" },
        sopInstanceUid: "1.2.826.1.1.1",
        sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
        seriesInstanceUid: "1.2.826.1.1",
        studyInstanceUid: "1.2.826.1",
        patientId: "MRN-4711",
        issuerOfPatientId: "HOSP-MPI",
        accessionNumber: "ACC-778899",
        accessionIssuer: "HOSP-RIS",
        modality: "CT",
        bodyPart: "CHEST",
        studyDate: "20200506",
        studyTime: "070809",
        timezoneOffset: null,
        imageType: ["ORIGINAL", "PRIMARY"],
        burnedInAnnotation: null,
        conversionType: null,
        seriesNumber: 1,
        instanceNumber: 1,
        expectedInstances: null,
        expectedSeriesInstances: null,
        rows: 512,
        columns: 512,
        frames: null,
        file: "in/doe-jane.dcm",
      },
      body: '{"name":"Doe"}',
      codes: [],
      identifiers: [{ namespace: "mrn", value: "MRN-4711" }],
      birthDate: "1950-06",
      flags: [],
    } satisfies PersonEvent
    const rec = typed(personEvent, { id: rowId(["instance", "dicom", "1.2.826.1.1.1"]), value: event })
    const limited = (await through(rec)).draft!
    expect(limited.id).toBe(rowId(["instance", "dicom", p.uid("1.2.826.1.1.1")]))
    const value = limited.value as PersonEvent
    expect(value).toMatchObject({ name: p.uid("1.2.826.1.1.1"), sourceVersion: "", body: null })
    expect(value.identifiers).toEqual([{ namespace: "mrn", value: p.identifier("mrn", "MRN-4711") }])
    expect(value.instance).toMatchObject({ file: "", studyTime: "070809", imageType: ["ORIGINAL", "PRIMARY"] })
    expect(value.instance!.accessionNumber).toBe(p.accession("HOSP-RIS", "ACC-778899"))
    expect(value.instance!.studyDate).toBe(shiftText("20200506", p.shiftDays(person)))
    expect(value.birthDate).toMatch(/^19\d\d-\d\d$/)
    const clean = (await through(rec, {}, "clean")).draft!.value as PersonEvent
    expect(clean.instance!.studyTime).toBeNull()
    for (const text of [JSON.stringify(limited.value), limited.id, limited.key])
      expect(text).not.toMatch(/4711|778899|1\.2\.826|doe|2020-05|20200506|person-key/i)
  })

  it("passes a retract with mapped key and id, and no time", async () => {
    const { draft } = await through(labelRecord(null, { op: "retract", version: 4n, time: at }))
    const upsert = (await through(labelRecord())).draft!
    expect(draft).toEqual({ key: upsert.key, id: upsert.id, op: "retract", version: 4n, value: null, time: 0 })
  })

  it.each([
    ["no-person", { key: "" }],
    ["stated-version", { version: 1n << 41n }],
    ["id-shape", { id: "only-one-part" }],
    ["id-shape", { id: "%zz/1.2" }],
  ])("refuses %s", async (reason, more) => {
    const { draft, failed } = await through(labelRecord(aLabel, more))
    expect([draft, failed?.code]).toEqual([undefined, `refused.${reason}`])
  })

  it("refuses a record whose kept fields say one of its identifiers, and tells the field but no value", async () => {
    for (const [field, value, identified] of [
      ["reason", "see c-4711-x in chart", { evidence: [{ ...aLabel.evidence[0]!, resourceId: "C-4711-X" }] }],
      ["rung", "uid 1.2.826.1 matched", {}],
      ["reason", `for ${person}`, {}],
    ] as const) {
      const { draft, failed } = await through(labelRecord({ ...aLabel, ...identified, [field]: value }))
      expect([draft, failed?.code, failed?.path]).toEqual([undefined, "refused.self-check", field])
      expect(`${(failed as Error).message}`).not.toMatch(/4711|826/)
    }
  })

  it("does not refuse for words of our own vocabulary, short tokens, or a UID that begins another", async () => {
    const evidence = [{ ...aLabel.evidence[0]!, resourceId: "fracture" }]
    expect((await through(labelRecord({ ...aLabel, evidence }))).failed).toBeUndefined()
    const value = { ...aStudy, accessionNumber: "CT", accessionIssuer: "CHEST", studyInstanceUid: "1.2.840" }
    expect((await through(typed(study, { id: "1.2.840", value }))).failed).toBeUndefined()
  })

  it("never shifts what stands for no time: that would tell the shift", async () => {
    const { draft } = await through(labelRecord({ ...aLabel, clinicalTime: 0, knownTime: null }, { time: 0 }))
    expect(draft).toMatchObject({ time: 0, value: { clinicalTime: null, knownTime: null } })
    for (const text of ["19000101", "1900-01-01", "1900", "1970-01-01", "2999-12-31", "19700101", "0000-13-45", "Jane"])
      expect(shiftText(text, 500)).toBeUndefined()
    for (const ms of [0, day - 1, Date.UTC(1900, 0, 1), Date.UTC(2999, 0, 1), Number.NaN, 2 ** 60])
      expect(shiftTime(ms, 500)).toBeUndefined()
  })

  it("keeps the precision of partial dates, and never makes a day of one", () => {
    expect(shiftText("2020", 400)).toBe("2019")
    expect(shiftText("2020-03", 400)).toBe("2019-02")
    expect(shiftText("2020-03-10", 10)).toBe("2020-02-29")
    expect(shiftText("20200310", 10)).toBe("20200229")
    expect(shiftText("2020-03-10T11:12:13+02:00", 10)).toBe("2020-02-29T11:12:13Z")
  })

  it("keeps true dates only for the limited data set, in zone limited", async () => {
    const { draft } = await through(labelRecord(), { profile: "limited-data-set" })
    expect(draft).toMatchObject({ key: p.person(person), time: at, value: { clinicalTime: at } })
    await expect(create({ profile: "limited-data-set" }, "clean")).rejects.toMatchObject({
      code: "profile-not-limited",
    })
  })

  it("leaves registered UIDs as they are: they name standards, not persons", async () => {
    const instance = {
      ...({
        sopInstanceUid: "1.2.826.1.1.1",
        sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
        seriesInstanceUid: "1.2.826.1.1",
      } as const),
      ...({
        studyInstanceUid: "1.2.826.1",
        modality: "CT",
        bodyPart: "CHEST",
        instanceNumber: 1,
        profile: "p",
      } as const),
      object: { key: "dicom/a/b.dcm", size: 1, sha256: "b", transferSyntax: "1.2.840.10008.1.2.1" },
    }
    const { draft } = await through(typed(curatedInstance, { id: "1.2.826.1.1.1", value: instance }))
    expect(draft!.value).toMatchObject({
      sopInstanceUid: p.uid("1.2.826.1.1.1"),
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      object: { transferSyntax: "1.2.840.10008.1.2.1" },
    })
    // A UID of that root which nobody registered may be anybody's.
    const root = { ...aStudy, studyInstanceUid: "1.2.840.10008.999.4711" }
    const other = await through(typed(study, { id: "1.2.840.10008.999.4711", value: root }))
    expect(other.draft!.id).toBe(p.uid("1.2.840.10008.999.4711"))
  })

  it("keeps UIDs where images keep theirs, so that labels join with them", async () => {
    const { draft, failed } = await through(labelRecord(), { "retain-uids": true })
    expect(failed).toBeUndefined()
    expect(draft!.id).toBe(rowId(["fracture", "1.2.826.1"]))
    const { studyInstanceUid, evidence } = draft!.value as Label
    expect(studyInstanceUid).toBe("1.2.826.1")
    expect(evidence.map(({ resourceId }) => resourceId)).toEqual([p.identifier("Condition", "c-1"), "1.2.826.1"])
  })

  it("takes the marks of a type that a package declares from its input", async () => {
    const dose = recordType({
      name: "dose",
      doc: "A dose.",
      fields: {
        studyInstanceUid: uid(string, "Study."),
        given: date(long, "When."),
        note: text(string, "Remark."),
        milligray: keep(int, "Dose."),
      },
      id: ["studyInstanceUid"],
    })
    const value = { studyInstanceUid: "1.2.826.1", given: at, note: "Doe, Jane", milligray: 7 }
    const rec = typed(dose, { id: "1.2.826.1", value, time: at })
    await expect(through(rec)).rejects.toMatchObject({ meaning: "fatal", code: "unknown-record-type" })
    const inputs = { in: { topic: "doses", zone: "phi", type: dose } } as const
    const { emitted } = await runTransform(await create({}, "limited", { inputs }), [rec, labelRecord()])
    expect(emitted[0]!.draft).toMatchObject({
      id: p.uid("1.2.826.1"),
      value: { studyInstanceUid: p.uid("1.2.826.1"), given: at - shift, note: "", milligray: 7 },
    })
    expect(emitted).toHaveLength(2)
  })

  it("stops at a record type whose marks it does not know, and at a weak key", async () => {
    const strange = typed({ name: "strange" }, { id: "x", value: { name: "Jane" } })
    await expect(through(strange)).rejects.toMatchObject({ meaning: "fatal", code: "unknown-record-type" })
    await expect(create({ key: "short" })).rejects.toMatchObject({ code: "key-too-short" })
    await expect(create({ shift: { "min-days": 0, "max-days": 3 } })).rejects.toMatchObject({ code: "shift-range" })
  })
})
