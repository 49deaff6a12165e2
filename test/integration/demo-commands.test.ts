import { readFile, readdir, mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deadLetterTopic, dropTopic, taskTopic } from "../../core/engine/runtime.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { registryTopic } from "../../core/registry.ts"
import type { Planted, TruePerson } from "../../synth/index.ts"
import { Needles } from "../../cli/demo/needles.ts"
import { withStore } from "../../cli/ports.ts"
import { runDemo } from "./demo.ts"
import type { Demo } from "./demo.ts"
import { app, compiled, weir } from "./weir.ts"

/** What was asked for the first delivery of a small hospital, by commands that users have. */
let folder: string
let demo: Demo
let pipeline: CompiledPipeline
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-commands-"))
  demo = await runDemo(join(folder, "demo"), 6, "11", 1)
  for (const { code, err } of demo.runs) expect(code, err).toBe(0)
  file = demo.folder.pipeline
  pipeline = await compiled(file)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface AuditRow {
  readonly action: string
  readonly detail: string
}
const audit = (): Promise<readonly AuditRow[]> =>
  withStore(pipeline, app, async (store) => {
    const { rows } = await store.query("SELECT action, detail FROM weir.audit ORDER BY 1, 2", "phi")
    return rows.map(([action, detail]) => ({ action: String(action), detail: String(detail) }))
  })
