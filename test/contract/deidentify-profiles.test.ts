import { describe, expect, it } from "vitest"
import { pseudonymizer, rowId } from "../../core/index.ts"
import type { CuratedResource, Draft, Label, PersonEvent, Zone } from "../../core/index.ts"
import { zip3 } from "../../formats/fhir/deidentify/index.ts"
import table from "../../formats/fhir/deidentify/geography.json" with { type: "json" }
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { deidentifyRecord } from "../../transforms/deidentify/record.ts"
import { MemoryVault, memoryState, record, runStateful, runTransform, testContext } from "../kit/index.ts"
import type { Collected } from "../kit/index.ts"
import { TestBorder, projectKey, slice } from "./dicom-border.ts"

type Json = Record<string, unknown>
type Resource = Json & { readonly resourceType: string; readonly id: string }

const key = new Uint8Array(32).fill(7)
const person = "person-key"
const keyed = pseudonymizer(key)

const event = (resource: Resource, more: Partial<PersonEvent> = {}, version = 4n) =>
  record({
    key: person,
    id: `${resource.resourceType === "Patient" ? "person" : "resource"}/${resource.resourceType}/${resource.id}`,
    version,
    time: Date.UTC(2026, 0, 1),
    value: {
      body: JSON.stringify(resource),
      codes: [],
      identifiers: [],
      birthDate: null,
      flags: [],
      ...more,
    } as unknown as PersonEvent,
  })

const loinc = { coding: [{ system: "http://loinc.org", code: "4548-4" }] }
const observation = (more: Json = {}): Resource => ({
  resourceType: "Observation",
  id: "o1",
  status: "final",
  code: loinc,
  subject: { reference: "Patient/p1" },
  effectiveDateTime: "2019-03-04T10:11:12-05:00",
  ...more,
})
const patient = (more: Json = {}): Resource => ({ resourceType: "Patient", id: "p1", gender: "female", ...more })

/** deidentify-fhir under a profile, with a vault of the kind that the profile needs. */
async function fhir(
  profile: "shifted" | "safe-harbor" | "limited-data-set",
  vault?: MemoryVault,
  zone: Zone = "limited",
) {
  const counts = new Map<string, number>()
  const context = testContext({
    secret: () => key,
    outputs: { out: { topic: "t", zone } },
    count: (name, label, by = 1) => counts.set(`${name}/${label}`, (counts.get(`${name}/${label}`) ?? 0) + by),
    ...(vault === undefined ? {} : { vault: async () => vault }),
  })
  const options = { key: "k", profile, ...(vault === undefined ? {} : { vault: "v" }) }
  const made = await deidentifyFhir.create(options, context)
  const run = (...batch: ReturnType<typeof event>[]): Promise<Collected> => runTransform(made, batch as never)
  const body = async (resource: Resource, more: Partial<PersonEvent> = {}): Promise<Json> => {
    const { emitted, failed } = await run(event(resource, more))
    if (failed.length > 0) throw failed[0]!.error
    return JSON.parse((emitted[0]!.draft as Draft<CuratedResource>).value!.body) as Json
  }
  return { run, body, counts }
}
const random = () => new MemoryVault("random")

