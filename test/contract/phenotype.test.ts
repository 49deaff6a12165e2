import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Label, PersonEvent } from "../../core/index.ts"
import { phenotype } from "../../transforms/phenotype/index.ts"
import { memoryState, record, runComplete, runStateful, testContext } from "../kit/index.ts"
import type { Collected, MemoryState } from "../kit/index.ts"
import type { OracleResource, OracleStudy } from "../oracle/index.ts"
import { personEventOf, studyRecordOf } from "../oracle/stream.ts"

const day = 86_400_000
const started = Date.parse("2020-06-15T10:00:00Z")
const loinc = "http://loinc.org"
const snomed = "http://snomed.info/sct"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-phenotype-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A transform with one definition, and everything it has said. */
async function labelling(rule: string, more = "", options: object = {}) {
  const definitions = await mkdtemp(join(folder, "d-"))
  const values = `values:
  creatinine: [ { system: "${loinc}", code: "2160-0" } ]
  cancer: [ { system: "${snomed}", code: "363346000" }, { system: "icd", code: "C34*" } ]
`
  await writeFile(join(definitions, "it.yaml"), `phenotype: it\nversion: 1\n${values}rule: ${rule}\n${more}`)
  const instance = await phenotype.create({ definitions, ...options }, testContext())
  const state = memoryState()
  const said: Collected["emitted"][number]["draft"][] = []
  const keep = ({ emitted }: Collected) => said.push(...emitted.map(({ draft }) => draft))
  return {
    instance,
    state,
    said,
    last: () => said.at(-1)?.value as Label | undefined,
    give: async (...batch: Parameters<typeof runStateful>[2][number][]) => {
      const collected = await runStateful(instance, state, batch)
      keep(collected)
      return collected
    },
    until: async (now: number) => {
      for (let due = state.due("calendar", now); due.length > 0; due = state.due("calendar", now))
        keep(await runStateful(instance, state, [], due))
    },
    complete: async (feed: string, through: number) => {
      state.setComplete(feed, through)
      keep(await runComplete(instance, state))
    },
  }
}

const resource = (type: string, id: string, body: object, version = 1n): OracleResource => ({
  person: "p",
  type,
  id,
  version,
  body: JSON.stringify({ resourceType: type, id, ...body }),
})
const event = (...given: Parameters<typeof resource>) => personEventOf(resource(...given))
const study = (given: Partial<OracleStudy> = {}) =>
  studyRecordOf({
    person: "p",
    uid: "1.2.3",
    version: 1n,
    accession: "",
    issuer: "",
    modalities: ["CT"],
    bodyParts: ["CHEST"],
    first: started,
    last: started,
    ...given,
  })
const at = (days: number) => new Date(started + days * day).toISOString()
const creatinine = (value: number, days: number, more: object = {}) => ({
  status: "final",
  code: { coding: [{ system: loinc, code: "2160-0" }] },
  effectiveDateTime: at(days),
  valueQuantity: { value, system: "http://unitsofmeasure.org", code: "mg/dL" },
  ...more,
})
const cancer = (verification: string, days: number, more: object = {}) => ({
  verificationStatus: { coding: [{ code: verification }] },
  code: { coding: [{ system: snomed, code: "363346000" }] },
  recordedDate: at(days),
  ...more,
})
const lab =
  "{ lab: creatinine, window: { from: -30d, to: 0d }, at-least: { value: 1.5, unit: mg/dL }, molar-mass: 113.12 }"
const later = "{ condition: cancer, window: { from: 0d, to: 90d } }"

