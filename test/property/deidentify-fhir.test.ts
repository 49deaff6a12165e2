import * as fc from "fast-check"
import { beforeAll, expect, it } from "vitest"
import type { CuratedResource, PersonEvent } from "../../core/index.ts"
import { allowed } from "../../formats/fhir/deidentify/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

let made: Awaited<ReturnType<typeof deidentifyFhir.create>>
beforeAll(async () => {
  const context = testContext({ secret: () => new Uint8Array(32).fill(9) })
  made = await deidentifyFhir.create({ key: "k" }, context)
})

async function told(resource: Record<string, unknown>, more: Partial<PersonEvent> = {}): Promise<string> {
  const { resourceType, id } = resource as { resourceType: string; id: string }
  const value = {
    kind: "resource",
    body: JSON.stringify(resource),
    codes: [],
    identifiers: [],
    birthDate: null,
    flags: [],
  }
  const rec = record({
    key: "p",
    id: `resource/${resourceType}/${id}`,
    value: { ...value, ...more } as unknown as PersonEvent,
  })
  const { emitted, failed } = await runTransform(made, [rec] as never)
  return JSON.stringify([
    emitted.map(({ draft }) => [draft.key, draft.id, draft.headers, draft.value as CuratedResource]),
    failed.map(({ error }) => [error.message, error.stack]),
  ])
}

// Free text in every shape that feeds have: a canary with spaces, as no code may have.
const canary = "Zebra Quagga"
const types = [...allowed.keys()]

// Elements of R4 that hold text, wherever they are, and some that R4 does not know.
const textual = fc.constantFrom(
  "text",
  "note",
  "comment",
  "display",
  "description",
  "conclusion",
  "presentedForm",
  "valueString",
  "title",
  "name",
  "address",
  "telecom",
  "photo",
  "meta",
  "extension",
  "modifierExtension",
  "language",
  "implicitRules",
  "_birthDate",
  "birthDate",
  "patientInstruction",
  "instantiatesUri",
  "lotNumber",
  "serialNumber",
  "udiCarrier",
  "performer",
  "participant",
  "contact",
  "link",
  "generalPractitioner",
  "unheardOf",
)
/** Elements of any listed type, so that a canary also stands where an allowed element is expected. */
const listed = fc.constantFrom(
  ...new Set([...allowed.values()].flatMap((rule) => (rule.kind === "elements" ? [...rule.elements.keys()] : []))),
)
const inner = fc.constantFrom(
  "text",
  "display",
  "div",
  "coding",
  "reference",
  "identifier",
  "value",
  "unit",
  "start",
  "url",
  "valueString",
  "extension",
  "component",
  "code",
  "system",
  "comparator",
  "status",
  "when",
  "type",
)

const planted: fc.Arbitrary<unknown> = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<unknown>(
      7,
      canary,
      `<div>${canary}</div>`,
      `${canary}@example.org`,
      `Patient/${canary}`,
      `urn:oid:${canary}`,
      `2019-01-01 ${canary}`,
    ),
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(inner, tie("any"), { maxKeys: 4 }),
  ),
})).any

it("text that is planted anywhere in a resource never comes out, nor goes into an error", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...types, "Binary", "Zebra Quagga"),
      fc.dictionary(fc.oneof(textual, listed), planted, { maxKeys: 12 }),
      async (resourceType, elements) => {
        const output = await told({ ...elements, resourceType, id: "a1" })
        expect(output).not.toMatch(/Zebra|Quagga/)
      },
    ),
    { numRuns: 3000 },
  )
})

const codeLike = fc.stringMatching(/^canary[a-z]{4,8}$/)

it("a word without spaces passes only as a code with its system", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...types),
      fc.oneof(textual, listed),
      codeLike,
      async (resourceType, element, word) => {
        const all = [word, [word], { text: word, display: word, value: word, unit: word, reference: word, code: word }]
        for (const value of all) expect(await told({ resourceType, id: "a1", [element]: value })).not.toContain(word)
      },
    ),
    { numRuns: 1500 },
  )
})

it("the person's own identifiers never come out, whatever element holds them", async () => {
  const own = fc.stringMatching(/^[a-z]{2}[0-9]{6,9}$/)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...types), listed, own, async (resourceType, element, value) => {
      const coding = [
        { system: "urn:local:codes", code: value },
        { system: `urn:local:${value}`, code: "x" },
      ]
      const identifiers = [{ namespace: "mrn", value }]
      for (const given of [coding, { coding }, { ...coding[0], value: 1 }])
        expect(await told({ resourceType, id: "a1", [element]: given }, { identifiers })).not.toContain(value)
    }),
    { numRuns: 1500 },
  )
})

it("the distance between two dates of a person is the true one", async () => {
  // To 2098: days beyond, and the first of 1970, stand for none.
  const day = fc.integer({ min: 1, max: 47_000 })
  const text = (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10)
  await fc.assert(
    fc.asyncProperty(day, day, async (a, b) => {
      const resource = {
        resourceType: "Condition",
        id: "c",
        onsetDateTime: text(a),
        recordedDate: `${text(b)}T01:02:03+09:00`,
      }
      const [[, , , value]] = JSON.parse(await told(resource))[0] as [[unknown, unknown, unknown, CuratedResource]]
      const body = JSON.parse(value.body) as { onsetDateTime: string; recordedDate: string }
      const [onset, recorded] = [body.onsetDateTime, body.recordedDate.slice(0, 10)].map(
        (date) => Date.parse(date) / 86_400_000,
      )
      expect(recorded! - onset!).toBe(b - a)
      expect(onset).not.toBe(a)
    }),
    { numRuns: 500 },
  )
})