describe("profile safe-harbor", () => {
  it("tells years only, of every form of a date", async () => {
    const { body, counts, run } = await fhir("safe-harbor", random())
    const at = async (onsetDateTime: string) =>
      (await body({ resourceType: "Condition", id: "c", onsetDateTime }))["onsetDateTime"]
    for (const text of ["2014", "2014-05", "2014-05-06", "2014-05-06T07:08:09.123Z", "2014-05-06T07:08:09+02:00"])
      expect(await at(text)).toBe("2014")
    expect(await at("May 2014")).toBeUndefined()
    expect(await body(observation({ issued: "2019-03-05T23:00:00Z" }))).not.toHaveProperty("issued")
    expect(counts.get("elements-dropped/instant")).toBe(1)
    const { emitted } = await run(event(observation({ effectivePeriod: { start: "2018-01-02", end: "2018-02" } })))
    const draft = emitted[0]!.draft as Draft<CuratedResource>
    expect(JSON.parse(draft.value!.body)).toMatchObject({ effectivePeriod: { start: "2018", end: "2018" } })
    expect([draft.time, draft.value!.time]).toEqual([Date.UTC(2019, 0), Date.UTC(2019, 0)])
    expect(draft.value!.profile).toContain("safe-harbor")
  })

  it("tells the age at the event, and of a day at 90 or more neither day, month nor year", async () => {
    const { body, counts } = await fhir("safe-harbor", random())
    const age = async (effectiveDateTime: string, birthDate: string) => {
      const told = await body(observation({ effectiveDateTime }), { birthDate })
      const [extension] = (told["extension"] ?? []) as { valueAge: Json }[]
      return [extension?.valueAge["comparator"], extension?.valueAge["value"], told["effectiveDateTime"]]
    }
    expect(await age("2019-03-04", "1929-03-05")).toEqual([undefined, 89, "2019"])
    expect(await age("2019-03-04", "1929-03-04")).toEqual([">=", 90, undefined])
    expect(await age("2019", "1929")).toEqual([">=", 90, undefined])
    expect(await age("2019-03-04", "1950")).toEqual([undefined, undefined, "2019"])
    expect(counts.get("elements-dropped/date-not-told")).toBe(2)
    const told = await body(patient({ deceasedDateTime: "2020-02-02", birthDate: "1920-01-01" }), {
      birthDate: "1920-01-01",
    })
    expect(told).not.toHaveProperty("deceasedDateTime")
    expect(told).not.toHaveProperty("birthDate")
  })

  it("tells of an address the State and three digits of the ZIP code, 000 where they are few", async () => {
    const { body } = await fhir("safe-harbor", random())
    const address = async (value: Json) =>
      (await body(patient({ address: [{ city: "Gotham", line: ["1 Main St"], ...value }] })))["address"]
    expect(await address({ state: "MA", postalCode: "02138-1234", country: "US" })).toEqual([
      { state: "MA", postalCode: "021", country: "US" },
    ])
    expect(await address({ state: "Massachusetts", postalCode: "02138" })).toEqual([{ state: "MA", postalCode: "021" }])
    expect(await address({ state: "Gotham", postalCode: "03601" })).toEqual([{ postalCode: "000" }])
    expect(await address({ state: "Gotham", postalCode: "K1A 0B1" })).toBeUndefined()
    expect(await address({ state: "ON", postalCode: "12345", country: "CA" })).toBeUndefined()
    expect(table.restrictedZip3).toHaveLength(17)
    for (const digits of table.restrictedZip3) expect(zip3(`${digits}99`)).toBe("000")
    expect(zip3("10199")).toBe("101")
  })

  it("gives random codes, which no key makes again, and the same for what is the same", async () => {
    const vault = random()
    const { body, run } = await fhir("safe-harbor", vault)
    const encounter = { reference: "Encounter/e1" }
    const first = await body(observation({ encounter }))
    expect(first["id"]).toMatch(/^[a-z2-7]{26}$/)
    expect(first["id"]).not.toBe(keyed.identifier("Observation", "o1"))
    expect(JSON.stringify(first)).not.toContain(keyed.person(person))
    expect(await body(observation({ encounter }))).toEqual(first)
    // Another process with the same vault; another vault shares nothing.
    expect(await (await fhir("safe-harbor", vault)).body(observation({ encounter }))).toEqual(first)
    const other = await (await fhir("safe-harbor", random())).body(observation({ encounter }))
    expect([other["id"], other["subject"], other["encounter"]]).not.toContainEqual(first["id"])
    expect(other["subject"]).not.toEqual(first["subject"])
    const retract = { ...event(observation()), op: "retract" as const, value: null, version: 5n }
    expect((await run(retract as never)).emitted[0]!.draft).toMatchObject({ id: `Observation/${String(first["id"])}` })
  })

  it("asks the vault once for a batch, and not at all for what it was told", async () => {
    const vault = random()
    const { run } = await fhir("safe-harbor", vault)
    const batch = Array.from({ length: 50 }, (_, at) => event({ ...observation(), id: `o${at}` }))
    await run(...batch)
    expect(vault.asked).toBe(1)
    await run(...batch)
    expect(vault.asked).toBe(1)
  })

  it("notes the identifiers of a person, for the way back", async () => {
    const vault = random()
    const { run } = await fhir("safe-harbor", vault)
    await run(event(patient(), { identifiers: [{ namespace: "mrn", value: "100" }] }))
    expect([...vault.known.keys()]).toContain(JSON.stringify(["member", "mrn", "100", person]))
  })

  it("tells no time of a record that does not say how old its person was", async () => {
    const vault = random()
    const context = testContext({
      secret: () => key,
      outputs: { out: { topic: "t", zone: "clean" } },
      vault: async () => vault,
    })
    const made = await deidentifyRecord.create({ key: "k", profile: "safe-harbor", vault: "v" }, context)
    const at = Date.UTC(2020, 4, 6)
    const value: Label = {
      phenotype: "fracture",
      ruleVersion: "1-abcdef",
      studyInstanceUid: "1.2.826.1",
      value: "positive",
      reason: "matched",
      rung: "encounter",
      ambiguous: false,
      candidates: 1,
      clinicalTime: at,
      knownTime: at,
      grade: "coded-diagnosis",
      evidence: [{ resourceType: "Condition", resourceId: "c-1", revision: 2, time: at, role: "supports" }],
    }
    const { emitted } = await runTransform(made, [
      { ...record({ key: person, id: rowId(["fracture", "1.2.826.1"]), value, time: at, version: 1n }), type: "label" },
    ] as never)
    const draft = emitted[0]!.draft as Draft<Label>
    expect(draft.time).toBe(0)
    expect(draft.value).toMatchObject({ value: "positive", clinicalTime: null, knownTime: null })
    expect(JSON.stringify(draft.value)).not.toContain(String(at))
    // The same codes as in resources and images.
    expect(vault.known.get(JSON.stringify(["identifier", "Condition", "c-1"]))).toBe(
      draft.value!.evidence[0]!.resourceId,
    )
    expect(draft.value!.studyInstanceUid).toMatch(/^2\.25\.\d+$/)
    expect(draft.value!.studyInstanceUid).not.toBe(keyed.uid("1.2.826.1"))
  })
})

