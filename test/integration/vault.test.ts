import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import { weir } from "./weir.ts"

const pipeline = `
name: research
log: { driver: embedded, dir: data/log }
store: { driver: embedded, dir: data/store }
objects: { driver: folder, dir: data/objects }
secrets:
  project-key: { file: keys/project }
  identity-key: { file: keys/identity }
  vault-key: { file: keys/vault }
identity: [{ namespace: mrn, fhir-system: ["http://hospital.example/mrn"] }]
topics: { curated.resources: { zone: limited } }
sources: { ehr: { use: fhir-ndjson, with: { path: ehr }, to: fhir.arrivals } }
stages:
  identify: { from: { fhir: fhir.arrivals }, through: [{ use: resolve-patient }], to: people.events }
  border:
    from: people.events
    through: [{ use: deidentify-fhir, with: { key: project-key, vault: vault-key, profile: safe-harbor } }]
    to: curated.resources
sinks:
  warehouse: { use: postgres, from: curated.resources }
  files: { use: object-store, from: curated.resources }
`

const patient = (id: string, mrn: string, versionId: number, more: object = {}) => ({
  resourceType: "Patient",
  id,
  meta: { versionId: String(versionId), lastUpdated: `2026-01-0${versionId}T00:00:00Z` },
  identifier: [{ system: "http://hospital.example/mrn", value: mrn }],
  name: [{ family: `Family${mrn}`, given: [`Given${mrn}`] }],
  birthDate: "1960-02-03",
  ...more,
})
const observation = (id: string, of: string) => ({
  resourceType: "Observation",
  id,
  meta: { versionId: "1", lastUpdated: "2026-01-01T00:00:00Z" },
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "4548-4" }] },
  subject: { reference: `Patient/${of}` },
  effectiveDateTime: "2020-03-04",
})
const [mrnA, mrnB] = ["7710001", "7720002"]

/** A row below the border. */
interface Row {
  readonly person: string
  readonly type: string
  readonly id: string
  readonly subject: string
}

