import { beforeEach, describe, expect, it } from "vitest"
import { pseudonymizer } from "../../core/index.ts"
import type { CuratedResource, Draft, PersonEvent, WeirError } from "../../core/index.ts"
import { allowed } from "../../formats/fhir/deidentify/index.ts"
import type { Rule } from "../../formats/fhir/deidentify/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { record, runTransform, testContext } from "../kit/index.ts"
import type { Collected } from "../kit/index.ts"

const key = new Uint8Array(32).fill(3)
const person = "person-key"
const p = pseudonymizer(key)
const days = p.shiftDays(person)
const shifted = (date: string) => new Date(Date.parse(date) - days * 86_400_000).toISOString().slice(0, 10)

type Resource = Record<string, unknown> & { readonly resourceType: string; readonly id: string }

function event(resource: Resource, more: Partial<PersonEvent> = {}, version = 4n) {
  const kind = resource.resourceType === "Patient" ? "person" : "resource"
  const value: PersonEvent = {
    kind,
    subtype: resource.resourceType,
    name: resource.id,
    source: "ehr",
    sourceVersion: "1234567",
    instance: null,
    body: JSON.stringify(resource),
    codes: [],
    identifiers: [],
    birthDate: null,
    flags: [],
    ...more,
  }
  const id = `${kind}/${resource.resourceType}/${resource.id}`
  return record({ key: person, id, version, value, time: Date.parse("2026-01-01T00:00:00Z") })
}

const loinc = (code: string) => ({ coding: [{ system: "http://loinc.org", code, display: "text" }], text: "text" })
const observation = (more: Record<string, unknown> = {}): Resource => ({
  resourceType: "Observation",
  id: "o1",
  status: "final",
  code: loinc("4548-4"),
  subject: { reference: "Patient/p1", display: "Jane Doe" },
  effectiveDateTime: "2019-03-04T10:11:12-05:00",
  ...more,
})

