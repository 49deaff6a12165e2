import { beforeEach, describe, expect, it } from "vitest"
import { personKey } from "../../core/index.ts"
import type { Context, DicomInstance, PersonEvent } from "../../core/index.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"
import type { Collected, MemoryState } from "../kit/index.ts"

const key = new Uint8Array(32).fill(7)
const person = (namespace: string, value: string) => personKey(key, namespace, value)
const hospital = "http://hospital.example/mrn"

function context(counts: Map<string, number>): Context {
  return testContext({
    identity: {
      namespaces: [
        { namespace: "mrn", dicomIssuers: ["HOSP", ""], fhirSystems: [hospital] },
        { namespace: "clinic", dicomIssuers: ["CLINIC"], fhirSystems: ["urn:clinic"] },
      ],
      key: () => key,
    },
    count: (name, label, by = 1) => counts.set(`${name}/${label}`, (counts.get(`${name}/${label}`) ?? 0) + by),
  })
}

interface FhirOptions {
  readonly version?: bigint
  readonly source?: string
  readonly subject?: string
  readonly op?: "upsert" | "retract"
}

function fhir(resource: Record<string, unknown>, { version = 1n, source = "ehr", subject, op }: FhirOptions = {}) {
  const { resourceType, id } = resource as { resourceType: string; id: string }
  const value = {
    source,
    resourceType,
    resourceId: id,
    versionId: null,
    lastUpdated: null,
    body: JSON.stringify(resource),
    file: "f",
    line: 1,
  }
  const named = resourceType === "Patient" ? `Patient/${id}` : subject === undefined ? "" : `Patient/${subject}`
  return record({ key: named, id: `${resourceType}/${id}`, op: op ?? "upsert", version, value }, "fhir")
}

const patient = (id: string, mrn: string | undefined, more: Record<string, unknown> = {}, options: FhirOptions = {}) =>
  fhir(
    {
      resourceType: "Patient",
      id,
      ...(mrn === undefined ? {} : { identifier: [{ system: hospital, value: mrn }] }),
      ...more,
    },
    options,
  )

const observation = (id: string, subject: string, more: Record<string, unknown> = {}, options: FhirOptions = {}) =>
  fhir({ resourceType: "Observation", id, effectiveDateTime: "2020-01-02T03:04:05Z", ...more }, { ...options, subject })

function instance(sop: string, more: Partial<DicomInstance> = {}, version = 1n) {
  const value: DicomInstance = {
    object: { key: `k/${sop}`, size: 1, sha256: `sha-${sop}`, transferSyntax: "1.2.840.10008.1.2.1" },
    sopInstanceUid: sop,
    sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
    seriesInstanceUid: "1.2.3.4",
    studyInstanceUid: "1.2.3",
    patientId: "100",
    issuerOfPatientId: "HOSP",
    accessionNumber: "",
    accessionIssuer: "",
    modality: "CT",
    bodyPart: "CHEST",
    studyDate: "20200102",
    studyTime: "030405",
    timezoneOffset: null,
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
  }
  return record({ key: value.studyInstanceUid, id: sop, version, value }, "dicom")
}

const short = ({ emitted }: Collected) =>
  emitted.map(({ draft }) => `${draft.op} ${draft.key} ${draft.id} ${draft.version}`).sort()