/** Rows that an act adds. */
async function added(act: () => Promise<unknown>): Promise<readonly AuditRow[]> {
  const before = await audit()
  await act()
  const left = [...before]
  return (await audit()).filter((row) => {
    const at = left.findIndex(({ action, detail }) => action === row.action && detail === row.detail)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

describe("weir topic read, of what a run left", () => {
  it("shows no topic of phi without --phi, nor writes that somebody looked", async () => {
    const topics = [...pipeline.topics.values()].filter(({ zone }) => zone === "phi").map(({ name }) => name)
    expect(topics.length).toBeGreaterThan(5)
    const own = [deadLetterTopic, dropTopic, taskTopic].map((of) => of(pipeline.name))
    const rows = await added(async () => {
      for (const topic of [...topics, ...own, registryTopic]) {
        const { code, out, err } = await weir("topic", "read", file, topic)
        expect([topic, code, out]).toEqual([topic, 1, ""])
        expect(err).toContain(`topic ${topic} is phi and is not shown`)
        expect(err).toContain("--phi")
      }
    })
    expect(rows).toEqual([])
  })

  it("shows it with --phi, and writes down that somebody looked", async () => {
    for (const topic of ["people.facts", "dicom.arrivals", deadLetterTopic(pipeline.name)]) {
      let out = ""
      const rows = await added(async () => {
        const read = await weir("topic", "read", file, topic, "--phi", "--limit", "3")
        expect(read.code).toBe(0)
        out = read.out
      })
      expect(out.length, topic).toBeGreaterThan(100)
      expect(rows).toEqual([{ action: "topic read", detail: `demo: ${topic}` }])
    }
  })

  it("shows what is below without being asked twice, and nobody is named in it", async () => {
    const needles = new Needles(demo.truth.planted as readonly Planted[])
    const rows = await added(async () => {
      for (const topic of ["curated.studies", "curated.instances", "curated.resources", "curated.labels"]) {
        const { code, out } = await weir("topic", "read", file, topic, "--limit", "100000", "--json")
        expect(code).toBe(0)
        expect(out.split("\n").length).toBeGreaterThan(5)
        expect([...needles.in(out)]).toEqual([])
      }
    })
    expect(rows).toEqual([])
  })
})

describe("weir sql, on what a run left", () => {
  it("reads what is below phi and nothing else, whatever the statement tries", async () => {
    const count = await weir("sql", file, "SELECT count(*) AS n FROM limited.curated_instances", "--json")
    expect(Number(JSON.parse(count.out)[0].n)).toBeGreaterThan(5)
    const rows = await added(async () => {
      for (const query of [
        "SELECT * FROM weir.audit",
        "SELECT * FROM weir.tasks",
        "SELECT * FROM weir.state",
        "SELECT set_config('role', 'postgres', false), (SELECT count(*) FROM weir.audit)",
        "SET ROLE postgres",
        "SELECT pg_read_file('/etc/hostname')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "DELETE FROM limited.curated_instances",
        "CREATE TABLE limited.mine (a int)",
      ]) {
        const { code, out } = await weir("sql", file, query)
        expect([query, code, out]).toEqual([query, 1, ""])
      }
    })
    expect(rows).toEqual([])
  })

  it("reads phi with --phi, and writes the question down, also one that fails", async () => {
    const asked = ["SELECT * FROM weir.nothing_of_this_name", "SELECT count(*) AS n FROM weir.audit"]
    const rows = await added(async () => {
      expect(await weir("sql", file, asked[1]!, "--phi")).toMatchObject({ code: 0 })
      expect(await weir("sql", file, asked[0]!, "--phi")).toMatchObject({ code: 1, out: "" })
    })
    expect(rows).toEqual(asked.map((detail) => ({ action: "sql", detail })))
  })

  it("cannot make undone what was written down", async () => {
    const before = (await audit()).length
    for (const query of ["DELETE FROM weir.audit", "UPDATE weir.audit SET action = ''", "TRUNCATE weir.audit"])
      expect(await weir("sql", file, query, "--phi")).toMatchObject({ code: 1 })
    expect((await audit()).length).toBe(before + 3)
  })
})

describe("weir dead-letters list, of what a run left", () => {
  it("names files of sources only with --phi, and writes that down", async () => {
    let shown = ""
    expect(
      await added(async () => {
        const { code, out } = await weir("dead-letters", "list", file, "--stage", "inbox")
        expect(code).toBe(0)
        expect(out).toContain("inbox:(file not shown)")
        expect(out).not.toContain(".dcm")
      }),
    ).toEqual([])
    const rows = await added(async () => {
      shown = (await weir("dead-letters", "list", file, "--stage", "inbox", "--phi")).out
    })
    expect(shown).toContain("truncated.dcm")
    expect(rows).toEqual([{ action: "dead-letters list", detail: `demo: ${deadLetterTopic("demo")}` }])
  })
})

describe("weir deid, on the images of the same hospital", () => {
  it("gives the objects that the stream released, byte for byte, and none else", async () => {
    const output = join(folder, "out")
    const map = join(folder, "map.csv")
    const keys = (name: string) => join(demo.folder.path, "keys", name)
    const { code, out } = await weir(
      "deid",
      join(demo.folder.path, "incoming"),
      output,
      "--key-file",
      keys("project"),
      "--identity-key-file",
      keys("identity"),
      "--options",
      "retain-longitudinal-modified-dates,retain-patient-characteristics",
      "--hold",
      "pixels,reports",
      "--accession-issuers",
      '[["HOSP", "", "http://hospital.example/accession"]]',
      "--map",
      map,
    )
    expect(code).toBe(0)
    const persons = demo.truth.persons as unknown as readonly TruePerson[]
    // The person is Patient ID and issuer there: what only a merge or the study tells, it cannot know.
    expect(persons.every(({ imagesLinked }) => imagesLinked)).toBe(true)
    const released = (await readFile(map, "utf8")).split("\n").flatMap((line) => {
      const [, path, status] = line.split(",")
      return status === "released" ? [path!] : []
    })
    expect(out).toContain(`${released.length} released`)
    const streamed = join(demo.folder.path, "data", "objects-limited", "dicom")
    const files = async (root: string) =>
      (await readdir(root, { recursive: true })).filter((name) => name.endsWith(".dcm")).sort()
    expect(await files(output)).toEqual(await files(streamed))
    expect([...new Set(released)].sort()).toEqual(await files(output))
    expect(released.length).toBeGreaterThan(50)
    for (const name of await files(output)) {
      const [own, other] = [await readFile(join(output, name)), await readFile(join(streamed, name))]
      expect(own.equals(other), name).toBe(true)
    }
    expect((await stat(map)).mode & 0o777).toBe(0o600)
  })

  it("needs the lists as JSON", async () => {
    for (const wrong of ["HOSP", '["HOSP"]', "[[1]]"])
      expect(await weir("deid", "a", "b", "--key-file", "k", "--accession-issuers", wrong)).toMatchObject({ code: 64 })
  })
})
