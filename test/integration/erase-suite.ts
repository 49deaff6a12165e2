import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { slice } from "../contract/dicom-border.ts"
import type { DriverSettings } from "../../core/pipeline/model.ts"
import { zones } from "../../core/record.ts"
import type { Zone } from "../../core/record.ts"
import { drivers } from "../../main.ts"
import { withObjects } from "../../cli/ports.ts"
import { app, compiled, weir } from "./weir.ts"

const pipeline = (objects: Readonly<Record<string, unknown>>, isEncrypted: boolean) => `
name: research
log: { driver: embedded, dir: data/log }
store: { driver: embedded, dir: data/store }
objects: ${JSON.stringify(objects)}
${isEncrypted ? "encrypt: { vault: vault-key }\n" : ""}secrets:
  project-key: { file: keys/project }
  identity-key: { file: keys/identity }
  vault-key: { file: keys/vault }
identity: [{ namespace: mrn, dicom-issuer: [""], fhir-system: ["http://hospital.example/mrn"] }]
topics: { curated.resources: { zone: limited }, curated.studies: { zone: limited }, curated.instances: { zone: limited } }
sources:
  inbox: { use: dicom-folder, with: { path: incoming }, to: dicom.arrivals }
  ehr: { use: fhir-ndjson, with: { path: ehr }, to: fhir.arrivals }
stages:
  identify: { from: { dicom: dicom.arrivals, fhir: fhir.arrivals }, through: [{ use: resolve-patient }], to: people.events }
  assemble: { from: people.events, through: [{ use: assemble-study }], to: { studies: imaging.studies, instances: imaging.instances } }
  images:
    from: { studies: imaging.studies, instances: imaging.instances }
    through: [{ use: deidentify-dicom, with: { key: project-key, vault: vault-key } }]
    to: { studies: curated.studies, instances: curated.instances }
  border:
    from: people.events
    through: [{ use: deidentify-fhir, with: { key: project-key, vault: vault-key } }]
    to: curated.resources
sinks:
  warehouse: { use: postgres, from: [curated.resources, curated.studies, curated.instances] }
  files: { use: object-store, from: [curated.resources, curated.instances] }
`

/** A person of the test, and what tells who it is. */
interface Person {
  readonly id: string
  readonly mrn: string
  readonly family: string
  readonly study: string
  readonly accession: string
}
const alva: Person = {
  id: "pat-alva",
  mrn: "MRN-471147",
  family: "Quirinsen",
  study: "1.2.3.4.100.71",
  accession: "ACC-778899",
}
const bodil: Person = {
  id: "pat-bodil",
  mrn: "MRN-582258",
  family: "Zachrisdottir",
  study: "1.2.3.4.100.82",
  accession: "ACC-661122",
}
const tracesOf = ({ id, mrn, family, study, accession }: Person) => [id, mrn, family, study, accession]

const image = ({ mrn, family, study, accession }: Person, number: number, pixel = 1) =>
  slice(
    `${study}.9.${number}`,
    { tag: "00080050", vr: "SH", value: accession },
    { tag: "00100010", vr: "PN", value: `${family}^First` },
    { tag: "00100020", vr: "LO", value: mrn },
    { tag: "0020000D", vr: "UI", value: study },
    { tag: "0020000E", vr: "UI", value: `${study}.9` },
    { tag: "00200013", vr: "IS", value: String(number) },
    { tag: "7FE00010", vr: "OW", value: Uint8Array.of(pixel, 0, 2, 0, 3, 0, 4, 0) },
  )

const recordsOf = ({ id, mrn, family }: Person) =>
  [
    {
      resourceType: "Patient",
      id,
      identifier: [{ system: "http://hospital.example/mrn", value: mrn }],
      name: [{ family, given: ["First"] }],
      birthDate: "1960-02-03",
    },
    {
      resourceType: "Observation",
      id: `obs-${id}`,
      status: "final",
      code: { coding: [{ system: "http://loinc.org", code: "4548-4" }] },
      subject: { reference: `Patient/${id}` },
      effectiveDateTime: "2020-03-04",
    },
  ]
    .map((one) => `${JSON.stringify({ ...one, meta: { versionId: "1", lastUpdated: "2026-01-01T00:00:00Z" } })}\n`)
    .join("")

/** Tries that objects and persons leave a pipeline, with an embedded Log and Store and these buckets.
 * @param bucket settings of the objects driver
 * @param isEncrypted whether what lies in phi is sealed */