describe("definitions", () => {
  it("every fault is reported at once, with file, line, column and path", async () => {
    const definitions = await mkdtemp(join(folder, "faults-"))
    await writeFile(
      join(definitions, "a.yaml"),
      `phenotype: Not Kebab
version: 1
colour: red
values:
  labs: [ { system: "${loinc}", code: "1", kode: "2" } ]
rule:
  all:
    - lab: nothing
      window: { from: 30days, to: 0d }
      at-least: { value: high, unit: mg/dLL }
    - { condition: labs }
    - not: { any: [] }
horizon: soon
`,
    )
    await writeFile(join(definitions, "b.yaml"), "phenotype: [\n")
    const failed = phenotype.create({ definitions }, testContext())
    await expect(failed).rejects.toMatchObject({ meaning: "fatal", code: "phenotype-definition" })
    const { message } = (await failed.catch((error: Error) => error)) as Error
    const places = message
      .split("\n")
      .slice(1)
      .map((line) => line.split(": ")[0])
    expect(places.sort()).toEqual(
      [
        "a.yaml:10:26 rule.all[0].at-least.value",
        "a.yaml:10:38 rule.all[0].at-least.unit",
        "a.yaml:11:7 rule.all[1]",
        "a.yaml:12:19 rule.all[2].not.any",
        "a.yaml:13:10 horizon",
        "a.yaml:1:12 phenotype",
        "a.yaml:3:1 colour",
        "a.yaml:5:52 values.labs[0].kode",
        "a.yaml:8:12 rule.all[0].lab",
        "a.yaml:9:23 rule.all[0].window.from",
        "b.yaml:2:1 (file)",
      ].sort(),
    )
  })

  it("the same name in two files, an empty folder and an unknown time zone are refused", async () => {
    const definitions = await mkdtemp(join(folder, "twice-"))
    await expect(phenotype.create({ definitions }, testContext())).rejects.toThrow("no *.yaml")
    const text = `phenotype: same\nversion: 1\nvalues: { a: [ { system: s, code: c } ] }\nrule: ${later.replace("cancer", "a")}\n`
    await writeFile(join(definitions, "a.yaml"), text)
    await writeFile(join(definitions, "b.yml"), text)
    await expect(phenotype.create({ definitions }, testContext())).rejects.toThrow("b.yml:1:1")
    await expect(labelling(later, "", { "time-zone": "Moon/Sea" })).rejects.toMatchObject({ code: "time-zone-unknown" })
  })
})

