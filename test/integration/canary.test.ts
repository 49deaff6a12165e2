import { createHash } from "node:crypto"
import { readFile, readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { makeCanary } from "../../cli/canary/make.ts"
import {
  Schema,
  defineSource,
  defineStateful,
  defineTransform,
  personKey,
  port,
  pseudonymizer,
} from "../../core/index.ts"
import type { Draft, Rec } from "../../core/index.ts"
import { objectStore } from "../../sinks/object-store/index.ts"
import { postgres } from "../../sinks/postgres/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World, reading } from "./world.ts"
import type { Reading } from "./world.ts"

const canary = makeCanary("integration", 1)
const { "family-name": family, mrn } = canary.identifiers

/** Where the border lets a name through. */
type Leak = "none" | "key" | "value" | "header" | "object" | "pieces" | "object-name" | "swallowed" | "large"
let leak: Leak = "none"

const people = defineSource({
  name: "people",
  summary: "Gives five patients, the third of them a canary.",
  options: Schema.Struct({}),
  runs: "once",
  outputs: { out: port(reading, "key") },
  create: async () => ({
    run: async ({ append, checkpoint }) => {
      if (checkpoint.has("at")) return
      const drafts = ["A1", "B2", mrn, "D4", "E5"].map((key, number): Draft<Reading> => ({
        key,
        id: key,
        op: "upsert",
        version: 1n,
        value: { name: key === mrn ? family : `Name of ${key}`, number },
        time: 0,
      }))
      await append("out", drafts, { at: "5" })
    },
  }),
})

const [projectKey, identityKey] = ["project key of a test, long enough", "identity key of a test, long enough"]
const pseudonym = (key: string): string =>
  pseudonymizer(Buffer.from(projectKey)).person(personKey(Buffer.from(identityKey), "mrn", key))
const code = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16)

function released({ key, value }: Rec<Reading>): Draft<Reading> {
  const { name, number } = value!
  const draft = { key: pseudonym(key), id: code(key), op: "upsert", version: 1n, time: 0 } as const
  if (leak === "key") return { ...draft, key: `p-${key}`, value: { name: "x", number } }
  if (leak === "header") return { ...draft, value: { name: "x", number }, headers: { note: name } }
  if (leak === "large") return { ...draft, value: { name: `${"z".repeat(600_000)} ${name}`, number } }
  return { ...draft, value: { name: leak === "value" ? `seen: ${name.toUpperCase()}!` : "x", number } }
}

async function* cut(text: string) {
  for (let at = 0; at < text.length; at += 3) yield Buffer.from(text.slice(at, at + 3))
}

const border = defineTransform({
  name: "shady",
  summary: "De-identifies, and lets through what the test says.",
  options: Schema.Struct({}),
  privacy: true,
  inputs: { in: port(reading, "key") },
  outputs: { out: port(reading, "key") },
  create: async (_, context) => ({
    async apply(batch, out) {
      const objects = context.objects("limited")
      for (const record of batch) {
        const { name } = record.value!
        if (leak === "object") await objects.put(`o/${code(record.key)}`, Buffer.from(`by ${name}`, "latin1"))
        if (leak === "pieces")
          await objects.putIfAbsent(`o/${code(record.key)}`, cut(`some bytes, then ${name}, and more`))
        if (leak === "object-name") await objects.put(`o/${record.key}`, Buffer.from("nothing"))
        if (leak === "swallowed") await objects.put(`o/${code(record.key)}`, Buffer.from(name)).catch(() => {})
        out.emit("out", record, released(record))
      }
    },
  }),
})

const held = defineStateful({
  name: "shady-held",
  summary: "The same, with state: what it emits stems from the canary's record, whoever it is of.",
  options: Schema.Struct({ key: Schema.String }),
  privacy: true,
  inputs: { in: port(reading, "key") },
  outputs: { out: port(reading, "key") },
  create: async () => ({
    async apply(batch, out, state) {
      for (const record of batch) {
        state.put([[record.key, "seen", true]])
        if (record.key !== mrn) out.hold(record)
      }
      const last = batch.find(({ key }) => key === mrn)!
      for (const record of batch) out.emit("out", last, released(record))
    },
  }),
})

const yaml = (use = "shady", watched = true, sinks = true) => `
name: canaries
${watched ? "canaries: { file: canaries.json }" : ""}
secrets: { project-key: { env: PROJECT_KEY }, identity-key: { env: IDENTITY_KEY } }
identity: [{ namespace: mrn, dicom-issuer: [HOSP] }]
topics: { raw: { partitions: 1 }, below: { zone: limited, partitions: 1 } }
sources: { feed: { use: people, to: raw } }
stages: { border: { from: raw, through: [{ use: ${use}${use === "shady" ? "" : ", with: { key: project-key }"} }], to: below } }
${sinks ? "sinks: { table: { use: postgres, from: below }, files: { use: object-store, from: below } }" : ""}
`

