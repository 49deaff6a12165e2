import * as fc from "fast-check"
import { Client } from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  array,
  boolean,
  double,
  group,
  identifier,
  int,
  keep,
  long,
  nested,
  optional,
  recordType,
  string,
} from "../../core/index.ts"
import type { Rec, RecordType, SinkDelivery, SinkInput, SinkInstance, WeirError, Zone } from "../../core/index.ts"
import { postgres } from "../../sinks/postgres/index.ts"
import { testContext } from "../kit/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"

type Transactional = SinkInstance & Extract<SinkDelivery, { delivery: "transactional" }>

let server: Awaited<ReturnType<typeof temporaryPostgres>>
let db: Client
let url: string
let sinks: SinkInstance[]
let database = 0

beforeAll(async () => {
  server = await temporaryPostgres()
})
afterAll(() => server.close())
beforeEach(async () => {
  const name = `test_${database++}`
  await server.client.query(`CREATE DATABASE ${name}`)
  url = `postgres://oracle:oracle@127.0.0.1:${server.client.port}/${name}`
  db = new Client({ connectionString: url })
  await db.connect()
  sinks = []
})
afterEach(async () => {
  await Promise.all(sinks.map((sink) => sink.close()))
  await db.end()
})

const reading = recordType({
  name: "reading",
  doc: "A value with some of everything",
  id: ["name"],
  fields: {
    name: identifier(string, "what was read"),
    value: keep(optional(long), "how much"),
    version: keep(optional(string), "a field with a name that a sink might like to have"),
  },
})

const everything = recordType({
  name: "everything",
  doc: "Each kind of field",
  id: ["text"],
  fields: {
    text: keep(string, "text"),
    seriesNumber: keep(int, "int"),
    size: keep(long, "long"),
    ratio: keep(double, "double"),
    done: keep(boolean, "boolean"),
    absent: keep(optional(string), "optional"),
    tags: keep(array(string), "array"),
    matches: group(
      array(nested("Match", { code: keep(string, "code"), weight: keep(optional(double), "weight") })),
      "nested records in an array",
    ),
    object: group(optional(nested("Obj", { key: keep(string, "key") })), "a nested record"),
  },
})

const topic = "curated.readings"
const input = (type: RecordType = reading, zone: Zone = "limited", name = topic): SinkInput => ({
  topic: name,
  zone,
  type,
})

async function open(
  inputs: readonly SinkInput[] = [input()],
  more: { readonly tables?: Record<string, string>; readonly pipeline?: string } = {},
): Promise<Transactional> {
  const { pipeline = "test", ...options } = more
  const sink = await postgres.create(options, testContext({ storeUrl: url, pipeline, name: "warehouse" }), inputs)
  sinks.push(sink)
  return sink as Transactional
}

const rec = (offset: number, draft: Partial<Rec> = {}, name = topic): Rec => ({
  key: "k",
  id: "i",
  op: "upsert",
  version: 1n,
  time: 0,
  value: draft.op === "retract" ? null : { name: "n", value: offset, version: null },
  at: { topic: name, partition: 0, offset: BigInt(offset) },
  origin: { topic: name, partition: 0, offset: BigInt(offset) },
  zone: "limited",
  type: "reading",
  ...draft,
})

const write = (sink: SinkInstance, batch: readonly Rec[], from: number, next: number, epoch: bigint): Promise<void> =>
  sink.write(batch, { topic: batch[0]?.at.topic ?? topic, partition: 0, from: BigInt(from), next: BigInt(next), epoch })

/** Claims, and writes records that stand one after the other from the position on. */
async function writeAll(sink: Transactional, batch: readonly Rec[]): Promise<void> {
  const { epoch, next } = await sink.claim(topic, 0)
  const from = Number(next ?? 0n)
  const placed = batch.map((record, at) => ({ ...record, at: { ...record.at, offset: BigInt(from + at) } }))
  await write(sink, placed, from, from + batch.length, epoch)
}

