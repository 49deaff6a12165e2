import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Draft, Rec } from "../../core/index.ts"
import { select } from "../../transforms/select/index.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

type Change = Rec & { readonly input: string }
const modalities = fc.subarray(["CT", "MR", "US"])

/** The revisions 1, 2, 3 ... of a few rows, as a stateful stage numbers them; of arrivals any versions. */
const history = fc.constantFrom("study", "fhir-resource").chain((type) =>
  fc
    .array(
      fc.record({
        key: fc.constantFrom("p", "q"),
        id: fc.constantFrom("a", "b"),
        retract: fc.integer({ min: 0, max: 4 }).map((dice) => dice === 0),
        step: fc.integer({ min: 1, max: 3 }),
        modalities,
      }),
      { maxLength: 20 },
    )
    .map((changes) => {
      const versions = new Map<string, bigint>()
      return changes.map(({ key, id, retract, step, modalities }): Change => {
        const row = `${key} ${id}`
        const version = (versions.get(row) ?? 0n) + (type === "study" ? 1n : BigInt(step))
        versions.set(row, version)
        const value = type === "study" ? { modalities } : { file: modalities.join("+") }
        return {
          ...record(retract ? { key, id, op: "retract", version, value: null } : { key, id, version, value }),
          type,
        }
      })
    }),
)

const given = (type: string | undefined) =>
  type === "fhir-resource"
    ? { drop: { not: { field: "file", prefix: "CT" } } }
    : { keep: { field: "modalities", in: ["CT"] } }
const selected = ({ op, value }: Change): boolean => {
  const { modalities, file } = (value ?? {}) as { modalities?: string[]; file?: string }
  return op === "upsert" && (modalities?.includes("CT") ?? file!.startsWith("CT"))
}

/** The rows as a reader keeps them, who writes over an older version only. */
function standing(drafts: readonly Pick<Draft, "key" | "id" | "op" | "version" | "value">[]) {
  const rows = new Map<string, (typeof drafts)[number]>()
  for (const draft of drafts) {
    const row = `${draft.key} ${draft.id}`
    const known = rows.get(row)
    if (known === undefined || draft.version > known.version) rows.set(row, draft)
  }
  return [...rows]
    .filter(([, { op }]) => op === "upsert")
    .map(([row, { version, value }]) => [row, version, value])
    .sort()
}

async function run(chunks: readonly (readonly Change[])[]): Promise<Draft[]> {
  const type = chunks.flat()[0]?.type
  const drafts: Draft[] = []
  for (const chunk of chunks) {
    const { emitted, failed } = await runTransform(await select.create(given(type), testContext()), chunk)
    expect(failed).toEqual([])
    drafts.push(...emitted.map(({ draft }) => draft))
  }
  return drafts
}

describe("select, in any order", () => {
  it("ends with the rows whose newest version is selected, whatever the order, chunks and repeats", () =>
    fc.assert(
      fc.asyncProperty(
        history,
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 1, max: 5 }),
        async (all, dice, size) => {
          const shuffled = [...all, ...all.slice(0, 6)]
            .map((one) => [dice.next().value as number, one] as const)
            .sort(([a], [b]) => a - b)
            .map(([, one]) => ({ ...one }))
          const chunks = Array.from({ length: Math.ceil(shuffled.length / size) }, (_, at) =>
            shuffled.slice(at * size, (at + 1) * size),
          )
          const newest = all.filter(
            (one) => !all.some(({ key, id, version }) => key === one.key && id === one.id && version > one.version),
          )
          const expected = standing(newest.filter(selected))
          expect(standing(await run([all]))).toEqual(expected)
          expect(standing(await run(chunks))).toEqual(expected)
        },
      ),
      { numRuns: 300 },
    ))
})
