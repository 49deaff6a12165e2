import { describe, expect, it } from "vitest"
import { decodeOptions } from "../../core/pipeline/options.ts"
import type { CuratedResource, DicomInstance, FhirResource, PersonEvent, Study } from "../../core/index.ts"
import { select } from "../../transforms/select/index.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

const icd = "http://hl7.org/fhir/sid/icd-10-cm"
const snomed = "http://snomed.info/sct"
const loinc = "http://loinc.org"

const study = (more: Partial<Study> = {}): Study => ({
  studyInstanceUid: "1.2.3",
  accessionNumber: "",
  accessionIssuer: "",
  modalities: ["CT"],
  bodyParts: ["CHEST"],
  started: Date.UTC(2020, 4, 5, 6, 7, 8),
  startedPrecision: "second",
  series: [{ seriesInstanceUid: "1.2.3.4", modality: "CT", bodyPart: "CHEST", instances: 3 }],
  instances: [],
  expectedInstances: 3,
  complete: true,
  ...more,
})

const event = (body: unknown, codes: Partial<PersonEvent["codes"][number]>[] = []): PersonEvent => ({
  kind: body === null ? "instance" : "resource",
  subtype: body === null ? "dicom" : "Condition",
  name: "c",
  source: "ehr",
  sourceVersion: "1",
  instance: null,
  body: body === null ? null : typeof body === "string" ? body : JSON.stringify(body),
  codes: codes.map((code) => ({
    system: "",
    code: "",
    display: null,
    fromSystem: "",
    fromCode: "",
    relationship: "equal",
    table: "t",
    ...code,
  })),
  identifiers: [],
  birthDate: null,
  flags: [],
})
const condition = (...coding: object[]) => ({ resourceType: "Condition", id: "c", code: { coding } })

let revision = 1n
const of = (type: string, value: unknown, draft: object = {}) => ({
  ...record({ value, version: ++revision, ...draft }),
  type,
})

const made = async (given: unknown, counts: string[] = []) => {
  const { options, faults } = decodeOptions(select, given)
  expect(faults).toEqual([])
  const context = testContext({ count: (name, label) => void counts.push(`${name} ${label}`) })
  return select.create(options as never, context)
}

/** Whether each value is kept. */
async function kept(given: unknown, type: string, ...values: unknown[]): Promise<boolean[]> {
  const { emitted, failed } = await runTransform(
    await made(given),
    values.map((value) => of(type, value)),
  )
  expect(failed).toEqual([])
  return emitted.map(({ draft }) => draft.op === "upsert")
}

const fault = async (given: unknown, type: string, value: unknown): Promise<unknown> =>
  runTransform(await made(given), [of(type, value)]).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )

