import { createHash } from "node:crypto"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { expect } from "vitest"
import { dicomFolder } from "../../connectors/dicom/index.ts"
import { fhirNdjson } from "../../connectors/fhir/index.ts"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { label, rowId, study } from "../../core/index.ts"
import type { Context, DicomInstance, Draft, Label, Objects, PersonEvent, Rec, Study } from "../../core/index.ts"
import { buildPart10 } from "../../formats/dicom/index.ts"
import { objectStore } from "../../sinks/object-store/index.ts"
import { deidentifyDicom } from "../../transforms/deidentify/dicom.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { deidentifyHl7v2 } from "../../transforms/deidentify/hl7v2.ts"
import { deidentifyRecord } from "../../transforms/deidentify/record.ts"
import { mapCodes } from "../../transforms/terminology/index.ts"
import { select } from "../../transforms/select/index.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"
import { phenotype } from "../../transforms/phenotype/index.ts"
import { assembleStudy } from "../../transforms/study/index.ts"
import { pluginContract, record } from "../kit/index.ts"
import type { TestContext } from "../kit/index.ts"
import { TestBorder, assembler, slice } from "./dicom-border.ts"
import { personEventOf, studyRecordOf } from "../oracle/stream.ts"

/** The published contract, run on each built-in; a new one gets a pluginContract here (postgres: plugins-postgres.test.ts). */

const key = Buffer.alloc(32, 7)
const mrn = "http://hospital.example/mrn"
const started = Date.parse("2020-06-15T10:00:00Z")
const day = 86_400_000

/** A temporary folder with files. */
async function folderWith(files: Readonly<Record<string, string | Uint8Array>>) {
  const base = await mkdtemp(join(tmpdir(), "weir-contract-"))
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(base, "in", path)), { recursive: true })
    await writeFile(join(base, "in", path), bytes)
  }
  return { base, path: join(base, "in"), close: () => rm(base, { recursive: true }) }
}

/** A temporary folder with files, and a bucket beside them. */
async function folderAndBucket(files: Readonly<Record<string, string | Uint8Array>>) {
  const { base, path, close } = await folderWith(files)
  const objects = await openFolderObjects({ dir: join(base, "objects") })
  return { path, objects, close: () => objects.close().then(close) }
}

const dicomFile = (sop: string, study = "1.2.3"): Uint8Array =>
  buildPart10(
    [
      { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
      ...(sop === "" ? [] : [{ tag: "00080018", vr: "UI", value: sop }]),
      { tag: "00080020", vr: "DA", value: "20200131" },
      { tag: "00080060", vr: "CS", value: "CT" },
      { tag: "00100010", vr: "PN", value: "MUSTERFRAU^ERIKA" },
      { tag: "00100020", vr: "LO", value: "MRN-778899" },
      { tag: "0020000D", vr: "UI", value: study },
      { tag: "0020000E", vr: "UI", value: "1.2.3.4" },
      { tag: "7FE00010", vr: "OW", value: new Uint8Array(64) },
    ],
    { transferSyntax: "1.2.840.10008.1.2.1", preamble: true },
  )

pluginContract(dicomFolder, [
  {
    name: "a folder of good, broken and foreign files",
    canaries: ["MUSTERFRAU", "MRN-778899", "Jane Doe was here"],
    open: async () => {
      const good = Object.fromEntries(
        Array.from({ length: 12 }, (_, at) => [`f${at}.dcm`, dicomFile(`1.${at}`, `1.2.${at % 3}`)]),
      )
      const broken = { "notes.txt": "Jane Doe was here", "no-uid.dcm": dicomFile(""), "z/empty": "" }
      const cut = { "cut.dcm": dicomFile("1.99").subarray(0, 400) }
      const { path, objects, close } = await folderAndBucket({ ...good, ...broken, ...cut })
      return { options: { path }, context: { name: "inbox", objects: () => objects }, close }
    },
    check: ({ appended, dropped, failed }) =>
      expect([appended.length, dropped.length, failed.length]).toEqual([12, 2, 2]),
  },
])

const patientBody = (id: string, more: object = {}) => ({
  resourceType: "Patient",
  id,
  identifier: [{ system: mrn, value: "MRN-778899" }],
  name: [{ family: "Musterfrau" }],
  birthDate: "1951-02-03",
  ...more,
})
const observationBody = (id: string, more: object = {}) => ({
  resourceType: "Observation",
  id,
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "2160-0" }] },
  subject: { reference: "Patient/p1", display: "Erika Musterfrau" },
  effectiveDateTime: "2020-06-01T08:00:00Z",
  valueQuantity: { value: 2.5, system: "http://unitsofmeasure.org", code: "mg/dL" },
  note: [{ text: "call Musterfrau on 0151-7788" }],
  ...more,
})

