import { describe, expect, it } from "vitest"
import { pseudonymizer } from "../../core/index.ts"
import type { CuratedResource, PersonEvent } from "../../core/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { MemoryVault, record, runTransform, testContext } from "../kit/index.ts"

type Json = Record<string, unknown>
const key = new Uint8Array(32).fill(7)
const p = pseudonymizer(key)
const own = p.person("person-key")

/** What comes out of a resource: its body, or the code of its refusal. */
async function through(resource: Json, profile: "shifted" | "safe-harbor" | "limited-data-set" = "shifted") {
  const context = testContext({
    secret: () => key,
    outputs: { out: { topic: "t", zone: "limited" } },
    vault: async () => new MemoryVault(profile === "safe-harbor" ? "random" : "keyed"),
  })
  const made = await deidentifyFhir.create({ key: "k", vault: "v", profile }, context)
  const value = { body: JSON.stringify(resource), codes: [], identifiers: [], birthDate: null, flags: [] }
  const id = `resource/${String(resource["resourceType"])}/${String(resource["id"])}`
  const { emitted, failed } = await runTransform(made, [
    record({ key: "person-key", id, value: value as unknown as PersonEvent }),
  ] as never)
  if (failed.length > 0) return (failed[0]!.error as { code?: string }).code
  return JSON.parse((emitted[0]!.draft.value as CuratedResource).body) as Json
}

const observation = (more: Json): Json => ({ resourceType: "Observation", id: "o1", status: "final", ...more })
const uid = "1.2.840.99.1"

const references: readonly (readonly [form: string, reference: Json, becomes: Json | undefined])[] = [
  ["relative", { reference: "Encounter/e1" }, { reference: `Encounter/${p.identifier("Encounter", "e1")}` }],
  [
    "of a version",
    { reference: "Encounter/e1/_history/2" },
    { reference: `Encounter/${p.identifier("Encounter", "e1")}` },
  ],
  [
    "absolute",
    { reference: "https://ehr.example/fhir/Encounter/e1" },
    { reference: `Encounter/${p.identifier("Encounter", "e1")}` },
  ],
  ["urn:uuid", { reference: "urn:uuid:e1" }, { reference: `Encounter/${p.identifier("Encounter", "e1")}` }],
  [
    "urn:oid with its type",
    { reference: "urn:oid:1.2.3", type: "Encounter" },
    { reference: `Encounter/${p.identifier("Encounter", "1.2.3")}` },
  ],
  [
    "logical, by a number of the hospital",
    { identifier: { system: "http://h.example/visits", value: "V123" } },
    undefined,
  ],
  [
    "logical, by UID",
    { identifier: { system: "urn:dicom:uid", value: `urn:oid:${uid}` } },
    { identifier: { system: "urn:dicom:uid", value: `urn:oid:${p.uid(uid)}` } },
  ],
  ["conditional", { reference: "Encounter?identifier=http://h.example/visits|V123" }, undefined],
  ["conditional, absolute", { reference: "https://ehr.example/fhir/Encounter?_id=e1" }, undefined],
  ["to what is contained and does not pass", { reference: "#nobody" }, undefined],
  ["to a type that does not pass", { reference: "Practitioner/p9" }, undefined],
  ["with nothing but a display", { display: "Visit of Jane" }, undefined],
]

