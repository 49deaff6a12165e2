import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { below, weir, weirProcess } from "./weir.ts"
import type { Ended } from "./weir.ts"

const canary = "Quexworth"
const patients = 5

/** A package with a privacy transform that fails in all the ways there are; its errors quote the record, as foreign ones do. */
const plugin = `
import * as Schema from "effect/Schema"
const tick = () => new Promise((resolve) => setImmediate(resolve))
const draft = ({ key, id, op, version, time, value }) =>
  ({ key, id, op, version, time, value: value && { ...value, body: null, identifiers: [], birthDate: null } })
const thrown = (record) => new Error("cannot read " + record.value.body)
const loud = (record) => { throw thrown(record) }
const each = (act) => (batch, out) => batch.forEach((record, at) => act(record, at, out))
const emit = (record, out) => out.emit("out", record, draft(record))
const recursion = (record) => recursion({ ...record }) + 1
const modes = {
  ok: each((record, at, out) => emit(record, out)),
  third: each((record, at, out) => (at === 2 ? loud(record) : emit(record, out))),
  later: async (batch, out) => {
    for (const record of batch) emit(record, out)
    await tick()
    loud(batch[0])
  },
  nothing: each((record, at, out) => at === 2 || emit(record, out)),
  holds: each((record, at, out) => (at === 2 ? out.hold(record) : emit(record, out))),
  twice: each((record, at, out) => (out.drop(record, "gone"), out.drop(record, "gone"))),
  elsewhere: each((record, at, out) => out.emit(at === 2 ? "aside" : "out", record, draft(record))),
  recursion: each((record, at, out) => (at === 2 ? recursion(record) : emit(record, out))),
  "throws-null": () => { throw null },
  misfit: each((record, at, out) => out.emit("out", record, { ...draft(record), ...(at === 2 ? { value: { body: 7 } } : {}) })),
  "bad-record": async (batch, out) => {
    const { badRecord } = await import(CORE)
    for (const record of batch.slice(0, 2)) emit(record, out)
    throw badRecord("oops", "the third record is bad")
  },
  early: (batch, out) => void tick().then(() => batch.forEach((record) => emit(record, out))),
  stray: (batch, out) => new Promise(() => setImmediate(() => loud(batch[0]))),
  straggler: (batch, out) => {
    for (const record of batch) emit(record, out)
    void tick().then(() => emit(batch[2], out))
  },
}
const options = Schema.Struct({ mode: Schema.String })
const any = { key: "any", zone: "any", type: "any" }
const same = { key: "same", zone: "any", type: "same" }
const ports = { inputs: { in: any }, outputs: { out: same }, options, privacy: true }
async function create({ mode }) {
  if (mode === "uncreated") throw new TypeError("no profile for CANARY")
  if (mode === "rejected") await Promise.reject("CANARY")
  return { apply: modes[mode] }
}
export default [
  { kind: "transform", name: "shady", summary: "Fails", ...ports, create },
  { kind: "stateful", name: "shady-stateful", summary: "Fails with state", ...ports, create },
]
`
  .replaceAll("CANARY", canary)
  .replace("CORE", JSON.stringify(pathToFileURL(resolve("core/index.ts")).href))

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-privacy-"))
  const home = join(folder, "node_modules", "weir-plugin-shady")
  await mkdir(home, { recursive: true })
  await symlink(resolve("node_modules", "effect"), join(folder, "node_modules", "effect"))
  const manifest = { name: "weir-plugin-shady", version: "1.0.0", type: "module", exports: "./plugin.js" }
  await writeFile(join(home, "package.json"), JSON.stringify(manifest))
  await writeFile(join(home, "plugin.js"), plugin)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe("weir check refuses the demo's pipeline", () => {
  let demo: string
  beforeAll(async () => {
    demo = await readFile("examples/demo.yaml", "utf8")
  })

  /** The faults of the demo's pipeline after a change. */
  async function checked(...changes: readonly (readonly [from: RegExp | string, to: string])[]) {
    const text = changes.reduce((before, [from, to]) => before.replace(from, to), demo)
    expect(text).not.toBe(demo)
    const path = join(folder, "changed.yaml")
    await writeFile(path, text)
    const { code, out, err } = await weir("check", path)
    expect(out === "").toBe(code !== 0)
    return { code, faults: err.replaceAll(path, "demo"), lineOf: (what: string) => lineOf(text, what) }
  }
  const lineOf = (text: string, what: string) => text.split("\n").findIndex((line) => line.includes(what)) + 1

  const stages = [
    {
      stage: "images",
      through: /    through:\n {6}- use: deidentify-dicom[^]*?(?=    to:)/,
      to: "curated.instances }",
    },
    { stage: "resources", through: / +through:\s+\[\{ use: deidentify-fhir.*\n/, to: "to: curated.resources" },
    { stage: "release", through: / +through:\s+\[\{ use: deidentify-record.*\n/, to: "to: curated.labels" },
  ]
  const instead = [
    { how: "removed", through: "" },
    { how: "removed from the list", through: "    through: []\n" },
    {
      how: "replaced by another transform",
      through: "    through: [{ use: select, with: { drop: { field: value, exists: true } } }]\n",
    },
    { how: "replaced by one that has faults of its own", through: "    through: [{ use: select }]\n" },
  ]
  const cases = stages.flatMap((stage) => instead.map((way) => ({ ...stage, ...way, from: stage.through })))
  it.each(cases)("when the privacy transform of $stage is $how", async ({ stage, from, through, to }) => {
    const { code, faults, lineOf: line } = await checked([from, through])
    expect(code).toBe(78)
    const place = `demo:${line(to)}:9: stages.${stage}.to: `
    expect(faults).toContain(`${place}a step down the zones, from `)
    expect(faults).toMatch(/ \(phi\) to curated\.\w+ \(limited\), without a privacy transform: add one/)
  })

  it("when a topic above the border is declared in a lower zone", async () => {
    const { code, faults, lineOf: line } = await checked([/^topics:.*\n/m, "topics:\n  labels: { zone: clean }\n"])
    expect(code).toBe(78)
    expect(faults).toContain(
      `demo:${line("to: labels")}:9: stages.label.to: a step down the zones, from people.facts (phi) to labels (clean), without`,
    )
  })

  it("when a source writes into a lower zone, also with a sink and no stage behind it", async () => {
    const {
      code,
      faults,
      lineOf: line,
    } = await checked([/^topics:.*\n/m, "topics:\n  fhir.arrivals: { zone: limited }\n"])
    expect(code).toBe(78)
    expect(faults).toContain(
      `demo:${line("to: fhir.arrivals")}:9: sources.ehr.to: fhir-ndjson writes phi, topic fhir.arrivals is limited`,
    )
    const path = join(folder, "direct.yaml")
    await writeFile(
      path,
      `topics: { raw: { zone: limited } }
sources: { ehr: { use: fhir-ndjson, with: { path: ehr }, to: raw } }
sinks: { out: { use: postgres, from: raw } }
`,
    )
    expect(await weir("check", path)).toMatchObject({
      code: 78,
      err: expect.stringContaining(`${path}:2:62: sources.ehr.to: fhir-ndjson writes phi, topic raw is limited`),
    })
  })

  it("when what is released goes down once more without a transform", async () => {
    const publish = `  publish:
    from: curated.labels
    through: [{ use: select, with: { drop: { field: value, exists: true } } }]
    to: open.labels

sinks:
`
    const topics = (zone: string) => [/^topics:.*\n/m, `topics:\n  open.labels: { zone: ${zone} }\n`] as const
    const stage = ["\nsinks:", `\n${publish.trimEnd()}`] as const
    expect(await checked(stage, topics("limited"))).toMatchObject({ code: 0, faults: "" })
    const { code, faults, lineOf: line } = await checked(stage, topics("clean"))
    expect(code).toBe(78)
    expect(faults).toContain(
      `demo:${line("to: open.labels")}:9: stages.publish.to: a step down the zones, from curated.labels (limited) to open.labels (clean)`,
    )
  })

  it("when a privacy transform comes from a package that nobody trusts", async () => {
    const shady = [/\[\{ use: deidentify-record.*\]/, "[{ use: shady, with: { mode: ok } }]"] as const
    const plugins = ["\nlog:", `\nplugins: [weir-plugin-shady]\nlog:`] as const
    const { code, faults, lineOf: line } = await checked(shady, plugins)
    expect(code).toBe(78)
    expect(faults).toMatch(
      new RegExp(
        `^demo:${line("use: shady")}:\\d+: stages\\.release\\.through\\[0\\]: privacy transform shady comes from package weir-plugin-shady@1\\.0\\.0: name it under trust: if you trust it$`,
        "m",
      ),
    )
    const trust = ["\nlog:", "\ntrust: [shady]\nlog:"] as const
    expect(await checked(shady, plugins, trust)).toMatchObject({ code: 0, faults: "" })
  })
})

describe("a privacy transform that fails stops the pipeline, and nothing of the batch passes", () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  let file: string

  /** The pipeline that fills `people.events`, with a border of its own for each case. */
  async function pipeline(border: string, extra = ""): Promise<void> {
    const schema = border === "built-in" ? "curated-resource" : "person-event"
    const topic = border === "" ? "" : `below.${border}: { zone: limited, schema: ${schema} }`
    const { host, port } = server.client
    await writeFile(
      file,
      `name: stops
plugins: [weir-plugin-shady]
trust: [shady, shady-stateful]
log: { driver: embedded, dir: log }
store: { driver: postgres, url: "postgres://oracle:oracle@${host}:${port}/postgres" }
objects: { driver: folder, dir: objects }
secrets: { identity-key: { file: identity }, short-key: { file: short } }
identity: [{ namespace: mrn, fhir-system: ["http://hospital.example/mrn"] }]
topics:
  people.events: { zone: phi, partitions: 1 }
  ${topic}
sources: { ehr: { use: fhir-ndjson, with: { path: ehr }, to: fhir.arrivals } }
stages:
  identify: { from: { fhir: fhir.arrivals }, through: [{ use: resolve-patient }], to: people.events }
${extra}
`,
    )
  }

  /** Runs the border stage with a step, as a process of its own where asked. */
  async function run(border: string, step: string, alone = false): Promise<Ended> {
    await pipeline(
      border,
      `  border-${border}: { from: people.events, through: [${step}], to: below.${border} }
sinks:
  rows-${border}: { use: postgres, from: below.${border} }
  files-${border}: { use: object-store, from: below.${border} }
`,
    )
    const argv = ["run", file, "--until-idle"]
    return alone ? weirProcess(argv).ended : weir(...argv)
  }

  /** Every record, row and object of a border: not the notes between tasks, nor what says how objects are laid out. */
  async function passed(border: string): Promise<readonly string[]> {
    const names = {
      message: `below.${border}[`,
      row: `limited.below_${border.replaceAll("-", "_")} row`,
      object: "limited: ",
    }
    const found = (await below(file)).filter(({ kind, place }) => place.startsWith(names[kind]))
    const told = found.filter(({ kind, place, texts }) =>
      kind === "message"
        ? [...texts].some((text) => text.includes('"version"'))
        : kind === "row" || !place.includes("layout"),
    )
    return told.map(({ kind, place }) => `${kind} ${place}`)
  }

  beforeAll(async () => {
    server = await temporaryPostgres()
    await mkdir(join(folder, "ehr"))
    file = join(folder, "stops.yaml")
    await writeFile(join(folder, "identity"), "i".repeat(40))
    await writeFile(join(folder, "short"), "s".repeat(20))
    const lines = Array.from({ length: patients }, (_, at) => ({
      resourceType: "Patient",
      id: `p${at}`,
      meta: { versionId: "1", lastUpdated: "2024-03-01T00:00:00Z" },
      identifier: [{ system: "http://hospital.example/mrn", value: `7781${at}` }],
      name: [{ family: `${canary}${at}` }],
    }))
    await writeFile(join(folder, "ehr", "patients.ndjson"), `${lines.map((one) => JSON.stringify(one)).join("\n")}\n`)
    // People first, so that the border reads all of them in one batch.
    await pipeline("")
    expect(await weir("run", file, "--until-idle")).toMatchObject({ code: 0 })
  })
  afterAll(async () => server?.close())

  const failing = [
    { border: "third", step: "{ use: shady, with: { mode: third } }", says: "shady failed (unclassified)" },
    { border: "later", step: "{ use: shady, with: { mode: later } }", says: "shady failed (unclassified)" },
    { border: "nothing", step: "{ use: shady, with: { mode: nothing } }", says: "without an end" },
    { border: "holds", step: "{ use: shady, with: { mode: holds } }", says: "has no state to hold it in" },
    { border: "twice", step: "{ use: shady, with: { mode: twice } }", says: "ended a record twice" },
    { border: "elsewhere", step: "{ use: shady, with: { mode: elsewhere } }", says: "output that it does not declare" },
    { border: "recursion", step: "{ use: shady, with: { mode: recursion } }", says: "shady failed (unclassified)" },
    { border: "null", step: "{ use: shady, with: { mode: throws-null } }", says: "shady failed (unclassified)" },
    { border: "misfit", step: "{ use: shady, with: { mode: misfit } }", says: "is not of the topic's record type" },
    { border: "uncreated", step: "{ use: shady, with: { mode: uncreated } }", says: "plugin shady cannot start" },
    { border: "rejected", step: "{ use: shady, with: { mode: rejected } }", says: "plugin shady cannot start" },
    { border: "state", step: "{ use: shady-stateful, with: { mode: third } }", says: "shady-stateful failed" },
    { border: "state-nothing", step: "{ use: shady-stateful, with: { mode: nothing } }", says: "without an end" },
    {
      border: "second",
      step: "{ use: shady, with: { mode: ok } }, { use: shady, with: { mode: third } }",
      says: "shady failed",
    },
    { border: "built-in", step: "{ use: deidentify-fhir, with: { key: short-key } }", says: "less than 32 bytes" },
  ]
  it.each(failing)("$border: $says", async ({ border, step, says }) => {
    const { code, out, err } = await run(border, step)
    expect(code).toBe(1)
    expect(err).toContain(says)
    expect(err).toContain(`border-${border}`)
    expect(out + err).not.toContain(canary)
    expect(await passed(border)).toEqual([])
  })

  const alone = [
    { border: "bad-record", mode: "bad-record", says: "shady failed (oops)" },
    { border: "early", mode: "early", says: /without an end|after its call had settled/ },
    { border: "stray", mode: "stray", says: "something failed outside of any step" },
    { border: "straggler", mode: "straggler", says: "went on with a batch after its call had settled" },
  ]
  it.each(alone)("$border, with the exit code of the process", async ({ border, mode, says }) => {
    const { code, out, err } = await run(border, `{ use: shady, with: { mode: ${mode} } }`, true)
    expect(err).toMatch(says)
    expect(code).toBe(1)
    if (mode !== "stray") expect(err).toContain(`border-${border}`)
    expect(out + err).not.toContain(canary)
    if (mode !== "straggler") expect(await passed(border)).toEqual([])
  })

  it("and once it is mended, every record passes once", async () => {
    const { code } = await run("third", "{ use: shady, with: { mode: ok } }")
    expect(code).toBe(0)
    const all = await passed("third")
    const of = (kind: string) => new Set(all.filter((one) => one.startsWith(kind))).size
    expect([of("message"), of("row")]).toEqual([patients, patients])
    expect(all.filter((one) => one.startsWith("row"))).toHaveLength(patients)
    expect(of("object limited: data/below.third/")).toBeGreaterThan(0)
  })
})
