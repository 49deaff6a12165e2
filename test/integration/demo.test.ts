import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { searchBelow } from "../../cli/demo/search.ts"
import type { Planted } from "../../cli/demo/folder.ts"
import { loadPipeline } from "../../cli/load.ts"
import { textsOf } from "../../formats/dicom/index.ts"
import { builtIns, drivers, main } from "../../main.ts"

interface Said {
  code: number
  out: string
  err: string
}

/** Runs a command; with `stopAtFirstSight` it is told to stop when it first draws its progress on a terminal. */
async function weir(argv: readonly string[], stopAtFirstSight = false): Promise<Said> {
  const said: Said = { code: -1, out: "", err: "" }
  const stop = new AbortController()
  const stderr = {
    isTTY: stopAtFirstSight,
    write(text: string) {
      said.err += text
      if (stopAtFirstSight) stop.abort()
    },
  }
  const stdout = { write: (text: string) => void (said.out += text) }
  const io = { stdout, stderr, environment: {}, signal: stop.signal, now: () => Date.now() }
  said.code = await main(argv, io)
  return said
}

describe("the demo, on the embedded ports", { timeout: 240_000 }, () => {
  let base: string
  let file: string
  let demo: Said
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), "weir-demo-"))
    file = join(base, "demo", "pipeline.yaml")
    demo = await weir(["demo", join(base, "demo"), "--patients", "3", "--seed", "5"])
  }, 240_000)
  afterAll(() => rm(base, { recursive: true, force: true }))

  it("releases what the truth says, and no planted identifier", () => {
    expect(demo).toMatchObject({ code: 0 })
    expect(demo.out).toMatch(/none of \d{3,} identifiers found/)
    const labels = [...demo.out.matchAll(/(\d+) of the (\d+) that the hospital's ground truth/g)]
    expect(labels).toHaveLength(2)
    for (const [, equal, of] of labels) expect(equal).toBe(of)
    expect(demo.out).toMatch(/positive labels were taken back/)
    expect(demo.out).toContain("refused.burned-in-text-risk")
  })

  it("would find an identifier that got out, and tells its kind but not its value", async () => {
    const app = {
      builtIns,
      drivers,
      dicomTexts: (bytes: Uint8Array) => (bytes[128] === 0x44 ? textsOf(bytes) : undefined),
    }
    const { values } = JSON.parse(await readFile(join(base, "demo", "hospital", "planted.json"), "utf8")) as {
      values: readonly Planted[]
    }
    const leaked = values.find(({ kind }) => kind === "email")!
    const leak = join(base, "demo", "data", "objects-limited", "leak.txt")
    await writeFile(leak, `seen with ${leaked.value} today`)
    const { pipeline } = await loadPipeline(file, app, { environment: {} })
    const { hits } = await searchBelow(pipeline, app, values, "no-control")
    await rm(leak)
    expect(hits).toEqual([`limited: leak.txt: email of ${leaked.person}`])
  })

  it("can be run again, and nothing counts twice", async () => {
    const { code, out } = await weir(["run", file, "--until-idle", "--as-of", "2024-12-16", "--json"])
    expect(code).toBe(0)
    const { ended, sinks, fates } = JSON.parse(out) as {
      ended: string
      sinks: Record<string, { in: number }>
      fates: Record<string, { arrived: number; released: number; waiting: number; dead: object; dropped: object }>
    }
    expect(Object.keys(fates)).toEqual(["dicom.arrivals", "fhir.arrivals"])
    for (const { arrived, released, waiting, dead, dropped } of Object.values(fates)) {
      const ends = [...Object.values(dead), ...Object.values(dropped)].reduce((sum, count) => sum + count, 0)
      expect(released + waiting + ends).toBe(arrived)
      expect(released).toBeGreaterThan(0)
    }
    expect(ended).toBe("idle")
    expect(Object.values(sinks).map((sink) => sink.in)).toEqual([0, 0])
  })

  it("drains and ends 0 when it is told to stop", async () => {
    const { code, out, err } = await weir(["run", file, "--as-of", "2024-12-16"], true)
    expect(err).toContain("stopped: what was under way is committed")
    expect(out).toMatch(/^sink +warehouse/m)
    expect(code).toBe(0)
  })

  it("shows phi only with --phi, and writes down that it did", async () => {
    const refused = await weir(["topic", "read", file, "people.facts"])
    expect(refused).toMatchObject({ code: 1, out: "" })
    expect(refused.err).toContain("add --phi")
    const audit = ["sql", file, "select action, detail from weir.audit order by number", "--phi", "--json"]
    expect(JSON.parse((await weir(audit)).out)).toHaveLength(1)
    const shown = await weir(["topic", "read", file, "people.facts", "--phi", "--limit", "2", "--json"])
    expect(shown.out.trim().split("\n")).toHaveLength(2)
    expect(JSON.parse((await weir(audit)).out)).toContainEqual({ action: "topic read", detail: "demo: people.facts" })
    const hidden = await weir(["sql", file, "select * from weir.audit"])
    expect(hidden).toMatchObject({ code: 1, out: "" })
  })

  it("lists topics and dead letters, without the names of files", async () => {
    const { out } = await weir(["topic", "ls", file])
    expect(out).toMatch(/^curated\.labels +limited +label +pseudonym +4 +[1-9]\d*$/m)
    const letters = (await weir(["dead-letters", "list", file])).out
    expect(letters).toMatch(/^inbox +truncated +inbox:\(file not shown\)/m)
    expect(letters).toMatch(/^images +refused\.[a-z-]+ +dicom\.arrivals\[\d\]@\d+/m)
    expect((await weir(["dead-letters", "list", file, "--phi"])).out).toContain("truncated.dcm")
  })

  it("ends 78 when a key is missing", async () => {
    await rm(join(base, "demo", "keys", "project"))
    const { code, err } = await weir(["run", file, "--until-idle"])
    expect(code).toBe(78)
    expect(err).toContain("missing-secret")
  })
})
