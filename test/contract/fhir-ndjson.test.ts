import { existsSync, statSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { createGzip, gzipSync } from "node:zlib"
import { pipeline } from "node:stream/promises"
import { createWriteStream } from "node:fs"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { fhirNdjson } from "../../connectors/fhir/index.ts"
import { statedVersion } from "../../core/index.ts"
import type { Draft, FhirResource } from "../../core/index.ts"
import { testContext } from "../kit/index.ts"
import { sourceRun } from "../kit/source-run.ts"
import type { SourceHarness } from "../kit/source-run.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-fhir-"))
})
afterEach(() => rm(folder, { recursive: true }))

const write = async (path: string, lines: readonly unknown[] | Buffer): Promise<void> => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  const text = Buffer.isBuffer(lines)
    ? lines
    : lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("")
  await writeFile(join(folder, path), path.endsWith(".gz") && !Buffer.isBuffer(lines) ? gzipSync(text) : text)
}

const observation = (id: string, more: object = {}) => ({
  resourceType: "Observation",
  id,
  subject: { reference: "Patient/p1" },
  effectiveDateTime: "2020-01-02T03:04:05Z",
  ...more,
})

interface Given {
  readonly options?: object
  readonly checkpoint?: Map<string, string>
  readonly dieAfter?: number
}

async function read({ options = {}, checkpoint, dieAfter }: Given = {}): Promise<SourceHarness> {
  const instance = await fhirNdjson.create({ path: folder, ...options }, testContext({ name: "ehr" }))
  const harness = sourceRun(checkpoint, dieAfter)
  await instance.run(harness.run).catch((error: unknown) => {
    if ((error as { code?: string }).code !== "stopped") throw error
  })
  return harness
}

const records = (harness: SourceHarness) => harness.appended.map(({ record }) => record as Draft<FhirResource>)
const ids = (harness: SourceHarness) => records(harness).map(({ value }) => value!.resourceId)
const failures = (harness: SourceHarness) =>
  harness.failed.map(({ place, error }) => [place, error.code, error.meaning] as const)