describe("deidentify-fhir", () => {
  let counts: Map<string, number>
  let run: (...batch: ReturnType<typeof record>[]) => Promise<Collected>
  let body: (resource: Resource, more?: Partial<PersonEvent>) => Promise<Record<string, unknown>>
  const only = ({ emitted }: Collected) => emitted[0]!.draft as Draft<CuratedResource>

  beforeEach(async () => {
    counts = new Map()
    const context = testContext({
      secret: () => key,
      count: (name, label, by = 1) => counts.set(`${name}/${label}`, (counts.get(`${name}/${label}`) ?? 0) + by),
    })
    const made = await deidentifyFhir.create({ key: "project-key" }, context)
    run = (...batch) => runTransform(made, batch as never)
    body = async (resource, more) => {
      const done = await run(event(resource, more))
      if (done.failed.length > 0) throw done.failed[0]!.error
      return JSON.parse(only(done).value!.body) as Record<string, unknown>
    }
  })

  it("names the person, the resource and its references by the project's pseudonyms", async () => {
    const done = await run(event(observation({ encounter: { reference: "Encounter/e1" } })))
    const draft = only(done)
    const id = p.identifier("Observation", "o1")
    expect(draft).toMatchObject({ key: p.person(person), id: `Observation/${id}`, op: "upsert", version: 4n })
    expect(JSON.parse(draft.value!.body)).toMatchObject({
      id,
      subject: {
        reference: `Patient/${p.identifier("Patient", "p1")}`,
        identifier: { system: "urn:weir:fhir:person", value: p.person(person) },
      },
      encounter: { reference: `Encounter/${p.identifier("Encounter", "e1")}` },
    })
    expect(draft.value!.resourceId).toBe(id)
  })

  it("takes every form of a reference for the same, and what it cannot map away", async () => {
    const target = { reference: `Encounter/${p.identifier("Encounter", "e1")}` }
    for (const reference of [
      "Encounter/e1",
      "http://ehr.example/fhir/Encounter/e1",
      "urn:uuid:e1",
      "Encounter/e1/_history/3",
    ])
      expect((await body(observation({ encounter: { reference, display: "x" } })))["encounter"]).toEqual(target)
    for (const encounter of [{ reference: "Location/l1" }, { reference: "#none" }, { identifier: { value: "1" } }, "x"])
      expect(await body(observation({ encounter }))).not.toHaveProperty("encounter")
  })

  it("moves dates back by whole days of the person and keeps the time of day", async () => {
    const output = await body(observation({ issued: "2019-03-05T23:00:00.123Z" }))
    expect(output["effectiveDateTime"]).toBe(`${shifted("2019-03-04")}T10:11:12Z`)
    expect(output["issued"]).toBe(`${shifted("2019-03-05")}T23:00:00.123Z`)
    expect(days).toBeGreaterThanOrEqual(365)
  })

  it("gives the same clock time in summer and winter, so that no offset tells the season", async () => {
    const [winter, summer] = await Promise.all(
      ["2019-01-10T08:00:00-05:00", "2019-07-10T08:00:00-04:00"].map(async (effectiveDateTime) =>
        String((await body(observation({ effectiveDateTime })))["effectiveDateTime"]).slice(10),
      ),
    )
    expect(winter).toBe(summer)
  })

  it("keeps years and months as such, moved with the rest", async () => {
    const condition = (onsetDateTime: string): Resource => ({ resourceType: "Condition", id: "c", onsetDateTime })
    expect((await body(condition("2014-05")))["onsetDateTime"]).toBe(shifted("2014-05-16").slice(0, 7))
    expect((await body(condition("2014")))["onsetDateTime"]).toBe(shifted("2014-07-02").slice(0, 4))
    expect(await body(condition("0000-13-45"))).not.toHaveProperty("onsetDateTime")
    expect(counts.get("elements-dropped/date-unreadable")).toBe(1)
  })

  it("says the event time as it is told in the body, and none where none is told", async () => {
    const draft = only(await run(event(observation())))
    const told = Date.parse(`${shifted("2019-03-04")}T10:11:12Z`)
    expect([draft.time, draft.value!.time]).toEqual([told, told])
    const silent = only(await run(event(observation({ effectiveDateTime: undefined }))))
    expect([silent.time, silent.value!.time]).toEqual([0, null])
  })

  it("tells the age at the event in place of the birth date, and 90 or more for whoever reaches it", async () => {
    const age = async (birthDate: string) => {
      const output = await body(observation(), { birthDate })
      const [extension] = (output["extension"] ?? []) as { valueAge: { value: number; comparator?: string } }[]
      return extension && `${extension.valueAge.comparator ?? ""}${extension.valueAge.value}`
    }
    expect(await age("1980-03-04")).toBe("39")
    expect(await age("1980-03-05")).toBe("38")
    expect(await age("1929-03-05")).toBe("89")
    expect(await age("1929-03-04")).toBe(">=90")
    expect(await age("1900-01-01")).toBe(">=90")
    expect(await age("1929")).toBe(">=90")
    expect(await age("1980")).toBeUndefined()
    expect(await age("not a date")).toBeUndefined()
  })

  it("caps ages that resources state themselves", async () => {
    const years = (value: number) => ({ value, unit: "a", system: "http://unitsofmeasure.org", code: "a" })
    const capped = { ...years(90), comparator: ">=" }
    const condition = await body({ resourceType: "Condition", id: "c", onsetAge: years(93) })
    expect(condition["onsetAge"]).toEqual(capped)
    const told = await body(observation({ code: loinc("30525-0"), valueQuantity: years(104) }))
    expect(told["valueQuantity"]).toEqual(capped)
    const months = { ...years(1200), unit: "mo", code: "mo" }
    expect((await body({ resourceType: "Condition", id: "c", onsetAge: months }))["onsetAge"]).toEqual(capped)
    expect((await body({ resourceType: "Condition", id: "c", onsetAge: years(89) }))["onsetAge"]).toEqual(years(89))
    const birth = await body(observation({ code: loinc("21112-8"), valueDateTime: "1950-01-02" }))
    expect(birth).not.toHaveProperty("valueDateTime")
  })

  it("keeps race, ethnicity and birth sex of a Patient as codes, and nothing that names them", async () => {
    const omb = { system: "urn:oid:2.16.840.1.113883.6.238", code: "2106-3" }
    const base = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
    const output = await body({
      resourceType: "Patient",
      id: "p1",
      gender: "female",
      birthDate: "1980-01-02",
      name: [{ family: "Doe", given: ["Jane"] }],
      telecom: [{ value: "555-1234" }],
      address: [{ city: "Springfield", postalCode: "01940" }],
      photo: [{ data: "AAAA" }],
      deceasedDateTime: "2019-03-04",
      identifier: [{ system: "urn:mrn", value: "12345" }],
      extension: [
        {
          url: `${base}race`,
          extension: [
            { url: "ombCategory", valueCoding: { ...omb, display: "White" } },
            { url: "text", valueString: "White" },
          ],
        },
        { url: `${base}birthsex`, valueCode: "F" },
        { url: "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", valueString: "Roe" },
      ],
    })
    expect(output).toEqual({
      resourceType: "Patient",
      id: p.identifier("Patient", "p1"),
      extension: [
        { url: `${base}race`, extension: [{ url: "ombCategory", valueCoding: omb }] },
        { url: `${base}birthsex`, valueCode: "F" },
      ],
      identifier: [{ system: "urn:weir:fhir:person", value: p.person(person) }],
      gender: "female",
      deceasedDateTime: shifted("2019-03-04"),
    })
  })

  it("maps study, series and instance UIDs and accession numbers as DICOM does", async () => {
    const output = await body({
      resourceType: "ImagingStudy",
      id: "i",
      identifier: [
        { system: "urn:dicom:uid", value: "urn:oid:1.2.3" },
        {
          type: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "ACSN" }] },
          system: "urn:acc",
          value: "A1",
        },
        { system: "urn:other", value: "secret" },
      ],
      series: [
        {
          uid: "1.2.3.4",
          description: "CHEST of Jane",
          instance: [
            {
              uid: "1.2.3.4.5",
              title: "x",
              sopClass: { system: "urn:ietf:rfc:3986", code: "urn:oid:1.2.840.10008.5.1.4.1.1.2" },
            },
          ],
        },
      ],
    })
    expect(output["identifier"]).toEqual([
      { system: "urn:dicom:uid", value: `urn:oid:${p.uid("1.2.3")}` },
      {
        type: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v2-0203", code: "ACSN" }] },
        value: p.accession("urn:acc", "A1"),
      },
    ])
    expect(output["series"]).toEqual([
      {
        uid: p.uid("1.2.3.4"),
        instance: [
          {
            uid: p.uid("1.2.3.4.5"),
            sopClass: { system: "urn:ietf:rfc:3986", code: "urn:oid:1.2.840.10008.5.1.4.1.1.2" },
          },
        ],
      },
    ])
  })

  it("keeps UIDs where the project retains them, and says so", async () => {
    const context = testContext({ secret: () => key })
    const made = await deidentifyFhir.create({ key: "project-key", "retain-uids": true }, context)
    const study = {
      resourceType: "ImagingStudy",
      id: "i",
      identifier: [{ system: "urn:dicom:uid", value: "urn:oid:1.2.3.4444444" }],
      series: [{ uid: "1.2.3.4", instance: [{ uid: "1.2.3.4.5" }] }],
    }
    const { value } = only(await runTransform(made, [event(study)] as never))
    const output = JSON.parse(value!.body) as Record<string, unknown>
    expect(output).toMatchObject({ identifier: study.identifier, series: study.series })
    expect(output["id"]).toBe(p.identifier("ImagingStudy", "i"))
    expect(value!.profile).toMatch(/ retain-uids$/)
    const named = { ...study, identifier: [...study.identifier, { system: "urn:x", value: "1.2.3.4.5" }] }
    expect(
      (await runTransform(made, [event(named)] as never)).failed.map(({ error }) => (error as WeirError).code),
    ).toEqual(["refused.self-check"])
  })

  it("gives an accession number of two names of one issuer one pseudonym", async () => {
    const made = await deidentifyFhir.create(
      { key: "k", "accession-issuers": [["", "urn:acc"]] },
      testContext({ secret: () => key }),
    )
    const accessionIdentifier = { system: "urn:acc", value: "A1" }
    const done = await runTransform(made, [event({ resourceType: "Specimen", id: "s", accessionIdentifier })] as never)
    expect(JSON.parse(only(done).value!.body).accessionIdentifier.value).toBe(p.accession("", "A1"))
  })

  it("lists codes as recorded and as mapped, and drops what is no code", async () => {
    const mapped = {
      system: "http://snomed.info/sct",
      code: "43396009",
      display: "x",
      fromSystem: "http://loinc.org",
      fromCode: "4548-4",
      relationship: "equivalent",
      table: "t",
    }
    const bad = { coding: [{ system: "urn:local:codes", code: "Jane Doe 1980" }, { code: "alone" }] }
    const done = await run(event(observation({ valueCodeableConcept: bad }), { codes: [mapped] }))
    expect(only(done).value!.codes).toEqual(["http://loinc.org|4548-4", "http://snomed.info/sct|43396009"])
    expect(JSON.parse(only(done).value!.body)).not.toHaveProperty("valueCodeableConcept")
    expect(counts.get("elements-dropped/coding-not-a-code")).toBe(2)
  })

  it("keeps what a resource contains, renamed and by the same rules", async () => {
    const output = await body({
      resourceType: "MedicationRequest",
      id: "m",
      contained: [
        { resourceType: "Medication", id: "jane-med", code: loinc("1-8"), batch: { lotNumber: "L" } },
        { resourceType: "Practitioner", id: "dr", name: [{ family: "House" }] },
        { resourceType: "Patient", id: "me", gender: "female" },
      ],
      medicationReference: { reference: "#jane-med" },
      requester: { reference: "#dr" },
    })
    expect(output["contained"]).toEqual([
      { resourceType: "Medication", id: "c1", code: { coding: [{ system: "http://loinc.org", code: "1-8" }] } },
    ])
    expect(output["medicationReference"]).toEqual({ reference: "#c1" })
    expect(output).not.toHaveProperty("requester")
  })

  it("keeps a quantity with its code, and a unit only when it is one", async () => {
    const value = async (valueQuantity: unknown) => (await body(observation({ valueQuantity })))["valueQuantity"]
    const coded = { value: 7.5, comparator: "<", unit: "mmol/L", system: "http://unitsofmeasure.org", code: "mmol/L" }
    expect(await value(coded)).toEqual(coded)
    expect(await value({ value: 7, unit: "mg/dL" })).toEqual({ value: 7, unit: "mg/dL" })
    expect(await value({ value: 7, unit: "Zebra" })).toEqual({ value: 7 })
    expect(await value({ value: "7 Zebra" })).toBeUndefined()
  })

  it("refuses types that are not listed, and bodies that are no resource, without a word of them", async () => {
    const broken = { ...event(observation()), value: { ...event(observation()).value!, body: '{"x": "Zebra"' } }
    const done = await run(
      event({ resourceType: "Binary", id: "zebra" }),
      broken as never,
      event({ resourceType: "", id: "z" }),
    )
    expect(done.failed.map(({ error }) => (error as { code?: string }).code)).toEqual([
      "refused.resource-type",
      "body-not-json",
      "refused.resource-type",
    ])
    for (const { error } of done.failed) expect(error.message.toLowerCase()).not.toContain("zebra")
  })

  it("takes a local code away that says an identifier of its person, and refuses a resource that still says one", async () => {
    const local = (code: string, system = "urn:local:codes") => observation({ code: { coding: [{ system, code }] } })
    const identifiers = [{ namespace: "mrn", value: "MRN-77812" }]
    const masked = {
      extension: [{ url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" }],
    }
    expect((await body(local("X/mrn-77812/1"), { identifiers }))["code"]).toEqual(masked)
    expect((await body(local("x", "http://h.example/mrn-77812/codes"), { identifiers }))["code"]).toEqual(masked)
    expect((await body({ ...local("Observation-9981-a"), id: "observation-9981" }))["code"]).toEqual(masked)
    expect((await body({ ...local("Quexworth"), subject: { display: "Ms Jane Quexworth" } }))["code"]).toEqual(masked)
    expect(counts.get("elements-dropped/own-identifier")).toBe(4)
    expect((await body(local("o1-p1-p1")))["code"]).not.toEqual(masked)
    expect((await body(local("MRN-778123"), { identifiers }))["code"]).not.toEqual(masked)
    const number = observation({ valueInteger: 7781234 })
    const done = await run(event(number, { identifiers: [{ namespace: "m", value: "7781234" }] }))
    expect((done.failed[0]!.error as WeirError).code).toBe("refused.self-check")
  })

  it("keeps the codes of a system whose address shares a word with the id of the Patient", async () => {
    const coding = [{ system: "http://example.org/codes", code: "glu" }]
    const output = await body(observation({ subject: { reference: "Patient/example" }, code: { coding } }))
    expect(output["code"]).toEqual({ coding })
  })

  it("lets a published code pass that happens to equal a record number", async () => {
    const done = await run(event(observation(), { identifiers: [{ namespace: "mrn", value: "4548-4" }] }))
    expect(done.failed).toEqual([])
  })

  it("retracts by the same key and id, with no value and no time", async () => {
    const gone = { ...event(observation(), {}, 5n), op: "retract" as const, value: null }
    const draft = only(await run(gone as never))
    expect(draft).toEqual({
      key: p.person(person),
      id: `Observation/${p.identifier("Observation", "o1")}`,
      op: "retract",
      version: 5n,
      value: null,
      time: 0,
    })
  })

  it("passes over instances, and refuses a record without a person", async () => {
    const instance = { ...event(observation()), id: "instance/dicom/1.2" }
    const nobody = { ...event(observation()), key: "" }
    const done = await run(instance as never, nobody as never)
    expect(done.dropped.map(({ reason }) => reason)).toEqual(["not-read"])
    expect(done.failed.map(({ error }) => (error as { code?: string }).code)).toEqual(["refused.no-person"])
  })

  it("lets no version of the source, file or update time out", async () => {
    const draft = only(await run(event(observation({ meta: { lastUpdated: "2026-01-01T00:00:00Z", versionId: "9" } }))))
    expect(JSON.stringify(draft.value)).not.toMatch(/1234567|2026|meta|versionId/)
    expect(draft.headers).toBeUndefined()
  })

  it("refers only to types that come out themselves", () => {
    const seen = new Set<Rule>()
    const targets = (rule: Rule): readonly string[] => {
      if (rule.kind === "ref") return rule.types
      if (seen.has(rule)) return []
      seen.add(rule)
      const inner = rule.kind === "elements" ? rule.elements : rule.kind === "extensions" ? rule.byUrl : new Map()
      return [...inner.values()].flatMap((one) => targets(one as Rule))
    }
    const all = new Set([...allowed.values()].flatMap(targets))
    expect([...all].filter((type) => !allowed.has(type))).toEqual([])
    expect(all.size).toBeGreaterThan(10)
  })

  it("does not start with a short key or a shift that goes forwards", async () => {
    const short = testContext({ secret: () => new Uint8Array(8) })
    await expect(deidentifyFhir.create({ key: "k" }, short)).rejects.toMatchObject({ code: "key-too-short" })
    const context = testContext({ secret: () => key })
    const shift = { "min-days": -5, "max-days": 10 }
    await expect(deidentifyFhir.create({ key: "k", shift }, context)).rejects.toMatchObject({ code: "shift-range" })
  })
})