pluginContract(fhirNdjson, [
  {
    name: "plain and compressed files with bad lines",
    canaries: ["Musterfrau", "MRN-778899", "0151-7788"],
    open: async () => {
      const lines = Array.from({ length: 600 }, (_, at) =>
        at % 97 === 5
          ? `{"resourceType":"Patient","name":"Musterfrau`
          : JSON.stringify(observationBody(`o${at}`, { subject: { reference: `Patient/p${at % 4}` } })),
      )
      const { path, close } = await folderWith({
        "a.ndjson": `${JSON.stringify(patientBody("p1"))}\n${lines.slice(0, 300).join("\n")}\n`,
        "b.ndjson.gz": gzipSync(lines.slice(300).join("\n")),
        "c.ndjson": `${JSON.stringify({ resourceType: "Patient", name: "Musterfrau" })}\n`,
      })
      return { options: { path }, context: { name: "ehr" }, close }
    },
    check: ({ appended, failed }) => expect([appended.length, failed.length]).toEqual([594, 8]),
  },
])

const instanceOf = (sop: string, more: Partial<DicomInstance> = {}): DicomInstance => ({
  object: { key: `k/${sop}`, size: 1, sha256: `sha-${sop}`, transferSyntax: "1.2.840.10008.1.2.1" },
  sopInstanceUid: sop,
  sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
  seriesInstanceUid: "7.1",
  studyInstanceUid: "7",
  patientId: "MRN-778899",
  issuerOfPatientId: "HOSP",
  accessionNumber: "ACC-4711",
  accessionIssuer: "",
  modality: "CT",
  bodyPart: "CHEST",
  studyDate: "20200615",
  studyTime: "100000",
  timezoneOffset: "+0000",
  imageType: [],
  burnedInAnnotation: null,
  conversionType: null,
  seriesNumber: null,
  instanceNumber: null,
  expectedInstances: null,
  expectedSeriesInstances: null,
  rows: null,
  columns: null,
  frames: null,
  file: "a.dcm",
  ...more,
})

const fhirRecord = (body: { resourceType: string; id: string }, patient: string, version: bigint) =>
  record(
    {
      key: `Patient/${patient}`,
      id: rowId([body.resourceType, body.id]),
      version,
      value: {
        source: "ehr",
        resourceType: body.resourceType,
        resourceId: body.id,
        versionId: null,
        lastUpdated: null,
        body: JSON.stringify(body),
        file: "f",
        line: 1,
      },
    },
    "fhir",
  )

const identity: Context["identity"] = {
  namespaces: [
    { namespace: "mrn", dicomIssuers: ["HOSP", ""], fhirSystems: [mrn] },
    { namespace: "clinic", dicomIssuers: ["CLINIC"], fhirSystems: ["urn:clinic"] },
  ],
  key: () => key,
}

const clinic = (value: string) => ({ identifier: [{ system: "urn:clinic", value }] })