describe("select", () => {
  it("keeps a cohort: CT or MR of the chest, with a diagnosis under C50 or a listed finding", async () => {
    const given = {
      keep: {
        any: [
          { all: [{ field: "kind", in: ["instance"] }, { not: { field: "flags", in: ["conflict"] } }] },
          { code: { system: icd, under: "C50" } },
          { code: { system: snomed, in: ["254837009"] } },
        ],
      },
    }
    const events = [
      event(null),
      { ...event(null), flags: ["conflict"] },
      event(condition({ system: icd, code: "C50.911" })),
      event(condition({ system: icd, code: "C51.0" })),
      event(condition({ system: "http://other.example", code: "C50.911" })),
      event(condition({ system: snomed, code: "254837009" })),
    ]
    expect(await kept(given, "person-event", ...events)).toEqual([true, false, true, false, false, true])
    const ct = {
      keep: {
        all: [
          { field: "modalities", in: ["CT", "MR"] },
          { field: "bodyParts", in: ["CHEST"] },
        ],
      },
    }
    const studies = [
      study(),
      study({ modalities: ["CR"] }),
      study({ modalities: ["CR", "MR"] }),
      study({ bodyParts: [] }),
    ]
    expect(await kept(ct, "study", ...studies)).toEqual([true, false, true, false])
    expect(await kept({ drop: ct.keep }, "study", ...studies)).toEqual([false, true, false, true])
  })

  it.each([
    [{ field: "series.modality", in: ["MR", "CT"] }, true],
    [{ field: "series.modality", in: ["MR"] }, false],
    [{ field: "series.instances", "at-least": 3, "at-most": 3 }, true],
    [{ field: "series.instances", "at-least": 4 }, false],
    [{ field: "series.instances", "at-most": 2 }, false],
    [{ field: "complete", in: [true] }, true],
    [{ field: "expectedInstances", in: [3] }, true],
    [{ field: "studyInstanceUid", prefix: "1.2." }, true],
    [{ field: "studyInstanceUid", prefix: ["2.", "3."] }, false],
    [{ field: "accessionNumber", exists: false }, true],
    [{ field: "accessionNumber", exists: true }, false],
    [{ field: "instances.sopInstanceUid", exists: false }, true],
    [{ field: "modalities", exists: true }, true],
    [{ field: "started", before: "2020-05-06" }, true],
    [{ field: "started", before: "2020-05-05" }, false],
    [{ field: "started", after: "2020-05-04" }, true],
    [{ field: "started", after: "2020-05" }, false],
    [{ field: "started", after: "2019", before: "2021" }, true],
    [{ all: [] }, true],
    [{ any: [] }, false],
    [{ not: { any: [] } }, true],
  ])("%j of a study: %s", async (keep, expected) => {
    expect(await kept({ keep }, "study", study())).toEqual([expected])
  })

  it("asks all tests of one value of a list, not one of this and one of that", async () => {
    const series = [1, 9].map((instances) => ({ ...study().series[0]!, instances }))
    const keep = { field: "series.instances", "at-least": 2, "at-most": 8 }
    expect(await kept({ keep }, "study", study({ series }))).toEqual([false])
  })

  it("reads dates as texts of DICOM and FHIR too; one that is only in part in the range is not in it", async () => {
    const born = (birthDate: string | null) => ({ ...event(condition()), birthDate })
    const keep = { field: "birthDate", after: "1949-12-31", before: "1960-07-01" }
    const dates = ["1950-01-01", "1949-12-31", "1955", "1960", "1960-06", "0000-13-45", "", null]
    expect(await kept({ keep }, "person-event", ...dates.map(born))).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
      false,
      false,
    ])
    const instance = (studyDate: string) => ({ studyDate }) as DicomInstance
    const day = { keep: { field: "studyDate", after: "2020-02-28", before: "2020-03-01" } }
    expect(await kept(day, "dicom-instance", instance("20200229"), instance("20200301"))).toEqual([true, false])
  })

  it("reads its own dates in the zone that it is given", async () => {
    const started = Date.UTC(2020, 0, 1, 2)
    const keep = { field: "started", after: "2019-12-31" }
    expect(await kept({ keep }, "study", study({ started }))).toEqual([true])
    expect(await kept({ keep, "time-zone": "America/New_York" }, "study", study({ started }))).toEqual([false])
    await expect(made({ keep, "time-zone": "Mars" })).rejects.toMatchObject({ code: "time-zone-unknown" })
  })

  it("takes a mapped code for one that the record states, where it means the same or more", async () => {
    const keep = { code: { system: icd, under: ["C50"] } }
    const mapped = (relationship: string) =>
      event(condition({ system: "urn:local", code: "x" }), [{ system: icd, code: "C50.9", relationship }])
    const relationships = [
      "equal",
      "equivalent",
      "wider",
      "subsumes",
      "narrower",
      "specializes",
      "inexact",
      "relatedto",
    ]
    expect(await kept({ keep }, "person-event", ...relationships.map(mapped))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ])
  })

  it("finds codes in arrivals and in de-identified resources", async () => {
    const keep = { code: { system: [loinc, icd], in: ["2160-0"] } }
    const arrival = { body: JSON.stringify(condition({ system: loinc, code: "2160-0" })) } as FhirResource
    expect(await kept({ keep }, "fhir-resource", arrival)).toEqual([true])
    const curated = (codes: string[]) => ({ codes }) as unknown as CuratedResource
    const all = [curated([`${loinc}|2160-0`]), curated([`${snomed}|2160-0`]), curated(["2160-0"]), curated([])]
    expect(await kept({ keep }, "curated-resource", ...all)).toEqual([true, false, false, false])
    expect(await kept({ keep: { code: { system: "" } } }, "curated-resource", ...all.slice(1))).toEqual([
      false,
      true,
      false,
    ])
  })

  it("passes over the dots of codes that say their own hierarchy", async () => {
    const keep = { code: { system: icd, under: "C50.9" } }
    const codes = ["C50.9", "C50.911", "C50911", "c50.91", "C50.1", "C5"]
    const events = codes.map((code) => event(condition({ system: icd, code })))
    expect(await kept({ keep }, "person-event", ...events)).toEqual([true, true, true, true, false, false])
  })
})