describe("resolve-patient", () => {
  let state: MemoryState
  let counts: Map<string, number>
  let step: (...batch: ReturnType<typeof record>[]) => Promise<Collected>

  beforeEach(async () => {
    state = memoryState()
    counts = new Map()
    const made = await resolvePatient.create({}, context(counts))
    step = (...batch) => runStateful(made, state, batch as never)
  })

  it("keys a patient, their resources and their instances by one person", async () => {
    const mrn = person("mrn", "100")
    const done = await step(instance("1"), observation("o", "p"), patient("p", "100"))
    expect(short(done)).toEqual(
      [
        `upsert ${mrn} instance/dicom/1 1`,
        `upsert ${mrn} resource/Observation/o 1`,
        `upsert ${mrn} person/Patient/p 1`,
      ].sort(),
    )
  })

  it("tells the whole set of identifiers and the birth date of a person", async () => {
    const done = await step(patient("p", "100", { birthDate: "1980-05-06" }), observation("o", "p"))
    const values = done.emitted.map(({ draft }) => draft.value as PersonEvent)
    const [own] = values.filter(({ kind }) => kind === "person")
    expect(own!.identifiers).toEqual([
      { namespace: "mrn", value: "100" },
      { namespace: "fhir:ehr", value: "p" },
    ])
    expect(values.map(({ birthDate }) => birthDate)).toEqual(["1980-05-06", "1980-05-06"])
    expect(values.find(({ kind }) => kind === "resource")!.identifiers).toEqual([])
  })

  it("takes the highest-ranked namespace for the key, whatever came first", async () => {
    const both = {
      identifier: [
        { system: "urn:clinic", value: "c1" },
        { system: hospital, value: "100" },
      ],
    }
    expect(short(await step(instance("1", { patientId: "c1", issuerOfPatientId: "CLINIC" })))).toEqual([
      `upsert ${person("clinic", "c1")} instance/dicom/1 1`,
    ])
    expect(short(await step(patient("p", undefined, both)))).toEqual(
      [
        `retract ${person("clinic", "c1")} instance/dicom/1 2`,
        `upsert ${person("mrn", "100")} instance/dicom/1 1`,
        `upsert ${person("mrn", "100")} person/Patient/p 1`,
      ].sort(),
    )
  })

  it("never joins equal values of different issuers", async () => {
    const done = await step(
      instance("1", { patientId: "100" }),
      instance("2", { patientId: "100", issuerOfPatientId: "CLINIC" }),
    )
    expect(new Set(done.emitted.map(({ draft }) => draft.key)).size).toBe(2)
  })

  it("ignores identifiers of undeclared issuers and counts them", async () => {
    const identifier = [{ system: "http://hl7.org/fhir/sid/us-ssn", value: "999" }, { value: "999" }]
    const done = await step(patient("p", undefined, { identifier }), patient("q", undefined, { identifier }))
    expect(done.emitted.map(({ draft }) => draft.key)).toEqual([person("fhir:ehr", "p"), person("fhir:ehr", "q")])
    expect(counts.get("identifiers-ignored/undeclared-issuer")).toBe(4)
  })

  it("knows identifiers and issuers without the spaces that pad them", async () => {
    const padded = instance("1", { patientId: " 100 ", issuerOfPatientId: "CLINIC " })
    expect((await step(padded)).emitted[0]!.draft.key).toBe(person("clinic", "100"))
  })

  it("believes the birth date of a Patient that was not replaced", async () => {
    const link = { link: [{ type: "replaced-by", other: { reference: "Patient/b" } }] }
    const done = await step(
      patient("a", "100", { ...link, birthDate: "1900-01-01" }),
      patient("b", "200", { birthDate: "1980-05-06" }),
    )
    expect(done.emitted.map(({ draft }) => (draft.value as PersonEvent).birthDate)).toEqual([
      "1980-05-06",
      "1980-05-06",
    ])
  })

  it("keeps Patients of two sources apart though their ids are equal", async () => {
    const done = await step(patient("p", "1", {}, { source: "a" }), patient("p", "2", {}, { source: "b" }))
    expect(short(done)).toEqual(
      [`upsert ${person("mrn", "1")} person/Patient/p 1`, `upsert ${person("mrn", "2")} person/Patient/p 1`].sort(),
    )
  })

  it("lets a resource wait until its Patient comes, and says how many wait", async () => {
    const first = await step(observation("o", "p"), observation("o2", "p"))
    expect(first.emitted).toEqual([])
    expect(first.held).toHaveLength(2)
    expect(counts.get("waiting/patient-unknown")).toBe(2)
    expect(short(await step(patient("p", "100")))).toHaveLength(3)
    expect(counts.get("waiting/patient-unknown")).toBe(0)
  })

  it("tells of what waited that its chain began where it arrived, not with the Patient", async () => {
    const waits = observation("o", "p")
    await step(waits)
    const { emitted } = await step(patient("p", "100"))
    const event = emitted.find(({ draft }) => draft.id === "resource/Observation/o")
    expect(event?.draft.origin).toEqual(waits.origin)
  })

  it("drops what waited when a newer version comes before the Patient", async () => {
    const older = observation("o", "p")
    await step(older)
    const { dropped, held } = await step(observation("o", "p", { status: "final" }, { version: 2n }))
    expect(dropped.map(({ from, reason }) => [from.origin, reason])).toEqual([[older.origin, "older-version"]])
    expect(held).toHaveLength(1)
  })

  it("gives an instance without a usable identifier a person of its study, flagged", async () => {
    const done = await step(
      instance("1", { patientId: "" }),
      instance("2", { patientId: "5", issuerOfPatientId: "ELSEWHERE" }),
    )
    for (const { draft } of done.emitted) {
      expect(draft.key).toBe(person("study", "1.2.3"))
      expect((draft.value as PersonEvent).flags).toEqual(["person-of-study"])
    }
  })

  it("drops resources that name no person, repeats and older versions, each by its reason", async () => {
    await step(patient("p", "100"), observation("o", "p", { status: "final" }, { version: 5n }))
    const done = await step(
      fhir({ resourceType: "Organization", id: "x" }),
      observation("o", "p", { status: "final" }, { version: 5n }),
      observation("o", "p", { status: "preliminary" }, { version: 4n }),
      instance("1"),
      instance("1", { file: "again.dcm" }, 2n),
    )
    expect(done.dropped.map(({ reason }) => reason)).toEqual(["no-person", "duplicate", "older-version", "duplicate"])
  })

  it("of equal versions with different content lets the same one stand in either order, flagged", async () => {
    const [a, b] = [observation("o", "p", { status: "final" }), observation("o", "p", { status: "amended" })]
    const stand = async (...order: (typeof a)[]) => {
      const made = await resolvePatient.create({}, context(new Map()))
      const own = memoryState()
      await runStateful(made, own, [patient("p", "100")] as never)
      let last: PersonEvent | undefined
      for (const one of order)
        for (const { draft } of (await runStateful(made, own, [one] as never)).emitted)
          last = draft.value as PersonEvent
      return last
    }
    const [one, other] = [await stand(a, b), await stand(b, a)]
    expect(one).toEqual(other)
    expect(one!.flags).toEqual(["conflict"])
  })

  it("takes the flag away when the content that stands comes again under a newer version", async () => {
    await step(patient("p", "100"))
    await step(observation("o", "p", { status: "final" }), observation("o", "p", { status: "amended" }))
    const { emitted } = await step(observation("o", "p", { status: "final" }, { version: 2n }))
    expect(emitted.map(({ draft }) => (draft.value as PersonEvent).flags)).toEqual([[]])
  })

  it("gives a fact of equal version whose JSON differs only in spelling as a repeat", async () => {
    await step(patient("p", "100"))
    const body = { resourceType: "Observation", id: "o", status: "final", code: { text: "x" } }
    await step(fhir(body, { subject: "p" }))
    const done = await step(
      fhir({ code: { text: "x" }, status: "final", id: "o", resourceType: "Observation" }, { subject: "p" }),
    )
    expect(done.dropped.map(({ reason }) => reason)).toEqual(["duplicate"])
  })

  it("numbers what it emits of a row 1, 2, 3, also past a retract", async () => {
    const link = { link: [{ type: "replaced-by", other: { reference: "Patient/b" } }] }
    await step(patient("a", "200"), patient("b", "100"), observation("o", "a"))
    await step(patient("a", "200", link, { version: 2n }))
    const back = await step(patient("a", "200", {}, { version: 3n }))
    expect(short(back).filter((line) => line.includes("Observation"))).toEqual(
      [
        `retract ${person("mrn", "100")} resource/Observation/o 2`,
        `upsert ${person("mrn", "200")} resource/Observation/o 3`,
      ].sort(),
    )
  })

  for (const type of ["replaced-by", "replaces", "seealso", "refer"])
    it(`moves what was known when a Patient says ${type} of another, and moves it back when it no longer says so`, async () => {
      await step(patient("a", "200"), patient("b", "100"), observation("o", "a"), instance("1", { patientId: "200" }))
      const link = { link: [{ type, other: { reference: "Patient/b" } }] }
      const merged = await step(patient("a", "200", link, { version: 2n }))
      const [from, to] = [person("mrn", "200"), person("mrn", "100")]
      expect(short(merged)).toEqual(
        [
          `retract ${from} person/Patient/a 2`,
          `retract ${from} resource/Observation/o 2`,
          `retract ${from} instance/dicom/1 2`,
          `upsert ${to} person/Patient/a 1`,
          `upsert ${to} resource/Observation/o 1`,
          `upsert ${to} instance/dicom/1 1`,
          `upsert ${to} person/Patient/b 2`,
        ].sort(),
      )
      for (const { draft } of merged.emitted) expect(draft.value === null).toBe(draft.op === "retract")
      const apart = await step(patient("a", "200", {}, { version: 3n }))
      expect(short(apart).filter((line) => line.startsWith("upsert"))).toEqual(
        [
          `upsert ${from} person/Patient/a 3`,
          `upsert ${from} resource/Observation/o 3`,
          `upsert ${from} instance/dicom/1 3`,
          `upsert ${to} person/Patient/b 3`,
        ].sort(),
      )
    })

  it("joins a link to a Patient that comes later, and lets its resources wait until it does", async () => {
    await step(patient("a", "200", { link: [{ type: "replaced-by", other: { reference: "Patient/b" } }] }))
    expect((await step(observation("o", "b"))).emitted).toEqual([])
    const done = await step(patient("b", "100"))
    expect(short(done)).toContain(`upsert ${person("mrn", "100")} resource/Observation/o 1`)
    expect(short(done)).toContain(`upsert ${person("mrn", "100")} person/Patient/a 1`)
  })

  it("emits a merge from whichever task reads it", async () => {
    const other = { ...memoryState(), shared: state.shared } as MemoryState
    const second = await resolvePatient.create({}, context(new Map()))
    await step(patient("b", "100"), instance("1", { patientId: "200" }))
    const link = { link: [{ type: "replaced-by", other: { reference: "Patient/b" } }] }
    const merged = await runStateful(second, other, [patient("a", "200", link)] as never)
    expect(short(merged)).toContain(`retract ${person("mrn", "200")} instance/dicom/1 2`)
    expect(short(merged)).toContain(`upsert ${person("mrn", "100")} instance/dicom/1 1`)
    expect(short(await step(instance("2", { patientId: "200" })))).toEqual([
      `upsert ${person("mrn", "100")} instance/dicom/2 1`,
    ])
  })

  it("moves a resource whose newer version names another patient", async () => {
    await step(patient("a", "200"), patient("b", "100"), observation("o", "a"))
    expect(short(await step(observation("o", "b", {}, { version: 2n })))).toEqual(
      [
        `retract ${person("mrn", "200")} resource/Observation/o 2`,
        `upsert ${person("mrn", "100")} resource/Observation/o 1`,
      ].sort(),
    )
  })

  it("takes a resource back whose newer version names no person, in either order", async () => {
    await step(patient("a", "200"), observation("o", "a"))
    const nobody = fhir({ resourceType: "Observation", id: "o" }, { version: 2n })
    expect(short(await step(nobody))).toEqual([`retract ${person("mrn", "200")} resource/Observation/o 2`])
    const first = await step(fhir({ resourceType: "Observation", id: "x" }, { version: 2n }))
    expect(first.dropped.map(({ reason }) => reason)).toEqual(["no-person"])
    const late = await step(observation("x", "a"))
    expect(late.dropped.map(({ reason }) => reason)).toEqual(["older-version"])
  })

  it("emits a person's resources again when the birth date changes, and the instances not", async () => {
    await step(patient("a", "1", { birthDate: "1980" }), observation("o", "a"), instance("1", { patientId: "1" }))
    const done = await step(patient("a", "1", { birthDate: "1981-02-03" }, { version: 2n }))
    expect(done.emitted.map(({ draft }) => [draft.id, (draft.value as PersonEvent).birthDate])).toEqual([
      ["person/Patient/a", "1981-02-03"],
      ["resource/Observation/o", "1981-02-03"],
    ])
  })

  it("takes a retracted Patient's resources back", async () => {
    await step(patient("a", "1"), observation("o", "a"))
    const done = await step(patient("a", "1", {}, { version: 2n, op: "retract" }))
    expect(short(done).every((line) => line.startsWith("retract"))).toBe(true)
    expect(done.emitted).toHaveLength(2)
    expect(counts.get("waiting/patient-unknown")).toBe(1)
  })

  it("keeps times as the source read them, or reads them in the zone that it is given", async () => {
    const times = async (zone: string | undefined, offset: string | null, effectiveDateTime: string) => {
      const made = await resolvePatient.create(zone === undefined ? {} : { "time-zone": zone }, context(new Map()))
      const batch = [
        patient("p", "100"),
        observation("o", "p", { effectiveDateTime }),
        instance("1", { timezoneOffset: offset }),
      ]
      const { emitted } = await runStateful(made, memoryState(), batch as never)
      return emitted.filter(({ draft }) => !draft.id.startsWith("person")).map(({ draft }) => draft.time)
    }
    const utc = Date.parse("2020-01-02T02:04:05Z")
    expect(await times(undefined, null, "2020-01-02T03:04:05")).toEqual([0, 0])
    expect(await times("Europe/Berlin", null, "2020-01-02T03:04:05")).toEqual([utc, utc])
    expect(await times("Z", "+0100", "2020-01-02T03:04:05+01:00")).toEqual([utc, utc])
    await expect(times("Atlantis", null, "2020")).rejects.toMatchObject({ code: "time-zone-unknown" })
  })

  it("sets a resource that is not JSON aside, and goes on", async () => {
    const broken = patient("p", "100")
    const done = await step(
      { ...broken, value: { ...broken.value!, body: '{"name": "Zebra' } } as never,
      patient("q", "1"),
    )
    expect(done.failed.map(({ error }) => (error as { code?: string }).code)).toEqual(["body-not-json"])
    expect(done.failed[0]!.error.message).not.toContain("Zebra")
    expect(done.emitted).toHaveLength(1)
  })

  it("reads shared state a handful of times for a batch of any size", async () => {
    let calls = 0
    const counted = { ...state.shared }
    for (const name of ["get", "scan", "lock"] as const)
      counted[name] = ((...given: never[]) => (
        calls++,
        (state.shared[name] as (...all: never[]) => unknown)(...given)
      )) as never
    const own = { ...state, shared: counted } as MemoryState
    const made = await resolvePatient.create({}, context(new Map()))
    const people = Array.from({ length: 20 }, (_, i) => patient(`p${i}`, `${i}`))
    const facts = Array.from({ length: 2000 }, (_, i) => observation(`o${i}`, `p${i % 20}`))
    await runStateful(made, own, [...people, ...facts] as never)
    expect(calls).toBeLessThanOrEqual(6)
  })
})
