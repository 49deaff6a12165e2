import * as fc from "fast-check"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { CuratedInstance, Draft, Rec } from "../../core/index.ts"
import { pseudonymizer } from "../../core/index.ts"
import { deidentifier, seriesRisk, summarize } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import {
  TestBorder,
  assembler,
  bodyPart,
  foldInto,
  projectKey,
  runToEnd,
  slice,
  standing,
} from "../contract/dicom-border.ts"
import type { Collected, Final } from "../contract/dicom-border.ts"
import { memoryState, runStateful } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"
import type { InstanceRow } from "../../transforms/deidentify/dicom-rows.ts"

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
  overlay: [{ tag: "60000100", vr: "US", value: 16 }],
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

/** What of each arrival became: the first that applies of what the engine's reckoning goes by. */
interface Outcome {
  readonly final: Final
  readonly released: ReadonlySet<string>
  readonly dead: ReadonlySet<string>
  readonly dropped: ReadonlySet<string>
  readonly waiting: number
}

/** @param most objects and headers in a step; timers drive what is left, between batches now and then */
async function run(
  batches: readonly (readonly (Rec & { readonly input: string })[])[],
  most = 128,
  pause: () => boolean = () => false,
): Promise<Outcome> {
  border.counts.clear()
  const made = border.inSlices({ objects: most, headers: most, listed: most, studies: most })
  const state = memoryState()
  const final: Final = new Map()
  const [released, dead, dropped] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const take = (done: Collected): void => {
    foldInto(final, done)
    for (const { to, draft } of done.emitted) if (to === "instances") released.add(String(draft.origin!.offset))
    for (const { from } of done.failed) {
      expect(dead).not.toContain(String(from.origin.offset))
      dead.add(String(from.origin.offset))
    }
    for (const { from } of done.dropped) dropped.add(String(from.origin.offset))
  }
  for (const batch of batches) {
    take(await runStateful(made, state, batch))
    expectKept(state, final)
    if (pause()) (await runToEnd(made, state, [])).forEach(take)
  }
  ;(await runToEnd(made, state, [])).forEach(take)
  expectCounted(state, final)
  const waiting = border.counts.get("waiting/study-not-assembled") ?? 0
  return { final, released, dead, dropped, waiting }
}

/** What stands below is never counted as unreferenced, also while its next verdict waits. */
function expectKept(state: MemoryState, final: Final): void {
  for (const [row, { op, value }] of final)
    if (op === "upsert" && row.startsWith("instances "))
      expect(state.references.get(`limited/${(value as CuratedInstance).object.key}`)).toBeGreaterThan(0)
}

/** The objects that count as referred to are the originals of what is there and the results that stand below, and no others. */
function expectCounted(state: MemoryState, final: Final): void {
  const named = new Set<string>()
  for (const [slot, text] of state.dump()) {
    if (!/^0\/[^/]+\/i\//.test(slot)) continue
    const { stated } = JSON.parse(text) as InstanceRow
    if (stated !== undefined) named.add(`phi/${stated.object.key}`)
  }
  for (const [row, { op, value }] of final)
    if (op === "upsert" && row.startsWith("instances ")) named.add(`limited/${(value as CuratedInstance).object.key}`)
  for (const [slot, count] of state.references) expect(count, slot).toBeGreaterThan(0)
  expect([...state.references.keys()].sort()).toEqual([...named].sort())
}

/** Whether it was a retract that overtook an instance: of its later versions one that came no later than it, or before each version
 * between. Another person's record goes on for the arrival. */
function overtakenByRetract(place: string, inputs: readonly Rec[], chunks: readonly (readonly Rec[])[]): boolean {
  const at = inputs.find(({ origin }) => String(origin.offset) === place)!
  const later = inputs.filter((one) => one.key === at.key && one.id === at.id && one.version > at.version)
  const cameIn = ({ origin: { offset } }: Rec) =>
    chunks.findIndex((chunk) => chunk.some(({ origin }) => origin.offset === offset))
  return later.some(
    (one, index) =>
      one.op === "retract" &&
      (cameIn(one) <= cameIn(at) || later.slice(0, index).every((between) => cameIn(between) >= cameIn(one))),
  )
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
      fc.constantFrom(1, 2, 128),
      async (events, dice, size, most) => {
        const inputs = await inputsOf(events)
        const shuffled = [...inputs, ...inputs.slice(0, 3).map((one) => ({ ...one }))]
          .map((one) => [dice.next().value as number, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one)
        const chunks = Array.from({ length: Math.ceil(shuffled.length / size) }, (_, at) =>
          shuffled.slice(at * size, (at + 1) * size),
        )
        const outcome = await run(chunks, most, () => (dice.next().value as number) % 2 === 0)
        const { final, released, dead, dropped } = outcome
        expect(standing(final)).toEqual(standing((await run([inputs])).final))
        // Nothing waits once all studies came, and each arrival of an instance has a fate.
        expect(outcome.waiting).toBe(0)
        for (const { input, op, origin } of inputs) {
          const place = String(origin.offset)
          const fate = released.has(place) || dead.has(place) || dropped.has(place)
          if (input === "instances" && op === "upsert" && !overtakenByRetract(place, inputs, chunks))
            expect(fate).toBe(true)
        }
        const instances = [...final].filter(([row, { op }]) => row.startsWith("instances ") && op === "upsert")
        expect(instances.map(([row]) => row.slice(10)).sort()).toEqual(expected(events).sort())
        for (const [, { value }] of instances as [string, Draft<{ object: { key: string; size: number } }>][])
          expect((await border.limited.objects.head(value!.object.key))?.size).toBe(value!.object.size)
      },
    ),
    { numRuns: 60 },
  )
})