const rows = async (sql: string): Promise<readonly unknown[]> => (await db.query(sql)).rows as unknown[]
const live = () => rows(`SELECT _key, _id, _version::int, value::int FROM limited.curated_readings ORDER BY _key, _id`)
const position = async () => (await rows("SELECT next::int, epoch::int FROM weir_sink.positions"))[0]

async function failure(work: Promise<unknown>): Promise<WeirError> {
  try {
    await work
  } catch (thrown) {
    return thrown as WeirError
  }
  throw new Error("it did not fail")
}

/** Runs SQL when rows or positions change: how a test reaches into the middle of a transaction. */
async function trigger(table: string, body: string, deferred = false): Promise<void> {
  await db.query(
    `CREATE OR REPLACE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN NEW; END $$`,
  )
  await db.query(
    deferred
      ? `CREATE CONSTRAINT TRIGGER planted AFTER INSERT OR UPDATE ON ${table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.planted()`
      : `CREATE TRIGGER planted BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION public.planted()`,
  )
}
const endConnection = "PERFORM pg_terminate_backend(pg_backend_pid());"

describe("rows", () => {
  it("are one for each (key, id), as the newest version says", async () => {
    const sink = await open()
    await writeAll(sink, [
      rec(0, { key: "a", id: "x" }),
      rec(1, { key: "b", id: "x" }),
      rec(2, { key: "a", id: "y" }),
      rec(3, { key: "a", id: "x", version: 2n }),
    ])
    expect(await live()).toEqual([
      { _key: "a", _id: "x", _version: 2, value: 3 },
      { _key: "a", _id: "y", _version: 1, value: 2 },
      { _key: "b", _id: "x", _version: 1, value: 1 },
    ])
  })

  it("keep the event time to the millisecond, and nothing of when they were written", async () => {
    const time = Date.UTC(1932, 4, 3, 21, 59, 7, 123)
    await writeAll(await open(), [rec(0, { time }), rec(1, { id: "never", time: Number.NaN })])
    expect(await rows("SELECT _time FROM limited.curated_readings ORDER BY _id")).toEqual([
      { _time: new Date(time) },
      { _time: null },
    ])
    const columns = await rows(
      "SELECT column_name AS c FROM information_schema.columns WHERE table_schema = 'limited' AND table_name = 'curated_readings__all' ORDER BY ordinal_position",
    )
    expect(columns.map((row) => (row as { c: string }).c)).toEqual([
      "_key",
      "_id",
      "_version",
      "_time",
      "_retracted",
      "name",
      "value",
      "version",
    ])
  })

  it("vanish when they are taken back, and leave no value behind", async () => {
    const sink = await open()
    await writeAll(sink, [rec(0)])
    await writeAll(sink, [rec(1, { op: "retract", version: 2n, value: { name: "secret", value: 7, version: null } })])
    expect(await live()).toEqual([])
    expect(await rows("SELECT _version, _retracted, name, value FROM limited.curated_readings__all")).toEqual([
      { _version: "2", _retracted: true, name: null, value: null },
    ])
  })

  it("are not changed by an older version, also not one that comes after a retract", async () => {
    const sink = await open()
    await writeAll(sink, [rec(0, { version: 5n })])
    await writeAll(sink, [rec(1, { version: 4n }), rec(2, { version: 3n, op: "retract" })])
    expect(await live()).toEqual([{ _key: "k", _id: "i", _version: 5, value: 0 }])
    await writeAll(sink, [rec(3, { version: 7n, op: "retract" })])
    await writeAll(sink, [rec(4, { version: 6n })])
    expect(await live()).toEqual([])
    await writeAll(sink, [rec(5, { version: 8n })])
    expect(await live()).toEqual([{ _key: "k", _id: "i", _version: 8, value: 5 }])
  })

  it("take versions of 64 bits", async () => {
    const sink = await open()
    const greatest = 2n ** 63n - 1n
    await writeAll(sink, [rec(0, { version: greatest }), rec(1, { version: greatest - 1n })])
    expect(await rows("SELECT _version, value FROM limited.curated_readings")).toEqual([
      { _version: String(greatest), value: "0" },
    ])
  })

  it("of any order, duplicates and cuts make the same table", async () => {
    const sink = await open()
    const change = fc.record({
      key: fc.constantFrom("a", 'b,"c\\'),
      id: fc.constantFrom("1", "2", "{}"),
      version: fc.integer({ min: 1, max: 9 }),
      retract: fc.boolean(),
    })
    // One state for each version of a row, as every source and stage has it.
    const history = fc.uniqueArray(change, {
      selector: ({ key, id, version }) => `${key}/${id}/${version}`,
      minLength: 1,
    })
    const arrivals = history.chain((changes) =>
      fc.record({
        log: fc
          .array(fc.constantFrom(...changes))
          .chain((again) => fc.shuffledSubarray([...changes, ...again], { minLength: changes.length + again.length })),
        cuts: fc.array(fc.record({ size: fc.integer({ min: 1, max: 8 }), back: fc.integer({ min: 0, max: 3 }) }), {
          minLength: 1,
        }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(arrivals, async ({ log, cuts }) => {
        await db.query("TRUNCATE limited.curated_readings__all, weir_sink.positions")
        const records = log.map(({ key, id, version, retract }, offset) =>
          rec(offset, {
            key,
            id,
            version: BigInt(version),
            op: retract ? "retract" : "upsert",
            value: retract ? null : { name: `${key}${id}`, value: version * 10, version: 'é"\\' },
          }),
        )
        const { epoch } = await sink.claim(topic, 0)
        for (let done = 0, step = 0; done < records.length; step++) {
          const { size, back } = cuts[step % cuts.length]!
          const from = Math.max(0, done - back)
          await write(sink, records.slice(from, done + size), from, done + size, epoch)
          done += size
        }
        const newest = new Map<string, (typeof log)[number]>()
        for (const one of log) {
          const name = `${one.key}/${one.id}`
          if ((newest.get(name)?.version ?? 0) < one.version) newest.set(name, one)
        }
        const expected = [...newest.values()]
          .filter(({ retract }) => !retract)
          .map(({ key, id, version }) => ({
            _key: key,
            _id: id,
            _version: version,
            value: version * 10,
            name: `${key}${id}`,
            version: 'é"\\',
          }))
          .map((row) => JSON.stringify(row))
          .toSorted()
        const found = await rows(
          "SELECT _key, _id, _version::int, value::int, name, version FROM limited.curated_readings",
        )
        expect(found.map((row) => JSON.stringify(row)).toSorted()).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })
})

describe("columns", () => {
  const value = {
    text: 'quote " back \\ brace {} comma , NULL \n é 🙂',
    seriesNumber: -2_147_483_648,
    size: Number.MAX_SAFE_INTEGER,
    ratio: 0.1 + 0.2,
    done: true,
    absent: null,
    tags: ['a"b', "c\\d", ""],
    matches: [
      { code: "x", weight: 0.5 },
      { code: "y", weight: null },
    ],
    object: { key: "p/q" },
  }
  const table = "SELECT * FROM limited.curated_readings"

  it("hold what the fields held, nested ones as jsonb, under names that need no quotes", async () => {
    await writeAll(await open([input(everything)]), [rec(0, { value })])
    const [row] = await rows(table)
    expect(row).toMatchObject({
      text: value.text,
      series_number: value.seriesNumber,
      size: String(value.size),
      ratio: value.ratio,
      done: true,
      absent: null,
      tags: value.tags,
      matches: value.matches,
      object: value.object,
    })
    expect(
      await rows("SELECT matches -> 1 ->> 'code' AS code, tags ? 'a\"b' AS tagged FROM limited.curated_readings"),
    ).toEqual([{ code: "y", tagged: true }])
    const types = await rows(
      "SELECT string_agg(format_type(atttypid, -1), ',' ORDER BY attnum) AS t FROM pg_attribute WHERE attrelid = 'limited.curated_readings'::regclass AND attnum > 4",
    )
    expect(types).toEqual([{ t: "text,integer,bigint,double precision,boolean,text,jsonb,jsonb,jsonb" }])
  })

  it("take doubles that are not numbers, and no text for NULL", async () => {
    const sink = await open([input(everything)])
    await writeAll(sink, [
      rec(0, { id: "1", value: { ...value, text: "NULL", ratio: Number.NaN } }),
      rec(1, { id: "2", value: { ...value, ratio: -Infinity, object: null } }),
    ])
    expect(await rows("SELECT text IS NULL AS n, ratio, object FROM limited.curated_readings ORDER BY _id")).toEqual([
      { n: false, ratio: Number.NaN, object: { key: "p/q" } },
      { n: false, ratio: -Infinity, object: null },
    ])
  })

  it("are described by the docs of the fields", async () => {
    await open([input(everything)])
    expect(
      await rows(
        "SELECT col_description('limited.curated_readings'::regclass, 6) AS c, obj_description('limited.curated_readings'::regclass) AS v",
      ),
    ).toEqual([{ c: "int", v: "zone limited, topic curated.readings: Each kind of field" }])
  })

  it("are refused when two fields would share one, or one begins with an underscore", async () => {
    const clash = recordType({
      name: "clash",
      doc: "d",
      id: ["aB"],
      fields: { aB: keep(string, "x"), a_b: keep(string, "y") },
    })
    expect(await failure(open([input(clash)]))).toMatchObject({ meaning: "fatal", code: "column-name", path: "a_b" })
    const own = recordType({ name: "own", doc: "d", id: ["_key"], fields: { _key: keep(string, "x") } })
    expect(await failure(open([input(own)]))).toMatchObject({ meaning: "fatal", code: "column-name", path: "_key" })
  })
})

describe("position", () => {
  it("is told by the claim, and moves with the rows, also past offsets without records", async () => {
    const sink = await open()
    expect(await sink.claim(topic, 0)).toEqual({ next: undefined, epoch: 1n })
    await write(sink, [rec(3)], 0, 7, 1n)
    await write(sink, [], 7, 12, 1n)
    expect(await (await open()).claim(topic, 0)).toEqual({ next: 12n, epoch: 2n })
    expect(await sink.claim(topic, 1)).toEqual({ next: undefined, epoch: 1n })
  })

  it("makes a redelivery write nothing twice", async () => {
    const sink = await open()
    await db.query("CREATE TABLE written (id text)")
    await trigger("limited.curated_readings__all", "INSERT INTO public.written VALUES (NEW._id);")
    const { epoch } = await sink.claim(topic, 0)
    const log = ["a", "b", "c", "d"].map((id, offset) => rec(offset, { id }))
    await write(sink, log.slice(0, 2), 0, 2, epoch)
    await write(sink, log.slice(0, 2), 0, 2, epoch)
    await write(sink, log, 0, 4, epoch)
    await write(sink, log.slice(1, 3), 1, 3, epoch)
    expect(await rows("SELECT id FROM written ORDER BY id")).toEqual(["a", "b", "c", "d"].map((id) => ({ id })))
    expect(await position()).toMatchObject({ next: 4 })
  })

  it("refuses the write of an older epoch, which leaves nothing", async () => {
    const old = await open()
    const { epoch } = await old.claim(topic, 0)
    await write(old, [rec(0)], 0, 1, epoch)
    const newer = await open()
    const claimed = await newer.claim(topic, 0)
    expect(await failure(write(old, [rec(1, { version: 2n })], 1, 2, epoch))).toMatchObject({
      meaning: "retryable",
      code: "fenced",
    })
    expect(await failure(write(old, [], 1, 2, epoch))).toMatchObject({ code: "fenced" })
    expect(await live()).toEqual([{ _key: "k", _id: "i", _version: 1, value: 0 }])
    expect(claimed.next).toBe(1n)
    await write(newer, [rec(1, { version: 2n })], 1, 2, claimed.epoch)
    expect(await position()).toEqual({ next: 2, epoch: 2 })
  })

  it("refuses to write past a gap", async () => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    await write(sink, [rec(0)], 0, 1, epoch)
    expect(await failure(write(sink, [rec(5)], 5, 6, epoch))).toMatchObject({ meaning: "fatal", code: "position-gap" })
    expect(await position()).toMatchObject({ next: 1 })
  })

  it("stays where it was, and no row is left, when the connection dies in the middle", async () => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    await write(sink, [rec(0)], 0, 1, epoch)
    await trigger("weir_sink.positions", endConnection)
    expect(await failure(write(sink, [rec(1, { id: "lost" })], 1, 2, epoch))).toMatchObject({
      meaning: "retryable",
      code: "unreachable",
    })
    await db.query("DROP TRIGGER planted ON weir_sink.positions")
    expect(await live()).toHaveLength(1)
    const again = await sink.claim(topic, 0)
    expect(again.next).toBe(1n)
    await write(sink, [rec(1, { id: "lost" })], 1, 2, again.epoch)
    expect(await live()).toHaveLength(2)
  })

  it("is to be read again when the answer to a commit was lost", async () => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    await trigger("limited.curated_readings__all", endConnection, true)
    expect(await failure(write(sink, [rec(0)], 0, 1, epoch))).toMatchObject({
      meaning: "retryable",
      code: "unknown-outcome",
    })
    await db.query("DROP TRIGGER planted ON limited.curated_readings__all")
    expect((await sink.claim(topic, 0)).next).toBeUndefined()
  })

  it("is kept apart for each partition, written side by side", async () => {
    const sink = await open()
    const partitions = Array.from({ length: 20 }, (_, partition) => partition)
    await Promise.all(
      partitions.map(async (partition) => {
        const { epoch } = await sink.claim(topic, partition)
        await sink.write([rec(0, { key: `k${partition}` })], { topic, partition, from: 0n, next: 1n, epoch })
      }),
    )
    expect(await live()).toHaveLength(20)
  })
})

describe("a row that can never be written", () => {
  it.each([
    ["nul-character", "a NUL in a text", { name: "se\0cret", value: 1, version: null }, "name"],
    ["wrong-type", "a text for a number", { name: "secret", value: "secret", version: null }, "value"],
    ["missing-field", "no value where one must be", { name: null, value: 1, version: null }, "name"],
  ])("is told alone, as %s: %s", async (code, _, value, path) => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    const batch = Array.from({ length: 9 }, (_unused, at) => rec(at, { id: `i${at}`, ...(at === 5 ? { value } : {}) }))
    const error = await failure(write(sink, batch, 0, 9, epoch))
    expect(error.meaning).toBe("partial")
    expect([...error.rows!]).toMatchObject([[5, { meaning: "bad-record", code, path }]])
    expect(JSON.stringify([error, ...error.rows!.values()].map((one) => [one.message, one.cause]))).not.toContain(
      "cret",
    )
    expect(await live()).toEqual([])
    await write(sink, batch.toSpliced(5, 1), 0, 9, epoch)
    expect(await live()).toHaveLength(8)
    expect(await position()).toMatchObject({ next: 9 })
  })

  it("is found before the server is asked when a number does not fit its column", async () => {
    const sink = await open([input(everything)])
    const { epoch } = await sink.claim(topic, 0)
    const fine = { text: "", size: 1, ratio: 1, done: true, absent: null, tags: [], matches: [], object: null }
    const values = [2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1].map((seriesNumber) => ({ ...fine, seriesNumber }))
    const batch = values.map((value, at) => rec(at, { id: `i${at}`, value }))
    const error = await failure(write(sink, batch, 0, 4, epoch))
    expect([...error.rows!].map(([at, { code, path }]) => [at, code, path])).toEqual([
      [1, "out-of-range", "seriesNumber"],
      [3, "out-of-range", "seriesNumber"],
    ])
  })

  it("is found when only the server can tell", async () => {
    const sink = await open([input(everything)])
    const { epoch } = await sink.claim(topic, 0)
    const fine = {
      text: "",
      seriesNumber: 1,
      size: 1,
      ratio: 1,
      done: true,
      absent: null,
      tags: [],
      matches: [],
      object: null,
    }
    const noise = Array.from({ length: 4000 }, (_, at) => String.fromCodePoint(0x4e00 + ((at * 7919) % 20_000))).join(
      "",
    )
    const bad = new Map<number, Partial<Rec>>([
      [17, { value: { ...fine, tags: ["\0secret"] } }],
      [18, { id: noise }],
      [49, { time: -8.64e15 }],
    ])
    const batch = Array.from({ length: 50 }, (_, at) => rec(at, { id: `i${at}`, value: fine, ...bad.get(at) }))
    const error = await failure(write(sink, batch, 0, 50, epoch))
    expect([...error.rows!].map(([at, { code, meaning }]) => [at, code, meaning])).toEqual([
      [17, "nul-character", "bad-record"],
      [18, "too-large", "bad-record"],
      [49, "out-of-range", "bad-record"],
    ])
    expect(JSON.stringify([...error.rows!.values()].map((one) => [one.message, one.cause]))).not.toContain("secret")
    await write(
      sink,
      batch.filter((_, at) => !bad.has(at)),
      0,
      50,
      epoch,
    )
    expect(await rows("SELECT count(*)::int FROM limited.curated_readings")).toEqual([{ count: 47 }])
  })

  it("is found in one batch after another, until there is none", async () => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    await db.query("ALTER TABLE limited.curated_readings__all ADD CONSTRAINT refused CHECK (value <> 3)")
    for (const [number, bad] of [[1, 4], [2], [], [0]].entries()) {
      const batch = Array.from({ length: 5 }, (_, at) => {
        const value = { name: "n", value: bad.includes(at) ? 3 : 1, version: null }
        return rec(number * 5 + at, { id: `i${number * 5 + at}`, value })
      })
      const [from, next] = [number * 5, number * 5 + 5]
      if (bad.length > 0) {
        const error = await failure(write(sink, batch, from, next, epoch))
        expect([...error.rows!.keys()]).toEqual(bad)
      }
      const left = batch.filter((_, at) => !bad.includes(at))
      await write(sink, left, from, next, epoch)
      expect(await position()).toMatchObject({ next })
    }
    expect(await rows("SELECT count(*)::int FROM limited.curated_readings")).toEqual([{ count: 16 }])
  })

  it("is one with a number that JSON cannot hold, rather than null in its place", async () => {
    const sink = await open([input(everything)])
    const { epoch } = await sink.claim(topic, 0)
    const value = {
      text: "",
      seriesNumber: 1,
      size: 1,
      ratio: 1,
      done: true,
      tags: [],
      matches: [{ code: "c", weight: Number.NaN }],
    }
    const error = await failure(write(sink, [rec(0, { value })], 0, 1, epoch))
    expect([...error.rows!]).toMatchObject([[0, { meaning: "bad-record", code: "wrong-type", path: "matches" }]])
  })

  it("is told as such also when a newer version of it stands in the same batch", async () => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    const error = await failure(write(sink, [rec(0, { value: null }), rec(1, { version: 2n })], 0, 2, epoch))
    expect([...error.rows!.keys()]).toEqual([0])
  })
})

