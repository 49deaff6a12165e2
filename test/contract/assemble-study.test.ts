import { beforeEach, describe, expect, it } from "vitest"
import type { DicomInstance, PersonEvent, Study, Timer } from "../../core/index.ts"
import { assembleStudy } from "../../transforms/study/index.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"
import type { Collected, MemoryState } from "../kit/index.ts"

function instanceEvent(sop: string, more: Partial<DicomInstance> = {}, version = 1n, key = "p") {
  const instance: DicomInstance = {
    object: { key: `k/${sop}`, size: 1, sha256: `sha-${sop}`, transferSyntax: "1.2.840.10008.1.2.1" },
    sopInstanceUid: sop,
    sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
    seriesInstanceUid: "7.1",
    studyInstanceUid: "7",
    patientId: "100",
    issuerOfPatientId: "HOSP",
    accessionNumber: "A1",
    accessionIssuer: "",
    modality: "CT",
    bodyPart: "CHEST",
    studyDate: "20200102",
    studyTime: "030405",
    timezoneOffset: "+0100",
    imageType: [],
    burnedInAnnotation: null,
    conversionType: null,
    seriesNumber: null,
    instanceNumber: null,
    expectedInstances: null,
    expectedSeriesInstances: null,
    rows: null,
    columns: null,
    frames: null,
    file: "a.dcm",
    ...more,
  }
  const value: PersonEvent = {
    kind: "instance",
    subtype: "dicom",
    name: sop,
    source: "dicom",
    sourceVersion: "1",
    instance,
    body: null,
    codes: [],
    identifiers: [],
    birthDate: null,
    flags: [],
  }
  return record({ key, id: `instance/dicom/${sop}`, version, value, time: 5 })
}

const left = (sop: string, version: bigint, key = "p") =>
  record({ key, id: `instance/dicom/${sop}`, version, op: "retract" as const, value: null, time: 9 })