pluginContract(resolvePatient, [
  {
    name: "two patients that become one, with resources that come first",
    canaries: ["MRN-778899", "Musterfrau", "0151-7788"],
    open: () => ({ options: {}, context: { identity } }),
    orderInsensitive: true,
    records: [
      fhirRecord(observationBody("o1"), "p1", 1n),
      record({ key: "7", id: "7.1.1", version: 1n, value: instanceOf("7.1.1") }, "dicom"),
      fhirRecord(patientBody("p1"), "p1", 5n),
      fhirRecord(patientBody("p2", clinic("c-2")), "p2", 6n),
      fhirRecord(observationBody("o2"), "p2", 7n),
      fhirRecord(
        patientBody("p2", { ...clinic("c-2"), link: [{ other: { reference: "Patient/p1" }, type: "replaced-by" }] }),
        "p2",
        8n,
      ),
      fhirRecord(observationBody("o1", { status: "amended" }), "p1", 9n),
      fhirRecord(observationBody("waits"), "never-seen", 1n),
    ],
    check: (rows) => {
      expect(rows.map(({ id }) => id).toSorted()).toEqual([
        "instance/dicom/7.1.1",
        "person/Patient/p1",
        "person/Patient/p2",
        "resource/Observation/o1",
        "resource/Observation/o2",
      ])
      expect(new Set(rows.map((row) => row.key)).size).toBe(1)
    },
  },
])

const personEventRecord = (kind: string, subtype: string, name: string, more: Partial<PersonEvent>, version = 1n) => {
  const value: PersonEvent = {
    kind,
    subtype,
    name,
    source: "ehr",
    sourceVersion: "1",
    instance: null,
    body: null,
    codes: [],
    identifiers: [],
    birthDate: null,
    flags: [],
    ...more,
  }
  return record({ key: "person-1", id: rowId([kind, subtype, name]), version, value, time: started }, "in")
}
const instanceEvent = (sop: string, more: Partial<DicomInstance> = {}, version = 1n) =>
  personEventRecord("instance", "dicom", sop, { instance: instanceOf(sop, more) }, version)

pluginContract(assembleStudy, [
  {
    name: "two studies, a correction, a late instance and one that is taken back",
    canaries: ["MRN-778899", "ACC-4711"],
    open: () => ({ options: { quiet: "60s", "time-zone": "Z" } }),
    orderInsensitive: true,
    records: [
      instanceEvent("7.1.1"),
      instanceEvent("7.1.2"),
      instanceEvent("8.1.1", { studyInstanceUid: "8", seriesInstanceUid: "8.1", expectedInstances: 2 }),
      instanceEvent("8.1.2", { studyInstanceUid: "8", seriesInstanceUid: "8.1", expectedInstances: 2 }),
      instanceEvent("7.1.1", { bodyPart: "ABDOMEN" }, 2n),
      personEventRecord("resource", "Observation", "o1", { body: "{}" }),
      instanceEvent("7.1.3"),
      { ...instanceEvent("7.1.2", {}, 2n), op: "retract", value: null },
    ],
    // A study names the revisions of its instances, which count how often the step spoke.
    compared: ({ value, ...row }) =>
      row.to === "studies"
        ? {
            ...row,
            value: { ...(value as Study), instances: (value as Study).instances.map((of) => of.sopInstanceUid) },
          }
        : { ...row, value },
    check: (rows) => expect(rows).toHaveLength(4 + 2),
  },
])

const creatinine = (id: string, days: number, value: number, status = "final", version = 1n) => {
  const effectiveDateTime = new Date(started + days * day).toISOString()
  const { resourceType: type, ...body } = observationBody(id, { status, effectiveDateTime })
  const measured = { ...body, valueQuantity: { ...body.valueQuantity, value } }
  return personEventOf({ person: "p", type, id, version, body: JSON.stringify({ resourceType: type, ...measured }) })
}
const studyRecord = (uid: string, version = 1n, first = started) =>
  studyRecordOf({
    person: "p",
    uid,
    version,
    accession: "ACC-4711",
    issuer: "",
    modalities: ["CT"],
    bodyParts: ["CHEST"],
    first,
    last: first,
  })