describe("fhir-ndjson", () => {
  it("reads a folder in name order and tells for each resource where it stood", async () => {
    await write("b.ndjson", [observation("3")])
    await write("a/x.ndjson.gz", [observation("1"), "", observation("2")])
    await write("notes.txt", ["not read"])
    const harness = await read()
    expect(records(harness).map(({ value }) => [value!.file, value!.line, value!.resourceId])).toEqual([
      ["a/x.ndjson.gz", 1, "1"],
      ["a/x.ndjson.gz", 3, "2"],
      ["b.ndjson", 1, "3"],
    ])
    const [first] = records(harness)
    expect(first).toMatchObject({ key: "Patient/p1", id: "Observation/1", op: "upsert" })
    expect(first!.time).toBe(Date.UTC(2020, 0, 2, 3, 4, 5))
    expect(first!.value).toMatchObject({ source: "ehr", resourceType: "Observation", versionId: null })
    expect(JSON.parse(first!.value!.body)).toEqual(observation("1"))
  })

  it.each([
    [{ reference: "Patient/p1" }, "Patient/p1"],
    [{ reference: "https://h.example/fhir/Patient/p1/_history/3" }, "Patient/p1"],
    [{ reference: "urn:uuid:5cbc121b-cd71-4428-b8b7-31e53eba8184" }, "Patient/5cbc121b-cd71-4428-b8b7-31e53eba8184"],
    [{ reference: "urn:uuid:5cbc121b", type: "Group" }, ""],
    [{ reference: "Group/g" }, ""],
    [{ reference: "#contained" }, ""],
    [undefined, ""],
  ])("keys a resource by the person that %j names", async (subject, key) => {
    await write("a.ndjson", [observation("1", { subject })])
    expect(records(await read())[0]!.key).toBe(key)
  })

  it("keys a Patient by itself, and what is about no one by nothing", async () => {
    const other = { resourceType: "Organization", id: "o", subject: { reference: "Patient/p1" } }
    await write("a.ndjson", [{ resourceType: "Patient", id: "p9" }, other])
    expect(records(await read()).map(({ key }) => key)).toEqual(["Patient/p9", ""])
  })

  it("orders by the version that a resource states, else by arrival", async () => {
    const stated = { meta: { lastUpdated: "2021-05-06T07:08:09.123Z", versionId: "7" } }
    await write("a.ndjson", [observation("1"), observation("2"), observation("3", stated)])
    await write("b.ndjson", [observation("4")])
    const [one, two, three, four] = records(await read()).map(({ version }) => version)
    expect(three).toBe(statedVersion(Date.UTC(2021, 4, 6, 7, 8, 9, 123), "7"))
    expect(one! < two! && two! < four! && four! < 1n << 40n).toBe(true)
  })

  it("makes a dead letter of each bad line, with place and code and no value, and reads on", async () => {
    const secret = "SECRETNAME"
    await write("a.ndjson", [
      observation("1"),
      `{"resourceType":"Patient","id":"${secret}`,
      `["${secret}"]`,
      { id: secret },
      { resourceType: "Patient", name: secret },
      { resourceType: "Patient", id: "" },
      observation("x", { effectiveDateTime: "0000-13-45" }),
      observation("y", { meta: { lastUpdated: secret } }),
      observation("2"),
    ])
    await write("b.ndjson", Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]))
    const harness = await read()
    expect(ids(harness)).toEqual(["1", "2"])
    expect(failures(harness)).toEqual([
      ["a.ndjson:2", "not-json", "bad-record"],
      ["a.ndjson:3", "not-an-object", "bad-record"],
      ["a.ndjson:4", "no-resource-type", "bad-record"],
      ["a.ndjson:5", "no-id", "bad-record"],
      ["a.ndjson:6", "no-id", "bad-record"],
      ["a.ndjson:7", "bad-date", "bad-record"],
      ["a.ndjson:8", "bad-date", "bad-record"],
      ["b.ndjson:1", "not-utf8", "bad-record"],
    ])
    for (const { error } of harness.failed) expect(`${error.message} ${error.path} ${error.hint}`).not.toContain(secret)
  })

  it("lets an empty file, a big resource, 200 levels and a last line without its end pass", async () => {
    await write("a.ndjson", [])
    const deep = `{"resourceType":"Basic","id":"deep","x":${"[".repeat(200)}${"]".repeat(200)}}`
    await write("c.ndjson", Buffer.from(`${deep}\r\n${JSON.stringify(observation("big", { note: "x".repeat(3e6) }))}`))
    const harness = await read()
    expect(ids(harness)).toEqual(["deep", "big"])
    expect(harness.failed).toEqual([])
  })

  it("makes a dead letter of what nests without end, wherever it nests, and counts no bracket in a text", async () => {
    const nested = (open: string, close: string, levels: number) =>
      `{"resourceType":"Basic","id":"x","x":${open.repeat(levels)}1${close.repeat(levels)},"y":[]}`
    await write("a.ndjson", [
      nested("[", "]", 999),
      nested("[", "]", 1000),
      nested('{"]\\"}":', "}", 100_000),
      "[".repeat(1_000_000),
      observation("text", { note: `${"[".repeat(5000)}"\\` }),
      observation("wide", { x: Array.from({ length: 5000 }, () => [[]]) }),
    ])
    const harness = await read()
    expect(ids(harness)).toEqual(["x", "text", "wide"])
    expect(failures(harness)).toEqual([2, 3, 4].map((line) => [`a.ndjson:${line}`, "too-deep", "bad-record"]))
  })

  it("makes a dead letter of each line of a text that only has the name, and none of an empty file", async () => {
    await write("a.ndjson", ["Dear colleague,", "", "attached is the export."])
    await write("b.ndjson", [])
    await write("c.ndjson.gz", [])
    await write("d.ndjson", [observation("1")])
    const harness = await read()
    expect(failures(harness)).toEqual([
      ["a.ndjson:1", "not-json", "bad-record"],
      ["a.ndjson:3", "not-json", "bad-record"],
    ])
    expect(ids(harness)).toEqual(["1"])
  })

  it("says how many files it passes over for their names", async () => {
    await write("a.ndjson", [observation("1")])
    await write("b/Patient.json", [{ resourceType: "Patient", id: "p" }])
    await write("c.ndjson.zip", Buffer.from("PK"))
    const said: unknown[] = []
    const log = {
      info: () => {},
      error: () => {},
      warn: (event: string, fields: unknown) => void said.push([event, fields]),
    }
    const instance = await fhirNdjson.create({ path: folder }, testContext({ name: "ehr", log }))
    const harness = sourceRun()
    await instance.run(harness.run)
    expect(ids(harness)).toEqual(["1"])
    expect(said).toEqual([["files-not-ndjson", { count: 2 }]])
  })

  it("goes on at the line after the last durable one, wherever it died", async () => {
    const all = Array.from({ length: 1700 }, (_, i) => (i % 400 === 7 ? "broken" : observation(`r${i}`)))
    await write("a.ndjson", all.slice(0, 900))
    await write("b.ndjson.gz", all.slice(900))
    const whole = await read()
    for (let dieAfter = 0; dieAfter < 14; dieAfter++) {
      const first = await read({ dieAfter })
      const second = await read({ checkpoint: first.checkpoint })
      expect([...records(first), ...records(second)]).toEqual(records(whole))
      expect([...failures(first), ...failures(second)]).toEqual(failures(whole))
    }
    const again = await read({ checkpoint: whole.checkpoint })
    expect([again.appended, again.failed]).toEqual([[], []])
  })

  it.each(["a.ndjson", "a.ndjson.gz"])("reads on where %s has grown", async (name) => {
    await write(name, [observation("1"), observation("2")])
    const first = await read()
    await write(name, [observation("1"), observation("2"), observation("3")])
    await write("A-new.ndjson", [observation("4")])
    const second = await read({ checkpoint: first.checkpoint })
    expect(ids(second)).toEqual(["4", "3"])
    const versions = [...records(first), ...records(second)].map(({ version }) => version)
    expect(new Set(versions).size).toBe(4)
    expect(versions[2]! > versions[1]!).toBe(true)
  })

  it("reads a file that was replaced from its start, as newer arrivals", async () => {
    await write("a.ndjson", [observation("1"), observation("2")])
    const first = await read()
    await write("a.ndjson", [observation("1", { status: "amended" }), observation("2"), observation("3")])
    const second = await read({ checkpoint: first.checkpoint })
    expect(ids(second)).toEqual(["1", "2", "3"])
    expect(records(second)[0]!.version > records(first)[1]!.version).toBe(true)
  })

  it("makes one dead letter of gzip that is cut or corrupt, and keeps the lines before it", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${JSON.stringify(observation(`r${i}-${i * 7919}`))}\n`)
    const whole = gzipSync(lines.join(""))
    await write("cut.ndjson.gz", whole.subarray(0, whole.length - 5000))
    await write("empty.ndjson.gz", Buffer.alloc(0))
    await write("none.ndjson.gz", Buffer.from("this is no gzip"))
    await write("z.ndjson", [observation("last")])
    const harness = await read()
    expect(harness.failed.map(({ error }) => error.code)).toEqual(["gzip-truncated", "gzip-truncated", "gzip-corrupt"])
    expect(ids(harness).length).toBeGreaterThan(10_000)
    expect(ids(harness).at(-1)).toBe("last")
  })

  it("stops a zip bomb early, with flat memory", async () => {
    const zeros = async function* () {
      const piece = Buffer.alloc(1 << 20, 0x20)
      for (let i = 0; i < 400; i++) yield piece
    }
    await pipeline(zeros(), createGzip({ level: 9 }), createWriteStream(join(folder, "bomb.ndjson.gz")))
    expect(statSync(join(folder, "bomb.ndjson.gz")).size).toBeLessThan(1 << 20)
    await write("z.ndjson", [observation("last")])
    const before = process.memoryUsage.rss()
    const harness = await read()
    expect(failures(harness)).toEqual([["bomb.ndjson.gz:1", "gzip-bomb", "bad-record"]])
    expect(ids(harness)).toEqual(["last"])
    expect(process.memoryUsage.rss() - before).toBeLessThan(256 << 20)
    expect((await read({ checkpoint: harness.checkpoint })).failed).toEqual([])
  })

  it("passes over a line that is too long and keeps the next", async () => {
    const long = Buffer.alloc(65 << 20, 0x61)
    await write("a.ndjson", Buffer.concat([long, Buffer.from(`\n${JSON.stringify(observation("1"))}\n`)]))
    const harness = await read()
    expect(failures(harness)).toEqual([["a.ndjson:1", "line-too-long", "bad-record"]])
    expect(ids(harness)).toEqual(["1"])
  })

  it("follows no links", async () => {
    await write("a.ndjson", [observation("1")])
    await symlink(join(folder, "a.ndjson"), join(folder, "b.ndjson"))
    await symlink(folder, join(folder, "loop"))
    expect(ids(await read())).toEqual(["1"])
  })

  it("says how far the feed is complete only after all files", async () => {
    await write("a.ndjson", [observation("1")])
    const harness = await read({ options: { "complete-through": "2024-06-30" } })
    expect(harness.completed).toEqual([{ feed: "ehr/*", through: Date.UTC(2024, 6, 1) }])
  })

  it.skipIf(process.getuid?.() === 0)("reads what it can before it complains of a file without rights", async () => {
    await write("a.ndjson", [observation("1")])
    await write("b.ndjson", [observation("2")])
    await chmod(join(folder, "a.ndjson"), 0)
    await expect(read({ options: { "complete-through": "2024" } })).rejects.toMatchObject({
      meaning: "retryable",
      code: "file-unreadable",
    })
  })

  it("refuses a missing folder, an unreadable date and an unknown zone", async () => {
    await expect(read({ options: { path: join(folder, "none") } })).rejects.toMatchObject({ code: "path-missing" })
    await expect(read({ options: { "complete-through": "soon" } })).rejects.toMatchObject({ code: "date-unreadable" })
    await expect(read({ options: { "time-zone": "Mars" } })).rejects.toMatchObject({ code: "time-zone-unknown" })
  })
})

const synthea = resolve(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "fhir/synthea-r4")
if (!existsSync(synthea)) console.warn("skipped: the Synthea data is not here")
describe.skipIf(!existsSync(synthea))("fhir-ndjson on shared Synthea data", () => {
  it("reads each of the 92,668 resources once, and knows the person of every clinical one", async () => {
    const harness = await read({ options: { path: synthea } })
    expect(harness.failed).toEqual([])
    expect(harness.appended).toHaveLength(92_668)
    const found = records(harness)
    // The export repeats some organizations and practitioners.
    expect(new Set(found.filter(({ key }) => key !== "").map(({ id }) => id)).size).toBe(
      found.filter(({ key }) => key !== "").length,
    )
    const types = new Set(found.filter(({ key }) => key === "").map(({ value }) => value!.resourceType))
    expect([...types].sort()).toEqual(["Organization", "Practitioner"])
    const patients = new Set(found.filter(({ value }) => value!.resourceType === "Patient").map(({ key }) => key))
    expect(patients.size).toBe(381)
    expect(found.every(({ key }) => key === "" || patients.has(key))).toBe(true)
  })
})
