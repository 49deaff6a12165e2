import { randomUUID } from "node:crypto"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { until } from "../kit/log-contract.ts"
import { World } from "./world.ts"

/** What somebody does to a Log beside Weir, while no pipeline runs. */
export interface Upstream {
  /** The `log:` of the pipeline file. */
  readonly log: string
  /** Deletes a topic, or all of them with it. */
  recreate(world: World, topic: string): Promise<void>
  /** Lets go the records of a topic before its end. */
  truncate(world: World, topic: string): Promise<void>
  /** Makes a topic anew while a pipeline reads it; absent where nobody can. */
  readonly live?: (world: World, topic: string) => Promise<void>
}

const names = ["check", "fold", "mind", "table"]
/** Who keeps positions elsewhere, so that they outlive a topic that was deleted. */
const elsewhere = ["fold", "table"]

/** What every reader does whose topic is not the one that it read: a stage with state and one without, a sink that keeps its position
 * itself and one that does not. */
export function anotherTopic(what: string, { log, recreate, truncate, live }: Upstream): void {
  describe(`a topic of ${what}`, { timeout: 120_000 }, () => {
    let world: World
    let server: Awaited<ReturnType<typeof temporaryPostgres>>
    let raw: string
    beforeAll(async () => {
      server = await temporaryPostgres()
    })
    afterAll(() => server?.close())
    afterEach(() => world.close())

    const of = () => raw.replace(".raw", "")
    const source = () => `
name: ${of()}
${log}
topics: { ${raw}: { zone: phi, partitions: 1, retention: 1d } }
sources: { feed: { use: numbers, to: ${raw} } }
`
    const whole = () => `${source()}
stages:
  check: { from: ${raw}, through: [{ use: checked }], to: ${of()}.kept }
  fold: { from: ${raw}, through: [{ use: latest }], to: ${of()}.late }
sinks:
  table: { use: postgres, from: ${raw} }
  mind: { use: memory, from: ${raw} }
`

    async function read(count: number): Promise<void> {
      raw = `another-${randomUUID().slice(0, 8)}.raw`
      world = await World.open(whole(), server)
      world.count = count
      await world.run()
    }

    /** The source alone writes on. */
    async function arrive(count: number): Promise<void> {
      await world.pipeline(source())
      world.count += count
      await world.run()
      await world.pipeline(whole())
    }

    /** Runs until these stand still, and tells what each said. */
    async function pauses(who: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const stop = new AbortController()
      const said = new Map<string, string>()
      world.onPaused = (text) => {
        for (const line of text.split("\n")) {
          const [, name, code] = / paused stage=(\S+) .*code=(\S+)/.exec(line) ?? []
          if (name !== undefined) said.set(name, `${code} ${line.replace(/.*message=/, "")}`)
        }
        if (who.every((name) => said.has(name))) stop.abort()
      }
      const { err } = await world.weirUntil(stop.signal, "run", world.file)
      expect([...said.keys()].sort(), err).toEqual(who)
      return said
    }

    const numbers = () => world.written.flatMap((each) => each.numbers).sort((a, b) => a - b)
    const rows = () => world.rows(`select number::int as n from phi.${raw.replace(/[.-]/g, "_")} order by 1`)
    const from = (first: number) => Array.from({ length: world.count - first }, (_, at) => first + at)

    async function accept(place: "start" | "end", who: readonly string[] = names): Promise<void> {
      for (const name of who) {
        const set = await world.weir("position", "set", world.file, name, `${raw}[0]`, place)
        expect(set.code, set.err).toBe(0)
      }
    }

    /** Everything is deleted with an embedded log, and with a topic of Kafka the positions in it. */
    async function recreated(): Promise<readonly string[]> {
      await recreate(world, raw)
      if (live === undefined) {
        world.count = 0
        return elsewhere
      }
      const { code, err } = await world.weir("run", world.file)
      expect([code, err]).toEqual([1, expect.stringContaining("stage check has no position")])
      await accept("start", ["check"])
      return names.filter((name) => name !== "check")
    }

    it("that is another, and shorter than what was read, stands still until told", async () => {
      await read(60)
      const said = await pauses(await recreated())
      for (const [name, line] of said)
        expect(line, name).toMatch(/^position-mismatch .*(ends at \d+, and was read to \d+|the position is gone)/)
    })

    it("that is another, and longer than what was read, stands still until told, and then loses nothing", async () => {
      await read(60)
      const before = await rows()
      const who = await recreated()
      const first = world.count
      await arrive(200)
      world.written.length = 0
      const said = await pauses(who)
      for (const [name, line] of said)
        expect(line, name).toMatch(/^position-mismatch .*(another record stands at \d+|the position is gone)/)
      expect(await rows()).toEqual(before)
      if (who.includes("mind")) expect(numbers()).toEqual([])
      await accept("start", who)
      await world.run()
      expect((await rows()).map(({ n }) => n)).toEqual(expect.arrayContaining(from(first)))
      expect(numbers()).toEqual(from(first))
      // What was accepted is what it knows from now on.
      await world.run()
      expect(numbers()).toEqual(from(first))
    })

    it.runIf(live !== undefined)("that is made anew under its readers makes each of them stand still", async () => {
      raw = `another-${randomUUID().slice(0, 8)}.raw`
      world = await World.open(whole(), server)
      world.count = 60
      const stop = new AbortController()
      const said = new Set<string>()
      world.onPaused = (text) => {
        for (const [, name] of text.matchAll(/ paused stage=(\S+) .*code=position-mismatch/g)) said.add(name!)
        if (names.every((name) => said.has(name))) stop.abort()
      }
      const running = world.weirUntil(stop.signal, "run", world.file)
      await until(() => numbers().length === 60, 60_000)
      await until(async () => (await rows().catch(() => [])).length === 60, 60_000)
      await live!(world, raw)
      await running
      expect([...said].sort()).toEqual(names)
      expect(numbers()).toEqual(from(0))
    })

    it("of which records went that were not read stands still until told", async () => {
      await read(60)
      await arrive(200)
      await truncate(world, raw)
      world.written.length = 0
      const said = await pauses(names)
      for (const line of said.values())
        expect(line).toMatch(/^position-mismatch .*begins at \d+, and was read to \d+ only: what was between is gone/)
      expect(numbers()).toEqual([])
      await accept("start")
      world.count += 10
      await world.run()
      expect(numbers()).toEqual(expect.arrayContaining(from(world.count - 10)))
    })
  })
}
