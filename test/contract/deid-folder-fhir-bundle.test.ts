import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { FileResult } from "../../cli/deid/index.ts"
import { TestFolder, base, keyOf, lines, observation, patient, personOf, planted } from "./deid-fhir-folder.ts"
import type { Json } from "./deid-fhir-folder.ts"
import { filesOf } from "./synth-hospital.ts"

let folder: TestFolder
beforeEach(async () => {
  folder = await TestFolder.make()
})
afterEach(() => folder.remove())

const uuid = (digit: number) => `0c3c0f5e-0000-4000-8000-00000000000${digit}`
const urn = (digit: number) => `urn:uuid:${uuid(digit)}`
const mine = "MRN-471147"

interface OutEntry {
  readonly fullUrl?: string
  readonly resource: Json & { readonly resourceType: string; readonly id: string }
  readonly search?: Json
  readonly request?: Json
  readonly response?: Json
}
interface OutBundle {
  readonly type: string
  readonly id?: string
  readonly entry: readonly OutEntry[]
  readonly [element: string]: unknown
}

/** A Bundle with an encounter, an observation in it, and somebody who is nobody's patient. */
const bundle = (type: string, more: Json = {}): Json => ({
  resourceType: "Bundle",
  id: "sibling-7",
  type,
  timestamp: "2019-03-04T10:00:00+01:00",
  total: 4,
  link: [{ relation: "self", url: "https://hospital.example/fhir/Patient?name=Alvasson" }],
  signature: { who: { display: "Jolanda Alvasson" } },
  entry: [
    entry(urn(1), patient(uuid(1), mine)),
    entry(urn(2), {
      resourceType: "Encounter",
      id: uuid(2),
      status: "finished",
      class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" },
      subject: { reference: urn(1) },
      participant: [{ individual: { reference: urn(4), display: "Dr. Alvasson" } }],
    }),
    entry(urn(3), observation(uuid(3), urn(1), { encounter: { reference: urn(2) } })),
    entry(urn(4), { resourceType: "Practitioner", id: uuid(4), name: [{ family: "Alvasson" }] }),
  ],
  ...more,
})
const entry = (fullUrl: string, resource: Json, more: Json = {}): Json => ({
  fullUrl,
  resource,
  search: { mode: "match", score: 0.9 },
  request: { method: "POST", url: "Patient?name=Alvasson", ifNoneExist: `identifier=${mine}` },
  response: { status: "201 Created", location: `https://hospital.example/fhir/Patient/${mine}`, etag: 'W/"1"' },
  ...more,
})

/** The references of a Bundle that lead to none of its entries, by the rules of R4: relative ones under the base of the entry. */
function dangling({ entry: entries }: OutBundle): readonly string[] {
  const urls = new Set(entries.map(({ fullUrl }) => fullUrl))
  return entries.flatMap(({ fullUrl, resource }) => {
    const base = fullUrl!.slice(0, -`${resource.resourceType}/${resource.id}`.length)
    const references = [...JSON.stringify(resource).matchAll(/"reference":"([^"]*)"/g)].map(([, one]) => one!)
    return references.filter((one) => !urls.has(base + one))
  })
}
const types = ({ entry: entries }: OutBundle) => entries.map(({ resource }) => resource.resourceType)
const only = async (name: string, given: Json): Promise<OutBundle> => {
  await folder.put(name, given)
  const [result] = (await folder.run()) as [FileResult]
  expect(result.reason).toBe("")
  return folder.json(result) as Promise<OutBundle>
}

