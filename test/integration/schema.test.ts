import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Schema, defineSink, defineSource, keep, long, optional, port, recordType, string } from "../../core/index.ts"
import type { AnyPlugin, Draft, FieldType, RecordType } from "../../core/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World } from "./world.ts"

const pipeline = `
name: evolving
topics: { raw: { zone: phi, partitions: 1 } }
sources: { feed: { use: feed, to: raw } }
sinks: { mind: { use: mind, from: raw } }
`

/** A record type of some version, beside a name. */
const note = (more: Readonly<Record<string, FieldType<unknown>>>, named = string): RecordType =>
  recordType({
    name: "note",
    doc: "A name with more.",
    fields: {
      name: keep(named, "its name"),
      ...Object.fromEntries(Object.entries(more).map(([name, type]) => [name, keep(type, "more")])),
    },
    id: ["name"],
  })

describe("the schema of a topic", { timeout: 60_000 }, () => {
  let world: World
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  const seen: unknown[] = []
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  afterEach(() => world.close())

  /** A writer of a version: it appends these values once. */
  function version(type: RecordType, values: readonly object[]): void {
    const none = Schema.Struct({})
    const feed = defineSource({
      name: "feed",
      summary: "Gives what the test says.",
      options: none,
      runs: "once",
      outputs: { out: port(type, "any") },
      create: async () => ({
        run: async ({ append }) => {
          const drafts = values.map((value, at): Draft => {
            const { name } = value as { name: string }
            return { key: "k", id: name, op: "upsert", version: BigInt(at + 1), time: 0, value }
          })
          if (drafts.length > 0) await append("out", drafts as never)
        },
      }),
    })
    const mind = defineSink({
      name: "mind",
      summary: "Remembers values.",
      options: none,
      delivery: "idempotent",
      create: async () => ({
        delivery: "idempotent",
        write: async (batch) => void seen.push(...batch.map(({ value }) => value)),
        close: async () => {},
      }),
    })
    world.builtIns = [feed, mind] as readonly AnyPlugin[]
  }

  async function begin(type: RecordType, values: readonly object[]): Promise<void> {
    world = await World.open(pipeline, server)
    seen.length = 0
    version(type, values)
    await world.run()
  }

  it("takes a new version that adds a field with a default, and old records have it", async () => {
    await begin(note({}), [{ name: "a" }])
    version(note({ pages: optional(long) }), [{ name: "b", pages: 7 }])
    await world.run()
    expect(seen).toEqual([{ name: "a" }, { name: "b", pages: 7 }])
    seen.length = 0
    await world.weir("position", "set", world.file, "mind", "raw[0]", "start")
    version(note({ pages: optional(long) }), [])
    await world.run()
    expect(seen).toEqual([
      { name: "a", pages: null },
      { name: "b", pages: 7 },
    ])
  })

  it("refuses a version that cannot read what is there, at the start, with topic, field and what to do", async () => {
    await begin(note({ pages: optional(long) }), [{ name: "a", pages: 1 }])
    for (const [type, value, problem] of [
      [
        note({ pages: optional(string) }),
        { name: "b", pages: "x" },
        "field pages: may hold long, which is no longer read",
      ],
      [
        note({ pages: optional(long), marks: long }),
        { name: "b", pages: 1, marks: 1 },
        "field marks: is new, and has no default",
      ],
    ] as const) {
      version(type, [value])
      const { code, err } = await world.weir("run", world.file, "--until-idle")
      expect(code).toBe(1)
      expect(err).toContain(`topic raw: its record type note cannot read what is there: ${problem}`)
      expect(err).toContain("hint: make new fields optional")
    }
    expect(seen).toEqual([{ name: "a", pages: 1 }])
    // Nothing of it was written down, so that the old version runs on.
    version(note({ pages: optional(long) }), [{ name: "c", pages: 2 }])
    await world.run()
    expect(seen.at(-1)).toEqual({ name: "c", pages: 2 })
  })

  it("is held against every version that wrote to it, not the last alone", async () => {
    await begin(note({ pages: long }), [{ name: "a", pages: 1 }])
    version(note({}), [{ name: "b" }])
    await world.run()
    version(note({ pages: optional(string) }), [{ name: "c", pages: "x" }])
    const { code, err } = await world.weir("run", world.file, "--until-idle")
    expect([code, err]).toEqual([1, expect.stringContaining("field pages: may hold long")])
  })
})