describe("a project under safe harbor, with a vault", { timeout: 240_000 }, () => {
  let folder: string
  let file: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-vault-"))
    file = join(folder, "pipeline.yaml")
    await mkdir(join(folder, "keys"))
    await mkdir(join(folder, "ehr"))
    await writeFile(file, pipeline)
    for (const [name, fill] of [
      ["project", "p"],
      ["identity", "i"],
      ["vault", "v"],
      ["new", "n"],
    ] as const)
      await writeFile(join(folder, "keys", name), fill.repeat(32))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  async function deliver(name: string, ...resources: readonly object[]): Promise<readonly Row[]> {
    await writeFile(join(folder, "ehr", `${name}.ndjson`), resources.map((one) => `${JSON.stringify(one)}\n`).join(""))
    const { code, err } = await weir("run", file, "--until-idle")
    expect(code, err).toBe(0)
    return rows()
  }

  /** What stands in the warehouse. */
  async function rows(): Promise<readonly Row[]> {
    const { out } = await weir("sql", file, "--json", "select * from limited.curated_resources")
    return (JSON.parse(out) as Record<string, string>[])
      .filter(({ op }) => op !== "retract")
      .map((row) => {
        const body = JSON.parse(row["body"]!) as {
          subject?: { identifier: { value: string } }
          identifier?: { value: string }[]
        }
        const person = body.subject?.identifier.value ?? body.identifier![0]!.value
        return { person: row["key"] ?? person, type: row["resource_type"]!, id: row["resource_id"]!, subject: person }
      })
  }
  const personsOf = (all: readonly Row[]) => [...new Set(all.map(({ person }) => person))]
  const reveal = async (code: string) => {
    const { out } = await weir("vault", "reveal", file, code, "--reason", "a test", "--json")
    return JSON.parse(out) as { kind: string; namespace: string; value: string; person: string }[]
  }
  const mrns = async (person: string) =>
    (await reveal(person))
      .filter(({ namespace }) => namespace === "mrn")
      .map(({ value }) => value)
      .sort()

  let first: readonly Row[]
  it("releases persons under random codes, and tells by which way back", async () => {
    first = await deliver(
      "1",
      patient("a", mrnA, 1),
      patient("b", mrnB, 1),
      observation("o1", "a"),
      observation("o2", "b"),
    )
    expect(first).toHaveLength(4)
    const persons = personsOf(first)
    expect(persons).toHaveLength(2)
    for (const row of first) expect(row.subject).toBe(row.person)
    expect((await Promise.all(persons.map(mrns))).flat().sort()).toEqual([mrnA, mrnB])
    const o1 = first.find(({ type }) => type === "Observation")!
    expect(await reveal(o1.id)).toEqual([
      { kind: "identifier", namespace: "Observation", value: expect.stringMatching(/^o[12]$/), person: o1.person },
    ])
    const unknown = await weir("vault", "reveal", file, "nobody", "--reason", "a test")
    expect([unknown.code, unknown.out]).toEqual([1, ""])
    expect((await weir("vault", "reveal", file, "nobody")).code).toBe(64)
  })

  it("says in each manifest how its records were de-identified", async () => {
    const home = join(folder, "data", "objects-limited")
    const names = (await readdir(home, { recursive: true })).filter((name) => name.includes("manifest"))
    const texts = await Promise.all(
      names.map(async (name) => {
        const bytes = await readFile(join(home, name)).catch(() => Buffer.alloc(0))
        return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString()
      }),
    )
    expect(texts.join("\n")).toContain("deidentify-fhir: safe harbor (45 CFR 164.514(b)(2))")
  })

  it("retracts what is below phi when persons merge, makes it anew under the one, and back when they part", async () => {
    const link = { link: [{ type: "refer", other: { reference: "Patient/a" } }] }
    const merged = await deliver("2", patient("b", mrnB, 2, link))
    const [one, ...others] = personsOf(merged)
    expect(others).toEqual([])
    expect(personsOf(first)).toContain(one)
    expect(merged.map(({ id }) => id).sort()).toEqual(first.map(({ id }) => id).sort())
    for (const row of merged) expect(row.subject).toBe(one)
    expect(await mrns(one!)).toEqual([mrnA, mrnB])

    const parted = await deliver("3", patient("b", mrnB, 3))
    const byId = (all: readonly Row[]) => all.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    expect(byId(parted)).toEqual(byId(first))
    // What was once released under the one pseudonym was of both.
    expect(await mrns(one!)).toEqual([mrnA, mrnB])
  })

  it("verifies its audit, which names each look, and notices what is cut off", async () => {
    const { out: place } = await weir("vault", "audit", "verify", file)
    expect(place).toMatch(/^\d+:[0-9a-f]{64}\n$/)
    const { out } = await weir("vault", "audit", "list", file, "--json")
    const lines = JSON.parse(out) as { action: string; detail: string }[]
    expect(lines.length).toBe(Number.parseInt(place, 10))
    for (const { action, detail } of lines) {
      expect(action).toBe("reveal")
      expect(detail).toContain("a test")
      expect(detail).not.toContain(mrnA)
    }
    expect((await weir("vault", "audit", "verify", file, "--noted", place.trim())).code).toBe(0)
    expect((await weir("vault", "audit", "verify", file, "--noted", "3:00")).code).toBe(1)
    const store = await openEmbeddedStore({ dir: join(folder, "data", "store") })
    try {
      const client = new Client({ connectionString: store.url })
      await client.connect()
      await client.query("ALTER TABLE vault.audit DISABLE TRIGGER append_only")
      await client.query("UPDATE vault.audit SET actor = 'somebody else' WHERE number = 2")
      const told = await weir("vault", "audit", "verify", file)
      expect([told.code, told.err]).toEqual([1, expect.stringContaining("line 2 was changed")])
      await client.query(
        `UPDATE vault.audit a SET actor = b.actor FROM vault.audit b WHERE a.number = 2 AND b.number = 1`,
      )
      await client.end()
    } finally {
      await store.close()
    }
    expect((await weir("vault", "audit", "verify", file)).code).toBe(0)
  })

  it("rotates the envelope key alone: pseudonyms stay, and the old key opens it no more", async () => {
    const rotate = await weir(
      "vault",
      "rotate",
      file,
      "--new-key-file",
      join(folder, "keys", "new"),
      "--reason",
      "yearly",
    )
    expect(rotate.code, rotate.err).toBe(0)
    const shut = await weir("vault", "audit", "list", file)
    expect([shut.code, shut.err]).toEqual([expect.any(Number), expect.stringContaining("does not open")])
    expect(shut.code).not.toBe(0)
    await writeFile(join(folder, "keys", "vault"), "n".repeat(32))
    const after = await deliver("4", observation("o3", "a"))
    expect(after).toHaveLength(5)
    expect(personsOf(after).sort()).toEqual(personsOf(first).sort())
  })

  it("erases a person: rows, state and vault entries go, others stay, and what comes later is dropped", async () => {
    const before = await rows()
    const unknown = await weir("erase", file, "mrn/0000", "--reason", "asked for")
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("nobody is known")])
    const { code, out, err } = await weir("erase", file, `mrn/${mrnA}`, "--reason", "asked for")
    expect(code, err).toBe(0)
    expect(out).toContain("1 vault entries")
    const left = await rows()
    expect(before.length - left.length).toBe(3)
    expect(personsOf(left)).toHaveLength(1)
    const gone = personsOf(before).find((person) => !personsOf(left).includes(person))!
    expect((await weir("vault", "reveal", file, gone, "--reason", "a test")).code).toBe(1)
    expect(await mrns(personsOf(left)[0]!)).toContain(mrnB)
    for (const trace of [mrnA, `Family${mrnA}`, "Observation/o1", "Observation/o3", "fhir%ehr/a"])
      expect(await inStore(trace), trace).toEqual([])
    expect(await inStore(mrnB)).not.toEqual([])

    const later = await deliver("5", observation("o4", "a"), patient("c", mrnA, 4), observation("o5", "c"))
    expect(later).toEqual(left)
    for (const trace of [mrnA, "Observation/o4", "Observation/o5", "fhir%ehr/c"])
      expect(await inStore(trace), trace).toEqual([])
    expect((await weir("vault", "audit", "verify", file)).code).toBe(0)
    const { out: audit } = await weir("vault", "audit", "list", file, "--json")
    expect((JSON.parse(audit) as { action: string }[]).map(({ action }) => action)).toContain("erase")
  })

  /** The tables of the Store in which a text stands. */
  async function inStore(text: string): Promise<readonly string[]> {
    const store = await openEmbeddedStore({ dir: join(folder, "data", "store") })
    const client = new Client({ connectionString: store.url })
    await client.connect()
    try {
      const { rows: tables } = await client.query<{ name: string }>(
        `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`,
      )
      const found: string[] = []
      for (const { name } of tables) {
        const { rows: hits } = await client.query(`SELECT 1 FROM ${name} t WHERE t::text LIKE $1 LIMIT 1`, [
          `%${text}%`,
        ])
        if (hits.length > 0) found.push(name)
      }
      return found
    } finally {
      await client.end()
      await store.close()
    }
  }

  it("does not show the vault to who may look at phi", async () => {
    const { code, err } = await weir("sql", file, "--phi", "select * from vault.persons")
    expect(code).not.toBe(0)
    expect(err).toContain("may not see")
  })
})