describe("values", () => {
  it("a final value over the threshold in the window is positive, with its evidence, grade and known time", async () => {
    const it = await labelling(lab)
    await it.give(study(), event("Observation", "o1", creatinine(2, -3, { meta: { lastUpdated: at(-2) } })))
    expect(it.last()).toMatchObject({
      value: "positive",
      reason: "met",
      rung: "patient-time",
      candidates: 1,
      ambiguous: false,
      grade: "laboratory",
      clinicalTime: started,
      knownTime: started - 2 * day,
    })
    expect(it.last()?.ruleVersion).toMatch(/^1\+[0-9a-f]{12}$/)
    expect(it.last()?.evidence).toEqual([
      { resourceType: "Observation", resourceId: "o1", revision: 1, time: started - 3 * day, role: "supports" },
      { resourceType: "Study", resourceId: "1.2.3", revision: 1, time: started, role: "subject" },
    ])
  })

  it("a correction takes the label back, a retraction too, and nothing new is said of what stays", async () => {
    const it = await labelling(lab)
    await it.give(study(), event("Observation", "o1", creatinine(2, -3)))
    await it.give(event("Observation", "o1", creatinine(1, -3, { status: "corrected" }), 2n))
    expect(it.last()).toMatchObject({ value: "unknown", reason: "window-open" })
    await it.give(event("Observation", "o1", creatinine(3, -3, { status: "entered-in-error" }), 3n))
    expect(it.last()?.evidence.map(({ role }) => role)).toEqual(["subject"])
    const before = it.said.length
    await it.give(event("Observation", "o1", creatinine(2, -3), 1n), event("Observation", "o9", creatinine(9, 3)))
    expect(it.said.length).toBe(before)
    await it.give({ ...study(), op: "retract", value: null, version: 2n })
    expect(it.said.at(-1)).toMatchObject({ op: "retract", id: "it/1.2.3", value: null, version: BigInt(before + 1) })
  })

  it("mass and amount of substance, missing and foreign units, comparators", async () => {
    const quantity = (valueQuantity: object) => creatinine(0, -1, { valueQuantity })
    const ucum = "http://unitsofmeasure.org"
    const cases: [object, string, string][] = [
      [{ value: 133, system: ucum, code: "umol/L" }, "positive", "met"],
      [{ value: 2, unit: "mg/dL" }, "unknown", "unit-missing"],
      [{ value: 2, system: ucum, code: "mmHg2" }, "unknown", "unit-invalid"],
      [{ value: 2, system: ucum, code: "s" }, "unknown", "incommensurable"],
      [{ system: ucum, code: "mg/dL" }, "unknown", "value-missing"],
      [{ value: 1.5, comparator: ">", system: ucum, code: "mg/dL" }, "positive", "met"],
      [{ value: 1.6, comparator: "<", system: ucum, code: "mg/dL" }, "unknown", "comparator-open"],
      [{ value: 1.5, comparator: "<", system: ucum, code: "mg/dL" }, "unknown", "window-open"],
    ]
    for (const [given, value, reason] of cases) {
      const it = await labelling(lab)
      await it.give(study(), event("Observation", "o1", quantity(given)))
      expect(it.last(), JSON.stringify(given)).toMatchObject({ value, reason })
    }
    const without = await labelling(lab.replace(", molar-mass: 113.12", ""))
    await without.give(study(), event("Observation", "o1", quantity({ value: 133, system: ucum, code: "umol/L" })))
    expect(without.last()).toMatchObject({ value: "unknown", reason: "incommensurable" })
  })

  it("statuses: provisional is uncertain, refuted is evidence against, both sides at once are uncertain", async () => {
    const it = await labelling(later)
    await it.give(study(), event("Condition", "c1", cancer("provisional", 5)))
    expect(it.last()).toMatchObject({ value: "uncertain", reason: "not-confirmed" })
    await it.give(event("Condition", "c1", cancer("confirmed", 5), 2n))
    expect(it.last()).toMatchObject({ value: "positive", grade: "coded-diagnosis" })
    await it.give(event("Condition", "c2", cancer("refuted", 6)))
    expect(it.last()).toMatchObject({ value: "uncertain", reason: "conflicting-evidence" })
    expect(it.last()?.evidence.map(({ role }) => role)).toEqual(["supports", "refutes", "subject"])
  })

  it("what a partial date cannot decide against the window is uncertain", async () => {
    const it = await labelling(later)
    await it.give(study(), event("Condition", "c1", { ...cancer("confirmed", 0), recordedDate: "2020-09" }))
    expect(it.last()).toMatchObject({ value: "uncertain", reason: "time-undecided" })
    await it.give(event("Condition", "c1", { ...cancer("confirmed", 0), recordedDate: "2020-07" }, 2n))
    expect(it.last()).toMatchObject({ value: "positive" })
  })

  it("a day that the window cuts through is uncertain on both of its sides", async () => {
    for (const days of [-30, 0]) {
      const it = await labelling(lab)
      const date = at(days).slice(0, 10)
      await it.give(study(), event("Observation", "o1", creatinine(2, 0, { effectiveDateTime: date })))
      expect(it.last(), date).toMatchObject({ value: "uncertain", reason: "time-undecided" })
    }
  })

  it("a mapped code counts when the record implies it, and leaves open what it may mean", async () => {
    const mapped = (relationship: string) => {
      const made = event("Condition", "c1", {
        ...cancer("confirmed", 5),
        code: { coding: [{ system: "local", code: "K1" }] },
      })
      const code = {
        system: "icd",
        code: "C34.1",
        display: null,
        fromSystem: "local",
        fromCode: "K1",
        relationship,
        table: "t",
      }
      return { ...made, value: { ...(made.value as PersonEvent), codes: [code] } }
    }
    for (const [relationship, value] of [
      ["equivalent", "positive"],
      ["wider", "positive"],
      ["narrower", "uncertain"],
      ["inexact", "uncertain"],
      ["relatedto", "unknown"],
      ["disjoint", "unknown"],
    ]) {
      const it = await labelling(later)
      await it.give(study(), mapped(relationship!))
      expect(it.last()?.value, relationship).toBe(value)
    }
  })
})

