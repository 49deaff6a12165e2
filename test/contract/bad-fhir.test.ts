import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { FhirResource, PersonEvent, Rec } from "../../core/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"
import { phenotype } from "../../transforms/phenotype/index.ts"
import { mapCodes } from "../../transforms/terminology/index.ts"
import { memoryState, record, runStateful, runTransform, testContext } from "../kit/index.ts"
import type { Collected } from "../kit/index.ts"

/** A value that no error may say. */
const canary = "CANARYVALUE"
const loinc = "http://loinc.org"

const arrival = (resourceType: string, resourceId: string, body: string) => {
  const value = {
    source: "ehr",
    resourceType,
    resourceId,
    versionId: null,
    lastUpdated: null,
    body,
    file: "f",
    line: 1,
  }
  const key = resourceType === "Patient" ? `Patient/${resourceId}` : "Patient/p"
  return record<FhirResource>({ key, id: `${resourceType}/${resourceId}`, value }, "fhir")
}
const observation = (id: string, more: object = {}) =>
  arrival(
    "Observation",
    id,
    JSON.stringify({
      resourceType: "Observation",
      id,
      status: "final",
      code: { coding: [{ system: loinc, code: "2160-0" }] },
      subject: { reference: "Patient/p" },
      effectiveDateTime: "2020-01-02",
      ...more,
    }),
  )
const patient = arrival("Patient", "p", JSON.stringify({ resourceType: "Patient", id: "p", birthDate: "0000-13-45" }))

/** A resource of which one element nests. */
const deep = (type: string, element: string, open: string, close: string, levels: number) =>
  arrival(
    type,
    `deep-${element}`,
    `{"resourceType":"${type}","id":"deep-${element}","subject":{"reference":"Patient/p"},"${element}":${open.repeat(levels)}"${canary}"${close.repeat(levels)}}`,
  )
const deepOnes = (levels: number) => [
  deep("Account", "x", "[", "]", levels),
  deep("Observation", "code", '{"coding":[', "]}", levels),
  deep("Observation", "component", '[{"component":', "}]", levels),
  deep("Observation", "contained", '[{"resourceType":"Observation","id":"c","contained":', "}]", levels),
  deep("Observation", "extension", '[{"url":"u","extension":', "}]", levels),
  deep("Condition", "verificationStatus", "[", "]", levels),
  deep("Condition", "code", '{"coding":[{"code":', "}]}", levels),
  deep("ImagingStudy", "series", '[{"series":', "}]", levels),
  deep("DiagnosticReport", "conclusionCode", "[", "]", levels),
  deep("Patient", "identifier", '[{"system":"urn:mrn","value":', "}]", levels),
  deep("Patient", "link", '[{"other":{"identifier":', "}}]", levels),
  deep("Patient", "name", '[{"given":', "}]", levels),
]
const oddDates = ["0000-13-45", canary, "", "2020-02-30", 7, null, [], {}]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-bad-"))
  await writeFile(
    join(folder, "t.csv"),
    `from_system,from_code,to_system,to_code,relationship\nurn:local,CREA,${loinc},2160-0,equal\n`,
  )
})
afterAll(() => rm(folder, { recursive: true }))

/** The record that the next stage reads. */
const next = ({ emitted }: Collected, input: string) =>
  emitted.map(({ draft, from }) => ({ ...(from as Rec), ...draft, input }) as Rec<PersonEvent> & { input: string })

interface Passed {
  readonly events: readonly PersonEvent[]
  readonly curated: readonly unknown[]
  readonly labelled: Collected
  readonly counts: ReadonlySet<string>
  readonly errors: readonly (Error & { code?: string; path?: string; meaning?: string })[]
}