pluginContract(phenotype, [
  {
    name: "a laboratory threshold before two studies, with amendments",
    canaries: ["Musterfrau", "ACC-4711", "0151-7788"],
    open: async () => {
      const { path, close } = await folderWith({
        "renal.yaml": `phenotype: renal
version: 1
values:
  creatinine: [ { system: "http://loinc.org", code: "2160-0" } ]
rule: { lab: creatinine, window: { from: -30d, to: 0d }, at-least: { value: 1.5, unit: mg/dL }, molar-mass: 113.12 }
feeds: [Observation]
`,
      })
      return { options: { definitions: path }, close }
    },
    orderInsensitive: true,
    complete: { "ehr/*": started + 400 * day },
    asOf: started + 500 * day,
    records: [
      creatinine("high", -3, 2.5),
      studyRecord("1.2.3"),
      creatinine("low", -2, 0.8),
      studyRecord("1.2.4", 1n, started + 90 * day),
      creatinine("later", 80, 3, "preliminary"),
      creatinine("later", 80, 3, "final", 2n),
      creatinine("high", -3, 2.5, "entered-in-error", 2n),
      studyRecord("1.2.3", 2n, started + day),
    ],
    check: (rows) =>
      expect(rows.map(({ id, value }) => [id, (value as Label).value])).toEqual([
        ["renal/1.2.3", expect.stringMatching(/negative|unknown/)],
        ["renal/1.2.4", "positive"],
      ]),
  },
])

const aLabel = (studyUid: string): Label => ({
  phenotype: "renal",
  ruleVersion: "1-abcdef",
  studyInstanceUid: studyUid,
  value: "positive",
  reason: "matched",
  rung: "encounter",
  ambiguous: false,
  candidates: 1,
  clinicalTime: started,
  knownTime: started + day,
  grade: "laboratory",
  evidence: [{ resourceType: "Observation", resourceId: "obs-778899", revision: 2, time: started, role: "supports" }],
})
const labelDraft = (studyUid: string, person: string, version = 1n): Draft<Label> => ({
  key: person,
  id: rowId(["renal", studyUid]),
  op: "upsert",
  version,
  value: aLabel(studyUid),
  time: started,
})
const labelRecord = (...draft: Parameters<typeof labelDraft>) => ({
  ...record(labelDraft(...draft)),
  type: label.name,
})

const border: TestContext = { secret: () => key, outputs: { out: { topic: "curated", zone: "limited" } } }

pluginContract(deidentifyRecord, [
  {
    name: "labels and studies, one of no person, one with a stated version",
    canaries: ["1.2.840.4711.1", "1.2.840.4711.2", "obs-778899", "person-of-erika", "ACC-4711", "2020-06-15"],
    open: () => ({ options: { key: "project-key" }, context: border }),
    records: [
      labelRecord("1.2.840.4711.1", "person-of-erika"),
      labelRecord("1.2.840.4711.2", "person-of-erika", 2n),
      { ...labelRecord("1.2.840.4711.2", "person-of-erika", 3n), op: "retract", value: null },
      labelRecord("1.2.840.4711.1", ""),
      labelRecord("1.2.840.4711.1", "person-of-erika", 1n << 50n),
      {
        ...studyRecord("1.2.840.4711.1"),
        input: "in",
        type: study.name,
        headers: { note: "scanned on 2020-06-15" },
      },
    ],
    check: ({ emitted, failed }) => expect([emitted.length, failed.length]).toEqual([4, 2]),
  },
])

const resourceRecord = (body: { resourceType: string; id: string }, person = "person-of-erika", version = 1n) => {
  const kind = body.resourceType === "Patient" ? "person" : "resource"
  const identifiers = kind === "person" ? [{ namespace: "mrn", value: "MRN-778899" }] : []
  const given = { body: JSON.stringify(body), identifiers, birthDate: "1951-02-03" }
  return { ...personEventRecord(kind, body.resourceType, body.id, given, version), key: person }
}

