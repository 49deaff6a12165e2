import { Client } from "pg"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World } from "./world.ts"

const pipeline = `
name: poison
topics: { raw: { zone: phi, partitions: 2 } }
sources: { feed: { use: numbers, to: raw } }
sinks: { table: { use: postgres, from: raw } }
`
const count = "select count(*)::int as n from phi.raw"

describe("poison", { timeout: 60_000 }, () => {
  let world: World
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  afterEach(() => world.close())

  async function sql(text: string): Promise<void> {
    const client = new Client({ connectionString: world.environment["STORE"]! })
    await client.connect()
    await client.query(text).finally(() => client.end())
  }

  /** Resolves when a partition has paused for it. */
  function mostFailing(): Promise<void> {
    const paused = Promise.withResolvers<void>()
    world.onPaused = (line) => (line.includes("most-failing") ? paused.resolve() : undefined)
    return paused.promise
  }

  it("of 1 row in 100,000 costs that row alone, and its replay after the fix makes it whole", async () => {
    world = await World.open(pipeline, server)
    await world.run()
    await sql("ALTER TABLE phi.raw__all ADD CONSTRAINT liked CHECK (number <> 77777)")
    world.count = 100_000
    await world.run()
    expect(await world.rows(count)).toEqual([{ n: 99_999 }])
    expect(await world.letters()).toMatchObject([{ stage: "table", code: "row-refused", state: "open" }])
    await sql("ALTER TABLE phi.raw__all DROP CONSTRAINT liked")
    await world.weir("dead-letters", "replay", world.file)
    await world.run()
    expect(await world.rows(count)).toEqual([{ n: 100_000 }])
    expect(await world.letters()).toMatchObject([{ state: "fixed" }])
  })

  it("of most of a batch is no matter of the rows: the partition pauses and nothing becomes a dead letter", async () => {
    world = await World.open(pipeline, server)
    await world.run()
    await sql("ALTER TABLE phi.raw__all ADD CONSTRAINT liked CHECK (number < 10)")
    world.count = 2000
    const mended = Promise.withResolvers<void>()
    world.onPaused = (line) => {
      expect(line).toContain("most-failing")
      mended.resolve(sql("ALTER TABLE phi.raw__all DROP CONSTRAINT IF EXISTS liked"))
    }
    await world.run()
    await mended.promise
    expect(await world.rows(count)).toEqual([{ n: 2000 }])
    expect(await world.letters()).toEqual([])
  })

  it("of most of the few rows that came is no matter of the rows either, however small the batches are", async () => {
    world = await World.open(pipeline, server)
    await world.run()
    await sql("ALTER TABLE phi.raw__all ADD CONSTRAINT liked CHECK (number < 0)")
    world.count = 300
    world.step = 3
    const paused = mostFailing()
    // The next three come once the three before them were tried.
    world.beforeAppend = (from) => (from === 3 ? paused : undefined)
    const mended = paused.then(() => sql("ALTER TABLE phi.raw__all DROP CONSTRAINT liked"))
    await world.run()
    await mended
    expect(await world.rows(count)).toEqual([{ n: 300 }])
    expect(await world.letters()).toEqual([])
  })

  it("of the one row that came is its own once a row that comes after it is taken", async () => {
    world = await World.open(pipeline.replace("partitions: 2", "partitions: 1"), server)
    await world.run()
    await sql("ALTER TABLE phi.raw__all ADD CONSTRAINT liked CHECK (number <> 0)")
    world.count = 2
    world.step = 1
    const paused = mostFailing()
    world.beforeAppend = (from) => (from === 1 ? paused : undefined)
    await world.run()
    expect(await world.rows("select number::int from phi.raw")).toEqual([{ number: 1 }])
    expect(await world.letters()).toMatchObject([{ code: "row-refused", state: "open" }])
  })

  it("that is replayed unmended ends where it was, and holds nothing up", async () => {
    world = await World.open(pipeline, server)
    await world.run()
    await sql("ALTER TABLE phi.raw__all ADD CONSTRAINT liked CHECK (number % 3 > 0)")
    world.count = 60
    await world.run()
    expect(await world.letters()).toHaveLength(20)
    await world.weir("dead-letters", "replay", world.file)
    await world.run()
    expect(await world.rows(count)).toEqual([{ n: 40 }])
    const states = (await world.letters()).map(({ state }) => state)
    expect(states.filter((state) => state === "failed-again")).toHaveLength(20)
    expect(states.filter((state) => state === "open")).toHaveLength(20)
  })

  it("that only shows when a statement ends is not blamed on the row that came last", async () => {
    world = await World.open(pipeline, server)
    await world.run()
    await sql(`
      CREATE TABLE phi.known (number bigint PRIMARY KEY);
      INSERT INTO phi.known SELECT * FROM generate_series(0, 999) WHERE generate_series NOT IN (3, 500, 998);
      ALTER TABLE phi.raw__all ADD CONSTRAINT known FOREIGN KEY (number) REFERENCES phi.known`)
    world.count = 1000
    await world.run()
    expect(await world.rows(`${count} where number not in (3, 500, 998)`)).toEqual([{ n: 997 }])
    expect(await world.letters()).toHaveLength(3)
  })
})