describe("profile limited-data-set", () => {
  it("keeps true dates, towns and ZIP codes, and nothing else that names", async () => {
    const { body } = await fhir("limited-data-set")
    const told = await body(
      patient({
        birthDate: "1950-02-03",
        deceasedDateTime: "2020-05-06T07:08:09-05:00",
        name: [{ family: "Wayne" }],
        address: [{ line: ["1 Main St"], city: "Gotham", district: "Essex", state: "NJ", postalCode: "07001" }],
      }),
    )
    expect(told).toMatchObject({
      birthDate: "1950-02-03",
      deceasedDateTime: "2020-05-06T07:08:09-05:00",
      address: [{ city: "Gotham", state: "NJ", postalCode: "07001" }],
    })
    expect(JSON.stringify(told)).not.toMatch(/Wayne|Main St|Essex/)
    expect((await body(observation({ issued: "2019-03-05T23:00:00Z" })))["issued"]).toBe("2019-03-05T23:00:00Z")
  })

  it("does not start for any zone but limited", async () => {
    await expect(fhir("limited-data-set", undefined, "clean")).rejects.toMatchObject({ code: "profile-not-limited" })
  })
})

describe("profile shifted", () => {
  it("tells no address and no birth date, and keyed codes also where a vault notes them", async () => {
    const vault = new MemoryVault("keyed")
    const { body } = await fhir("shifted", vault)
    const told = await body(patient({ birthDate: "1950-02-03", address: [{ state: "MA", postalCode: "02138" }] }))
    expect(told).not.toHaveProperty("address")
    expect(told).not.toHaveProperty("birthDate")
    expect(told["id"]).toBe(keyed.identifier("Patient", "p1"))
    expect(told["identifier"]).toEqual([{ system: "urn:weir:fhir:person", value: keyed.person(person) }])
    expect(vault.known.get(JSON.stringify(["person", person]))).toBe(keyed.person(person))
  })

  it("says that an expert's determination is required, and who gave it", () => {
    const states = deidentifyFhir.states!
    expect(states({ key: "k" })).toMatch(/expert's determination is required .*none is stated/)
    expect(states({ key: "k", determination: "A. Expert, file 7" })).toMatch(/given by A. Expert, file 7/)
    expect(states({ key: "k", profile: "limited-data-set" })).toMatch(/limited data set.*not de-identified/)
    expect(states({ key: "k", profile: "safe-harbor", vault: "v" })).toMatch(/safe harbor/)
  })
})

describe("images of a project with a vault", () => {
  it("note the person, the patient id, UIDs and the accession number that objects are released under", async () => {
    const border = await TestBorder.open()
    try {
      const vault = new MemoryVault("keyed")
      const made = await border.create({ vault: "vault-key" }, { vault: async () => vault })
      const arrival = await border.arrive(slice("1.2.3.4.5"), person)
      const value = (arrival.value as PersonEvent).instance
      await runStateful(made, memoryState(), [{ ...arrival, input: "instances", id: rowId(["1.2.3.4.5"]), value }])
      const keyed = pseudonymizer(projectKey)
      const told = (...name: readonly string[]) => vault.known.get(JSON.stringify(name))
      expect(told("person", person)).toBe(keyed.person(person))
      for (const uid of ["1.2.3.4.5", "1.2.3.4.100.1", "1.2.3.4.100.1.2"])
        expect(told("uid", "", uid)).toBe(keyed.uid(uid))
      expect(told("accession", "", "ACC-778899")).toBe(keyed.accession("", "ACC-778899"))
      expect([...vault.known.keys()].filter((name) => name.includes("MRN-471147"))).toHaveLength(1)
    } finally {
      await border.close()
    }
  })
})
