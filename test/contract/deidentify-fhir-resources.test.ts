import { describe, expect, it } from "vitest"
import { pseudonymizer } from "../../core/index.ts"
import type { CuratedResource, PersonEvent } from "../../core/index.ts"
import { allowed } from "../../formats/fhir/deidentify/index.ts"
import type { Rule } from "../../formats/fhir/deidentify/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { MemoryVault, record, runTransform, testContext } from "../kit/index.ts"

type Json = Record<string, unknown>
type Profile = "shifted" | "safe-harbor" | "limited-data-set"
const profiles: readonly Profile[] = ["shifted", "safe-harbor", "limited-data-set"]
const key = new Uint8Array(32).fill(7)
const p = pseudonymizer(key)

/** What comes out of a resource. Throws what it is refused for. */
async function through(resource: Json, profile: Profile = "shifted", birthDate: string | null = null): Promise<Json> {
  const context = testContext({
    secret: () => key,
    outputs: { out: { topic: "t", zone: "limited" } },
    vault: async () => new MemoryVault(profile === "safe-harbor" ? "random" : "keyed"),
  })
  const made = await deidentifyFhir.create({ key: "k", vault: "v", profile }, context)
  const value = { body: JSON.stringify(resource), codes: [], identifiers: [], birthDate, flags: [] }
  const id = `resource/${String(resource["resourceType"])}/${String(resource["id"])}`
  const { emitted, failed } = await runTransform(made, [
    record({ key: "person-key", id, value: value as unknown as PersonEvent }),
  ] as never)
  if (failed.length > 0) throw failed[0]!.error
  return JSON.parse((emitted[0]!.draft.value as CuratedResource).body) as Json
}

const absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
const because = (valueCode: string) => ({ extension: [{ url: absent, valueCode }] })
const masked = because("masked")
const observation = (more: Json): Json => ({ resourceType: "Observation", id: "o1", status: "final", ...more })
const words = "Jane Quexworth, 12 Zorblatt Lane"

/** Resources whose demanded elements say nothing that may be told, and what then stands in their place. */
const wordy: readonly (readonly [what: string, resource: Json, told: Json])[] = [
  ["Observation whose code is words", observation({ code: { text: words } }), { status: "final", code: masked }],
  [
    "Observation whose component's code is words",
    observation({ component: [{ code: { text: words }, valueInteger: 3 }] }),
    { component: [{ code: masked, valueInteger: 3 }] },
  ],
  [
    "MedicationRequest of a medication in words",
    { resourceType: "MedicationRequest", id: "m", status: "active", medicationCodeableConcept: { text: words } },
    { status: "active", medicationCodeableConcept: masked },
  ],
  [
    "MedicationRequest of a medication of another system",
    { resourceType: "MedicationRequest", id: "m", medicationReference: { identifier: { value: words } } },
    { medicationCodeableConcept: masked },
  ],
  [
    "Immunization at some time",
    { resourceType: "Immunization", id: "i", vaccineCode: { text: words }, occurrenceString: words },
    { vaccineCode: masked, _occurrenceDateTime: masked },
  ],
  ["Goal in words", { resourceType: "Goal", id: "g", description: { text: words } }, { description: masked }],
  [
    "Claim of a provider",
    { resourceType: "Claim", id: "c", provider: { reference: "Organization/o", display: words } },
    { provider: masked },
  ],
  [
    "Composition of an author",
    { resourceType: "Composition", id: "c", author: [{ display: words }], title: words },
    { author: [masked], _title: masked },
  ],
  ["Observation of a status that R4 does not know", observation({ status: "of Quexworth" }), { _status: masked }],
  [
    "reaction in words",
    { resourceType: "AllergyIntolerance", id: "a", reaction: [{ severity: "mild", manifestation: [{ text: words }] }] },
    { reaction: [{ severity: "mild", manifestation: [masked] }] },
  ],
  [
    "DocumentReference to a document",
    {
      resourceType: "DocumentReference",
      id: "d",
      status: "current",
      description: words,
      content: [
        { attachment: { contentType: "text/plain", data: "SmFuZQ==", title: words, url: "http://h/Quexworth" } },
      ],
    },
    { status: "current", content: [masked] },
  ],
]

/** Elements that each type of the table holds, at any depth: a value that its rule does not let pass. */
function filled(rule: Rule, depth = 0): unknown {
  if (rule.kind !== "elements") return { text: words, display: words, reference: words, value: words, data: words }
  if (depth > 4) return words
  return Object.fromEntries([...rule.elements].map(([name, inner]) => [name, filled(inner, depth + 1)]))
}