pluginContract(deidentifyFhir, [
  {
    name: "a patient, observations, one that is not allowed and one that is broken",
    canaries: ["Musterfrau", "MRN-778899", "0151-7788", "person-of-erika", "2020-06-01", "1951-02-03", "obs-778899"],
    open: () => ({ options: { key: "project-key" }, context: border }),
    records: [
      resourceRecord(patientBody("p1")),
      resourceRecord(observationBody("obs-778899")),
      resourceRecord(observationBody("o2"), "person-of-erika", 2n),
      resourceRecord({ ...observationBody("o3"), resourceType: "NoSuchType" }),
      resourceRecord(observationBody("o4"), ""),
      personEventRecord("resource", "Observation", "o5", { body: `{"note":"Musterfrau` }),
      instanceEvent("7.1.1", { patientId: "MRN-778899" }),
      { ...resourceRecord(observationBody("o2"), "person-of-erika", 3n), op: "retract", value: null },
    ],
    check: ({ emitted, dropped, failed }) => expect([emitted.length, dropped.length, failed.length]).toEqual([4, 1, 3]),
  },
])

const hl7 = (more: string) =>
  `MSH|^~\\&|RIS|HOSP|||20200601||ORU^R01|77|P|2.5\rPID|1||MRN-778899^^^HOSP||Musterfrau^Erika||19510203\r${more}\r`
const messageEvent = (name: string, body: string, person = "person-of-erika") => ({
  ...personEventRecord("message", "hl7v2", name, { body }),
  key: person,
})

pluginContract(deidentifyHl7v2, [
  {
    name: "messages, one with a document, one that is broken and one of nobody",
    canaries: ["Musterfrau", "MRN-778899", "0151-7788", "person-of-erika", "20200601", "19510203", "msg-778899"],
    open: () => ({ options: { key: "project-key" }, context: border }),
    records: [
      messageEvent("msg-778899", hl7("OBX|1|TX|a||call Musterfrau on 0151-7788")),
      messageEvent("m2", hl7("OBX|1|TX|a||%PDF-Musterfrau")),
      messageEvent("m3", "Musterfrau"),
      messageEvent("m4", hl7("OBX|1|TX|a||fine"), ""),
      resourceRecord(patientBody("p1")),
      { ...messageEvent("msg-778899", ""), op: "retract", value: null },
    ],
    check: ({ emitted, dropped, failed }) => expect([emitted.length, dropped.length, failed.length]).toEqual([2, 1, 3]),
  },
])

const mr = { ...(studyRecord("1.2.3").value as Study), modalities: ["MR"] }

pluginContract(mapCodes, [
  {
    name: "codes with several matches, none, and a broken body",
    canaries: ["Musterfrau", "0151-7788"],
    open: async () => {
      const table = "from_system,from_code,to_system,to_code,relationship,display"
      const rows = ["narrower", "equal"].map((how) => `http://loinc.org,2160-0,urn:lab,${how}-1,${how},Creatinine`)
      const { path, close } = await folderWith({ "lab.csv": [table, ...rows, ""].join("\n") })
      return { options: { maps: path }, close }
    },
    records: [
      resourceRecord(observationBody("o1")),
      resourceRecord(observationBody("o2", { code: { coding: [{ system: "urn:x", code: "Musterfrau" }] } })),
      personEventRecord("resource", "Observation", "o3", { body: `{"note":"Musterfrau` }),
      { ...resourceRecord(observationBody("o1"), "p", 2n), op: "retract", value: null },
      instanceEvent("7.1.1"),
    ],
    check: ({ emitted, failed }) => {
      expect([emitted.length, failed.length]).toEqual([4, 1])
      expect((emitted[0]!.draft.value as PersonEvent).codes).toHaveLength(2)
    },
  },
])