describe("negatives", () => {
  it("need the window over, the feeds complete past it, and the person seen at its end; each lack has its reason", async () => {
    const it = await labelling(later, "feeds: [Condition]\nhorizon: 100d\n")
    await it.give(study())
    expect(it.last()).toMatchObject({ value: "unknown", reason: "window-open", rung: "none", grade: "none" })
    await it.until(started + 100 * day)
    expect(it.last()).toMatchObject({ reason: "window-open" })
    await it.until(started + 100 * day + 1)
    expect(it.last()).toMatchObject({ reason: "feed-incomplete" })
    await it.complete("ehr/*", started + 200 * day)
    expect(it.last()).toMatchObject({ reason: "not-observed" })
    await it.give(event("Immunization", "i1", { status: "completed", occurrenceDateTime: at(89) }))
    expect(it.last()).toMatchObject({ reason: "not-observed" })
    await it.give(event("Immunization", "i2", { status: "completed", occurrenceDateTime: at(400) }))
    expect(it.last()).toMatchObject({ value: "negative", reason: "not-met" })
    await it.give(event("Immunization", "i2", { status: "entered-in-error", occurrenceDateTime: at(400) }, 2n))
    expect(it.last()).toMatchObject({ value: "unknown", reason: "not-observed" })
    await it.give(event("EpisodeOfCare", "e1", { status: "active", period: { start: "2019" } }))
    expect(it.last()).toMatchObject({ value: "negative" })
  })

  it("a feed is as complete as the least complete source of its type", async () => {
    const it = await labelling(later)
    await it.give(study(), event("Immunization", "i2", { status: "completed", occurrenceDateTime: at(400) }))
    await it.until(started + 500 * day)
    await it.complete("lab/Observation", started + 500 * day)
    expect(it.last()?.reason).toBe("feed-incomplete")
    it.state.setComplete("gp/Condition", started + 10 * day)
    await it.complete("ehr/*", started + 500 * day)
    expect(it.last()?.reason).toBe("feed-incomplete")
    await it.complete("gp/Condition", started + 91 * day)
    expect(it.last()?.value).toBe("negative")
  })

  it("a feed of images says nothing of how complete the records are", async () => {
    const it = await labelling(later)
    await it.give(study(), event("Immunization", "i3", { status: "completed", occurrenceDateTime: at(400) }))
    await it.until(started + 500 * day)
    await it.complete("inbox/dicom", started + 500 * day)
    expect(it.last()?.reason).toBe("feed-incomplete")
    it.state.setComplete("inbox/dicom", started)
    await it.complete("ehr/*", started + 500 * day)
    expect(it.last()?.value).toBe("negative")
  })

  it("a value that nobody measured is unknown, `not` over unknown too", async () => {
    for (const rule of [lab, `{ not: ${lab} }`]) {
      const it = await labelling(rule)
      await it.give(study())
      await it.until(started + day)
      await it.complete("ehr/*", started + day)
      expect(it.last()).toMatchObject({ value: "unknown", reason: "no-evidence" })
    }
  })
})