/** Takes arrivals all the way, one step each. */
async function whole(...batch: ReturnType<typeof arrival>[]): Promise<Passed> {
  const counts = new Set<string>()
  const context = testContext({
    identity: {
      namespaces: [{ namespace: "mrn", dicomIssuers: [], fhirSystems: ["urn:mrn"] }],
      key: () => new Uint8Array(32),
    },
    secret: () => new Uint8Array(32).fill(3),
    count: (name, label) => void counts.add(`${name} ${label}`),
  })
  const resolved = await runStateful(await resolvePatient.create({}, context), memoryState(), [patient, ...batch])
  const mapped = await runTransform(
    await mapCodes.create({ maps: join(folder, "t.csv") }, context),
    next(resolved, "in"),
  )
  const curated = await runTransform(await deidentifyFhir.create({ key: "k" }, context), next(mapped, "in"))
  const definitions = resolve(import.meta.dirname, "../../examples/phenotypes")
  const made = await phenotype.create({ definitions }, context)
  const labelled = await runStateful(made, memoryState(), next(mapped, "facts"))
  return {
    events: mapped.emitted.map(({ draft }) => draft.value as PersonEvent),
    curated: curated.emitted.map(({ draft }) => draft.value),
    labelled,
    counts,
    errors: [resolved, mapped, curated, labelled].flatMap(({ failed }) => failed.map(({ error }) => error)),
  }
}

const names = (events: readonly PersonEvent[]) => new Set(events.map(({ name }) => name))

describe("bad FHIR input, all the way", () => {
  it.each([200, 100_000])("%i levels of nesting exhaust no stack, and lose nothing else", async (levels) => {
    const batch = deepOnes(levels)
    const { events, curated, errors, labelled } = await whole(...batch, observation("good"))
    expect(names(events)).toEqual(new Set(["p", "good", ...batch.map(({ value }) => value!.resourceId)]))
    expect(JSON.stringify(curated)).toContain("2160-0")
    expect(JSON.stringify(curated)).not.toContain(canary)
    expect(labelled.failed).toEqual([])
    // Account is not released; all the others pass as what they say besides.
    expect(errors.map(({ code, meaning }) => [code, meaning])).toEqual([["refused.resource-type", "bad-record"]])
    for (const { message } of errors) expect(message).not.toContain(canary)
  })

  it.each([200, 100_000])("of two contents of one version that nest %i levels, one stands, flagged", async (levels) => {
    const two = ["[", "[ "].map((open) => deep("Condition", "x", open, "]", levels))
    const other = deep("Condition", "x", "[1,", "]", levels)
    const flags = async (...batch: typeof two) => (await whole(...batch)).events.map((event) => event.flags)
    expect(await flags(two[0]!, other)).toEqual([[], ["conflict"]])
    // Spelling alone is no other content, as far as it can be told.
    if (levels === 200) expect(await flags(...two)).toEqual([[], []])
  })

  it("dates that name no time pass in phi and go at the border, and lose nothing else", async () => {
    const elements = ["effectiveDateTime", "issued", "onsetDateTime", "recordedDate", "started", "birthDate"]
    const batch = elements.flatMap((element, kind) =>
      oddDates.map((date, at) => observation(`odd-${kind}-${at}`, { [element]: date })),
    )
    const { events, curated, errors } = await whole(...batch, observation("good"))
    expect(names(events).size).toBe(batch.length + 2)
    expect(curated).toHaveLength(batch.length + 2)
    expect(JSON.stringify(curated)).not.toMatch(/CANARY|0000-13-45|2020-02-30/)
    expect(errors).toEqual([])
  })

  it("a resource of 3 MB passes", async () => {
    const note = [{ text: "x".repeat(3_000_000) }]
    const { events, errors } = await whole(observation("big", { note }), observation("good"))
    expect(events.find(({ name }) => name === "big")!.body!.length).toBeGreaterThan(3_000_000)
    expect(errors).toEqual([])
  })

  it("a code of an unknown system passes, and is counted", async () => {
    const code = { coding: [{ system: "http://unknown.example", code: "U-1" }] }
    const { events, counts, errors } = await whole(observation("unknown", { code }))
    expect(names(events)).toEqual(new Set(["p", "unknown"]))
    expect([...counts]).toContain("unmapped-codes http://unknown.example|U-1")
    expect(errors).toEqual([])
  })
})