describe("trouble of the server", () => {
  it.each([
    ["53100", "systemic", "disk-full"],
    ["55P03", "systemic", "lock-timeout"],
    ["40P01", "retryable", "deadlock"],
    ["57P01", "retryable", "unreachable"],
    ["42501", "fatal", "permission-denied"],
  ])("with SQLSTATE %s is %s %s, and the same write passes afterwards", async (state, meaning, code) => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    await trigger("limited.curated_readings__all", `RAISE EXCEPTION 'no' USING ERRCODE = '${state}';`)
    expect(await failure(write(sink, [rec(0)], 0, 1, epoch))).toMatchObject({ meaning, code })
    await db.query("DROP TRIGGER planted ON limited.curated_readings__all")
    await write(sink, [rec(0)], 0, 1, epoch)
    expect(await live()).toHaveLength(1)
  })

  const refusedAt = (address: string) => failure(postgres.create({ url: address }, testContext(), [input()]))

  it("never puts the password into an error", async () => {
    const wrong = new URL(url)
    wrong.password = "hunter2"
    const login = await refusedAt(wrong.href)
    expect(login).toMatchObject({ meaning: "systemic", code: "login-refused" })
    wrong.port = "1"
    const gone = await refusedAt(wrong.href)
    expect(gone).toMatchObject({ meaning: "retryable", code: "unreachable" })
    const bad = await refusedAt("postgres://u:hunter2@[::1/x")
    expect(bad).toMatchObject({ meaning: "fatal", code: "bad-url" })
    for (const error of [login, gone, bad])
      expect(`${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error.cause)}`).not.toContain("hunter2")
  })

  it("that ends idle connections does not end the process", async () => {
    const sink = await open()
    const { epoch } = await sink.claim(topic, 0)
    await db.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir postgres sink' AND datname = current_database()",
    )
    const left =
      "SELECT FROM pg_stat_activity WHERE application_name = 'weir postgres sink' AND datname = current_database()"
    await expect.poll(() => rows(left)).toEqual([])
    await expect
      .poll(() =>
        write(sink, [rec(0)], 0, 1, epoch).then(
          () => "written",
          (error: WeirError) => error.code,
        ),
      )
      .toBe("written")
  })
})

