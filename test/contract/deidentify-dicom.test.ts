import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Schema, pseudonymizer, retryable } from "../../core/index.ts"
import type { Rec } from "../../core/index.ts"
import { findIdentifiers, parseWhole, summarize } from "../../formats/dicom/index.ts"
import { memoryState, runStateful } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"
import { deidentifyDicom } from "../../transforms/deidentify/dicom.ts"
import { dicomText } from "./synth-hospital.ts"
import {
  TestBorder,
  assembler,
  bodyPart,
  codesOf,
  instancesOf,
  projectKey,
  runToEnd,
  slice,
  studiesOf,
} from "./dicom-border.ts"
import type { Collected } from "./dicom-border.ts"

type Batch = readonly (Rec & { readonly input: string })[]
const base = pseudonymizer(projectKey)
const study = "1.2.3.4.100.1"
const dates = { "retain-longitudinal-modified-dates": true } as const

describe("deidentify-dicom", () => {
  let border: TestBorder
  let state: MemoryState
  let assemble: Awaited<ReturnType<typeof assembler>>
  let options: Parameters<TestBorder["create"]>[0]
  let made: Awaited<ReturnType<TestBorder["create"]>> | undefined

  beforeEach(async () => {
    border = await TestBorder.open()
    state = memoryState()
    assemble = await assembler()
    options = {}
    made = undefined
  })
  afterEach(() => border.close())

  const run = async (batch: Batch): Promise<Collected> => {
    made ??= await border.create(options)
    return runStateful(made, state, batch)
  }
  /** Runs arrivals through assembly and the border. */
  const arrive = async (...files: readonly Uint8Array[]) =>
    run(border.asInputs(await assemble(await Promise.all(files.map((bytes) => border.arrive(bytes))))))
  const outputOf = (collected: Collected, at = 0) =>
    border.limited.objects.bytes(instancesOf(collected)[at]!.value!.object.key)

  it("puts a de-identified object into the bucket below and says where it is, by content and pseudonym alone", async () => {
    const done = await arrive(slice("1.2.3.4.5.61"))
    const [draft] = instancesOf(done)
    const { object, ...value } = draft!.value!
    expect(draft).toMatchObject({
      key: base.person("p"),
      id: base.uid("1.2.3.4.5.61"),
      op: "upsert",
      version: 1n,
      time: 0,
    })
    expect(value).toEqual({
      sopInstanceUid: base.uid("1.2.3.4.5.61"),
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      seriesInstanceUid: base.uid("1.2.3.4.100.1.2"),
      studyInstanceUid: base.uid(study),
      modality: "CT",
      bodyPart: "CHEST",
      instanceNumber: 3,
      profile: expect.stringMatching(/^weir-ps3\.15-\w+-basic$/),
    })
    expect(draft!.headers).toBeUndefined()
    expect(object.key).toBe(`dicom/${base.uid(study)}/${object.sha256}.dcm`)
    const bytes = await outputOf(done)
    expect(bytes.length).toBe(object.size)
    expect(findIdentifiers(bytes, ["Testperson^Alva", "MRN-471147", "ACC-778899", "1.2.3.4.5.61"])).toEqual([])
    expect(dicomText(bytes)).not.toMatch(/Alva|471147|778899|20240229/i)
    const pixels = parseWhole(bytes).dataSet.elements.at(-1)!
    expect([...bytes.subarray(pixels.valueStart, pixels.valueEnd)]).toEqual([1, 0, 2, 0, 3, 0, 4, 0])
    expect(JSON.stringify(done.emitted.map(({ draft: { key, id, value: inner } }) => [key, id, inner]))).not.toMatch(
      /Alva|471147|778899|1\.2\.3\.4|20240229/,
    )
  })

  it("emits the study once each of its instances has a verdict, with counts, and complete if all passed", async () => {
    const emitted = await assemble([
      await border.arrive(slice("1.2.3.4.5.61")),
      await border.arrive(slice("1.2.3.4.5.62")),
    ])
    const records = border.asInputs(emitted)
    const studies = records.filter(({ input }) => input === "studies")
    const [first, second] = records.filter(({ input }) => input === "instances")
    expect((await run(studies)).held).toHaveLength(1)
    expect(studiesOf(await run([first!]))).toEqual([])
    const [draft] = studiesOf(await run([second!]))
    expect(draft).toMatchObject({ key: base.person("p"), id: base.uid(study), op: "upsert", version: 1n, time: 0 })
    expect(draft!.value).toEqual({
      studyInstanceUid: base.uid(study),
      accessionNumber: base.accession("", "ACC-778899"),
      modalities: ["CT"],
      bodyParts: ["CHEST"],
      started: null,
      startedPrecision: "none",
      released: 2,
      refused: 0,
      held: 0,
      refusals: [],
      complete: true,
      profile: expect.stringContaining("basic"),
    })
  })

  it("decides on a study once each instance that it lists is there as it lists it, and takes back at once what left", async () => {
    const before = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"))]))
    const changed = slice("1.2.3.4.5.61", { tag: "00200013", vr: "IS", value: "4" })
    const after = border.asInputs(await assemble([await border.arrive(changed, "p", 2n)]))
    const gone = border.asInputs(await assemble([border.left("1.2.3.4.5.61", 3n)]))
    const only = (records: Batch, input: string) => records.filter((one) => one.input === input)
    await run(only(before, "instances"))
    expect((await run(only(after, "studies"))).emitted).toEqual([])
    const done = await run(only(after, "instances"))
    expect(instancesOf(done).map(({ version, value }) => [version, value!.instanceNumber])).toEqual([[1n, 4]])
    expect(studiesOf(done).map(({ version, value }) => [version, value!.released])).toEqual([[1n, 1]])
    const left = await run(only(gone, "instances"))
    expect(left.emitted.map(({ to, draft }) => [to, draft.op])).toEqual([["instances", "retract"]])
    expect(studiesOf(await run(only(gone, "studies"))).map(({ version, op }) => [version, op])).toEqual([
      [2n, "retract"],
    ])
  })

  it("lets nothing of a study below, and reads nothing of it, before the study says what it is made of", async () => {
    const records = border.asInputs(
      await assemble([
        await border.arrive(slice("1.2.3.4.5.61")),
        await border.arrive(slice("1.2.3.4.5.62", bodyPart("HEAD"))),
      ]),
    )
    const instances = records.filter(({ input }) => input === "instances")
    for (const instance of instances) {
      const done = await run([instance])
      expect([done.emitted, done.failed, done.held.length]).toEqual([[], [], 1])
    }
    expect([border.phi.reads, border.limited.puts]).toEqual([[], []])
    expect(border.counts.get("waiting/study-not-assembled")).toBe(2)
    const done = await run(records.filter(({ input }) => input === "studies"))
    expect(codesOf(done)).toEqual(["refused.face-risk", "refused.face-risk"])
    expect(done.failed.map(({ from: { at, origin } }) => [at, origin])).toEqual(
      instances.map(({ at, origin }) => [at, origin]),
    )
    expect([instancesOf(done), border.limited.puts]).toEqual([[], []])
    expect(border.counts.get("waiting/study-not-assembled")).toBe(0)
  })

  it("drops an arrival that another one replaced before its study came, or that adds nothing", async () => {
    const [first] = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"))]))
    const later = border.asInputs(
      await assemble([await border.arrive(slice("1.2.3.4.5.61", bodyPart("LUNG")), "p", 2n)]),
    )
    await run([first!])
    const replaced = await run([later[0]!])
    expect(replaced.dropped.map(({ from, reason }) => [from.origin, reason])).toEqual([
      [first!.origin, "older-version"],
    ])
    expect(border.counts.get("waiting/study-not-assembled")).toBe(1)
    await run([later[1]!])
    const again = { ...later[0]!, version: 3n, origin: { ...later[0]!.origin, offset: 99n } }
    const listing = later[1]!.value as { instances: object[] }
    const instances = listing.instances.map((one) => ({ ...one, revision: 3 }))
    const done = await run([again, { ...later[1]!, version: 9n, value: { ...listing, instances } }])
    expect(done.emitted).toEqual([])
    expect(done.dropped.map(({ from, reason }) => [from.origin.offset, reason])).toEqual([[99n, "duplicate"]])
  })

  it("fails the step, and no record, when a bucket does not answer; the step is done again", async () => {
    const down = { ...border.phi.objects, bytes: () => Promise.reject(retryable("unreachable", "no answer")) }
    const objects = (zone: string) => (zone === "phi" ? down : border.limited.objects)
    const inputs = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"))]))
    const failing = runStateful(await border.create({}, { objects }), state.copy(), inputs)
    await expect(failing).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
    expect(instancesOf(await run(inputs))).toHaveLength(1)
  })

  it("does a part of the work in each step, and lets a timer that is due drive the rest", async () => {
    const sops = Array.from({ length: 7 }, (_, at) => `1.2.3.4.5.${at + 100}`)
    const inputs = border.asInputs(await assemble(await Promise.all(sops.map((sop) => border.arrive(slice(sop))))))
    const steps = await runToEnd(border.inSlices({ headers: 3, objects: 2 }), state, inputs)
    expect(steps.map((step) => instancesOf(step).length)).toEqual([0, 0, 2, 2, 2, 1])
    expect(steps.map((step) => studiesOf(step).length)).toEqual([0, 0, 0, 0, 0, 1])
    expect(state.timers.size).toBe(0)
    const few = (sop: string) => slice(sop, { tag: "0020000D", vr: "UI", value: `${sop}.9` })
    const others = border.asInputs(await assemble(await Promise.all(sops.map((sop) => border.arrive(few(sop), "q")))))
    const bySize = await runToEnd(border.inSlices({ bytes: 1 }), state, others)
    expect(bySize.map((step) => [instancesOf(step).length, studiesOf(step).length])).toEqual(sops.map(() => [1, 1]))
  })

  it("goes on with the work in each step, as timers only fire while there is nothing to read", async () => {
    const sops = ["1.2.3.4.5.61", "1.2.3.4.5.62"]
    const inputs = border.asInputs(await assemble(await Promise.all(sops.map((sop) => border.arrive(slice(sop))))))
    const other = { tag: "0020000D", vr: "UI", value: "1.2.3.4.100.2" }
    const more = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.63", other))]))
    const made = border.inSlices({ objects: 1 })
    const steps = [inputs, ...more.map((one) => [one])]
    const released: number[] = []
    for (const batch of steps) released.push(instancesOf(await runStateful(made, state, batch)).length)
    expect(released).toEqual([1, 1, 1])
  })

  it("keeps the step's transaction from going idle while objects are read", async () => {
    const inputs = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"))]))
    const [reading, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow = {
      ...border.phi.objects,
      bytes: async (key: string) => (reading.resolve(), await answer.promise, border.phi.objects.bytes(key)),
    }
    made = await border.create({}, { objects: (zone) => (zone === "phi" ? slow : border.limited.objects) })
    const asked: string[] = []
    const get: MemoryState["get"] = (keys) => (asked.push(...keys.map(([key]) => key)), state.get(keys))
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      const done = runStateful(made, { ...state, get } as MemoryState, inputs)
      await reading.promise
      await vi.advanceTimersByTimeAsync(5000)
      answer.resolve()
      expect(instancesOf(await done)).toHaveLength(1)
      expect(asked.filter((key) => key === "~pulse")).toHaveLength(2)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it("tells dates and times shifted by the person's days when that is asked for", async () => {
    options = dates
    const done = await arrive(slice("1.2.3.4.5.61"))
    const started = Date.parse("2024-02-29T10:15:00Z") - base.shiftMs("p")
    expect(studiesOf(done)[0]).toMatchObject({ time: started, value: { started, startedPrecision: "second" } })
    expect(instancesOf(done)[0]).toMatchObject({ time: started, value: { profile: expect.stringContaining("dates") } })
    const bytes = await outputOf(done)
    const day = new Date(started).toISOString().slice(0, 10).replaceAll("-", "")
    expect(summarize({ header: bytes, size: bytes.length })).toMatchObject({ studyDate: day, studyTime: "101500" })
  })

  it("makes each refused instance one dead letter with its reason, and counts it in the study", async () => {
    const burned = slice("1.2.3.4.5.63", { tag: "00080008", vr: "CS", value: ["DERIVED", "SECONDARY"] })
    const done = await arrive(
      slice("1.2.3.4.5.61"),
      slice("1.2.3.4.5.62", { tag: "60000100", vr: "US", value: 16 }),
      burned,
    )
    expect(codesOf(done)).toEqual(["refused.overlay", "refused.burned-in-text-risk"])
    expect(instancesOf(done)).toHaveLength(1)
    expect(studiesOf(done)[0]!.value).toMatchObject({
      released: 1,
      refused: 2,
      refusals: [
        { reason: "burned-in-text-risk", instances: 1 },
        { reason: "overlay", instances: 1 },
      ],
      complete: false,
    })
    expect(border.limited.puts).toHaveLength(1)
  })

  it("quarantines what still holds an identifier of its person, and tells nothing of it", async () => {
    const done = await arrive(slice("1.2.3.4.5.61", { tag: "00181250", vr: "SH", value: "TESTPERSON COIL" }))
    expect(codesOf(done)).toEqual(["refused.identifier-left"])
    expect(done.failed[0]!.error.message).not.toMatch(/testperson/i)
    expect(border.limited.puts).toEqual([])
  })

  it("tells no free text of a refused instance in the study", async () => {
    const overlay = { tag: "60000100", vr: "US", value: 16 }
    const done = await arrive(
      slice("1.2.3.4.5.61", overlay, bodyPart("TESTPERSON"), { tag: "00080060", vr: "CS", value: "ALVA" }),
    )
    expect(studiesOf(done)[0]!.value).toMatchObject({ modalities: [], bodyParts: [], refused: 1 })
  })

  it("refuses records without a person", async () => {
    const [instance] = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"), "")]))
    const done = await run([instance!])
    expect(codesOf(done)).toEqual(["refused.no-person"])
    expect(border.phi.reads).toEqual([])
  })

  describe("decides by series", () => {
    const unknown = (sop: string) => slice(sop, bodyPart())

    it("refuses a series of unknown region, head or neck, and releases it where faces are allowed, and says so", async () => {
      const refused = await arrive(unknown("1.2.3.4.5.61"), slice("1.2.3.4.5.62", bodyPart("HEAD")))
      expect(codesOf(refused)).toEqual(["refused.face-risk", "refused.face-risk"])
      expect(border.limited.puts).toEqual([])
      const other = await border.create({ faces: "allow" })
      const inputs = border.asInputs(await (await assembler())([await border.arrive(unknown("1.2.3.4.5.61"))]))
      const done = await runStateful(other, memoryState(), inputs)
      expect(instancesOf(done)[0]!.value!.profile).toMatch(/ faces-allowed$/)
      expect(dicomText(await outputOf(done))).toContain("faces allowed")
    })

    it("lets the region that some instances state count for the others of the batch", async () => {
      const done = await arrive(unknown("1.2.3.4.5.61"), slice("1.2.3.4.5.62"))
      expect(done.failed).toEqual([])
      expect(instancesOf(done)).toHaveLength(2)
    })

    it("releases what it had refused once the region becomes known", async () => {
      expect(codesOf(await arrive(unknown("1.2.3.4.5.61")))).toEqual(["refused.face-risk"])
      const done = await arrive(slice("1.2.3.4.5.62"))
      expect(instancesOf(done).map(({ op, version }) => [op, version])).toEqual([
        ["upsert", 1n],
        ["upsert", 1n],
      ])
      expect(studiesOf(done).at(-1)).toMatchObject({ version: 2n, value: { released: 2, refused: 0, complete: true } })
      expect(border.counts.get("series-decided-again/instances")).toBe(1)
    })

    it("takes back what it had released once an instance shows a head, and keeps the origin of each", async () => {
      const first = await arrive(slice("1.2.3.4.5.61"))
      const done = await arrive(slice("1.2.3.4.5.62", bodyPart("HEAD")))
      expect(codesOf(done)).toEqual(["refused.face-risk", "refused.face-risk"])
      expect(instancesOf(done).map(({ op, id, version, value, time }) => [op, id, version, value, time])).toEqual([
        ["retract", base.uid("1.2.3.4.5.61"), 2n, null, 0],
      ])
      const [released, retracted] = [first, done].map(
        ({ emitted }) => emitted.find(({ to }) => to === "instances")!.draft.origin,
      )
      expect(retracted).toEqual(released)
      expect(done.failed.map(({ from }) => from.origin)).toContainEqual(released)
      expect(studiesOf(done).at(-1)!.value).toMatchObject({ released: 0, refused: 2 })
    })

    it("releases again, in a new object put, when the instance that showed a head leaves", async () => {
      await arrive(slice("1.2.3.4.5.61"))
      await arrive(slice("1.2.3.4.5.62", bodyPart("HEAD")))
      const puts = border.limited.puts.length
      const done = await run(border.asInputs(await assemble([border.left("1.2.3.4.5.62", 2n)])))
      expect(instancesOf(done).map(({ op, id, version }) => [op, id, version])).toEqual([
        ["upsert", base.uid("1.2.3.4.5.61"), 3n],
      ])
      expect(border.limited.puts.length).toBe(puts + 1)
      expect(studiesOf(done).at(-1)!.value).toMatchObject({ released: 1, refused: 0, complete: true })
    })

    it("takes back what stands before it reads why, and says of each instance once that it is refused", async () => {
      const sops = ["1.2.3.4.5.61", "1.2.3.4.5.62", "1.2.3.4.5.63"]
      await arrive(...sops.map((sop) => slice(sop)))
      const late = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.64", bodyPart("HEAD")))]))
      const steps = await runToEnd(border.inSlices({ objects: 1 }), state, late)
      expect(steps.map((step) => instancesOf(step).map(({ op }) => op))).toEqual([
        ["retract", "retract", "retract"],
        [],
        [],
        [],
      ])
      expect(steps.flatMap(codesOf)).toEqual(Array.from({ length: 4 }, () => "refused.face-risk"))
      const gone = await run(border.asInputs(await assemble([border.left("1.2.3.4.5.64", 2n)])))
      expect(instancesOf(gone).map(({ op }) => op)).toEqual(["upsert", "upsert", "upsert"])
      const head = await arrive(slice("1.2.3.4.5.65", bodyPart("HEAD")))
      expect([instancesOf(head).length, codesOf(head).length]).toEqual([3, 1])
    })

    it("puts again what it had taken back, also when it did not come to say why", async () => {
      const sops = ["1.2.3.4.5.61", "1.2.3.4.5.62", "1.2.3.4.5.63"]
      await arrive(...sops.map((sop) => slice(sop)))
      const late = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.64", bodyPart("HEAD")))]))
      const made = border.inSlices({ objects: 1 })
      const first = await runStateful(made, state, late)
      expect([instancesOf(first).length, codesOf(first).length]).toEqual([3, 1])
      const puts = border.limited.puts.length
      const gone = border.asInputs(await assemble([border.left("1.2.3.4.5.64", 2n)]))
      const steps = await runToEnd(made, state, gone)
      expect(steps.flatMap(instancesOf).map(({ op }) => op)).toEqual(["upsert", "upsert", "upsert"])
      expect(border.limited.puts.length).toBe(puts + 3)
    })

    it("refuses a whole series of which one instance says that text is burned in", async () => {
      await arrive(slice("1.2.3.4.5.61"))
      const done = await arrive(slice("1.2.3.4.5.62", { tag: "00280301", vr: "CS", value: "YES" }))
      expect(codesOf(done)).toEqual(["refused.burned-in-text-risk", "refused.burned-in-text-risk"])
      expect(instancesOf(done).map(({ op }) => op)).toEqual(["retract"])
    })

    it("does not let one series decide another", async () => {
      const other = { tag: "0020000E", vr: "UI", value: "1.2.3.4.100.1.9" }
      const done = await arrive(slice("1.2.3.4.5.61"), slice("1.2.3.4.5.62", bodyPart("HEAD"), other))
      expect(codesOf(done)).toEqual(["refused.face-risk"])
      expect(instancesOf(done)).toHaveLength(1)
    })
  })

  it("makes the next revision of a study for a late instance", async () => {
    await arrive(slice("1.2.3.4.5.61"))
    const done = await arrive(slice("1.2.3.4.5.62"))
    expect(studiesOf(done).map(({ version, value }) => [version, value!.released])).toEqual([[2n, 2]])
  })

  it("retracts below what is retracted above, and numbers on when it comes back", async () => {
    await arrive(slice("1.2.3.4.5.61"))
    const gone = await run(border.asInputs(await assemble([border.left("1.2.3.4.5.61", 2n)])))
    expect(gone.emitted.map(({ to, draft }) => [to, draft.op, draft.version, draft.value, draft.time])).toEqual([
      ["instances", "retract", 2n, null, 0],
      ["studies", "retract", 2n, null, 0],
    ])
    const back = await run(border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"), "p", 3n)])))
    expect(back.emitted.map(({ to, draft }) => [to, draft.op, draft.version])).toEqual([
      ["instances", "upsert", 3n],
      ["studies", "upsert", 3n],
    ])
  })

  it("re-makes a study that a merge moved under the other pseudonym and shift", async () => {
    options = dates
    const bytes = slice("1.2.3.4.5.61")
    const before = await arrive(bytes)
    const moved = await run(
      border.asInputs(await assemble([border.left("1.2.3.4.5.61", 2n), await border.arrive(bytes, "q")])),
    )
    const rows = moved.emitted.map(({ to, draft }) => `${to} ${draft.op} ${draft.key} ${draft.version}`)
    expect(rows.sort()).toEqual(
      [
        `instances retract ${base.person("p")} 2`,
        `instances upsert ${base.person("q")} 1`,
        `studies retract ${base.person("p")} 2`,
        `studies upsert ${base.person("q")} 1`,
      ].sort(),
    )
    const text = dicomText(
      await border.limited.objects.bytes(instancesOf(moved).find(({ op }) => op === "upsert")!.value!.object.key),
    )
    expect(text).toContain(base.person("q"))
    expect(text).not.toContain(base.person("p"))
    expect(instancesOf(before)[0]!.id).toBe(instancesOf(moved)[0]!.id)
  })

  it("does not read again what was decided with the same bytes, person and series", async () => {
    const emitted = await assemble([await border.arrive(slice("1.2.3.4.5.61"))])
    await run(border.asInputs(emitted))
    const reads = border.phi.reads.length
    const newer = emitted.map((one) => ({ ...one, draft: { ...one.draft, version: one.draft.version + 5n } }))
    const done = await run(border.asInputs(newer))
    expect(done.emitted).toEqual([])
    expect(done.held).toHaveLength(2)
    expect(border.phi.reads.length).toBe(reads)
  })

  it("drops repeats and older versions", async () => {
    const inputs = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.61"))]))
    await run(inputs)
    const again = await run(inputs.map((one) => ({ ...one })))
    expect(again.dropped.map(({ reason }) => reason)).toEqual(["duplicate", "duplicate"])
    const older = await run(inputs.map((one) => ({ ...one, version: 0n })))
    expect(older.dropped.map(({ reason }) => reason)).toEqual(["older-version", "older-version"])
  })

  it("makes a dead letter of an instance whose object is gone or is another, and goes on", async () => {
    const emitted = await assemble([
      await border.arrive(slice("1.2.3.4.5.61")),
      await border.arrive(slice("1.2.3.4.5.62")),
      await border.arrive(slice("1.2.3.4.5.63")),
    ])
    const inputs = border.asInputs(emitted)
    const keys = inputs.flatMap(({ input, value }) =>
      input === "instances" ? [(value as { object: { key: string } }).object.key] : [],
    )
    await border.phi.objects.delete([keys[0]!])
    await border.phi.objects.put(keys[1]!, slice("1.2.3.4.5.69"))
    const done = await run(inputs)
    expect(codesOf(done)).toEqual(["object-missing", "refused.object-mismatch"])
    expect(studiesOf(done)[0]!.value).toMatchObject({ released: 1, refused: 2 })
    await border.arrive(slice("1.2.3.4.5.61"))
    const next = await arrive(slice("1.2.3.4.5.64"))
    expect(codesOf(next)).toEqual([])
    expect(instancesOf(next)).toHaveLength(2)
  })

  it("tries an instance anew whose dead letter is replayed, once its study lists it", async () => {
    const bytes = slice("1.2.3.4.5.61")
    const inputs = border.asInputs(
      await assemble([await border.arrive(bytes), await border.arrive(slice("1.2.3.4.5.62"))]),
    )
    const [instance] = inputs
    const { key } = (instance!.value as { object: { key: string } }).object
    await border.phi.objects.delete([key])
    expect(codesOf(await run(inputs))).toEqual(["object-missing"])
    const replayed = (offset: bigint) => ({ ...instance!, at: { topic: "p.replay.images", partition: 0, offset } })
    const again = await run([replayed(0n)])
    expect(again.failed.map(({ from }) => from.at)).toEqual([replayed(0n).at])
    await border.phi.objects.put(key, bytes)
    const done = await run([replayed(1n)])
    expect(instancesOf(done).map(({ op, origin }) => [op, origin])).toEqual([["upsert", instance!.origin]])
    expect(studiesOf(done)[0]!.value).toMatchObject({ released: 2, refused: 0 })
    expect((await run([replayed(2n)])).dropped.map(({ reason }) => reason)).toEqual(["duplicate"])
    expect(border.counts.get("waiting/study-not-assembled")).toBe(0)
  })

  it("passes the pixel data of a large object through in pieces", async () => {
    const side = 2600
    const large = slice(
      "1.2.3.4.5.61",
      { tag: "00280010", vr: "US", value: side },
      { tag: "00280011", vr: "US", value: side },
      { tag: "7FE00010", vr: "OW", value: new Uint8Array(side * side * 2).fill(5) },
      { tag: "FFFCFFFC", vr: "OB", value: Uint8Array.of(0, 0) },
    )
    const done = await arrive(large)
    const { object } = instancesOf(done)[0]!.value!
    expect(object.size).toBeGreaterThan(13_000_000)
    const pixels = parseWhole(await border.limited.objects.bytes(object.key)).dataSet.elements.find(
      ({ tag }) => tag === 0x7fe00010,
    )!
    expect(pixels.valueEnd - pixels.valueStart).toBe(side * side * 2)
  })

  it("does not start with another key or other options than its state was made with", async () => {
    await arrive(slice("1.2.3.4.5.61"))
    const next = border.asInputs(await assemble([await border.arrive(slice("1.2.3.4.5.62"))]))
    for (const other of [
      await border.create({ faces: "allow" }),
      await border.create({}, { secret: () => new Uint8Array(32).fill(1) }),
    ])
      await expect(runStateful(other, state, next)).rejects.toMatchObject({ meaning: "fatal", code: "policy-changed" })
  })

  it("does not start with a short key, or with outputs of two zones", async () => {
    await expect(border.create({}, { secret: () => new Uint8Array(16) })).rejects.toMatchObject({
      code: "key-too-short",
    })
    const outputs = { studies: { topic: "a", zone: "clean" }, instances: { topic: "b", zone: "limited" } } as const
    await expect(border.create({}, { outputs })).rejects.toMatchObject({ code: "zones-differ" })
  })

  it("keeps true dates only for outputs in zone limited, and never beside modified ones", async () => {
    const full = { "retain-longitudinal-full-dates": true }
    const clean = { studies: { topic: "a", zone: "clean" }, instances: { topic: "b", zone: "clean" } } as const
    await expect(border.create(full, { outputs: clean })).rejects.toMatchObject({ code: "profile-not-limited" })
    const both = { ...full, "retain-longitudinal-modified-dates": true }
    await expect(border.create(both)).rejects.toMatchObject({ code: "options-conflict" })
    expect(Schema.decodeUnknownExit(deidentifyDicom.options)({ key: "k", ...both })).toMatchObject({ _tag: "Failure" })
    expect(Schema.decodeUnknownExit(deidentifyDicom.options)({ key: "k", ...full })).toMatchObject({ _tag: "Success" })
    options = full
    const done = await arrive(slice("1.2.3.4.5.61"))
    expect(instancesOf(done)[0]!.value).toMatchObject({ profile: expect.stringContaining("full-dates") as string })
  })

  it("keeps UIDs where that is asked for, but not in the names of objects", async () => {
    options = { "retain-uids": true }
    const done = await arrive(slice("1.2.3.4.5.61"))
    expect(instancesOf(done)[0]).toMatchObject({ id: "1.2.3.4.5.61", value: { studyInstanceUid: study } })
    expect(studiesOf(done)[0]!.id).toBe(study)
    expect(instancesOf(done)[0]!.value!.object.key).not.toContain(study)
  })
})
