import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Schema, defineTransform, port } from "../../core/index.ts"
import { weirVersion } from "../../core/package-version.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World, reading } from "./world.ts"

const pipeline = (sink = "{ use: postgres, from: [kept, late] }") => `
name: again
topics:
  raw: { zone: phi, partitions: 2 }
  kept: { zone: phi, partitions: 2 }
  late: { zone: phi, partitions: 2 }
sources: { feed: { use: numbers, to: raw } }
stages:
  check: { from: raw, through: [{ use: checked }, { use: again }], to: kept }
  fold: { from: raw, through: [{ use: latest }], to: late }
sinks:
  table: ${sink}
`
const count = "select count(*)::int as n from phi.kept"

describe("replaying dead letters", { timeout: 60_000 }, () => {
  let world: World
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  afterEach(() => world.close())

  it("gives what failed to its stage again, once the fault is mended, and only that", async () => {
    world = await World.open(pipeline(), server)
    world.count = 200
    world.faults = (plugin, number) =>
      ({
        checked: number === 7 ? "fail" : undefined,
        again: number === 50 ? "throw" : undefined,
        latest: number % 100 === 9 ? "fail" : undefined,
      })[plugin] as never
    await world.run()
    expect(await world.rows(count)).toEqual([{ n: 198 }])
    const before = await world.letters()
    expect(before.map(({ stage, code, state }) => [stage, code, state]).sort()).toEqual([
      ["check", "failed", "open"],
      ["check", "thrown", "open"],
      ["fold", "failed", "open"],
      ["fold", "failed", "open"],
    ])

    const key = before.find(({ code }) => code === "thrown")!.key!
    const { out } = await world.weir("dead-letters", "show", world.file, key, "--json")
    expect(JSON.parse(out)).toMatchObject({
      plugin: "checked",
      version: weirVersion(),
      ordinal: 0,
      attempt: 1,
      state: "open",
    })

    const dry = await world.weir("dead-letters", "replay", world.file, "--stage", "check", "--dry-run")
    expect(dry.out).toMatch(/check +would-be-replayed +2/)
    expect((await world.letters()).every(({ state }) => state === "open")).toBe(true)

    world.faults = () => undefined
    const asked = await world.weir("dead-letters", "replay", world.file, "--stage", "check")
    expect(asked.out).toMatch(/check +pending +2/)
    const twice = await world.weir("dead-letters", "replay", world.file, "--stage", "check")
    expect(twice.out).toContain("no open dead letters were chosen")
    await world.run()
    expect(await world.rows(count)).toEqual([{ n: 200 }])
    expect((await world.letters()).map(({ stage, state }) => [stage, state]).sort()).toEqual([
      ["check", "fixed"],
      ["check", "fixed"],
      ["fold", "open"],
      ["fold", "open"],
    ])

    await world.weir("dead-letters", "replay", world.file)
    await world.run()
    expect(await world.rows("select count(*)::int as n, max(_version)::int as v from phi.late")).toEqual([
      { n: 200, v: 1 },
    ])
    expect((await world.letters()).every(({ state }) => state === "fixed")).toBe(true)
  })

  it("are chosen by code and by time, and replayed alone", async () => {
    world = await World.open(pipeline(), server)
    world.count = 100
    world.faults = (plugin, number) =>
      ({ checked: number === 7 ? "fail" : undefined, again: number === 50 ? "throw" : undefined })[plugin] as never
    await world.run()
    world.faults = () => undefined
    const [day, tomorrow] = [0, 86_400_000].map((ms) => new Date(Date.now() + ms).toISOString())
    const list = async (...by: string[]) =>
      (
        JSON.parse((await world.weir("dead-letters", "list", world.file, "--json", ...by)).out) as { code: string }[]
      ).map(({ code }) => code)
    expect(await list("--code", "thrown")).toEqual(["thrown"])
    expect((await list("--since", day!.slice(0, 10))).sort()).toEqual(["failed", "thrown"])
    expect(await list("--since", tomorrow!)).toEqual([])
    const none = await world.weir("dead-letters", "replay", world.file, "--since", tomorrow!)
    expect(none.out).toContain("no open dead letters were chosen")
    await world.weir("dead-letters", "replay", world.file, "--code", "thrown")
    await world.run()
    expect((await world.letters()).map(({ code, state }) => `${code} ${state}`).sort()).toEqual([
      "failed open",
      "thrown fixed",
    ])
    expect(await world.rows(count)).toEqual([{ n: 99 }])
  })

  it("are one for each output of an input that failed, by ordinal, and their input comes again once", async () => {
    const twice = `
name: again
topics: { raw: { zone: phi, partitions: 2 }, kept: { zone: phi, partitions: 2 } }
sources: { feed: { use: numbers, to: raw } }
stages: { check: { from: raw, through: [{ use: doubled }, { use: checked }], to: kept } }
sinks: { table: { use: postgres, from: kept } }
`
    world = await World.open(twice, server)
    world.count = 20
    const number = (record: { readonly value: unknown }) => (record.value as { number: number }).number
    const doubled = defineTransform({
      name: "doubled",
      summary: "Gives each number, and its negative.",
      options: Schema.Struct({}),
      inputs: { in: port(reading, "key") },
      outputs: { out: port(reading, "key") },
      create: async () => ({
        apply: (batch, out) => {
          for (const record of batch)
            for (const sign of [1, -1]) {
              const value = { name: `n${sign * number(record)}`, number: sign * number(record) }
              out.emit("out", record, { ...record, id: value.name, value })
            }
        },
      }),
    })
    world.builtIns = [...world.plugins, doubled]
    world.faults = (plugin, at) => (plugin === "checked" && Math.abs(at) === 7 ? "fail" : undefined)
    await world.run()
    const letters = await world.letters()
    expect(letters.map(({ key }) => key!.split("|").at(-1)).sort()).toEqual(["0", "1"])
    expect(new Set(letters.map(({ input }) => input)).size).toBe(1)
    world.faults = () => undefined
    expect((await world.weir("dead-letters", "replay", world.file)).out).toMatch(/check +pending +2/)
    await world.run()
    expect((await world.letters()).map(({ state }) => state)).toEqual(["fixed", "fixed"])
    // 0 and its negative are one row.
    expect(await world.rows("select count(*)::int as n, max(_version)::int as v from phi.kept")).toEqual([
      { n: 39, v: 1 },
    ])
  })

  it("tells what failed again, as a dead letter of its own that can be replayed like the first", async () => {
    world = await World.open(pipeline(), server)
    world.count = 40
    world.faults = (plugin, number) => (plugin === "checked" && number === 7 ? "fail" : undefined)
    await world.run()
    await world.weir("dead-letters", "replay", world.file)
    await world.run()
    const letters = await world.letters()
    expect(letters.map(({ state }) => state)).toEqual(["failed-again", "open"])
    const { out } = await world.weir("dead-letters", "show", world.file, letters[1]!.key!, "--json")
    expect(JSON.parse(out)).toMatchObject({ attempt: 2, replayOf: letters[0]!.key, origin: letters[0]!.origin })
    world.faults = () => undefined
    await world.weir("dead-letters", "replay", world.file)
    await world.run()
    expect((await world.letters()).map(({ state }) => state)).toEqual(["fixed", "fixed"])
    expect(await world.rows(count)).toEqual([{ n: 40 }])
  })

  it("replays what a sink refused, into the same table, with a position of its own", async () => {
    world = await World.open(pipeline(), server)
    world.count = 100
    const nul = (number: number) => (number === 33 ? `bad\u0000` : `n${number}`)
    world.nameOf = nul
    await world.run()
    expect(await world.rows(count)).toEqual([{ n: 99 }])
    expect((await world.letters()).map(({ stage, code }) => [stage, code])).toEqual([
      ["table", "nul-character"],
      ["table", "nul-character"],
    ])
    // The row is still what it was, so it is refused again: through the replay topic, as itself.
    await world.weir("dead-letters", "replay", world.file)
    await world.run()
    expect((await world.letters()).map(({ state }) => state)).toEqual(["failed-again", "failed-again", "open", "open"])
    expect(await world.rows(count)).toEqual([{ n: 99 }])
  })

  it("finds the rows over which a sink throws as a whole, in order, and replays them under the topic of their own", async () => {
    world = await World.open(pipeline("{ use: memory, from: kept }"), server)
    world.count = 300
    world.faults = (plugin, number) => (plugin === "memory" && [4, 5, 250].includes(number) ? "throw" : undefined)
    await world.run()
    const all = () => world.written.flatMap(({ numbers }) => numbers)
    expect(all().toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, at) => at).filter((at) => ![4, 5, 250].includes(at)),
    )
    for (const key of Array.from({ length: 50 }, (_, at) => at)) {
      const ofKey = all().filter((number) => number % 50 === key)
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
    }
    world.faults = () => undefined
    await world.weir("dead-letters", "replay", world.file)
    world.written.length = 0
    await world.run()
    expect(all().toSorted((a, b) => a - b)).toEqual([4, 5, 250])
    expect(new Set(world.written.map(({ span }) => span.topic))).toEqual(new Set(["again.replay.table.kept"]))
    const listed = JSON.parse((await world.weir("topic", "ls", world.file, "--json")).out) as Record<string, string>[]
    const kept = listed.find(({ topic }) => topic === "kept")
    expect(listed.filter(({ topic }) => topic!.includes(".replay."))).toEqual([
      { ...kept, topic: "again.replay.table.kept", messages: expect.stringMatching(/^[1-9]/) },
    ])
  })

  it("says of an input that is gone that it expired, and of a source's that the file is to be mended", async () => {
    world = await World.open(pipeline().replace("raw: { zone: phi,", "raw: { zone: phi, compact: true,"), server)
    world.count = 20
    world.faults = (plugin, number) => (plugin === "checked" && number === 7 ? "fail" : undefined)
    await world.run()
    const { withLog } = await import("../../cli/ports.ts")
    const { loadPipeline } = await import("../../cli/load.ts")
    const { drivers } = await import("../../main.ts")
    const { deadLetterMessage } = await import("../../core/engine/dead-letter.ts")
    const { pipeline: compiled } = await loadPipeline(
      world.file,
      { builtIns: world.plugins },
      { environment: world.environment },
    )
    // As after retention: the place that the dead letter names is beyond what is there.
    await withLog(compiled, { drivers }, async (log) => {
      const writer = await log.writer("test")
      const base = {
        plugin: "p",
        version: "1",
        ordinal: 0,
        code: "old",
        path: undefined,
        message: "m",
        attempt: 1,
        time: 0,
      }
      const letters = [
        { ...base, stage: "check", origin: "raw[0]@90000", input: "raw[0]@90000" },
        { ...base, stage: "feed", origin: "feed:a.ndjson:3", input: "a.ndjson:3" },
        { ...base, stage: "gone", origin: "raw[0]@1", input: "raw[0]@1" },
      ]
      await writer.transact([{ topic: "again.dead-letters", partition: 0, messages: letters.map(deadLetterMessage) }])
    })
    const { out } = await world.weir("dead-letters", "replay", world.file)
    expect(out).toMatch(/check +expired +1 .*retention or compaction/)
    expect(out).toMatch(/feed +source +1 .*mend the file/)
    expect(out).toMatch(/gone +no-such-stage +1/)
    expect(out).toMatch(/check +pending +1/)
    expect(out).not.toContain("a.ndjson")
  })

  it("counts an arrival as released once its replay was", async () => {
    world = await World.open(
      pipeline("{ use: memory, from: kept }")
        .replace("kept: { zone: phi", "kept: { zone: limited")
        .replace("{ use: checked }, { use: again }", "{ use: border }"),
      server,
    )
    world.count = 20
    world.faults = (plugin, number) => (plugin === "border" && number === 7 ? "fail" : undefined)
    expect((await world.run()).fates).toMatchObject({ raw: { arrived: 20, released: 19, dead: { failed: 1 } } })
    world.faults = () => undefined
    await world.weir("dead-letters", "replay", world.file)
    expect((await world.run()).fates).toMatchObject({ raw: { arrived: 20, released: 20, dead: {} } })
  })

  it("works while the pipeline runs, and reports what passed", async () => {
    world = await World.open(pipeline(), server)
    world.count = 60
    world.faults = (plugin, number) => (plugin === "checked" && number === 7 ? "fail" : undefined)
    await world.run()
    world.faults = () => undefined
    const stop = new AbortController()
    const running = world.weirUntil(stop.signal, "run", world.file)
    try {
      const { withLog } = await import("../../cli/ports.ts")
      const { loadPipeline } = await import("../../cli/load.ts")
      const { drivers } = await import("../../main.ts")
      const { pipeline: compiled } = await loadPipeline(
        world.file,
        { builtIns: world.plugins },
        { environment: world.environment },
      )
      await withLog(compiled, { drivers }, async (log) => {
        while ((await log.members("again.check")) === 0) await new Promise((resolve) => setImmediate(resolve))
      })
      const { out } = await world.weir("dead-letters", "replay", world.file)
      expect(out).toMatch(/check +fixed +1/)
    } finally {
      stop.abort()
      await running
    }
  })
})
