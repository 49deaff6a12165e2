import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  curatedInstance,
  curatedStudy,
  dicomInstance,
  fhirResource,
  label,
  personEvent,
  pseudonymizer,
  rowId,
  study,
} from "../../core/index.ts"
import type { Field, FieldType, Fields, Rec, RecordType } from "../../core/index.ts"
import { deidentifyRecord } from "../../transforms/deidentify/record.ts"
import { record, runTransform, testContext } from "../kit/index.ts"
import type { Collected } from "../kit/index.ts"

const key = Buffer.alloc(32, 9)
const p = pseudonymizer(key)
const types: readonly RecordType[] = [
  dicomInstance,
  fhirResource,
  personEvent,
  study,
  label,
  curatedStudy,
  curatedInstance,
]

/** Values of marked fields are recognisable, so that a leak is found wherever it goes. */
const canary = fc.integer({ min: 100_000, max: 999_999 }).map((n) => `QX${n}`)
/** Never an identifier of the same record: one in a field that `limited` keeps is refused. */
const quasi = fc.integer({ min: 100_000, max: 999_999 }).map((n) => `QY${n}`)
const uid = fc.integer({ min: 100_000, max: 999_999 }).map((n) => `1.9.77.${n}`)
const dayMs = 86_400_000
/** The first day of 1970 stands for no time, and is not shifted. */
const time = fc.integer({ min: Date.UTC(1930, 0, 1), max: Date.UTC(2030, 0, 1) }).filter((ms) => ms < 0 || ms >= dayMs)
const dateText = time.chain((ms) => {
  const iso = new Date(ms).toISOString()
  return fc.constantFrom(iso.slice(0, 10), iso.slice(0, 10).replaceAll("-", ""), iso)
})

const plain = (type: FieldType<unknown>, mark: Field<unknown>["mark"]): fc.Arbitrary<unknown> => {
  if (type.avro === "long" || type.avro === "int") return mark === "date" ? time : fc.integer({ min: 0, max: 999 })
  if (type.avro === "boolean") return fc.boolean()
  if (mark === "uid") return uid
  if (mark === "date") return dateText
  if (mark === "quasi") return quasi
  return mark === "keep" ? fc.constantFrom("kept", "CT", "") : canary
}

const valueOf = (type: FieldType<unknown>, mark: Field<unknown>["mark"]): fc.Arbitrary<unknown> => {
  if (type.optional === true) return fc.option(valueOf(type.item!, mark), { nil: null })
  if (type.item !== undefined) return fc.array(valueOf(type.item, mark), { maxLength: 4 })
  return type.fields === undefined ? plain(type, mark) : recordOf(type.fields)
}

const recordOf = (fields: Fields): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(Object.entries(fields).map(([name, { type, mark }]) => [name, valueOf(type, mark)])))

const person = fc.constantFrom("personkeyone", "personkeytwo")
const records = fc.array(
  fc.constantFrom(...types).chain((type) =>
    fc.record({ key: person, value: recordOf(type.fields), time, version: fc.bigInt(1n, 99n) }).map((given) => ({
      ...record({ ...given, id: rowId(type.id.map((name) => String(given.value[name]))) }),
      type: type.name,
    })),
  ),
  { minLength: 1, maxLength: 12 },
)

const run = async (batch: readonly (Rec & { input: string })[], zone: "limited" | "clean" = "limited") =>
  runTransform(
    await deidentifyRecord.create(
      { key: "k" },
      testContext({ secret: () => key, outputs: { out: { topic: "t", zone } } }),
    ),
    batch,
  )

const dates = (fields: Fields, value: Readonly<Record<string, unknown>>): number[] =>
  Object.entries(fields).flatMap(([name, { type, mark }]) => {
    if (mark === "nested") {
      const inner = Array.isArray(value[name]) ? (value[name] as object[]) : value[name] === null ? [] : [value[name]]
      return inner.flatMap((item) => dates(type.fields!, item as Record<string, unknown>))
    }
    return mark === "date" && typeof value[name] === "number" ? [value[name]] : []
  })

/** How each record ended: what was emitted, or why it was refused, with the offset that it was read at. */
const endsOf = ({ emitted, failed }: Collected) => [
  ...emitted.map(({ from, draft }) => [(from as Rec).at.offset, draft] as const),
  ...failed.map(({ from, error }) => [from.at.offset, (error as { readonly code?: string }).code] as const),
]
const byOffset = ([a]: readonly [bigint, unknown], [b]: readonly [bigint, unknown]) => Number(a - b)

const json = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner))

const options = { numRuns: 150 }

describe("deidentify-record, whatever the record", () => {
  it("lets no value of a marked field out, in the payload, the key or the id", () =>
    fc.assert(
      fc.asyncProperty(records, fc.constantFrom("limited" as const, "clean" as const), async (batch, zone) => {
        const { emitted, failed } = await run(batch, zone)
        expect(failed).toEqual([])
        const marked = zone === "limited" ? /QX\d{6}|1\.9\.77|personkey/ : /Q[XY]\d{6}|1\.9\.77|personkey/
        for (const { draft } of emitted) expect(json(draft)).not.toMatch(marked)
      }),
      options,
    ))

  it("moves every time of a person by the same whole days", () =>
    fc.assert(
      fc.asyncProperty(records, async (batch) => {
        const { emitted } = await run(batch)
        for (const { draft, from: stem } of emitted) {
          const from = stem as Rec
          const fields = types.find(({ name }) => name === from.type)!.fields
          const order = (list: number[]) => list.toSorted((a, b) => a - b)
          const before = order(dates(fields, from.value as Record<string, unknown>))
          const after = order(dates(fields, draft.value as Record<string, unknown>))
          expect(after).toEqual(before.map((ms) => ms - p.shiftMs(from.key)))
          expect(draft.time).toBe(from.time - p.shiftMs(from.key))
        }
      }),
      options,
    ))

  it("gives the same whether records come together or one by one", () =>
    fc.assert(
      fc.asyncProperty(records, async (batch) => {
        const together = endsOf(await run(batch))
        const apart = []
        for (const one of batch) apart.push(...endsOf(await run([one])))
        expect(together.toSorted(byOffset)).toEqual(apart.toSorted(byOffset))
        expect(together).toHaveLength(batch.length)
      }),
      { numRuns: 30 },
    ))

  it("keeps what was one person, one study and one row together", () =>
    fc.assert(
      fc.asyncProperty(records, async (batch) => {
        const doubled = endsOf(await run([...batch, ...batch.map((one) => ({ ...one }))])).toSorted(byOffset)
        expect(doubled).toHaveLength(2 * batch.length)
        for (let at = 0; at < doubled.length; at += 2) expect(doubled[at]).toEqual(doubled[at + 1])
      }),
      { numRuns: 50 },
    ))
})