export const erasingSuite = (name: string, bucket: () => Readonly<Record<string, unknown>>, isEncrypted = false) =>
  describe(
    `objects and persons that leave a pipeline, objects in ${name}${isEncrypted ? ", encrypted" : ""}`,
    { timeout: 240_000 },
    () => {
      /** What a pipeline that encrypts promises besides. */
      const itEncrypted = (promise: string, test: () => Promise<void>): void => {
        if (isEncrypted) it(promise, test)
      }
      let folder: string
      let file: string
      let settings: DriverSettings
      const sweepAfter = (text: string) => writeFile(file, pipeline({ ...settings, "sweep-after": text }, isEncrypted))
      beforeAll(async () => {
        folder = await mkdtemp(join(tmpdir(), "weir-erase-"))
        file = join(folder, "pipeline.yaml")
        for (const name of ["keys", "ehr", "incoming"]) await mkdir(join(folder, name))
        for (const name of ["project", "identity", "vault"]) await writeFile(join(folder, "keys", name), name.repeat(8))
        settings = bucket() as DriverSettings
        await sweepAfter("0s")
        await writeFile(join(folder, "ehr", "1.ndjson"), recordsOf(alva) + recordsOf(bodil))
        for (const person of [alva, bodil])
          for (const number of [1, 2])
            await writeFile(join(folder, "incoming", `${person.id}-${number}.dcm`), image(person, number))
      })
      afterAll(() => rm(folder, { recursive: true, force: true }))

      async function run(): Promise<string> {
        const { code, out, err } = await weir("run", file, "--until-idle")
        expect(code, err).toBe(0)
        return out
      }

      const opened = (bytes: Buffer) => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes)

      /** The objects of a zone, with their bytes; gzip is opened. */
      async function objectsIn(zone: Zone): Promise<readonly (readonly [name: string, bytes: Buffer])[]> {
        const objects = await drivers.objects(settings, zone, folder)
        try {
          const found: [string, Buffer][] = []
          for await (const { key } of objects.list("")) found.push([key, opened(Buffer.from(await objects.bytes(key)))])
          return found
        } finally {
          await objects.close()
        }
      }
      /** Files of the pipeline's folder and objects in which any of these texts stands, as bytes; also in a name. */
      async function filesWith(texts: readonly string[]): Promise<readonly string[]> {
        const names = await readdir(join(folder, "data"), { recursive: true, withFileTypes: true })
        const files = await Promise.all(
          names
            .filter((entry) => entry.isFile())
            .map(async ({ parentPath, name: own }) => {
              const path = join(parentPath, own)
              return [path.slice(folder.length + 1), opened(await readFile(path))] as const
            }),
        )
        const stored = (await Promise.all(zones.map(objectsIn))).flatMap((found, at) =>
          found.map(([key, bytes]) => [`objects ${zones[at]}/${key}`, bytes] as const),
        )
        return [...files, ...stored].flatMap(([path, bytes]) =>
          texts.filter((text) => bytes.includes(text) || path.includes(text)).map((text) => `${path}: ${text}`),
        )
      }
      const read = async (topic: string) => {
        const { code, out, err } = await weir("topic", "read", file, topic, "--phi", "--json", "--limit", "1000")
        expect(code, err).toBe(0)
        return out
      }
      const everythingStanding = async () =>
        (await weir("sql", file, "--json", "select * from limited.curated_resources order by key, id")).out
      /** Objects of phi as they lie there. */
      const copiesOf = async (keys: readonly string[]) => {
        const objects = await drivers.objects(settings, "phi", folder)
        try {
          return await Promise.all(keys.map(async (key) => [key, await objects.bytes(key)] as const))
        } finally {
          await objects.close()
        }
      }
      let backup: Awaited<ReturnType<typeof copiesOf>> = []
      /** Objects of phi as commands that may show them read them, or why they cannot. */
      const openedOf = async (keys: readonly string[]) => {
        return withObjects(await compiled(file), "phi", app, { environment: {} }, (objects) =>
          Promise.all(
            keys.map((key) =>
              objects.bytes(key).then(
                (bytes) => Buffer.from(bytes),
                (error: unknown) => error,
              ),
            ),
          ),
        )
      }
      const keysOf = async (zone: Zone, kind: string) =>
        (await objectsIn(zone)).map(([key]) => key).filter((key) => key.startsWith(kind))
      const originals = () => keysOf("phi", "instances/")
      const released = () => keysOf("limited", "dicom/")
      /** What the warehouse says stands, by object key. */
      async function standing(): Promise<readonly string[]> {
        const { out, err } = await weir("sql", file, "--json", "select * from limited.curated_instances")
        expect(err).toBe("")
        return (JSON.parse(out) as { readonly object: { readonly key: string } | string | null }[])
          .flatMap(({ object }) => (object === null ? [] : [object]))
          .map((object) => (typeof object === "string" ? (JSON.parse(object) as { key: string }) : object).key)
          .sort()
      }

      it("is told by check which topics keep records of erased persons for ever", async () => {
        const { out } = await weir("check", file, "--connect")
        expect(out).toContain("topics in phi keep records for ever: ")
        expect(out).toContain("dicom.arrivals")
        expect(out).not.toContain("curated.instances")
      })

      it("is told by check whether objects in phi are encrypted", async () => {
        const { out } = await weir("check", file, "--connect")
        expect(out).toContain(
          isEncrypted ? "objects and values in phi are encrypted" : "objects and values in phi are not encrypted: ",
        )
        if (!isEncrypted) expect(out).toContain("add encrypt: { vault: vault-key }")
      })

      it("keeps every object that a row names, however often it sweeps", async () => {
        await run()
        await run()
        expect(await originals()).toHaveLength(4)
        expect((await released()).sort()).toEqual(await standing())
        expect(await standing()).toHaveLength(4)
      })

      it("removes the original and the released object of an instance once it is replaced", async () => {
        const before = new Set(await originals())
        const released0 = new Set(await standing())
        await writeFile(join(folder, "incoming", `${bodil.id}-2.dcm`), image(bodil, 2, 7))
        await run()
        const after = await originals()
        expect(after).toHaveLength(4)
        expect(after.filter((name) => !before.has(name))).toHaveLength(1)
        expect((await released()).sort()).toEqual(await standing())
        expect((await standing()).filter((key) => !released0.has(key))).toHaveLength(1)
      })

      it("keeps what left as long as the pipeline says", async () => {
        await sweepAfter("7d")
        await writeFile(join(folder, "incoming", `${alva.id}-2.dcm`), image(alva, 2, 9))
        await run()
        expect(await originals()).toHaveLength(5)
        expect(await released()).toHaveLength(5)
      })

      itEncrypted("has no identifier in any object of phi, and shows each to who may see it", async () => {
        const traces = [...tracesOf(alva), ...tracesOf(bodil)]
        const stored = await objectsIn("phi")
        expect(stored.length).toBeGreaterThanOrEqual(5)
        expect(stored.filter(([, bytes]) => traces.some((text) => bytes.includes(text)))).toEqual([])
        for (const [key] of stored) expect(traces.some((text) => key.includes(text))).toBe(false)
        const opened = await openedOf(await originals())
        expect(opened.every((bytes) => [alva, bodil].some(({ mrn }) => (bytes as Buffer).includes(mrn)))).toBe(true)
      })

      itEncrypted("gives each original, and each record that was resolved, to whom it is about", async () => {
        const owners = async (sql: string) => {
          const { out, err } = await weir("sql", file, "--phi", "--json", sql)
          expect(err).toBe("")
          return (JSON.parse(out) as { readonly has: boolean; readonly count: string }[]).map(({ has }) => has)
        }
        const of = (table: string, where: string) =>
          owners(`SELECT owner IS NOT NULL AS has, count(*) FROM weir.${table} WHERE ${where} GROUP BY 1`)
        expect(await of("object_references", "wrapped IS NOT NULL AND key LIKE 'instances/%'")).toEqual([true])
        for (const topic of ["dicom.arrivals", "fhir.arrivals"])
          expect(await of("record_keys", `topic = '${topic}'`)).toEqual([true])
      })

      itEncrypted("has no value of phi in the Log, and shows each to who may see it", async () => {
        // Keys and ids of records stay: partitions and compaction go by them.
        const told = [alva, bodil].flatMap(({ mrn, family, accession }) => [mrn, family, accession])
        expect((await filesWith(told)).filter((hit) => hit.startsWith("data/log/"))).toEqual([])
        for (const topic of ["dicom.arrivals", "fhir.arrivals", "people.events"])
          for (const { mrn } of [alva, bodil]) expect(await read(topic)).toContain(mrn)
      })

      itEncrypted("releases the same as a pipeline that encrypts nothing", async () => {
        const other = join(folder, "other")
        await mkdir(other)
        for (const name of ["keys", "ehr", "incoming"]) await symlink(join(folder, name), join(other, name))
        const plain = join(other, "pipeline.yaml")
        await writeFile(plain, pipeline({ driver: "folder", dir: "data/objects" }, false))
        expect((await weir("run", plain, "--until-idle")).code).toBe(0)
        for (const table of ["curated_studies", "curated_instances", "curated_resources"]) {
          const rows = async (of: string) => {
            const { out } = await weir("sql", of, "--json", `select * from limited.${table}`)
            const names = (JSON.parse(out) as Record<string, unknown>[]).filter(({ op }) => op !== "retract")
            return names.map(({ key, id, object, body }) => JSON.stringify({ key, id, object, body })).sort()
          }
          expect((await rows(file)).length).toBeGreaterThan(0)
          expect(await rows(file)).toEqual(await rows(plain))
        }
      })

      it("leaves no identifier of an erased person in any file but the Log's, and everything of others", async () => {
        expect(await filesWith(tracesOf(alva))).not.toEqual([])
        await rm(join(folder, "incoming", `${alva.id}-1.dcm`))
        const othersBefore = await filesWith(tracesOf(bodil))
        backup = await copiesOf(await originals())
        const { code, out, err } = await weir("erase", file, `mrn/${alva.mrn}`, "--reason", "asked for")
        expect(code, err).toBe(0)
        expect(out).toContain("6 objects")
        if (isEncrypted) expect(out).toMatch(/, [1-9]\d* keys/)
        const left = await filesWith(tracesOf(alva))
        expect(left.filter((hit) => !hit.startsWith("data/log/"))).toEqual([])
        expect(await originals()).toHaveLength(2)
        expect(await released()).toHaveLength(2)
        expect(await standing()).toHaveLength(2)
        const stayed = await filesWith(tracesOf(bodil))
        for (const part of [...(isEncrypted ? [] : ["objects phi/"]), "data/store"])
          expect(stayed.some((hit) => hit.startsWith(part)) && othersBefore.some((hit) => hit.startsWith(part))).toBe(
            true,
          )
      })

      itEncrypted("passes over what the Log has of an erased person, and reads all of others", async () => {
        for (const topic of ["dicom.arrivals", "fhir.arrivals", "people.events", "imaging.instances"]) {
          const values = (await read(topic)).split("\n").filter((line) => line.includes('"op":"upsert"'))
          expect(values.length).toBeGreaterThan(0)
          expect(values.filter((line) => tracesOf(alva).some((trace) => line.includes(trace)))).toEqual([])
        }
        expect(await read("people.events")).toContain(bodil.mrn)
        const before = await everythingStanding()
        expect((await weir("replay", file, "border", "--from", "earliest")).out).toContain("people.events[")
        expect(await run()).toMatch(/passed-over .*erased: people.events/)
        expect(await everythingStanding()).toEqual(before)
      })

      itEncrypted("opens no copy of an erased person's objects that was made before, and all of others", async () => {
        const phi = await drivers.objects(settings, "phi", folder)
        const now = new Set(await originals())
        try {
          for (const [key, bytes] of backup) await phi.put(key, bytes)
          const found = await openedOf(backup.map(([key]) => key))
          for (const [at, [key]] of backup.entries())
            if (now.has(key)) expect((found[at] as Buffer).includes(bodil.mrn)).toBe(true)
            else expect(found[at]).toMatchObject({ code: "object-erased" })
          expect([backup.length, now.size]).toEqual([5, 2])
        } finally {
          await phi.delete(backup.map(([key]) => key).filter((key) => !now.has(key)))
          await phi.close()
        }
      })

      it("drops what comes of the person later, and removes its object", async () => {
        await sweepAfter("0s")
        await writeFile(join(folder, "incoming", "again.dcm"), image(alva, 3))
        expect(await run()).toContain("erased")
        expect(await originals()).toHaveLength(2)
        expect(await standing()).toHaveLength(2)
      })

      itEncrypted("has the erasure in the audit of its keys, and goes on with another envelope key", async () => {
        const audit = await weir("vault", "audit", "list", file, "--project", "identity-key")
        expect(audit.out, audit.err).toMatch(/erase .*asked for/)
        await writeFile(join(folder, "keys", "next"), "n".repeat(40))
        const rotate = () =>
          weir("vault", "rotate", file, "--new-key-file", join(folder, "keys", "next"), "--reason", "yearly")
        const rotated = await rotate()
        expect(rotated.code, rotated.err).toBe(0)
        await writeFile(join(folder, "keys", "vault"), "n".repeat(40))
        await writeFile(join(folder, "incoming", `${bodil.id}-5.dcm`), image(bodil, 5))
        await run()
        expect(await standing()).toHaveLength(3)
        const opened = await openedOf(await originals())
        expect(opened.map((bytes) => (bytes as Buffer).includes(bodil.mrn))).toEqual([true, true, true])
      })
    },
  )
