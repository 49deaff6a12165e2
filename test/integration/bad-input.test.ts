import { existsSync, readFileSync } from "node:fs"
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withLog } from "../../cli/ports.ts"
import { readMessages } from "../../cli/topics/read.ts"
import { deadLetterTopic, dropTopic } from "../../core/engine/runtime.ts"
import { badFiles, canaries, goodImages, goodObservations } from "./bad-files.ts"
import { app, below, compiled, weir, weirProcess } from "./weir.ts"
import type { Ended } from "./weir.ts"

/** Most memory that the process may have had, kB: what the demo may have. */
const mostMemory = 400 * 1024

interface Fate {
  readonly arrived: number
  readonly released: number
  readonly dead: Readonly<Record<string, number>>
  readonly dropped: Readonly<Record<string, number>>
  readonly waiting: number
}

let folder: string
let file: string
let ended: Ended
let memory = 0
let fates: Readonly<Record<string, Fate>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-bad-input-"))
  file = await badFiles(folder, await readFile("examples/demo.yaml", "utf8"))
  const running = weirProcess(["run", file, "--until-idle", "--as-of", "2024-11-04", "--json"])
  const status = `/proc/${running.child.pid}/status`
  const look = setInterval(() => {
    // The greatest so far, as Linux counts it; gone with the process.
    const found = existsSync(status) ? /VmHWM:\s+(\d+)/.exec(readFileSync(status, "utf8")) : null
    memory = Math.max(memory, Number(found?.[1] ?? 0))
  }, 50)
  ended = await running.ended
  clearInterval(look)
  expect(ended.code, ended.err).toBe(0)
  fates = JSON.parse(ended.out).fates
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, count) => all + count, 0)

describe("a run over files of all bad sorts", () => {
  it("gives each arrival one fate, and the fates sum", () => {
    expect(fates["dicom.arrivals"]).toMatchObject({
      arrived: goodImages + 6,
      released: goodImages + 1,
      dead: { truncated: 2, "no-uid": 1 },
      dropped: { "not-dicom": 2 },
    })
    expect(fates["fhir.arrivals"]).toMatchObject({
      arrived: goodObservations + 5 + 9,
      released: goodObservations + 5,
      dead: {
        "not-json": 2,
        "no-id": 1,
        "bad-date": 1,
        "not-an-object": 1,
        "no-resource-type": 1,
        "gzip-truncated": 1,
        "gzip-corrupt": 1,
        "gzip-bomb": 1,
      },
      dropped: {},
    })
    for (const { arrived, released, dead, dropped, waiting } of Object.values(fates)) {
      expect(waiting).toBe(0)
      expect(released + sum(dead) + sum(dropped)).toBe(arrived)
    }
  })

  it("writes a dead letter for each, with origin, code and path", async () => {
    const { out } = await weir("dead-letters", "list", file, "--phi", "--json")
    const letters = JSON.parse(out) as { stage: string; code: string; origin: string; path: string; message: string }[]
    const told = letters.map(({ code, origin, path }) => [origin, code, path])
    expect(told.toSorted(([a], [b]) => (a! < b! ? -1 : 1))).toEqual([
      ["ehr:d-bad.ndjson:1", "not-json", ""],
      ["ehr:d-bad.ndjson:2", "not-json", ""],
      ["ehr:d-bad.ndjson:3", "no-id", "Observation.id"],
      ["ehr:d-bad.ndjson:4", "bad-date", "Observation (clinical time)"],
      ["ehr:d-bad.ndjson:5", "not-an-object", ""],
      ["ehr:d-bad.ndjson:6", "no-resource-type", "resourceType"],
      ["ehr:f-cut.ndjson.gz:1", "gzip-truncated", ""],
      ["ehr:g-text.ndjson.gz:1", "gzip-corrupt", ""],
      ["ehr:h-bomb.ndjson.gz:1", "gzip-bomb", ""],
      ["inbox:bad/length.dcm", "truncated", "(7FE0,0010)"],
      ["inbox:bad/truncated.dcm", "truncated", "(0010,0010)"],
      ["inbox:odd/no-uids.dcm", "no-uid", "(0008,0018)"],
    ])
    for (const { message } of letters) expect(message.length).toBeGreaterThan(15)
  })

  it("lets through what is only odd: a resource of 3 MB, unknown codes, 200 levels of nesting in resources and images", async () => {
    const asked = await weir("sql", file, "SELECT count(*) AS n FROM limited.curated_resources", "--json")
    expect(JSON.parse(asked.out)).toEqual([{ n: String(goodObservations + 5) }])
    // The 3 MB went by the bucket.
    expect((await readdir(join(folder, "data", "objects-phi", "values"))).length).toBeGreaterThan(0)
    const { stages } = JSON.parse(ended.out)
    expect(stages.map.counters["unmapped-codes"]).toMatchObject({ "http://elsewhere.example/codes|X-17": 1 })
    const images = await weir("sql", file, "SELECT released, refused FROM limited.curated_studies", "--json")
    expect(JSON.parse(images.out)).toEqual([{ released: goodImages + 1, refused: 0 }])
  })

  it("shows none of the values that stood in them: not in logs, metrics, dead letters, drops, or below phi", async () => {
    const texts = [ended.out, ended.err]
    const pipeline = await compiled(file)
    await withLog(pipeline, app, async (log) => {
      for (const topic of [deadLetterTopic(pipeline.name), dropTopic(pipeline.name)])
        for await (const { message } of readMessages(log, topic, 0n))
          texts.push(...[message.key, message.value].map((bytes) => Buffer.from(bytes ?? []).toString("latin1")))
    })
    const notes = texts.length
    for (const found of await below(file)) texts.push(found.place, ...found.texts)
    expect(notes).toBeGreaterThan(20)
    expect(texts.length).toBeGreaterThan(notes + 100)
    const shown = canaries.flatMap((canary) =>
      texts.filter((text) => text.includes(canary) || text.includes(canary.replaceAll("-", ""))).map(() => canary),
    )
    expect(shown).toEqual([])
    // They are there, above.
    const read = await weir("topic", "read", file, "people.facts", "--phi", "--limit", "1000", "--json")
    for (const canary of canaries) expect(read.out).toContain(canary)
  })

  it.skipIf(process.platform !== "linux")(
    "holds neither the 2 GB of the bomb nor the 4 GB of the length in memory",
    () => {
      expect(memory).toBeGreaterThan(50 * 1024)
      expect(memory).toBeLessThan(mostMemory)
    },
  )

  it("ends the same when it is run again, with nothing new", async () => {
    const again = await weir("run", file, "--until-idle", "--as-of", "2024-11-04", "--json")
    expect(again.code).toBe(0)
    expect(JSON.parse(again.out).fates).toEqual(fates)
  })
})

describe("a secret that is missing", () => {
  it.each(["project", "identity"])(
    "ends the run with 78 before anything is written, and names it: %s",
    async (name) => {
      const empty = await mkdtemp(join(tmpdir(), "weir-no-secret-"))
      try {
        const other = await badFiles(empty, await readFile("examples/demo.yaml", "utf8"), false)
        await rm(join(empty, "keys", name))
        const { code, out, err } = await weir("run", other, "--until-idle")
        expect([code, out]).toEqual([78, ""])
        expect(err).toContain(`secret "${name}-key": file keys/${name} is missing or empty`)
        expect(err).toContain("hint: a key can be made with")
        expect(existsSync(join(empty, "data"))).toBe(false)
      } finally {
        await rm(empty, { recursive: true, force: true })
      }
    },
  )
})
