import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World } from "./world.ts"

const pipeline = (stages = "", sink = "kept") => `
name: places
topics:
  raw: { zone: phi, partitions: 2 }
  kept: { zone: phi, partitions: 2 }
  late: { zone: phi, partitions: 2 }
sources: { feed: { use: numbers, to: raw } }
stages:
${stages || standard}
sinks:
  table: { use: postgres, from: [${sink}, late] }
  mind: { use: memory, from: kept }
`
const standard = `
  check: { from: raw, through: [{ use: checked }], to: kept }
  fold: { from: raw, through: [{ use: latest }], to: late }`

describe("positions", { timeout: 60_000 }, () => {
  let world: World
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  afterEach(() => world.close())

  const show = async () =>
    JSON.parse((await world.weir("position", "show", world.file, "--json")).out) as readonly {
      readonly name: string
      readonly topic: string
      readonly partition: number
      readonly position: string
      readonly end: string
      readonly lag: string
    }[]

  it("are shown, and set, for stages with and without state and for sinks of both kinds", async () => {
    world = await World.open(pipeline(), server)
    world.count = 100
    await world.run()
    const rows = await show()
    const inputs = rows.filter(({ topic }) => !topic.includes(".replay."))
    expect(inputs.map(({ name, topic }) => `${name} ${topic}`)).toEqual(
      expect.arrayContaining(["check raw", "fold raw", "table kept", "table late", "mind kept"]),
    )
    expect(inputs.every(({ position, end }) => position === end)).toBe(true)
    expect(rows.filter(({ topic }) => topic.includes(".replay.")).every(({ lag }) => lag === "0")).toBe(true)

    for (const [name, place] of [
      ["check", "raw[0]"],
      ["fold", "raw[0]"],
      ["table", "kept[0]"],
      ["mind", "kept[0]"],
    ] as const) {
      const set = await world.weir("position", "set", world.file, name, place, "start")
      expect([set.code, set.err]).toEqual([0, ""])
      expect(set.out).toMatch(/ to 0\n$/)
    }
    const back = (await show()).filter(({ topic, partition }) => partition === 0 && !topic.includes(".replay."))
    expect(back.map(({ name, topic, position }) => [`${name} ${topic}`, position === "0"])).toEqual([
      ["check raw", true],
      ["fold raw", true],
      ["table kept", true],
      ["table late", false],
      ["mind kept", true],
    ])
    expect(await world.audited()).toEqual(["position set", "position set", "position set", "position set"])
    world.written.length = 0
    await world.run()
    // What comes again is there once, and a stage with state counts it as the change that it is to it.
    expect(await world.rows("select count(*)::int as n from phi.kept")).toEqual([{ n: 100 }])
    expect(world.written.flatMap(({ numbers }) => numbers).length).toBeGreaterThan(20)
    expect(await world.rows("select max(_version)::int as v from phi.late")).toEqual([{ v: 2 }])
  })

  it("are refused where there is nothing, or while somebody runs", async () => {
    world = await World.open(pipeline(), server)
    world.count = 10
    await world.run()
    const set = (...argv: string[]) => world.weir("position", "set", world.file, ...argv)
    expect((await set("chek", "raw[0]", "start")).err).toContain("did you mean")
    expect((await set("check", "raw", "start")).err).toContain("raw[0]")
    expect((await set("check", "raw[2]", "start")).err).toContain("has 2 partitions")
    expect((await set("check", "raw[0]", "99")).err).toMatch(/holds 0 to \d+; 99 is not in it/)
    expect(await set("check", "raw[0]", "soon")).toMatchObject({ code: 64 })
    const stop = new AbortController()
    const running = world.weirUntil(stop.signal, "run", world.file)
    try {
      const { withLog } = await import("../../cli/ports.ts")
      const { loadPipeline } = await import("../../cli/load.ts")
      const { drivers } = await import("../../main.ts")
      const { pipeline: compiled } = await loadPipeline(world.file, { builtIns: world.plugins }, world)
      await withLog(compiled, { drivers }, async (log) => {
        while ((await log.members("places.check")) === 0) await new Promise((resolve) => setImmediate(resolve))
      })
      expect(await set("check", "raw[0]", "start")).toMatchObject({ code: 1, err: expect.stringContaining("running") })
    } finally {
      stop.abort()
      await running
    }
  })

  it("pause a stage whose place is not there, until they are set", async () => {
    world = await World.open(pipeline(), server)
    world.count = 30
    await world.run()
    const { withLog } = await import("../../cli/ports.ts")
    const { loadPipeline } = await import("../../cli/load.ts")
    const { drivers } = await import("../../main.ts")
    const { pipeline: compiled } = await loadPipeline(world.file, { builtIns: world.plugins }, world)
    await withLog(compiled, { drivers }, async (log) => {
      const writer = await log.writer("places.check.0")
      await writer.transact([], [{ group: "places.check", next: [{ topic: "raw", partition: 0, offset: 9999n }] }])
    })
    const stop = new AbortController()
    const running = world.weirUntil(stop.signal, "run", world.file, "--until-idle")
    world.onPaused = () => stop.abort()
    const { err } = await running
    expect(err).toContain("position-mismatch")
    expect((await world.weir("position", "set", world.file, "check", "raw[0]", "end")).code).toBe(0)
    await world.run()
  })

  it("must be stated for a stage that was renamed, and not for one that is added", async () => {
    world = await World.open(pipeline(), server)
    world.count = 40
    await world.run()
    const renamed = standard.replace("check:", "verify:")
    await world.pipeline(pipeline(renamed))
    const refused = await world.weir("run", world.file, "--until-idle")
    expect(refused.code).toBe(1)
    expect(refused.err).toContain("stage verify has no position, and kept holds records already")
    expect(refused.err).toContain("start: earliest")
    // A second stage that writes the same topic repeats nothing.
    const added = `${standard}\n  more: { from: raw, through: [{ use: again }], to: kept }`
    await world.pipeline(pipeline(added))
    await world.run()
    // From now on: what is there is not gone through again.
    await world.pipeline(pipeline(renamed.replace("to: kept", "to: kept, start: latest")))
    world.written.length = 0
    await world.run()
    expect(world.written.flatMap(({ numbers }) => numbers)).toEqual([])
    world.count = 50
    await world.run()
    expect(world.written.flatMap(({ numbers }) => numbers).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 10 }, (_, at) => 40 + at),
    )
    // It has a position now, so it needs no start any more.
    await world.pipeline(pipeline(renamed))
    await world.run()
  })

  it("of a sink begin where it says", async () => {
    world = await World.open(pipeline(), server)
    world.count = 40
    await world.run()
    world.written.length = 0
    await world.pipeline(
      pipeline().replace("mind: { use: memory, from: kept }", "ear: { use: memory, from: kept, start: latest }"),
    )
    world.count = 45
    await world.run()
    expect(world.written.flatMap(({ numbers }) => numbers).length).toBe(5)
  })

  it("are set back by weir replay, for what keeps no state", async () => {
    world = await World.open(pipeline(), server)
    world.count = 40
    await world.run()
    world.written.length = 0
    const replay = (...argv: string[]) => world.weir("replay", world.file, ...argv)
    expect((await replay("fold", "--from", "earliest")).err).toContain("keeps state")
    expect(await replay("check")).toMatchObject({ code: 64 })
    expect((await replay("check", "--from", "earliest")).out).toMatch(/raw\[0\] +\d+ +0\n/)
    await world.run()
    expect(world.written.flatMap(({ numbers }) => numbers).length).toBe(40)
    expect((await replay("mind", "--from", "1970-01-20")).out).toMatch(/kept\[0\] +\d+ +[1-9]\d*\n/)
    expect(await world.rows("select count(*)::int as n, max(_version)::int as v from phi.kept")).toEqual([
      { n: 40, v: 1 },
    ])
  })
})