describe("the join ladder", () => {
  const report = (links: object, days = 3) => ({
    status: "final",
    category: [{ coding: [{ code: "SP" }] }],
    code: { coding: [{ system: loinc, code: "60567-5" }] },
    conclusionCode: [{ coding: [{ system: snomed, code: "363346000" }] }],
    effectiveDateTime: at(days),
    ...links,
  })
  const pathology = "{ report: cancer, category: pathology, window: { from: 0d, to: 30d } }"
  const acsn = (system: string, value: string) => ({ type: { coding: [{ code: "ACSN" }] }, system, value })
  const imaging = (id: string, uid: string, more: object = {}) =>
    event("ImagingStudy", id, {
      status: "available",
      started: at(0),
      identifier: [{ system: "urn:dicom:uid", value: `urn:oid:${uid}` }],
      series: [{ modality: { code: "CT" } }],
      ...more,
    })
  const standing = (said: readonly { readonly id: string; readonly value: unknown }[]) =>
    Object.fromEntries(
      said.map(({ id, value }) => [
        id.slice(3),
        [(value as Label).value, (value as Label).rung, (value as Label).candidates],
      ]),
    )

  it("takes the highest rung that holds, and gives several candidates when several studies fit as well", async () => {
    const options = { "accession-issuers": [["HOSP", "http://hospital.example/acc"]] }
    const two = [
      study({ uid: "1.1", accession: "A1", issuer: "HOSP" }),
      study({ uid: "1.2", accession: "A2", issuer: "HOSP" }),
    ]
    const encounter = { encounter: { reference: "Encounter/e1" } }
    const cases: [object, unknown, unknown][] = [
      [{ imagingStudy: [{ reference: "ImagingStudy/i2" }] }, ["unknown", "none", 0], ["positive", "study-uid", 1]],
      [
        { imagingStudy: [{ identifier: { system: "urn:dicom:uid", value: "urn:oid:1.1" } }] },
        ["positive", "study-uid", 1],
        ["unknown", "none", 0],
      ],
      [
        { identifier: [acsn("http://hospital.example/acc", "A1")] },
        ["positive", "accession", 1],
        ["unknown", "none", 0],
      ],
      [{ basedOn: [{ reference: "ServiceRequest/s2" }] }, ["unknown", "none", 0], ["positive", "accession", 1]],
      [encounter, ["unknown", "none", 0], ["positive", "encounter", 1]],
      [{}, ["positive", "patient-time", 2], ["positive", "patient-time", 2]],
      [
        { identifier: [acsn("http://other.example", "A1")] },
        ["positive", "patient-time", 2],
        ["positive", "patient-time", 2],
      ],
      [
        { imagingStudy: [{ identifier: { system: "urn:dicom:uid", value: "urn:oid:9.9" } }] },
        ["unknown", "none", 0],
        ["unknown", "none", 0],
      ],
    ]
    for (const [links, first, second] of cases) {
      const it = await labelling(pathology, "", options)
      await it.give(...two.map((one) => ({ ...one })), imaging("i2", "1.2", encounter))
      await it.give(event("ServiceRequest", "s2", { status: "active", identifier: [acsn("HOSP", "A2")] }))
      await it.give(event("DiagnosticReport", "r1", report(links)))
      expect(standing(it.said), JSON.stringify(links)).toEqual({ "1.1": first, "1.2": second })
      expect(it.said.every(({ value }) => (value as Label).ambiguous === (value as Label).candidates > 1)).toBe(true)
    }
  })

  it("an assembled study and the ImagingStudy of the same UID are one study", async () => {
    const it = await labelling("{ condition: cancer, same: encounter }")
    await it.give(study())
    expect(it.last()).toMatchObject({ value: "unknown", reason: "encounter-unknown" })
    await it.give(imaging("i1", "1.2.3", { encounter: { reference: "urn:uuid:e1" }, started: "2020-06-15" }))
    expect(it.last()).toMatchObject({ reason: "window-open", clinicalTime: started })
    await it.give(event("Condition", "c1", cancer("confirmed", 400, { encounter: { reference: "Encounter/e1" } })))
    expect(it.last()).toMatchObject({ value: "positive", rung: "encounter" })
    expect(it.last()?.evidence.map(({ resourceType }) => resourceType)).toEqual(["Condition", "ImagingStudy", "Study"])
    expect(new Set(it.said.map(({ id }) => id))).toEqual(new Set(["it/1.2.3"]))
  })

  it("only studies that the definition means are labelled, and a study that stops being one is taken back", async () => {
    const it = await labelling(later, "studies: { modality: [ct], bodyPart: [CHEST] }\n")
    await it.give(study({ modalities: ["US"] }))
    expect(it.said).toEqual([])
    await it.give(study({ version: 2n }))
    expect(it.said).toHaveLength(1)
    await it.give(study({ version: 3n, bodyParts: ["KNEE"] }))
    expect(it.said.at(-1)).toMatchObject({ op: "retract", version: 2n })
  })
})