pluginContract(select, [
  {
    name: "studies of one modality, later changed to another",
    canaries: ["ACC-4711"],
    open: () => ({ options: { keep: { field: "modalities", in: ["CT"] } } }),
    records: [
      { ...studyRecord("1.2.3"), type: study.name },
      { ...studyRecord("1.2.4"), value: mr, type: study.name },
      { ...studyRecord("1.2.3", 2n), value: mr, type: study.name },
      { ...studyRecord("1.2.3", 3n), op: "retract", value: null, type: study.name },
    ],
    check: ({ emitted, dropped }) => {
      expect(emitted.map(({ draft }) => draft.op)).toEqual(["upsert", "retract", "retract"])
      expect(dropped).toHaveLength(1)
    },
  },
])

const slices = ["1.2.840.9.1", "1.2.840.9.2", "1.2.840.9.3"].map((sop, at) =>
  at === 2
    ? slice(sop, { tag: "00280301", vr: "CS", value: "YES" }, { tag: "0020000E", vr: "UI", value: "1.2.3.4.100.1.3" })
    : slice(sop),
)

/** What arrives at the border of the slices, then of one that is taken back. */
async function atTheBorder(): Promise<readonly (Rec & { readonly input: string })[]> {
  const from = await TestBorder.open()
  const assemble = await assembler()
  const arrivals = await Promise.all(slices.map((bytes) => from.arrive(bytes)))
  const records = from.asInputs([...(await assemble(arrivals)), ...(await assemble([from.left("1.2.840.9.2", 2n)]))])
  await from.close()
  return records
}

pluginContract(deidentifyDicom, [
  {
    name: "a study of three slices, of which one is refused and one is taken back",
    canariesInWorld: ["Testperson", "Alva"],
    canaries: ["MRN-471147", "ACC-778899", "1.2.840.9.1", "1.2.3.4.100.1", "20240229"],
    orderInsensitive: true,
    open: async () => {
      const made = await TestBorder.open()
      for (const bytes of slices) await made.arrive(bytes)
      return { options: { key: "project-key" }, context: made.context, close: made.close }
    },
    records: await atTheBorder(),
    check: (rows) => expect(rows.map(({ to }) => to).toSorted()).toEqual(["instances", "studies"]),
  },
])

const curated = [{ topic: "curated.labels", zone: "limited" as const, type: label }]

interface ReadChunk {
  readonly key: string
  readonly manifest: { readonly records?: number; readonly files?: readonly { readonly key: string }[] }
  readonly sha256: string
}

/** The manifest of each chunk, and a hash of the records that it names, as a reader takes them. */
async function readChunks(objects: Objects): Promise<readonly ReadChunk[]> {
  const newest = new Map<string, string>()
  for await (const { key } of objects.list("manifests/")) newest.set(key.split("-")[0]!, key)
  const chunks: ReadChunk[] = []
  for (const key of newest.values()) {
    const manifest = JSON.parse(Buffer.from(await objects.bytes(key)).toString()) as ReadChunk["manifest"]
    const texts: string[] = []
    for (const { key: file } of manifest.files ?? []) texts.push(gunzipSync(await objects.bytes(file)).toString())
    chunks.push({ key, manifest, sha256: createHash("sha256").update(texts.join("")).digest("hex") })
  }
  return chunks
}

pluginContract(objectStore, [
  {
    name: "labels in chunks of three",
    canaries: ["1.2.840.4711.1", "obs-778899"],
    inputs: curated,
    drafts: {
      "curated.labels": Array.from({ length: 17 }, (_, at) =>
        labelDraft(`1.2.840.4711.${at % 6}`, `person-${at % 6}`, BigInt(at + 1)),
      ),
    },
    open: async () => {
      const { objects, close } = await folderAndBucket({})
      return {
        options: { "chunk-records": 3 },
        context: { objects: () => objects },
        read: () => readChunks(objects),
        close,
      }
    },
    check: (target) =>
      expect((target as readonly ReadChunk[]).reduce((sum, { manifest }) => sum + (manifest.records ?? 0), 0)).toBe(17),
  },
])