describe("deidentify-fhir, form by form", () => {
  it.each(references)("maps a reference that is %s, or takes it away", async (_form, encounter, becomes) => {
    expect(((await through(observation({ encounter }))) as Json)["encounter"]).toEqual(becomes)
  })

  const isPerson = { system: "urn:weir:fhir:person", value: own }
  it.each(["Patient/x", "https://ehr.example/Patient/x", "Patient/x/_history/2", "urn:uuid:x"])(
    "says the subject %s by the id that this Patient has, and by the pseudonym of the person",
    async (reference) => {
      const output = (await through(observation({ subject: { reference, display: "Jane" } }))) as Json
      const patient = (await through({ resourceType: "Patient", id: "x" })) as Json
      expect(output["subject"]).toEqual({ reference: `Patient/${String(patient["id"])}`, identifier: isPerson })
      expect(patient["identifier"]).toEqual([isPerson])
    },
  )

  it.each(["Patient?identifier=http://h.example|100", "#jane", undefined])(
    "says a subject that names no Patient's id (%s) by the pseudonym of the person alone",
    async (reference) => {
      const output = (await through(observation({ subject: { reference, display: "Jane" } }))) as Json
      expect(output["subject"]).toEqual({ identifier: isPerson })
    },
  )

  it.each(["Binary", "Bundle", "Parameters", "AuditEvent", "Provenance", "Group", "Practitioner", "Organization"])(
    "refuses a %s: it is bytes, or about others",
    async (resourceType) => {
      const data = Buffer.from("Jane Doe").toString("base64")
      expect(await through({ resourceType, id: "b", contentType: "text/plain", data })).toBe("refused.resource-type")
    },
  )

  it("takes attachments, notes and narratives away, wherever they are", async () => {
    const attachment = { contentType: "text/plain", data: "SmFuZQ==", url: "http://x/Jane", title: "Jane" }
    for (const profile of ["shifted", "safe-harbor", "limited-data-set"] as const) {
      const text = JSON.stringify([
        await through(
          {
            resourceType: "DiagnosticReport",
            id: "r",
            status: "final",
            presentedForm: [attachment],
            conclusion: "Jane",
            media: [{ comment: "Jane", link: { reference: "Media/1" } }],
          },
          profile,
        ),
        await through(
          {
            resourceType: "Patient",
            id: "p",
            gender: "female",
            photo: [attachment],
            text: { status: "generated", div: "<div>Jane</div>" },
          },
          profile,
        ),
        await through(
          observation({ note: [{ text: "Jane", authorString: "Jane" }], valueAttachment: attachment }),
          profile,
        ),
      ])
      expect(text).not.toMatch(/Jane|SmFuZQ|photo|presentedForm|text\/plain/)
    }
  })

  it("lets no extension pass that is not listed, on any element", async () => {
    const extension = [{ url: "http://x.example/maiden-name", valueString: "Quexworth" }]
    const output = await through(
      observation({
        extension,
        modifierExtension: extension,
        _status: { extension },
        code: { extension, coding: [{ system: "http://loinc.org", code: "4548-4", extension, _code: { extension } }] },
        effectivePeriod: { start: "2020-01-01", _start: { extension }, extension },
        component: [{ extension, code: { coding: [{ system: "http://loinc.org", code: "8480-6" }] } }],
        contained: [{ resourceType: "Specimen", id: "s", extension, status: "available" }],
        specimen: { reference: "#s", extension },
      }),
    )
    expect(JSON.stringify(output)).not.toMatch(/Quexworth|maiden|_status|_start|modifierExtension/)
    expect(output).toMatchObject({ specimen: { reference: "#c1" }, contained: [{ id: "c1", status: "available" }] })
  })

  it("treats what is contained by the same profile, and takes contained persons away", async () => {
    const contained = [
      { resourceType: "Specimen", id: "jane-doe", status: "available", receivedTime: "2020-05-06T07:08:09Z" },
      { resourceType: "Patient", id: "p1", name: [{ family: "Quexworth" }], gender: "female" },
      { resourceType: "Practitioner", id: "dr", name: [{ family: "Quexworth" }] },
    ]
    const resource = observation({ contained, specimen: { reference: "#jane-doe" }, subject: { reference: "#p1" } })
    const years = (await through(resource, "safe-harbor")) as Json
    expect(years["contained"]).toEqual([
      { resourceType: "Specimen", id: "c1", status: "available", receivedTime: "2020" },
    ])
    const dates = (await through(resource, "limited-data-set")) as Json
    expect(dates["contained"]).toMatchObject([{ receivedTime: "2020-05-06T07:08:09Z" }])
    expect(JSON.stringify([years, dates])).not.toMatch(/Quexworth|jane-doe/)
  })

  it("caps ages in every element that states one, by every profile", async () => {
    const age = { value: 93, unit: "years", system: "http://unitsofmeasure.org", code: "a" }
    for (const profile of ["shifted", "safe-harbor"] as const) {
      const condition = await through({ resourceType: "Condition", id: "c", onsetAge: age, abatementAge: age }, profile)
      const capped = { value: 90, comparator: ">=" }
      expect(condition).toMatchObject({ onsetAge: capped, abatementAge: capped })
      const measured = observation({
        code: { coding: [{ system: "http://loinc.org", code: "30525-0" }] },
        valueQuantity: age,
      })
      expect(await through(measured, profile)).toMatchObject({ valueQuantity: capped })
    }
  })
})
