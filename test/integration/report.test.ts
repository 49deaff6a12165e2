import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Needles } from "../../cli/demo/needles.ts"
import { withStore } from "../../cli/ports.ts"
import type { BeforeAfter } from "../../cli/report/before-after.ts"
import type { ImageReport, PrivacyReport } from "../../cli/report/model.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { weirVersion } from "../../core/index.ts"
import { keyIdOf } from "../../transforms/deidentify/profile.ts"
import type { Planted } from "../../synth/index.ts"
import { runDemo } from "./demo.ts"
import type { Demo } from "./demo.ts"
import { app, compiled, weir } from "./weir.ts"

let folder: string
let demo: Demo
let pipeline: CompiledPipeline
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-report-"))
  demo = await runDemo(join(folder, "demo"), 6, "11", 2)
  for (const { code, err } of demo.runs) expect(code, err).toBe(0)
  file = demo.folder.pipeline
  pipeline = await compiled(file)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const reported = async (...argv: readonly string[]): Promise<PrivacyReport> => {
  const { code, out, err } = await weir("report", file, ...argv)
  expect(code, err).toBe(0)
  return JSON.parse(out) as PrivacyReport
}
const imagesOf = ({ stages }: PrivacyReport): ImageReport => stages.find(({ images }) => images !== undefined)!.images!
const sql = async (query: string, zone: "phi" | "limited" = "limited") =>
  (await withStore(pipeline, app, (store) => store.query(query, zone))).rows
const audit = async () =>
  (await sql("SELECT action, detail FROM weir.audit ORDER BY number", "phi")).map((row) => row.map(String))
const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0)

describe("weir report, of a pipeline", () => {
  it("counts the images that stand below, with what they were made with, and those refused by reason", async () => {
    const report = await reported()
    expect(report.stages.map(({ stage }) => stage).sort()).toEqual(["images", "release", "resources"])
    const images = imagesOf(report)
    const [[standing]] = (await sql("SELECT count(*) FROM limited.curated_instances")) as [[bigint]]
    expect(images.released).toBe(Number(standing))
    expect(images.released).toBeGreaterThan(50)
    expect(images.applied).toEqual([
      expect.objectContaining({
        tool: weirVersion(),
        keyId: keyIdOf(demo.projectKey),
        options: ["retain-longitudinal-modified-dates", "retain-patient-characteristics"],
        codes: expect.arrayContaining([{ code: "113100", meaning: "Basic Application Confidentiality Profile" }]),
        instances: images.released,
      }),
    ])
    expect(images.uncounted).toBe(0)
    expect(images.actions["uidsMapped"]).toBeGreaterThan(images.released)
    const refusals = await sql(
      `SELECT r ->> 'reason', sum((r ->> 'instances')::int) FROM limited.curated_studies,
       jsonb_array_elements(refusals::jsonb) r GROUP BY 1 ORDER BY 1`,
    )
    expect(images.refusals).toEqual(Object.fromEntries(refusals.map(([reason, count]) => [reason, Number(count)])))
    expect(images.refused).toBe(sum(images.refusals))
    expect(images.refused).toBeGreaterThan(0)
  })

  it("counts what was done to the resources and labels that stand below", async () => {
    const report = await reported()
    for (const [stage, table, rules] of [
      ["resources", "curated_resources", /^weir-fhir-r4-1 /],
      ["release", "curated_labels", /^weir-record-1 /],
    ] as const) {
      const [[standing]] = (await sql(`SELECT count(*) FROM limited.${table}`)) as [[bigint]]
      const { records } = report.stages.find((one) => one.stage === stage)!
      expect([stage, records?.released]).toEqual([stage, Number(standing)])
      expect(records!.applied).toEqual([
        {
          tool: weirVersion(),
          rules: expect.stringMatching(rules),
          keyId: keyIdOf(demo.projectKey),
          records: records!.released,
        },
      ])
      for (const action of ["kept", "mapped"]) expect(records!.actions[action], action).toBeGreaterThan(0)
    }
  })

  it("says the same after everything came again", async () => {
    const before = await reported()
    expect(before.stages.filter(({ records }) => records !== undefined)).toHaveLength(2)
    const last = demo.truth.waves.at(-1)!
    expect(await weir("replay", file, "map", "--from", "earliest")).toMatchObject({ code: 0 })
    expect(await weir("run", file, "--until-idle", "--as-of", last.asOf, "--json")).toMatchObject({ code: 0 })
    const after = await reported()
    expect(imagesOf(after)).toEqual(imagesOf(before))
    expect(after.stages.map(({ records }) => records)).toEqual(before.stages.map(({ records }) => records))
  })
})

