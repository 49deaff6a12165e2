import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { PersonEvent } from "../../core/index.ts"
import { mapCodes } from "../../transforms/terminology/index.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

const loinc = "http://loinc.org"
const local = "http://hospital.example/lab"
const creatinine = { system: local, code: "CREA" }

let folder: string
let counts: Map<string, number>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-maps-"))
  counts = new Map()
})
afterEach(() => rm(folder, { recursive: true }))

const write = async (path: string, content: unknown): Promise<void> => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), typeof content === "string" ? content : JSON.stringify(content))
}

const made = (maps: string | readonly string[] = "codes/") =>
  mapCodes.create(
    { maps },
    testContext({
      resolve: (path) => join(folder, path),
      count: (name, label, by = 1) => counts.set(`${name} ${label}`, (counts.get(`${name} ${label}`) ?? 0) + by),
    }),
  )

const event = (body: unknown, more: Partial<PersonEvent> = {}): PersonEvent => ({
  kind: "resource",
  subtype: "Observation",
  name: "o1",
  source: "ehr",
  sourceVersion: "1",
  instance: null,
  body: body === null ? null : typeof body === "string" ? body : JSON.stringify(body),
  codes: [],
  identifiers: [],
  birthDate: null,
  flags: [],
  ...more,
})

const observation = (...coding: object[]) => ({ resourceType: "Observation", id: "o1", code: { coding } })

const codesOf = async (body: unknown, maps?: string | readonly string[]) => {
  const { emitted } = await runTransform(await made(maps), [record({ value: event(body) })])
  return (emitted[0]!.draft.value as PersonEvent).codes
}
const short = (codes: PersonEvent["codes"]) =>
  codes.map(({ fromCode, relationship, code, table }) => `${fromCode} ${relationship} ${code} (${table})`)

const group = (element: unknown, more: object = {}) => ({
  resourceType: "ConceptMap",
  url: "urn:map",
  group: [{ source: local, target: loinc, element, ...more }],
})
const header = "from_system,from_code,to_system,to_code,relationship,display\n"

