import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { gunzipSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import type { CuratedResource, PersonEvent } from "../../core/index.ts"
import { allowed } from "../../formats/fhir/deidentify/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

const data = resolve(process.env["WEIR_TEST_DATA"] ?? "../shared/data")
const present = existsSync(join(data, "fhir-deid"))
if (!present) console.warn(`skipped: no test data at ${data}; set WEIR_TEST_DATA to the folder that holds it`)

type Resource = Record<string, unknown> & { readonly resourceType: string; readonly id?: string }

const read = (path: string): Resource => JSON.parse(readFileSync(path, "utf8").replace(/^\uFEFF/, "")) as Resource

const make = () => deidentifyFhir.create({ key: "k" }, testContext({ secret: () => new Uint8Array(32).fill(5) }))

const event = (resource: Resource, key = "p", birthDate: string | null = null) =>
  record({
    key,
    id: `${resource.resourceType === "Patient" ? "person" : "resource"}/${resource.resourceType}/${resource.id}`,
    value: {
      body: JSON.stringify(resource),
      codes: [],
      identifiers: [],
      birthDate,
      flags: [],
    } as unknown as PersonEvent,
  })

function leaves(value: unknown, into = new Set<string>()): Set<string> {
  if (typeof value === "string") into.add(value)
  else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) leaves(inner, into)
  return into
}

// Cases that configurations other than the common one made are left out: they take away codes of published systems, which Weir
// keeps.
const functional = join(data, "fhir-deid/functional-tests-resources")

describe.skipIf(!present)(
  "resources of Microsoft's Tools for Health Data Anonymization (needs shared test data)",
  () => {
    const pairs = present
      ? [functional].flatMap((folder) =>
          readdirSync(folder)
            .filter((name) => existsSync(join(folder, name.replace(/\.json$/, "-target.json"))))
            .filter((name) =>
              /^(patient-(basic|no-partial|null-date|special-content|redact-all)|contained-(basic|redact-all))\.json$/.test(
                name,
              ),
            )
            .map(
              (name) =>
                [name, read(join(folder, name)), read(join(folder, name.replace(/\.json$/, "-target.json")))] as const,
            ),
        )
      : []

    it.each(pairs)("%s: what they take out, Weir takes out", async (_name, input, target) => {
      const { emitted, failed } = await runTransform(await make(), [event({ id: "x", ...input })] as never)
      expect(failed.map(({ error }) => (error as { code?: string }).code)).toEqual([])
      const output = JSON.parse((emitted[0]!.draft.value as CuratedResource).body) as Resource
      const kept = leaves(target)
      const removed = [...leaves(input)].filter((text) => !kept.has(text))
      const mine = leaves(output)
      expect(removed.filter((text) => mine.has(text))).toEqual([])
      for (const element of ["gender", "active", "deceasedBoolean", "status", "intent", "priority"])
        if (element in output) expect(output[element]).toEqual(target[element] ?? input[element])
    })

    it("a whole Synthea bundle says nothing of its patient's names, numbers and addresses", async () => {
      const bundle = read(join(data, "fhir-deid/Carolee951_Sanford861_d88f994a-5efa-421d-9c40-5f116d2114a6.json"))
      const resources = (bundle["entry"] as { resource: Resource }[]).map(({ resource }) => resource)
      const { emitted, failed } = await runTransform(
        await make(),
        resources.map((resource) => event(resource)) as never,
      )
      const codes = new Set(failed.map(({ error }) => (error as { code?: string }).code))
      expect([...codes]).toEqual(["refused.resource-type"])
      const all = emitted.map(({ draft }) => JSON.stringify([draft.key, draft.id, draft.value])).join("\n")
      const patient = resources.find(({ resourceType }) => resourceType === "Patient")!
      const words = [
        ...leaves([patient["name"], patient["telecom"], patient["address"], patient["identifier"], patient.id]),
      ]
      const own = words.filter(
        (text) =>
          text.length > 3 && !/^(https?:|urn:|official|home|phone|Mrs|Medical|Social|Driver|Passport)/.test(text),
      )
      expect(own.length).toBeGreaterThan(8)
      for (const text of own) expect(all.includes(text), "an identifier of the patient came out").toBe(false)
      expect(all).not.toContain(String(patient["birthDate"]))
    })
  },
)

describe.skipIf(!present)("all 92,668 Synthea resources (needs shared test data)", () => {
  it("pass, or are refused for their type, and say how fast", async () => {
    const folder = join(data, "fhir/synthea-r4")
    const made = await make()
    const births = new Map<string, string>()
    const bodies = (name: string) =>
      gunzipSync(readFileSync(join(folder, name)))
        .toString()
        .split("\n")
        .filter(Boolean)
    for (const line of bodies("Patient.ndjson.gz")) {
      const { id, birthDate } = JSON.parse(line) as { id: string; birthDate: string }
      births.set(id, birthDate)
    }
    const tally: Record<string, number> = {}
    let [count, spent, leaked] = [0, 0, 0]
    for (const name of readdirSync(folder)) {
      const records = bodies(name).map((body) => {
        const resource = JSON.parse(body) as Resource & {
          subject?: { reference: string }
          patient?: { reference: string }
        }
        const subject = (resource.subject ?? resource.patient)?.reference.slice(9) ?? resource.id!
        const { resourceType, id } = resource
        const kind = resourceType === "Patient" ? "person" : "resource"
        const value = {
          body,
          codes: [],
          identifiers: [{ namespace: "fhir:s", value: subject }],
          birthDate: births.get(subject) ?? null,
          flags: [],
        }
        return record({ key: subject, id: `${kind}/${resourceType}/${id}`, value: value as unknown as PersonEvent })
      })
      for (let from = 0; from < records.length; from += 2000) {
        const began = performance.now()
        const { emitted, failed } = await runTransform(made, records.slice(from, from + 2000) as never)
        spent += performance.now() - began
        for (const { draft } of emitted) {
          const { body } = draft.value as CuratedResource
          if (/"(?:display|text|div|note|title)"|urn:uuid|Boston/.test(body)) leaked++
          const { resourceType } = JSON.parse(body) as Resource
          tally[resourceType] = (tally[resourceType] ?? 0) + 1
        }
        for (const { from: input, error } of failed) {
          const slot = `${input.id.split("/")[1]} ${(error as { code?: string }).code}`
          tally[slot] = (tally[slot] ?? 0) + 1
        }
      }
      count += records.length
    }
    expect(leaked).toBe(0)
    expect(tally).toEqual({
      AllergyIntolerance: 199,
      CarePlan: 1101,
      Condition: 2822,
      DiagnosticReport: 3937,
      Encounter: 11_341,
      Goal: 724,
      ImagingStudy: 220,
      Immunization: 4520,
      MedicationRequest: 3055,
      Observation: 55_656,
      Patient: 381,
      Procedure: 8310,
      "Organization refused.resource-type": 201,
      "Practitioner refused.resource-type": 201,
    })
    console.warn(`deidentify-fhir: ${Math.round(count / (spent / 1000))} resources a second`)
    expect(allowed.size).toBeGreaterThan(15)
  })
})
