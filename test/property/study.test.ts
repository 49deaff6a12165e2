import * as fc from "fast-check"
import { expect, it } from "vitest"
import type { DicomInstance, Draft, PersonEvent } from "../../core/index.ts"
import { assembleStudy } from "../../transforms/study/index.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"

const event = fc
  .record({
    key: fc.constantFrom("p", "q"),
    sop: fc.constantFrom("1", "2", "3"),
    version: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ key, sop, version }) => {
    // A version says one thing: content is a function of (person, instance, version).
    const dice = (key.charCodeAt(0) * 31 + Number(sop) * 7 + version * 13) % 5
    const draft = { key, id: `instance/dicom/${sop}`, version: BigInt(version), time: version }
    if (dice === 0) return record({ ...draft, op: "retract" as const, value: null })
    const instance = {
      object: { key: "k", size: 1, sha256: `${sop}/${version}`, transferSyntax: "1" },
      sopInstanceUid: sop,
      seriesInstanceUid: `${dice}`,
      studyInstanceUid: dice < 3 ? "7" : "8",
      accessionNumber: dice === 1 ? "" : `A${dice}`,
      accessionIssuer: dice === 2 ? "I" : "",
      modality: dice === 4 ? "MR" : "CT",
      bodyPart: "CHEST",
      studyDate: "20200101",
      studyTime: dice === 1 ? "10" : "1030",
      timezoneOffset: null,
      expectedInstances: dice === 3 ? 2 : null,
    } as unknown as DicomInstance
    const value = { kind: "instance", subtype: "dicom", name: sop, instance, flags: [] } as unknown as PersonEvent
    return record({ ...draft, value })
  })

type Arrival = ReturnType<typeof record>

async function run(batches: readonly (readonly Arrival[])[]) {
  const state = memoryState(0)
  const made = await assembleStudy.create({}, testContext())
  const final = new Map<string, Draft>()
  const versions = new Map<string, bigint[]>()
  const take = async (batch: readonly Arrival[], until: number) => {
    const { emitted } = await runStateful(made, state, batch as never, state.due("quiet", until))
    for (const { to, draft } of emitted) {
      const row = `${to} ${draft.key} ${draft.id}`
      versions.set(row, [...(versions.get(row) ?? []), draft.version])
      final.set(row, draft)
    }
  }
  for (const [at, batch] of batches.entries()) {
    state.setNow(at * 25_000)
    await take(batch, at * 25_000)
  }
  while (state.timers.size > 0) await take([], Number.POSITIVE_INFINITY)
  for (const numbers of versions.values()) expect(numbers).toEqual(numbers.map((_, at) => BigInt(at + 1)))
  return [...final]
    .filter(([, { op }]) => op === "upsert")
    .map(
      ([row, { value, time }]) =>
        `${row} ${time} ${JSON.stringify(value, (name, inner) => (name === "revision" ? 0 : inner))}`,
    )
    .sort()
}

it("any order, chunks and timing of instances end with the same studies and instances", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 20 }),
      fc.infiniteStream(fc.nat()),
      fc.integer({ min: 1, max: 6 }),
      async (all, dice, size) => {
        const shuffled = [...all, ...all.slice(0, 4).map((one) => ({ ...one }))]
          .map((one) => [dice.next().value as number, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one)
        const chunks = Array.from({ length: Math.ceil(shuffled.length / size) }, (_, at) =>
          shuffled.slice(at * size, (at + 1) * size),
        )
        expect(await run(chunks)).toEqual(await run([all]))
      },
    ),
    { numRuns: 500 },
  )
})