describe("assemble-study", () => {
  let state: MemoryState
  let counts: Map<string, number>
  let run: (batch: readonly unknown[], fired?: readonly Timer[]) => Promise<Collected>
  const studies = ({ emitted }: Collected) =>
    emitted.filter(({ to }) => to === "studies").map(({ draft }) => ({ ...draft, value: draft.value as Study | null }))
  const instances = ({ emitted }: Collected) =>
    emitted.filter(({ to }) => to === "instances").map(({ draft }) => `${draft.op} ${draft.id} ${draft.version}`)
  const quiet = async (): Promise<Collected> => {
    const all: Collected = { emitted: [], held: [], dropped: [], failed: [], made: [] }
    for (let fired = state.due("quiet", Infinity); fired.length > 0; fired = state.due("quiet", Infinity))
      all.emitted.push(...(await run([], fired)).emitted)
    return all
  }

  beforeEach(async () => {
    state = memoryState(1000)
    counts = new Map()
    const context = testContext({ count: (name, label, by = 1) => counts.set(`${name}/${label}`, by) })
    const made = await assembleStudy.create({ quiet: "60s", "time-zone": "Z" }, context)
    run = (batch, fired) => runStateful(made, state, batch as never, fired)
  })

  it("emits instances as they come and the study once it has been quiet", async () => {
    const first = await run([instanceEvent("2"), instanceEvent("1")])
    expect(instances(first)).toEqual(["upsert 2 1", "upsert 1 1"])
    expect(studies(first)).toEqual([])
    expect([...state.timers.values()].map(({ due, clock }) => [due, clock])).toEqual([[61_000, "quiet"]])
    const [study] = studies(await quiet())
    expect(study).toMatchObject({ key: "p", id: "7", op: "upsert", version: 1n })
    expect(study!.time).toBe(Date.parse("2020-01-02T02:04:05Z"))
    expect(study!.value).toEqual({
      studyInstanceUid: "7",
      accessionNumber: "A1",
      accessionIssuer: "",
      modalities: ["CT"],
      bodyParts: ["CHEST"],
      started: Date.parse("2020-01-02T02:04:05Z"),
      startedPrecision: "second",
      series: [{ seriesInstanceUid: "7.1", modality: "CT", bodyPart: "CHEST", instances: 2 }],
      instances: [
        { sopInstanceUid: "1", revision: 1 },
        { sopInstanceUid: "2", revision: 1 },
      ],
      expectedInstances: null,
      complete: true,
    })
  })

  it("tells since when a study waits: from the first change that is not emitted, however often more comes", async () => {
    await run([instanceEvent("1")])
    state.setNow(30_000)
    await run([instanceEvent("2")])
    const early = state.due("quiet", 61_000)
    expect(early.map(({ since }) => since)).toEqual([1000])
    await run([], early)
    expect([...state.timers.values()].map(({ due, since }) => [due, since])).toEqual([[90_000, 1000]])
    expect(studies(await quiet())).toHaveLength(1)
    await run([instanceEvent("3")])
    expect([...state.timers.values()].map(({ since }) => since)).toEqual([30_000])
  })

  it("does not wait once the expected count is there", async () => {
    await run([instanceEvent("1", { expectedInstances: 2 })])
    const done = await run([instanceEvent("2", { expectedInstances: 2 })])
    expect(studies(done).map(({ version, value }) => [version, value!.complete])).toEqual([[1n, true]])
    expect(state.timers.size).toBe(0)
    expect(studies(await quiet())).toEqual([])
  })

  it("says that a study is not complete when it went quiet below the expected count", async () => {
    await run([instanceEvent("1", { expectedInstances: 5 })])
    expect(studies(await quiet()).map(({ value }) => value!.complete)).toEqual([false])
  })

  it("makes the next revision of a late instance", async () => {
    await run([instanceEvent("1", { expectedInstances: 1 })])
    const late = await run([instanceEvent("2", { expectedInstances: 1 })])
    expect(studies(late)).toEqual([])
    const [study] = studies(await quiet())
    expect([study!.version, study!.value!.instances.length]).toEqual([2n, 2])
  })

  it("waits on while instances still come", async () => {
    await run([instanceEvent("1")])
    state.setNow(50_000)
    await run([instanceEvent("2")])
    state.setNow(61_000)
    const early = await run([], state.due("quiet", 61_000))
    expect(studies(early)).toEqual([])
    expect(state.due("quiet", 109_999)).toEqual([])
    expect(studies(await run([], state.due("quiet", 110_000)))).toHaveLength(1)
  })

  it("takes out instances that a merge took away, and retracts a study that has none left", async () => {
    await run([instanceEvent("1"), instanceEvent("2")])
    await quiet()
    const one = await run([left("1", 2n)])
    expect(instances(one)).toEqual(["retract 1 2"])
    expect(studies(await quiet()).map(({ version, value }) => [version, value!.instances])).toEqual([
      [2n, [{ sopInstanceUid: "2", revision: 1 }]],
    ])
    const none = await run([left("2", 2n)])
    expect(studies(none).map(({ op, version, value }) => [op, version, value])).toEqual([["retract", 3n, null]])
    await run([instanceEvent("2", {}, 3n)])
    expect(studies(await quiet()).map(({ op, version }) => [op, version])).toEqual([["upsert", 4n]])
  })

  it("moves an instance that a newer version puts into another study", async () => {
    await run([instanceEvent("1")])
    await quiet()
    const moved = await run([instanceEvent("1", { studyInstanceUid: "8" }, 2n)])
    expect(instances(moved)).toEqual(["upsert 1 2"])
    expect(studies(moved).map(({ op, id }) => `${op} ${id}`)).toEqual(["retract 7"])
    expect(studies(await quiet()).map(({ op, id }) => `${op} ${id}`)).toEqual(["upsert 8"])
  })

  it("lets the newest of one SOP Instance UID stand and counts the other", async () => {
    await run([instanceEvent("1")])
    const done = await run([instanceEvent("1", { bodyPart: "HEAD" }, 3n), instanceEvent("1", { bodyPart: "FOOT" }, 2n)])
    expect(done.dropped.map(({ reason }) => reason)).toEqual(["older-version"])
    expect(counts.get("instances-replaced/different-content")).toBe(1)
    expect(studies(await quiet())[0]!.value!.bodyParts).toEqual(["HEAD"])
  })

  it("does not bring back what was retracted before it came", async () => {
    await run([left("1", 2n)])
    const done = await run([instanceEvent("1")])
    expect(done.emitted).toEqual([])
    expect(done.dropped.map(({ reason }) => reason)).toEqual(["older-version"])
  })

  it("says the start that is stated most finely, of several the earliest", async () => {
    const start = async (...times: (string | null)[]) => {
      await run(times.map((studyTime, at) => instanceEvent(`${at}`, { studyTime }, BigInt(++revision))))
      const { started, startedPrecision } = studies(await quiet()).at(-1)!.value!
      return `${new Date(started!).toISOString()} ${startedPrecision}`
    }
    let revision = 0
    expect(await start("12", "1130", null)).toBe("2020-01-02T10:30:00.000Z minute")
    expect(await start("1201", "1130", null)).toBe("2020-01-02T10:30:00.000Z minute")
    expect(await start(null, null, "not a time")).toBe("2020-01-01T23:00:00.000Z day")
  })

  it("takes the time that the source read, at the precision of the study time", async () => {
    const own = memoryState()
    const made = await assembleStudy.create({}, testContext())
    await runStateful(made, own, [instanceEvent("1", { studyTime: "10", timezoneOffset: null })] as never)
    const done = await runStateful(made, own, [], own.due("quiet", Infinity))
    expect(studies(done)[0]!.value).toMatchObject({ started: 5, startedPrecision: "hour" })
  })

  it("forgets the count that only an instance expected which left", async () => {
    await run([instanceEvent("1", { expectedInstances: 9 }), instanceEvent("2")])
    await quiet()
    await run([left("1", 2n)])
    expect(studies(await quiet()).map(({ value }) => value!.complete)).toEqual([true])
    const done = await run([instanceEvent("3", { expectedInstances: 2 })])
    expect(studies(done).map(({ value }) => value!.complete)).toEqual([true])
  })

  it("passes over persons and resources", async () => {
    const done = await run([record({ key: "p", id: "resource/Observation/o", value: null, op: "retract" as const })])
    expect(done.dropped.map(({ reason }) => reason)).toEqual(["not-read"])
  })

  it("writes the same few rows for a late instance, however large the study is", async () => {
    const writes = async (size: number): Promise<number> => {
      const own = memoryState()
      const made = await assembleStudy.create({}, testContext())
      const many = Array.from({ length: size }, (_, at) => instanceEvent(`${at}`))
      await runStateful(made, own, many as never)
      await runStateful(made, own, [], own.due("quiet", Infinity))
      let written = 0
      let scans = 0
      const counted = {
        ...own,
        put: (rows: never[]) => ((written += JSON.stringify(rows).length), own.put(rows)),
        scan: (ranges: never[]) => (scans++, own.scan(ranges)),
      } as unknown as MemoryState
      await runStateful(made, counted, [instanceEvent("x")] as never)
      expect(scans).toBeLessThanOrEqual(1)
      return written
    }
    expect(Math.abs((await writes(5000)) - (await writes(5)))).toBeLessThan(20)
  })

  it("refuses a quiet time that is no duration", async () => {
    await expect(assembleStudy.create({ quiet: "soon" }, testContext())).rejects.toMatchObject({
      code: "duration-unreadable",
    })
  })
})