describe("map-codes", () => {
  it("adds every match of a code, from every table, as the table states it", async () => {
    const target = [
      { code: "2160-0", display: "Creatinine", equivalence: "equivalent" },
      { code: "14682-9", equivalence: "relatedto" },
    ]
    await write("codes/lab.json", group([{ code: "CREA", target }], {}))
    await write(
      "codes/more.csv",
      `${header}${local},CREA,http://snomed.info/sct,113075003,wider,"Creatinine, ""serum"""\n`,
    )
    const codes = await codesOf(observation(creatinine))
    expect(short(codes)).toEqual([
      "CREA relatedto 14682-9 (urn:map)",
      "CREA equivalent 2160-0 (urn:map)",
      "CREA wider 113075003 (more)",
    ])
    expect(codes[2]).toMatchObject({ system: "http://snomed.info/sct", display: 'Creatinine, "serum"' })
    expect(codes[1]).toEqual({
      system: loinc,
      code: "2160-0",
      display: "Creatinine",
      fromSystem: local,
      fromCode: "CREA",
      relationship: "equivalent",
      table: "urn:map",
    })
  })

  it("reads the relationships of R5 as the equivalences of R4, and maps to no code that is none", async () => {
    const of = (relationship: string) => ({ code: relationship, target: [{ code: "x", relationship }] })
    const names = ["equivalent", "source-is-narrower-than-target", "source-is-broader-than-target", "related-to"]
    await write("codes/r5.json", group([...names, "not-related-to"].map(of)))
    const coding = [...names, "not-related-to"].map((code) => ({ system: local, code }))
    expect(short(await codesOf(observation(...coding))).map((line) => line.split(" ").slice(0, 2))).toEqual([
      ["equivalent", "equivalent"],
      ["related-to", "relatedto"],
      ["source-is-broader-than-target", "narrower"],
      ["source-is-narrower-than-target", "wider"],
    ])
  })

  it("takes columns in any order and under the names that people give them", async () => {
    await write(
      "codes/t.csv",
      `\uFEFFEquivalence,Code,System,From Code,from-system\r\nequal,2160-0,${loinc},CREA,${local}\r\n`,
    )
    expect(short(await codesOf(observation(creatinine)))).toEqual(["CREA equal 2160-0 (t)"])
  })

  it("maps what a group does not list as it says: by one code, or by the code itself", async () => {
    const listed = [
      { code: "CREA", target: [{ code: "2160-0", equivalence: "equal" }] },
      { code: "NONE", noMap: true },
    ]
    await write("codes/fixed.json", group(listed, { unmapped: { mode: "fixed", code: "OTHER" } }))
    await write(
      "same/same.json",
      group([{ code: "EMPTY" }], { unmapped: { mode: "provided", relationship: "equivalent" } }),
    )
    const all = ["CREA", "NONE", "NEW", "EMPTY"].map((code) => ({ system: local, code }))
    expect(short(await codesOf(observation(...all)))).toEqual([
      "CREA equal 2160-0 (urn:map)",
      "EMPTY relatedto OTHER (urn:map)",
      "NEW relatedto OTHER (urn:map)",
    ])
    expect(short(await codesOf(observation({ system: local, code: "EMPTY" }), "same"))).toEqual([
      "EMPTY equivalent EMPTY (urn:map)",
    ])
  })

  it("reads the codes of components, categories and reports, each once", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n${local},CAT,${loinc},LP1,wider\n`)
    const body = {
      resourceType: "Observation",
      id: "o",
      category: [{ coding: [{ system: local, code: "CAT" }] }],
      code: { coding: [creatinine, creatinine] },
      component: [{ code: { coding: [creatinine] } }],
    }
    expect(short(await codesOf(body))).toEqual(["CAT wider LP1 (t)", "CREA equal 2160-0 (t)"])
  })

  it("keeps the matches of a stage before, and says the same of a record that comes again", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    const first = await codesOf(observation(creatinine))
    const earlier = { ...first[0]!, table: "earlier" }
    const run = async (codes: PersonEvent["codes"]) => {
      const value = event(observation(creatinine), { codes })
      const { emitted } = await runTransform(await made(), [record({ value })])
      return (emitted[0]!.draft.value as PersonEvent).codes
    }
    expect(short(await run([earlier]))).toEqual(["CREA equal 2160-0 (earlier)", "CREA equal 2160-0 (t)"])
    expect(await run(first)).toEqual(first)
  })

  it("changes nothing else of a record, and passes retracts, persons and instances as they are", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    const batch = [
      record({ key: "p", id: "a", version: 7n, time: 3, value: event(observation(creatinine)) }),
      record({ key: "p", id: "b", op: "retract" as const, version: 8n, value: null }),
      record({ key: "p", id: "c", value: event({ resourceType: "Patient", id: "x" }, { kind: "person" }) }),
      record({ key: "p", id: "d", value: event(null, { kind: "instance", subtype: "dicom" }) }),
    ]
    const { emitted } = await runTransform(await made(), batch)
    expect(emitted.map(({ draft }) => [draft.key, draft.id, draft.op, draft.version, draft.time])).toEqual(
      batch.map(({ key, id, op, version, time }) => [key, id, op, version, time]),
    )
    expect(emitted.slice(1).map(({ draft }) => draft.value)).toEqual(batch.slice(1).map(({ value }) => value))
    expect(emitted[0]!.draft.value).toEqual({ ...batch[0]!.value, codes: expect.any(Array) })
  })

  it("lets codes of unknown systems through, counted by system and code", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    const unknown = { system: "http://unknown.example/cs", code: "A1.5" }
    expect(await codesOf(observation(creatinine, unknown, unknown, { system: local, code: "NA" }))).toHaveLength(1)
    expect([...counts]).toEqual([
      ["unmapped-codes http://unknown.example/cs|A1.5", 1],
      [`unmapped-codes ${local}|NA`, 1],
    ])
  })

  it("counts what may be a name or a number of a person, typed in place of a code, without saying it", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    await codesOf(
      observation(
        { system: local, code: "Maria Beispiel" },
        { system: local, code: "Beispiel" },
        { system: local, code: "4".repeat(30) },
        { system: "Beispiel", code: "1" },
        { code: "text" },
        { system: "http://h.example/?name=Maria Beispiel", code: "2" },
      ),
    )
    expect([...counts]).toEqual([
      [`unmapped-codes ${local}|other`, 3],
      ["unmapped-codes other-system|other", 3],
    ])
  })

  it("counts by code for a bounded number of codes only", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    await codesOf(observation(...Array.from({ length: 3000 }, (_, at) => ({ system: local, code: `C${at}` }))))
    expect(counts.size).toBe(1001)
    expect(counts.get(`unmapped-codes ${local}|other`)).toBe(2000)
  })

  it("fails a resource that is no JSON object without a word of it, and maps the others", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    const bodies = ['{"secret', '["secret"]', observation(creatinine)]
    const batch = bodies.map((body) => record({ value: event(body) }))
    const { emitted, failed } = await runTransform(await made(), batch)
    expect(emitted).toHaveLength(1)
    expect(failed.map(({ error }) => error)).toMatchObject([
      { meaning: "bad-record", code: "body-not-json", path: "body" },
      { meaning: "bad-record", code: "body-not-json", path: "body" },
    ])
    for (const { error } of failed) expect(`${error.message}${String(error.cause)}`).not.toContain("secret")
  })

  it("takes resources of any shape and depth", async () => {
    await write("codes/t.csv", `${header}${local},CREA,${loinc},2160-0,equal\n`)
    const deep = (levels: number) =>
      `{"resourceType":"Observation","code":${'{"coding":['.repeat(levels)}{"system":"${local}","code":"CREA"}${"]}".repeat(levels)}}`
    const shapes = [null, 7, "x", [], [[creatinine]], { coding: "x" }, { coding: [null, 7, { code: 5 }] }]
    for (const code of shapes) expect(await codesOf({ resourceType: "Observation", code })).toEqual([])
    expect(short(await codesOf(deep(1)))).toEqual(["CREA equal 2160-0 (t)"])
    expect(await codesOf(deep(200))).toEqual([])
    expect(await codesOf(deep(100_000))).toEqual([])
  })

  it("says every fault of every table at once, with file and line or path", async () => {
    const lines = [
      `${local},A,${loinc},1,same`,
      `${local},,${loinc},1,equal`,
      `${local},B,${loinc},1,equal,x,y`,
      `${local},"C`,
    ]
    for (const [at, line] of lines.entries()) await write(`codes/${at + 1}.csv`, `${header}\n${line}\n`)
    await write("codes/5.csv", "from_system,from_code\n")
    await write("codes/6.json", '{\n "resourceType": "ConceptMap",\n oops }')
    await write("codes/7.json", { resourceType: "CodeSystem" })
    await write("codes/8.json", {
      resourceType: "ConceptMap",
      group: [
        { source: local },
        {
          source: local,
          target: loinc,
          element: [
            { target: [] },
            { code: "A", target: [{ code: "1" }] },
            { code: "B", target: { code: "1", equivalence: "equal" } },
            { code: "C", target: [{ code: "1", equivalence: "equal", dependsOn: [{ property: "p" }] }] },
          ],
          unmapped: { mode: "other-map", url: "urn:x" },
        },
      ],
    })
    await write("codes/9.json", { resourceType: "ConceptMap", group: { source: local, target: loinc } })
    const error = await made().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ meaning: "fatal", code: "maps-broken", path: "maps" })
    expect((error as Error).message.split("\n").slice(1)).toEqual([
      "1.csv:3: relationship is no FHIR R4 equivalence",
      "2.csv:3: empty fromcode",
      "3.csv:3: more cells than the header has",
      "4.csv:3: a quote is not closed, or text follows a closing quote",
      "5.csv:1: missing columns tosystem, tocode, relationship",
      "6.json:3: not JSON",
      "7.json:resourceType: not a ConceptMap",
      "8.json:group[0]: a group needs source and target systems",
      "8.json:group[1].element[0].code: missing code",
      "8.json:group[1].element[1].target[0].equivalence: missing or no FHIR R4 equivalence",
      "8.json:group[1].element[2].target: not a list of objects",
      "8.json:group[1].element[3].target[0].dependsOn: dependsOn is not read",
      "8.json:group[1].unmapped: expected mode provided, or fixed with a code; other maps are not followed",
      "9.json:group: not a list of objects",
    ])
  })

  it("does not start without tables", async () => {
    await expect(made("none")).rejects.toMatchObject({ meaning: "fatal", code: "maps-missing", path: "maps" })
    await mkdir(join(folder, "codes"))
    await expect(made()).rejects.toMatchObject({ meaning: "fatal", code: "maps-missing", path: "maps" })
  })

  it("takes single files and several folders", async () => {
    await write("a/a.csv", `${header}${local},CREA,${loinc},1,equal\n`)
    await write("b/b.csv", `${header}${local},CREA,${loinc},2,equal\n`)
    await write("b/c.csv", "not read")
    expect(short(await codesOf(observation(creatinine), ["a", "b/b.csv"]))).toEqual([
      "CREA equal 1 (a)",
      "CREA equal 2 (b)",
    ])
  })
})
