import * as fc from "fast-check"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { Draft, Rec } from "../../core/index.ts"
import { pseudonymizer } from "../../core/index.ts"
import { deidentifier, seriesRisk, summarize } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { TestBorder, assembler, bodyPart, foldInto, projectKey, slice, standing } from "../contract/dicom-border.ts"
import type { Final } from "../contract/dicom-border.ts"
import { memoryState, runStateful } from "../kit/index.ts"

let border: TestBorder
beforeAll(async () => {
  border = await TestBorder.open()
})
afterAll(() => border.close())

/** What a version of an instance is; `left`: a retract. */
const kinds = ["chest", "nowhere", "nowhere", "head", "burned", "overlay", "left"] as const
type Kind = (typeof kinds)[number]
const changes: Record<Exclude<Kind, "left">, readonly DataElement[]> = {
  chest: [],
  nowhere: [bodyPart()],
  head: [bodyPart("HEAD")],
  burned: [{ tag: "00280301", vr: "CS", value: "YES" }],
  overlay: [{ tag: "60003000", vr: "OW", value: Uint8Array.of(1, 2) }],
}

interface Event {
  readonly key: string
  readonly sop: string
  readonly version: number
  readonly kind: Kind
  readonly series: string
}

const bytesOf = ({ sop, kind, series }: Event): Uint8Array =>
  slice(sop, ...changes[kind as Exclude<Kind, "left">], { tag: "0020000E", vr: "UI", value: series })

/** A version says one thing. */
const history = fc
  .uniqueArray(
    fc.record({
      key: fc.constantFrom("p", "q"),
      sop: fc.constantFrom("1.2.3.4.5.61", "1.2.3.4.5.62", "1.2.3.4.5.63", "1.2.3.4.5.64"),
      version: fc.integer({ min: 1, max: 4 }),
      kind: fc.constantFrom(...kinds),
      series: fc.constantFrom("1.2.3.4.100.1.2", "1.2.3.4.100.1.2", "1.2.3.4.100.1.3"),
    }),
    { maxLength: 14, selector: ({ key, sop, version }) => `${key} ${sop} ${version}` },
  )
  .map((events) => events as Event[])

/** The records that assembly makes of a history, in one order. */
async function inputsOf(events: readonly Event[]): Promise<(Rec & { readonly input: string })[]> {
  const assemble = await assembler()
  const inputs: (Rec & { readonly input: string })[] = []
  for (const event of [...events].sort((a, b) => a.version - b.version)) {
    const { key, sop, version, kind } = event
    const arrival =
      kind === "left"
        ? border.left(sop, BigInt(version), key)
        : await border.arrive(bytesOf(event), key, BigInt(version))
    inputs.push(...border.asInputs(await assemble([arrival])))
  }
  return inputs
}

async function run(batches: readonly (readonly (Rec & { readonly input: string })[])[]): Promise<Final> {
  const made = await border.create()
  const state = memoryState()
  const final: Final = new Map()
  for (const batch of batches) foldInto(final, await runStateful(made, state, batch))
  return final
}

/** What formats/dicom says of what stands at the end, each series as a whole. */
function expected(events: readonly Event[]): string[] {
  const base = pseudonymizer(projectKey)
  const newest = new Map<string, Event>()
  for (const event of [...events].sort((a, b) => a.version - b.version)) newest.set(`${event.key} ${event.sop}`, event)
  const there = [...newest.values()].filter(({ kind }) => kind !== "left")
  const deidentify = deidentifier({ options: [], faces: "refuse" })
  return [...Map.groupBy(there, ({ key, series }) => `${key} ${series}`).values()].flatMap((series) => {
    const files = series.map((event) => [event, bytesOf(event)] as const)
    const risk = seriesRisk(files.map(([, header]) => summarize({ header, size: header.length }) as never))
    return files.flatMap(([{ key, sop }, header]) => {
      const person = base.person(key)
      const dicom = {
        patientId: () => person,
        patientName: () => person,
        uid: base.uid,
        accession: (value: string, issuer: string) => base.accession(issuer, value),
        identifier: base.identifier,
        shiftDays: base.shiftDays(key),
      }
      const verdict = deidentify({ header, size: header.length }, { person: dicom, series: { risk } })
      return verdict.kind === "released" ? [`${person} ${base.uid(sop)}`] : []
    })
  })
}

it("any order and chunks of instances and studies end with the same rows and objects, as each series as a whole decides", async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.infiniteStream(fc.nat()),
      fc.integer({ min: 1, max: 6 }),
      async (events, dice, size) => {
        const inputs = await inputsOf(events)
        const shuffled = [...inputs, ...inputs.slice(0, 3).map((one) => ({ ...one }))]
          .map((one) => [dice.next().value as number, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one)
        const chunks = Array.from({ length: Math.ceil(shuffled.length / size) }, (_, at) =>
          shuffled.slice(at * size, (at + 1) * size),
        )
        const final = await run(chunks)
        expect(standing(final)).toEqual(standing(await run([inputs])))
        const instances = [...final].filter(([row, { op }]) => row.startsWith("instances ") && op === "upsert")
        expect(instances.map(([row]) => row.slice(10)).sort()).toEqual(expected(events).sort())
        for (const [, { value }] of instances as [string, Draft<{ object: { key: string; size: number } }>][])
          expect((await border.limited.objects.head(value!.object.key))?.size).toBe(value!.object.size)
      },
    ),
    { numRuns: 60 },
  )
})