describe("select, as a changelog", () => {
  const keep = { field: "complete", in: [true] }

  it("takes a row back whose newer version is not selected any more, under that version", async () => {
    const counts: string[] = []
    const batch = [
      of("study", study(), { key: "p", id: "s", version: 1n, time: 5, headers: { h: "1" } }),
      of("study", study({ complete: false }), { key: "p", id: "s", version: 2n, time: 6 }),
    ]
    const { emitted } = await runTransform(await made({ keep }, counts), batch)
    expect(emitted.map(({ to, draft }) => [to, draft])).toEqual([
      ["out", { key: "p", id: "s", op: "upsert", version: 1n, time: 5, value: study(), headers: { h: "1" } }],
      ["out", { key: "p", id: "s", op: "retract", version: 2n, time: 6, value: null }],
    ])
    expect(counts).toEqual(["taken-back not-selected"])
  })

  it("drops the first revision of a row without a trace, because nothing can have been kept of it", async () => {
    const { emitted, dropped } = await runTransform(await made({ keep }), [
      of("study", study({ complete: false }), { version: 1n }),
    ])
    expect(emitted).toEqual([])
    expect(dropped.map(({ reason }) => reason)).toEqual(["not-selected"])
  })

  it("takes arrivals and rows of packages back at any version, since theirs are no revisions", async () => {
    const given = { keep: { field: "file", in: ["x"] } }
    for (const type of ["dicom-instance", "fhir-resource", "of-a-package"]) {
      const value = { file: "y", complete: false }
      const { emitted } = await runTransform(await made(given), [of(type, value, { version: 1n })])
      expect(emitted.map(({ draft }) => draft)).toMatchObject([
        // resolve-patient finds whose an arrival is by its value.
        { op: "retract", version: 1n, value: type === "of-a-package" ? null : value },
      ])
    }
  })

  it("passes retracts as they are, with or without a value", async () => {
    const batch = [
      of("study", null, { op: "retract", version: 4n }),
      of("fhir-resource", { body: "{" }, { op: "retract", version: 5n }),
    ]
    const { emitted } = await runTransform(await made({ keep }), batch)
    expect(emitted.map(({ draft }) => [draft.op, draft.version, draft.value])).toEqual([
      ["retract", 4n, null],
      ["retract", 5n, { body: "{" }],
    ])
  })

  it("fails a resource that is no JSON object and an upsert without a value, and goes on", async () => {
    const given = { keep: { code: { system: icd } } }
    const batch = [
      of("person-event", event('{"secret')),
      of("person-event", event("7")),
      of("person-event", null),
      of("person-event", event(condition({ system: icd, code: "C50" }))),
    ]
    const { emitted, failed } = await runTransform(await made(given), batch)
    expect(emitted).toHaveLength(1)
    expect(failed.map(({ error }) => (error as { code?: string }).code)).toEqual([
      "body-not-json",
      "body-not-json",
      "value-missing",
    ])
    for (const { error } of failed) expect(error.message).not.toContain("secret")
  })

  it("takes resources of any depth", async () => {
    const deep = `{"resourceType":"Condition","code":${'{"coding":['.repeat(100_000)}1${"]}".repeat(100_000)}}`
    expect(await kept({ keep: { code: { system: icd } } }, "person-event", event(deep))).toEqual([false])
  })
})

describe("select, given what cannot be meant", () => {
  it.each([
    [
      "a field that the type has not",
      { keep: { all: [{ field: "modality", in: ["CT"] }] } },
      "unknown-field",
      "keep.all[0]",
    ],
    ["a field inside a text", { keep: { field: "modalities.x", in: ["CT"] } }, "unknown-field", "keep"],
    ["a field that holds others", { drop: { not: { field: "series", exists: true } } }, "unknown-field", "drop.not"],
    ["a name of every object", { keep: { field: "constructor", exists: true } }, "unknown-field", "keep"],
    ["a number for a text", { keep: { any: [{ field: "modalities", in: [7] }] } }, "wrong-type", "keep.any[0]"],
    ["a range of texts", { keep: { field: "modalities", "at-least": 7 } }, "wrong-type", "keep"],
    ["a prefix of a number", { keep: { field: "expectedInstances", prefix: "1" } }, "wrong-type", "keep"],
    ["a count as a date", { keep: { field: "expectedInstances", before: "2020" } }, "wrong-type", "keep"],
    ["a date that is none", { keep: { field: "started", before: "0000-13-45" } }, "date-unreadable", "keep.before"],
    ["codes where there are none", { keep: { any: [{ code: { system: icd } }] } }, "no-codes", "keep.any[0].code"],
  ])("stops at the first record: %s", async (_, given, code, path) => {
    expect(await fault(given, "study", study())).toMatchObject({ meaning: "fatal", code, path })
  })

  it("stops at a record of a package's type that has not the field", async () => {
    const keep = { field: "a.b", in: ["x"] }
    expect(await kept({ keep }, "of-a-package", { a: { b: "x" } }, { a: [{ b: "y" }] }, { a: null })).toEqual([
      true,
      false,
      false,
    ])
    for (const value of [{}, { a: {} }, { a: "text" }, { a: { b: { c: 1 } } }])
      expect(await fault({ keep }, "of-a-package", value)).toMatchObject({ meaning: "fatal", code: "unknown-field" })
  })

  it.each([
    [{}, []],
    [{ keep: { all: [] }, drop: { all: [] } }, []],
    [{ keep: {} }, ["keep"]],
    [{ keep: { all: [], any: [] } }, ["keep"]],
    [{ keep: { all: [{ field: "x" }] } }, ["keep", "all", 0]],
    [{ keep: { not: { in: ["x"] } } }, ["keep", "not"]],
    [{ keep: { any: [{ code: { system: icd, over: "C" } }] } }, ["keep", "any", 0, "code", "over"]],
    [{ keep: { code: { system: loinc, under: "2160" } } }, ["keep", "code"]],
    [{ keep: { field: "x", exists: false, in: ["y"] } }, ["keep"]],
    [{ keep: { field: "x", eq: 1 } }, ["keep", "eq"]],
  ])("is no pipeline: %j", (given, path) => {
    expect(decodeOptions(select, given).faults.map((one) => one.path)).toContainEqual(path)
  })
})