describe("deidentify-fhir, resource by resource", () => {
  it.each(wordy)("says of a %s that it is masked", async (_what, resource, told) => {
    for (const profile of profiles) {
      const output = await through(resource, profile)
      expect(output).toMatchObject(told)
      expect(JSON.stringify(output)).not.toMatch(/Quexworth|Zorblatt|SmFuZQ/)
    }
  })

  it("says nothing of an element that the original has not either", async () => {
    expect(await through({ resourceType: "Observation", id: "o" })).toEqual({
      resourceType: "Observation",
      id: p.identifier("Observation", "o"),
    })
  })

  it.each([...allowed.keys()])("tells no word of a %s that is words all over", async (resourceType) => {
    for (const profile of profiles) {
      const output = await through({ ...(filled(allowed.get(resourceType)!) as Json), resourceType, id: "x1" }, profile)
      expect(JSON.stringify(output)).not.toMatch(/Quexworth|Zorblatt|Jane/)
    }
  })

  it("passes on why a value is not there, and no other extension", async () => {
    const reason = because("asked-declined")
    const other = { extension: [{ url: "http://h.example/why", valueCode: "unknown" }] }
    const free = { extension: [{ url: absent, valueCode: "Quexworth" }] }
    const output = await through(
      observation({
        _status: { ...reason },
        status: undefined,
        code: { ...reason, text: words },
        _effectiveDateTime: reason,
        valueCodeableConcept: { extension: [...free.extension, ...other.extension] },
        _issued: other,
      }),
    )
    expect(output).toMatchObject({ _status: reason, code: reason, _effectiveDateTime: reason })
    expect(JSON.stringify(output)).not.toMatch(/Quexworth|h\.example/)
    expect(output).not.toHaveProperty("_issued")
  })

  it("leaves the references between the resources of a patient whole", async () => {
    const all = await Promise.all(
      [
        { resourceType: "Patient", id: "p1" },
        { resourceType: "Encounter", id: "e1", subject: { reference: "Patient/p1" } },
        {
          resourceType: "MedicationDispense",
          id: "d1",
          subject: { reference: "urn:uuid:p1" },
          context: { reference: "urn:uuid:e1" },
        },
        { resourceType: "Coverage", id: "v1", beneficiary: { reference: "http://h.example/fhir/Patient/p1" } },
        {
          resourceType: "ExplanationOfBenefit",
          id: "b1",
          patient: { reference: "Patient/p1/_history/3" },
          insurance: [{ focal: true, coverage: { reference: "Coverage/v1" } }],
          item: [{ sequence: 1, encounter: [{ reference: "Encounter/e1" }] }],
        },
        {
          resourceType: "List",
          id: "l1",
          subject: { reference: "Patient/p1" },
          entry: [{ item: { reference: "MedicationStatement/s1" } }],
        },
        { resourceType: "MedicationStatement", id: "s1", derivedFrom: [{ reference: "MedicationDispense/d1" }] },
      ].map((one) => through(one)),
    )
    const names = new Set(all.map(({ resourceType, id }) => `${String(resourceType)}/${String(id)}`))
    const told = JSON.stringify(all)
      .match(/"reference":"[^"]+"/g)!
      .map((text) => text.slice(13, -1))
    expect(told).toHaveLength(10)
    expect(told.filter((name) => !names.has(name))).toEqual([])
  })

  it("keeps the link from one record of a patient to another", async () => {
    const link = [{ other: { reference: "Patient/p2", display: words }, type: "replaced-by" }]
    const output = await through({ resourceType: "Patient", id: "p1", link })
    expect(output["link"]).toEqual([
      { other: { reference: `Patient/${p.identifier("Patient", "p2")}` }, type: "replaced-by" },
    ])
  })

  it("tells no date that stands for none: shifted, it would tell by how much", async () => {
    for (const date of ["9999-12-31", "1900-01-01", "2999-12-31T00:00:00Z", "1970-01-01T00:00:00Z"]) {
      const period = { start: "2019-03-04", end: date }
      const output = await through({ resourceType: "Encounter", id: "e", status: "finished", period })
      expect(Object.keys(output["period"] as Json)).toEqual(["start"])
    }
    const limited = await through(
      { resourceType: "Encounter", id: "e", period: { end: "9999-12-31" } },
      "limited-data-set",
    )
    expect(limited["period"]).toEqual({ end: "9999-12-31" })
  })

  it("tells the year of an instant as that of a time, under safe harbor", async () => {
    const effectiveInstant = "2019-03-04T05:06:07Z"
    const output = await through(observation({ effectiveInstant }), "safe-harbor")
    expect(output["effectiveDateTime"]).toBe("2019")
    expect(await through(observation({ effectiveInstant }), "limited-data-set")).toMatchObject({ effectiveInstant })
  })

  it("tells no end of a range of ages that goes on to 90", async () => {
    const age = (value: number) => ({ value, unit: "a", system: "http://unitsofmeasure.org", code: "a" })
    const of = async (low: number, high: number) =>
      (await through({ resourceType: "Condition", id: "c", onsetRange: { low: age(low), high: age(high) } }))[
        "onsetRange"
      ]
    expect(await of(40, 50)).toEqual({ low: age(40), high: age(50) })
    expect(await of(80, 95)).toEqual({ low: age(80) })
    expect(await of(93, 96)).toEqual({ low: age(90) })
  })

  it("keeps samples that are numbers, and no others", async () => {
    const series = { origin: { value: 0 }, period: 10, dimensions: 1 }
    const of = async (data: string) =>
      ((await through(observation({ valueSampledData: { ...series, data } })))["valueSampledData"] as Json)["data"]
    expect(await of("2041 -3 1.5e3 E U L")).toBe("2041 -3 1.5e3 E U L")
    expect(await of("2041 Jane 3")).toBeUndefined()
    expect(await of("2041 987654321012 3")).toBeUndefined()
  })

  it("takes numbers of people away that stand for codes of a system that nobody published", async () => {
    const of = async (code: string, system = "http://lab.example/codes") =>
      (await through(observation({ code: { coding: [{ system, code }] } })))["code"]
    for (const code of ["987-65-4321", "617-555-0199", "19310304", "id-1234567890"])
      expect(await of(code)).toEqual(masked)
    for (const code of ["GLU", "220045", "A-12.5"])
      expect(await of(code)).toEqual({ coding: [{ system: "http://lab.example/codes", code }] })
    const local = { system: "http://fhir.de/CodeSystem/ifa/pzn", code: "19310304" }
    expect(await of(local.code, local.system)).toEqual({ coding: [local] })
  })

  it("keeps the answers of a questionnaire that are no words, at every depth, and what they answer to", async () => {
    const output = await through({
      resourceType: "QuestionnaireResponse",
      id: "q",
      status: "completed",
      item: [
        { linkId: "1", text: words, answer: [{ valueString: words }, { valueDecimal: 3.5 }] },
        {
          linkId: "2.1",
          item: [{ linkId: "name-of-Jane", answer: [{ valueBoolean: true, item: [{ linkId: "3" }] }] }],
        },
      ],
    })
    expect(output["item"]).toEqual([
      { linkId: "1", answer: [{ valueDecimal: 3.5 }] },
      {
        linkId: "2.1",
        item: [
          { linkId: p.identifier("linkId", "name-of-Jane"), answer: [{ valueBoolean: true, item: [{ linkId: "3" }] }] },
        ],
      },
    ])
  })

  it("tells no birth date and no age above 89 that somebody gave for an answer", async () => {
    const answers = [{ valueDate: "1920-06-07" }, { valueInteger: 99 }, { valueInteger: 3 }, { valueDecimal: 72.5 }]
    const response = {
      resourceType: "QuestionnaireResponse",
      id: "q",
      authored: "2019-07-08",
      item: [{ linkId: "1", answer: answers }],
    }
    const of = async (profile: Profile, birthDate: string) =>
      ((await through(response, profile, birthDate))["item"] as { answer: Json[] }[])[0]!.answer
    for (const profile of ["shifted", "safe-harbor"] as const) {
      expect(await of(profile, "1920-06-07")).toEqual([{ valueInteger: 3 }, { valueDecimal: 72.5 }])
      expect((await of(profile, "1960-06-07")).slice(1)).toEqual(answers.slice(1))
    }
    expect(await of("limited-data-set", "1920-06-07")).toEqual(answers)
    const told = await through(observation({ valueDateTime: "1960-06-07" }), "shifted", "1960-06-07")
    expect(told).not.toHaveProperty("valueDateTime")
  })

  it("tells the birth and death of a relative only in a limited data set, and no age above 89", async () => {
    const age = { value: 97, unit: "a", system: "http://unitsofmeasure.org", code: "a" }
    const history = { resourceType: "FamilyMemberHistory", id: "f", bornDate: "1920-01-02", deceasedDate: "2017-02-03" }
    for (const profile of ["shifted", "safe-harbor"] as const) {
      const output = await through({ ...history, ageAge: age }, profile)
      expect(output).toMatchObject({ ageAge: { value: 90, comparator: ">=" } })
      expect(JSON.stringify(output)).not.toMatch(/19\d\d|20\d\d/)
    }
    expect(await through(history, "limited-data-set")).toMatchObject({ bornDate: "1920-01-02" })
  })
})