describe("tables", () => {
  it("stand in the schema of their zone, closed to all but the roles that read the zone", async () => {
    for (const role of ["weir_clean", "weir_limited", "weir_phi"]) await server.client.query(`CREATE ROLE ${role}`)
    try {
      await db.query("CREATE SCHEMA limited; GRANT ALL ON SCHEMA limited TO PUBLIC")
      await open([input(reading, "phi", "p.t"), input(reading, "limited", "l.t"), input(reading, "clean", "c.t")])
      const seen = await rows(
        `SELECT rolname, string_agg(n.nspname || '.' || relname, ' ' ORDER BY n.nspname, relname) AS tables
         FROM pg_roles, pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE rolname LIKE 'weir\\_%' AND relkind IN ('r', 'v') AND nspname NOT IN ('pg_catalog', 'information_schema')
           AND has_schema_privilege(rolname, n.oid, 'USAGE') AND has_table_privilege(rolname, c.oid, 'SELECT') GROUP BY rolname ORDER BY rolname`,
      )
      expect(seen).toEqual([
        { rolname: "weir_clean", tables: "clean.c_t clean.c_t__all" },
        { rolname: "weir_limited", tables: "clean.c_t clean.c_t__all limited.l_t limited.l_t__all" },
        { rolname: "weir_phi", tables: "clean.c_t clean.c_t__all limited.l_t limited.l_t__all phi.p_t phi.p_t__all" },
      ])
      await db.query("CREATE ROLE nobody")
      for (const schema of ["phi", "limited", "clean", "weir_sink"])
        expect(await rows(`SELECT has_schema_privilege('nobody', '${schema}', 'USAGE') AS may`)).toEqual([
          { may: false },
        ])
      await db.query("SET ROLE weir_limited")
      expect(await rows("SELECT * FROM limited.l_t")).toEqual([])
      expect(await failure(rows("SELECT * FROM phi.p_t"))).toMatchObject({ code: "42501" })
      await db.query("RESET ROLE")
    } finally {
      await db.query(
        "RESET ROLE; DROP OWNED BY weir_clean, weir_limited, weir_phi; DROP ROLE weir_clean, weir_limited, weir_phi; DROP ROLE IF EXISTS nobody",
      )
    }
  })

  it("do not start under another zone, record type, topic or pipeline", async () => {
    await open()
    expect(await failure(open([input(reading, "clean")]))).toMatchObject({ meaning: "fatal", code: "zone-changed" })
    expect(await failure(open([input(reading, "phi")], { tables: { [topic]: "elsewhere" } }))).toMatchObject({
      code: "zone-changed",
    })
    expect(await failure(open([input(everything)]))).toMatchObject({ meaning: "fatal", code: "record-type-changed" })
    expect(await failure(open([input(reading, "limited", "curated_readings")]))).toMatchObject({ code: "table-taken" })
    expect(await failure(open([input()], { pipeline: "other" }))).toMatchObject({
      meaning: "fatal",
      code: "table-taken",
    })
    await open()
  })

  it("that somebody else made are left alone", async () => {
    await db.query("CREATE SCHEMA limited; CREATE TABLE limited.curated_readings (name text)")
    expect(await failure(open())).toMatchObject({ meaning: "fatal", code: "table-taken" })
  })

  it("that were dropped are not silently filled from the middle", async () => {
    await writeAll(await open(), [rec(0)])
    await db.query("DROP TABLE limited.curated_readings__all CASCADE")
    expect(await failure(open())).toMatchObject({ meaning: "fatal", code: "table-missing" })
    await db.query("DELETE FROM weir_sink.tables; DELETE FROM weir_sink.positions")
    expect((await (await open()).claim(topic, 0)).next).toBeUndefined()
  })

  it("can be named, and refuse names that are none", async () => {
    await open([input()], { tables: { [topic]: "readings" } })
    expect(await rows("SELECT * FROM limited.readings")).toEqual([])
    expect(await failure(open([input()], { tables: { [topic]: 'a"; DROP' } }))).toMatchObject({ code: "table-name" })
    expect(await failure(open([input()], { tables: { "no.topic": "x" } }))).toMatchObject({ code: "table-name" })
    expect(await failure(open([input(reading, "limited", "a.b"), input(reading, "limited", "a-b")]))).toMatchObject({
      code: "table-name",
    })
  })

  it("are made once when several processes start together", async () => {
    await Promise.all(Array.from({ length: 6 }, () => open([input(), input(reading, "phi", "other.topic")])))
    expect(await rows("SELECT count(*)::int FROM weir_sink.tables")).toEqual([{ count: 2 }])
  })

  it("start beside a reader that is in the middle of a query", async () => {
    await open()
    await db.query("BEGIN; SELECT * FROM limited.curated_readings")
    await open()
    await db.query("COMMIT")
  })
})