describe("records", () => {
  it("kinds that no phenotype reads are dropped; a body that is no JSON is a bad record that tells nothing of it", async () => {
    const it = await labelling(later)
    const person = record({ key: "p", id: "person/Patient/p", value: {} as PersonEvent }, "facts")
    expect((await it.give(person)).dropped).toMatchObject([{ reason: "not-read" }])
    const broken = event("Condition", "c1", {})
    const bad = { ...broken, value: { ...(broken.value as PersonEvent), body: '{"name": "CANARY' } }
    const failed = await it.give(bad).catch((error: Error) => error)
    expect(failed).toMatchObject({ meaning: "bad-record", code: "body-not-json" })
    expect(String((failed as Error).message)).not.toContain("CANARY")
  })

  it("resources whose elements have any other shape pass as ones without them", async () => {
    const it = await labelling(later)
    for (const [n, odd] of [null, 1, "x", [], {}, [null], [[1]]].entries()) {
      const all = {
        status: odd,
        code: odd,
        category: odd,
        identifier: odd,
        component: odd,
        conclusionCode: odd,
        encounter: odd,
        series: odd,
        subject: odd,
        imagingStudy: odd,
        basedOn: odd,
        period: odd,
        meta: odd,
        verificationStatus: odd,
        valueQuantity: odd,
        started: odd,
        recordedDate: odd,
      }
      for (const type of [
        "Observation",
        "Condition",
        "DiagnosticReport",
        "ImagingStudy",
        "Encounter",
        "ServiceRequest",
        "EpisodeOfCare",
        "Thing",
      ])
        await it.give(event(type, `${type}${n}`, all))
    }
    await it.give(study())
    expect(it.last()?.value).toBe("unknown")
  })

  it("a changed definition labels every person anew, also those who get no record any more", async () => {
    const definitions = await mkdtemp(join(folder, "change-"))
    const write = (name: string, value: number) =>
      writeFile(
        join(definitions, "it.yaml"),
        `phenotype: ${name}\nversion: 1\nvalues: { creatinine: [ { system: "${loinc}", code: "2160-0" } ] }\nrule: ${lab.replace("1.5", String(value))}\n`,
      )
    await write("one", 1.5)
    const state = memoryState()
    const persons = ["p1", "p2", "p3"]
    const first = await phenotype.create({ definitions }, testContext())
    for (const key of persons)
      await runStateful(first, state, [
        { ...study(), key },
        { ...event("Observation", "o", creatinine(2, -1)), key },
      ])
    await write("two", 3)
    const second = await phenotype.create({ definitions }, testContext())
    await runStateful(second, state, [{ ...event("Immunization", "i", { status: "completed" }), key: "p9" }])
    const said = await drain(second, state)
    const shown = said.map(({ key, id, op, value }) => `${key} ${id} ${op} ${(value as Label | null)?.value}`).sort()
    expect(shown).toEqual(
      persons.flatMap((key) => [`${key} one/1.2.3 retract undefined`, `${key} two/1.2.3 upsert unknown`]),
    )
  })
})

async function drain(instance: Awaited<ReturnType<typeof phenotype.create>>, state: MemoryState) {
  const said: Collected["emitted"][number]["draft"][] = []
  for (let due = state.due("quiet", Infinity); due.length > 0; due = state.due("quiet", Infinity))
    said.push(...(await runStateful(instance, state, [], due)).emitted.map(({ draft }) => draft))
  return said
}
