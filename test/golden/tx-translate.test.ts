import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "vitest"
import type { PersonEvent } from "../../core/index.ts"
import { mapCodes } from "../../transforms/terminology/index.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

const folder = resolve(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "tx-translate")
const absent = !existsSync(folder)
if (absent) console.warn("skipped: the $translate tests are not in the test data")

interface Parameter {
  readonly name: string
  readonly part?: readonly Parameter[]
  readonly [value: `value${string}`]: unknown
}
const parameters = (file: string) =>
  (JSON.parse(readFileSync(join(folder, file), "utf8")) as { parameter: Parameter[] }).parameter
const valueOf = (list: readonly Parameter[], name: string): unknown => {
  const found = list.find((one) => one.name === name)
  return found && Object.entries(found).find(([key]) => key.startsWith("value"))?.[1]
}

const source = "http://hl7.org/fhir/test/CodeSystem/source"
const target = "http://hl7.org/fhir/test/CodeSystem/target"

/** What map-codes adds to a resource with the codes, from maps of the folder. */
async function translate(maps: readonly string[], ...coding: { readonly system: string; readonly code: string }[]) {
  const counted: string[] = []
  const context = testContext({
    resolve: (path) => join(folder, path),
    count: (name, label) => void counted.push(`${name} ${label}`),
  })
  const body = JSON.stringify({ resourceType: "Observation", id: "o", code: { coding } })
  const value = { kind: "resource", subtype: "Observation", name: "o", body, codes: [] } as unknown as PersonEvent
  const { emitted } = await runTransform(await mapCodes.create({ maps }, context), [record({ value })])
  return { codes: (emitted[0]!.draft.value as PersonEvent).codes, counted }
}

describe.skipIf(absent)("ConceptMap $translate by HL7's terminology-server tests (shared data)", () => {
  // translate-reverse asks for the sources of a target, which map-codes does not do: records state source codes.
  it("translate-1: gives the concept, its relationship and the map that said so", async () => {
    const request = parameters("translate-1-request-parameters.json")
    const [match] = parameters("translate-1-response-parameters.json").filter(({ name }) => name === "match")
    const concept = valueOf(match!.part!, "concept") as { system: string; code: string }
    const system = valueOf(request, "sourceSystem") as string
    const code = valueOf(request, "sourceCode") as string
    const { codes, counted } = await translate(["ConceptMap-full.json"], { system, code })
    expect(codes).toEqual([
      {
        ...concept,
        display: null,
        fromSystem: system,
        fromCode: code,
        relationship: valueOf(match!.part!, "equivalence"),
        table: valueOf(match!.part!, "originMap"),
      },
    ])
    expect(concept.system).toBe(valueOf(request, "targetSystem"))
    expect(counted).toEqual([])
  })

  it("every code of the source system, by the relationships and the default of the full map", async () => {
    const text = readFileSync(join(folder, "codesystem-source.json"), "utf8")
    const concepts = (JSON.parse(text) as { concept: { code: string }[] }).concept.map(({ code }) => code)
    const all = [...concepts, "code-2b"].map((code) => ({ system: source, code }))
    const { codes, counted } = await translate(["ConceptMap-full.json"], ...all)
    expect(codes.map(({ fromCode, relationship, code, system }) => [fromCode, relationship, code, system])).toEqual([
      ["code-1", "equivalent", "code1", target],
      // source-is-broader-than-target: the target is narrower, in the words of R4.
      ["code-2", "narrower", "code2", target],
      ["code-3", "wider", "code3", target],
      ["code-4", "relatedto", "temp", target],
      ["code-5", "relatedto", "temp", target],
      ["code-6", "relatedto", "temp", target],
    ])
    // not-related-to is no match.
    expect(counted).toEqual([`unmapped-codes ${source}|code-2b`])
  })

  it("maps no code of a system that no map is for", async () => {
    const { codes, counted } = await translate(["ConceptMap-novs.json"], { system: source, code: "code-1" })
    expect(codes).toEqual([])
    expect(counted).toEqual([`unmapped-codes ${source}|code-1`])
  })
})