describe("weir report, of a study and a data set", () => {
  it("adds up to the pipeline's when all studies are reported by their pseudonyms", async () => {
    const whole = imagesOf(await reported())
    const studies = (await sql("SELECT study_instance_uid FROM limited.curated_studies")).map(([uid]) => String(uid))
    let [released, removed] = [0, 0]
    for (const study of studies) {
      const report = await reported("--study", study)
      expect(report.subject).toEqual({ kind: "study", study })
      released += imagesOf(report).released
      removed += imagesOf(report).actions["removed"] ?? 0
    }
    expect([released, removed]).toEqual([whole.released, whole.actions["removed"]])
  })

  it("tells the pseudonym of an original study only with --phi, and writes that down", async () => {
    const [[original]] = (await sql("SELECT sort FROM weir.state WHERE sort LIKE 't/%' LIMIT 1", "phi")) as [[string]]
    const uid = decodeURIComponent(original.slice(2))
    expect(await weir("report", file, "--study", uid)).toMatchObject({ code: 64, out: "" })
    const before = await audit()
    expect(await weir("report", file, "--study", uid, "--original")).toMatchObject({ code: 1, out: "" })
    expect(await audit()).toEqual(before)
    const { subject } = await reported("--study", uid, "--original", "--phi")
    expect(JSON.stringify(subject)).not.toContain(uid)
    expect((await audit()).slice(before.length)).toEqual([["report", "demo: pseudonym of a study by its original UID"]])
  })

  it("tells of a topic, or of its table, what it holds and by which profiles", async () => {
    for (const name of ["curated.instances", "curated_instances", "limited.curated_instances"]) {
      const { subject, stages } = await reported("--data-set", name)
      const [[standing]] = (await sql("SELECT count(*) FROM limited.curated_instances")) as [[bigint]]
      expect(subject).toMatchObject({ kind: "data-set", topic: "curated.instances", rows: Number(standing) })
      expect(stages.map(({ stage }) => stage)).toEqual(["images"])
      if (subject.kind === "data-set") expect(sum(subject.profiles)).toBe(Number(standing))
    }
    const labels = await reported("--data-set", "curated.labels")
    expect(labels.stages.map(({ stage }) => stage)).toEqual(["release"])
    expect(await weir("report", file, "--data-set", "imaging.studies")).toMatchObject({ code: 64 })
  })
})

describe("what reports hold", () => {
  it("is no planted identifier of the hospital, in pages and JSON alike; pages load nothing", async () => {
    const needles = new Needles(demo.truth.planted as readonly Planted[])
    const [[study]] = (await sql("SELECT study_instance_uid FROM limited.curated_studies LIMIT 1")) as [[string]]
    const subjects = [
      [],
      ["--study", study],
      ...[...pipeline.topics.values()].filter(({ zone }) => zone !== "phi").map(({ name }) => ["--data-set", name]),
    ]
    for (const subject of subjects) {
      const [page, data] = [join(folder, "report.html"), join(folder, "report.json")]
      expect(await weir("report", file, ...subject, "--out", `${page},${data}`)).toMatchObject({ code: 0, out: "" })
      for (const path of [page, data]) {
        const text = await readFile(path, "utf8")
        expect(text.length).toBeGreaterThan(300)
        expect([...needles.in(text)]).toEqual([])
        expect((await stat(path)).mode & 0o777).toBe(0o600)
      }
      const html = await readFile(page, "utf8")
      expect(html).not.toMatch(/<script|https?:|src=|@import|url\(/i)
    }
    const page = join(folder, "pipeline.html")
    expect(await weir("report", file, "--out", page)).toMatchObject({ code: 0 })
    expect(await readFile(page, "utf8")).toContain('aria-label="Refused images by reason"')
  })
})

describe("weir report --before-after", () => {
  const args = async () => {
    const [[uid]] = (await sql("SELECT sop_instance_uid FROM limited.curated_instances LIMIT 1")) as [[string]]
    return ["report", file, "--instance", uid, "--before-after"]
  }

  it("shows nothing without --phi and a file to write to, nor writes that somebody looked", async () => {
    const before = await audit()
    const out = join(folder, "refused.json")
    expect(await weir(...(await args()), "--out", out)).toMatchObject({ code: 1, out: "" })
    expect(await weir(...(await args()), "--phi")).toMatchObject({ code: 64, out: "" })
    await expect(stat(out)).rejects.toThrow()
    expect(await audit()).toEqual(before)
  })

  it("pairs each element with the rule that decided, for its owner's eyes only, and is written down", async () => {
    const [page, data] = [join(folder, "image.html"), join(folder, "image.json")]
    await writeFile(page, "old")
    await chmod(page, 0o644)
    const before = await audit()
    const { code, out, err } = await weir(...(await args()), "--phi", "--out", `${page},${data}`)
    expect([code, out], err).toEqual([0, ""])
    for (const path of [page, data]) expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await audit()).slice(before.length)).toEqual([
      ["report", expect.stringMatching(/^demo: before and after of imaging\.instances\[\d+\]@\d+$/)],
    ])
    const table = JSON.parse(await readFile(data, "utf8")) as BeforeAfter
    expect(table.verdict).toBe("released")
    const of = (path: string) => table.elements.find((one) => one.path === path)!
    expect(of("(0010,0010)")).toMatchObject({ keyword: "PatientName", vr: "PN", action: "replaced" })
    expect(of("(0008,0018)").before).not.toBe(of("(0008,0018)").after)
    expect(of("(0028,0010)")).toMatchObject({ action: "kept" })
    expect(of("(0028,0010)").before).toMatch(/^\d+$/)
    expect(of("(0012,0062)")).toMatchObject({ action: "added", after: "YES" })
    for (const one of table.elements) expect(one.rule, one.path).not.toBe("")
    const needles = new Needles(demo.truth.planted as readonly Planted[])
    expect([...needles.in(JSON.stringify(table.elements.map(({ after, path, rule }) => [path, rule, after])))]).toEqual(
      [],
    )
    expect(needles.in(JSON.stringify(table)).size).toBeGreaterThan(0)
  })
})