describe("de-identifying Bundles of a folder", () => {
  it.each(["collection", "batch", "transaction", "batch-response", "transaction-response", "searchset", "history"])(
    "makes a %s a Bundle of the same type, whose references lead to its entries, without what it says of its person",
    async (type) => {
      const told = await only("b.json", bundle(type))
      expect(told.type).toBe(type)
      expect(types(told)).toEqual(["Patient", "Encounter", "Observation"])
      expect(dangling(told)).toEqual([])
      expect(Object.keys(told).sort()).toEqual(["entry", "id", "resourceType", "type"])
      expect(JSON.stringify(told)).not.toMatch(planted)
      expect(JSON.stringify(told)).not.toContain(uuid(1).slice(0, 8))
      const [{ resource: who }, , { resource: seen }] = told.entry as [OutEntry, OutEntry, OutEntry]
      expect(seen["subject"]).toMatchObject({ reference: `Patient/${who.id}`, identifier: { value: personOf(mine) } })
      const of = { request: { method: "PUT", url: `Patient/${who.id}` }, response: { status: "201" } }
      const { resource: _, fullUrl: __, ...beside } = told.entry[0]!
      expect(beside).toEqual(
        type === "collection"
          ? {}
          : type === "searchset"
            ? { search: { mode: "match" } }
            : type === "history"
              ? of
              : type.endsWith("response")
                ? { response: of.response }
                : { request: of.request },
      )
    },
  )

  it("counts the entries that it leaves out, and names the file by its one person, or by none", async () => {
    const other = entry("https://hospital.example/fhir/Patient/p2", patient("p2", "MRN-2"))
    const of = bundle("collection")["entry"] as readonly Json[]
    await folder.put("one.json", bundle("collection", { entry: [...of, { request: { method: "GET", url: "x" } }] }))
    await folder.put(
      "two.json",
      bundle("collection", { entry: [...of, other, entry(urn(9), observation("x", "Patient/?"))] }),
    )
    const [one, two] = (await folder.run()) as [FileResult, FileResult]
    expect(one.output).toMatch(new RegExp(`^${personOf(mine)}/[0-9a-f]{64}\\.json$`))
    expect(two.output).toMatch(/^resources\/[0-9a-f]{64}\.json$/)
    expect(one.resources).toMatchObject({ released: 3, leftOut: { "resource-type": 1, "no-resource": 1 } })
    expect(two.resources).toMatchObject({ released: 4, leftOut: { "resource-type": 1, "no-person": 1 } })
  })

  it("resolves references where entries get their ids from a server, or have them under another name", async () => {
    const { id: _, ...nameless } = patient("", mine)
    const { id: __, ...unknown } = observation("", urn(1).toUpperCase().replace("URN:UUID", "urn:uuid"))
    const base = "https://hospital.example/fhir/"
    const told = await only("b.json", {
      resourceType: "Bundle",
      type: "transaction",
      entry: [
        entry(urn(1), nameless),
        { resource: unknown, request: { method: "POST", url: "Observation" } },
        entry(`${base}Patient/7`, patient("sibling-7", "MRN-7")),
        entry(`${base}Observation/8`, observation("8", "Patient/7")),
        entry(`${base}Observation/9`, observation("9", `${base}Patient/7/_history/2`)),
      ],
    })
    const subjects = told.entry.map(({ resource }) => resource["subject"] as Json)
    const ids = told.entry.map(({ resource }) => resource.id)
    expect(subjects[1]).toMatchObject({ reference: `Patient/${ids[0]}`, identifier: { value: personOf(mine) } })
    for (const at of [3, 4])
      expect(subjects[at]).toMatchObject({ reference: `Patient/${ids[2]}`, identifier: { value: personOf("MRN-7") } })
    expect(told.entry.map(({ fullUrl }) => fullUrl !== undefined)).toEqual([true, false, true, true, true])
    expect(JSON.stringify(told)).not.toMatch(planted)
  })

  it("means the Patient of the same Bundle before one of another file, and finds those of other files", async () => {
    const of = (id: string, record: string): Json => ({
      resourceType: "Bundle",
      type: "collection",
      entry: [{ resource: patient("p1", record) }, { resource: observation(id, "Patient/p1") }],
    })
    await folder.put("a.json", of("o1", "MRN-1"))
    await folder.put("b.json", of("o2", "MRN-2"))
    await folder.put("c.json", { ...of("o3", ""), entry: [{ resource: observation("o3", "Patient/p9") }] })
    await folder.put("d.ndjson", lines(patient("p9", "MRN-9")))
    const results = await folder.run()
    const [a, b, c] = await Promise.all(results.slice(0, 3).map((one) => folder.json(one) as Promise<OutBundle>))
    const whose = (told: OutBundle | undefined) => (told!.entry.at(-1)!.resource as Json)["subject"]
    expect([a, b, c].map(whose)).toEqual(
      ["MRN-1", "MRN-2", "MRN-9"].map(
        (record) =>
          expect.objectContaining({
            identifier: { system: "urn:weir:fhir:person", value: personOf(record) },
          }) as unknown,
      ),
    )
  })

  it("leaves out what refers to an id that two persons of a Bundle have", async () => {
    await folder.put("b.json", {
      resourceType: "Bundle",
      type: "collection",
      entry: [
        entry("https://a.example/Patient/1", patient("1", "MRN-1")),
        entry("https://b.example/Patient/1", patient("1", "MRN-2")),
        entry("https://b.example/Observation/1", observation("1", "Patient/1")),
      ],
    })
    const [result] = (await folder.run()) as [FileResult]
    expect(result.resources).toMatchObject({ released: 2, leftOut: { "patient-ambiguous": 1 } })
    const told = (await folder.json(result)) as OutBundle
    expect(told.entry.map(({ fullUrl }) => fullUrl)).toEqual([undefined, undefined])
  })

  it("tells of a document its Composition first, its time as its person's dates, and its identifier mapped", async () => {
    const composition = entry(urn(5), {
      resourceType: "Composition",
      id: uuid(5),
      status: "final",
      type: { coding: [{ system: "http://loinc.org", code: "11506-3" }] },
      subject: { reference: urn(1) },
      date: "2019-03-04",
      title: "Visit of Jolanda Alvasson",
      author: [{ reference: urn(4) }],
      section: [{ title: "Alvasson", entry: [{ reference: urn(3) }] }],
    })
    const of = bundle("document")["entry"] as readonly Json[]
    const identifier = { system: "https://hospital.example/documents", value: "sibling-7" }
    const told = await only("d.json", bundle("document", { identifier, entry: [composition, ...of] }))
    expect(types(told)).toEqual(["Composition", "Patient", "Encounter", "Observation"])
    expect(dangling(told)).toEqual([])
    const day = new Date(Date.UTC(2019, 2, 4) - base.shiftDays(keyOf(mine)) * 86_400_000).toISOString().slice(0, 10)
    expect(told["timestamp"]).toBe(`${day}T10:00:00Z`)
    expect(told["identifier"]).toEqual({
      system: "urn:weir:fhir:bundle",
      value: expect.stringMatching(/^[a-z2-7]{26}$/) as unknown,
    })
    expect(JSON.stringify(told)).not.toMatch(planted)
  })

  it("tells of a message its event and what it is about", async () => {
    const header = entry(urn(6), {
      resourceType: "MessageHeader",
      id: uuid(6),
      eventCoding: { system: "http://terminology.hl7.org/CodeSystem/v2-0003", code: "R01", display: "for Alvasson" },
      source: { name: "hospital.example", endpoint: "https://hospital.example/sender" },
      sender: { display: "Alvasson" },
      focus: [{ reference: urn(3) }, { reference: urn(4) }],
    })
    const of = bundle("message")["entry"] as readonly Json[]
    const told = await only("m.json", bundle("message", { entry: [header, ...of] }))
    expect(types(told)).toEqual(["MessageHeader", "Patient", "Encounter", "Observation"])
    expect(dangling(told)).toEqual([])
    expect(told.entry[0]!.resource).toMatchObject({
      eventCoding: { system: "http://terminology.hl7.org/CodeSystem/v2-0003", code: "R01" },
      focus: [{ reference: `Observation/${told.entry[3]!.resource.id}` }],
    })
    expect(JSON.stringify(told)).not.toMatch(planted)
  })

  it("refuses Bundles of which nothing is left, or not what their type demands, and says why", async () => {
    const practitioner = { resource: { resourceType: "Practitioner", id: "x" } }
    const of = (type: unknown, ...entries: readonly unknown[]) => ({ resourceType: "Bundle", type, entry: entries })
    await folder.put("a.json", of("collection"))
    await folder.put("b.json", of("subscription-notification", { resource: patient("p1", mine) }))
    await folder.put("c.json", of(undefined, { resource: patient("p1", mine) }))
    await folder.put("d.json", of("document", { resource: patient("p1", mine) }))
    await folder.put("e.json", of("message", { resource: patient("p1", mine) }))
    await folder.put("f.json", of("batch", practitioner, practitioner))
    await folder.put("g.json", of("batch", practitioner, { resource: observation("o", "Patient/none") }))
    await folder.put("h.json", of("collection", { resource: of("collection", { resource: patient("p2", "MRN-2") }) }))
    await folder.put("i.json", of("collection", "x", { resource: 7 }))
    const results = await folder.run()
    expect(results.map(({ output }) => output).join("")).toBe("")
    expect(results.map(({ reason }) => reason)).toEqual([
      "bundle-empty",
      "bundle-type",
      "bundle-type",
      "no-composition",
      "no-message-header",
      "resource-type",
      "no-resource-left",
      "resource-type",
      "no-resource",
    ])
  })

  it("takes Bundles one a line", async () => {
    await folder.put("all.ndjson", lines(bundle("collection"), { resourceType: "Bundle", type: "collection" }))
    const [result] = (await folder.run()) as [FileResult]
    expect(result.resources).toMatchObject({ released: 3, leftOut: { "bundle-empty": 1, "resource-type": 1 } })
  })

  it("tells years alone under safe harbor, the same again with the vault beside it", { timeout: 120_000 }, async () => {
    const { dir, output } = folder
    await folder.put("b.json", bundle("transaction"))
    await writeFile(join(dir, "vault-key"), "v".repeat(32))
    const vault = ["--vault", join(dir, "vault"), "--vault-key-file", join(dir, "vault-key")]
    for (const to of [output, join(dir, "again")])
      expect(await folder.weir(to, "--profile", "safe-harbor", ...vault)).toMatchObject({ code: 0 })
    const names = await filesOf(output)
    expect(await filesOf(join(dir, "again"))).toEqual(names)
    const told = JSON.parse(await readFile(join(output, names[0]!), "utf8")) as OutBundle
    expect(told.entry[2]!.resource["effectiveDateTime"]).toBe("2019")
    expect(dangling(told)).toEqual([])
    expect(JSON.stringify(told)).not.toMatch(planted)
    expect(JSON.stringify(told)).not.toContain(personOf(mine))
  })
})