describe("a canary", { timeout: 120_000 }, () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  let world: World
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  beforeEach(async () => {
    leak = "none"
    world = await World.open(yaml(), server)
    Object.assign(world.environment, { PROJECT_KEY: projectKey, IDENTITY_KEY: identityKey })
    world.builtIns = [people, border, held, postgres, objectStore]
    await writeFile(join(world.folder, "canaries.json"), JSON.stringify({ canaries: [canary] }))
  })
  afterEach(() => world.close())

  const run = () => world.weir("run", world.file, "--until-idle", "--json")
  const rows = () => world.rows("select number from limited.below order by number")

  /** What there is below phi: messages as they lie in the Log, objects with their names. */
  async function below(): Promise<{ readonly messages: number; readonly objects: string }> {
    const { out } = await world.weir("topic", "read", world.file, "below", "--json")
    const folder = join(world.folder, ".weir/objects-limited")
    const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
    const files = names.filter((one) => one.isFile())
    const bytes = await Promise.all(files.map((one) => readFile(join(one.parentPath, one.name), "latin1")))
    return {
      messages: out.split("\n").filter((line) => line.trim() !== "").length,
      objects: files.map((one) => one.name).join() + bytes.join(),
    }
  }

  const places: readonly (readonly [Leak, string, string])[] = [
    ["key", "shady", "the mrn of canary-1, a patient that there is not, stands in the key of a message for below[0]"],
    [
      "value",
      "shady",
      "the family-name of canary-1, a patient that there is not, stands in the value of a message for below[0]",
    ],
    [
      "header",
      "shady",
      "the family-name of canary-1, a patient that there is not, stands in the value of a message for below[0]",
    ],
    [
      "value",
      "shady-held",
      "the family-name of canary-1, a patient that there is not, stands in the value of a message for below[0]",
    ],
    ["large", "shady", "the family-name of canary-1, a patient that there is not, stands in object values/"],
    ["object", "shady", "the family-name of canary-1, a patient that there is not, stands in object o/"],
    ["pieces", "shady", "the family-name of canary-1, a patient that there is not, stands in object o/"],
    [
      "object-name",
      "shady",
      "the mrn of canary-1, a patient that there is not, stands in the name of an object in zone limited",
    ],
    ["swallowed", "shady", "the family-name of canary-1, a patient that there is not, stands in object o/"],
  ]
  it.each(places)(
    "whose name passes in the %s of %s stops the pipeline before it is there",
    async (where, use, said) => {
      leak = where
      await world.pipeline(yaml(use))
      const { code: ended, err } = await run()
      expect(err).toContain(said)
      expect(err).toContain("code: canary-leak")
      expect(ended).toBe(77)
      for (const value of Object.values(canary.identifiers))
        expect(err.toLowerCase()).not.toContain(value.toLowerCase())
      const there = await below()
      expect(there.messages).toBe(0)
      expect(there.objects).not.toContain(family)
      expect(there.objects).not.toContain(Buffer.from(family).toString("latin1"))
      expect(there.objects).not.toContain(mrn)
      // Started again it stops again, and goes on where it was once the border is mended.
      expect((await run()).code).toBe(77)
      leak = "none"
      expect((await run()).code).toBe(0)
      expect(await rows()).toHaveLength(4)
    },
  )

  it("that stands in a topic already does not come into a table or a file", async () => {
    leak = "value"
    await world.pipeline(yaml("shady", false, false))
    expect((await run()).code).toBe(0)
    await world.pipeline(yaml())
    const { code: ended, err } = await run()
    expect(err).toMatch(/stands in a row of below\[0\]@\d+ for sink (table|files)/)
    expect(ended).toBe(77)
    expect(await rows()).toEqual([])
    expect((await below()).objects).not.toContain(family.toUpperCase())
  })

  it.each(["shady", "shady-held"])(
    "that is de-identified is counted, marked for subscribers, and in no table",
    async (use) => {
      await world.pipeline(yaml(use))
      const { code: ended, out } = await run()
      expect(ended).toBe(0)
      const { sources, stages, sinks } = JSON.parse(out)
      expect(sources.feed.counters).toEqual({ "canary-arrived": { "canary-1": 1 } })
      expect(stages.border.counters).toEqual({ "canary-seen": { "canary-1": 1 } })
      expect(sinks.table.counters).toEqual({ "canary-seen": { "canary-1": 1 } })
      expect(await rows()).toEqual([0, 1, 3, 4].map((number) => ({ number: String(number) })))
      const read = await world.weir("topic", "read", world.file, "below", "--json")
      expect(read.out.split("\n").filter((line) => line.includes('"weir-canary":"canary-1"'))).toHaveLength(1)
    },
  )

  it("changes nothing for a pipeline that names none", async () => {
    leak = "value"
    await world.pipeline(yaml("shady", false))
    expect((await run()).code).toBe(0)
    expect(await rows()).toHaveLength(5)
  })

  it("file that is missing or damaged stops the pipeline before anything is read", async () => {
    for (const text of ["{}", '{"canaries":[]}', '{"canaries":[{"name":"a","identifiers":{"mrn":"ab"}}]}', "no"]) {
      await writeFile(join(world.folder, "canaries.json"), text)
      const { code: ended, err } = await run()
      expect([ended, err]).toEqual([78, expect.stringContaining("code: canaries-unreadable")])
    }
  })
})