describe("a record type that changed", () => {
  const fields = { name: identifier(string, "what was read"), value: keep(optional(long), "how much") }
  const without = recordType({ name: "reading", doc: "d", id: ["name"], fields })
  const retyped = recordType({
    name: "reading",
    doc: "d",
    id: ["name"],
    fields: { ...fields, value: keep(optional(string), "x") },
  })

  it("adds the columns of its new fields, and keeps the rows", async () => {
    await writeAll(await open([input(without)]), [rec(0, { id: "old", value: { name: "n", value: 1 } })])
    await writeAll(await open([input()]), [rec(1, { id: "new", value: { name: "n", value: 2, version: "v" } })])
    expect(await rows("SELECT _id, value::int, version FROM limited.curated_readings ORDER BY _id")).toEqual([
      { _id: "new", value: 2, version: "v" },
      { _id: "old", value: 1, version: null },
    ])
  })

  it("empties the columns of fields that went, in the rows that it writes", async () => {
    await writeAll(await open([input()]), [
      rec(0, { id: "a", value: { name: "n", value: 1, version: "v" } }),
      rec(1, { id: "b", value: { name: "n", value: 1, version: "v" } }),
    ])
    await writeAll(await open([input(without)]), [rec(2, { id: "a", version: 2n, value: { name: "n", value: 2 } })])
    expect(await rows("SELECT _id, version FROM limited.curated_readings ORDER BY _id")).toEqual([
      { _id: "a", version: null },
      { _id: "b", version: "v" },
    ])
  })

  it("does not start when the type of a field is another", async () => {
    await open([input()])
    expect(await failure(open([input(retyped)]))).toMatchObject({ meaning: "fatal", code: "column-type-changed" })
  })
})
