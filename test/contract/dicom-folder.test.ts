import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { dicomFolder } from "../../connectors/dicom/index.ts"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import type { DicomInstance, Draft, Objects } from "../../core/index.ts"
import { buildPart10 } from "../../formats/dicom/index.ts"
import { testContext } from "../kit/index.ts"
import { sourceRun } from "../kit/source-run.ts"
import type { SourceHarness } from "../kit/source-run.ts"

let base: string
let folder: string
let objects: Objects
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "weir-dicom-"))
  folder = join(base, "in")
  await mkdir(folder)
  objects = await openFolderObjects({ dir: join(base, "objects") })
})
afterEach(async () => {
  await objects.close()
  await rm(base, { recursive: true })
})

const explicit = "1.2.840.10008.1.2.1"
const dicom = (sop: string, more: { study?: string; pixels?: number; preamble?: boolean } = {}): Buffer =>
  Buffer.from(
    buildPart10(
      [
        { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
        ...(sop === "" ? [] : [{ tag: "00080018", vr: "UI", value: sop }]),
        { tag: "00080020", vr: "DA", value: "2020.01.31" },
        { tag: "00080030", vr: "TM", value: "101112" },
        { tag: "00080050", vr: "SH", value: "ACC1" },
        { tag: "00080060", vr: "CS", value: "CT" },
        { tag: "00100010", vr: "PN", value: "DOE^JANE" },
        { tag: "00100020", vr: "LO", value: "MRN1" },
        { tag: "00180015", vr: "CS", value: "CHEST" },
        { tag: "0020000D", vr: "UI", value: more.study ?? "1.2.3" },
        { tag: "0020000E", vr: "UI", value: "1.2.3.4" },
        { tag: "00200013", vr: "IS", value: "7" },
        { tag: "00201208", vr: "IS", value: "12" },
        { tag: "7FE00010", vr: "OW", value: new Uint8Array(more.pixels ?? 64) },
      ],
      { transferSyntax: explicit, preamble: more.preamble ?? true },
    ),
  )

const write = async (path: string, bytes: Buffer | string): Promise<void> => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), bytes)
}

interface Given {
  readonly options?: object
  readonly checkpoint?: Map<string, string>
  readonly dieAfter?: number
}

const instance = (options: object = {}, clock = { now: () => Date.now() }) =>
  dicomFolder.create({ path: folder, ...options }, testContext({ name: "inbox", objects: () => objects, clock }))

async function read({ options, checkpoint, dieAfter }: Given = {}): Promise<SourceHarness> {
  const harness = sourceRun(checkpoint, dieAfter)
  await (await instance(options)).run(harness.run).catch((error: unknown) => {
    if ((error as { code?: string }).code !== "stopped") throw error
  })
  return harness
}

const records = (harness: SourceHarness) => harness.appended.map(({ record }) => record as Draft<DicomInstance>)
const sops = (harness: SourceHarness) => records(harness).map(({ value }) => value!.sopInstanceUid)
const failures = (harness: SourceHarness) => harness.failed.map(({ place, error }) => [place, error.code])
const stored = async (): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of objects.list("")) keys.push(key)
  return keys
}

/** Resolves when the condition holds after some report of the source. */
const until = (harness: SourceHarness, condition: () => boolean): Promise<void> =>
  new Promise((done) => {
    harness.onChange = () => {
      if (condition()) done()
    }
    harness.onChange()
  })

describe("dicom-folder", () => {
  it("stores each object under its hash and appends a claim check with what joins need", async () => {
    const bytes = dicom("1.2.3.4.5")
    await write("sub/a.dcm", bytes)
    const [record] = records(await read())
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const key = `instances/${sha256.slice(0, 2)}/${sha256}`
    expect(record).toMatchObject({
      key: "1.2.3",
      id: "1.2.3.4.5",
      op: "upsert",
      time: Date.UTC(2020, 0, 31, 10, 11, 12),
    })
    expect(record!.value).toMatchObject({
      object: { key, size: bytes.length, sha256, transferSyntax: explicit },
      patientId: "MRN1",
      accessionNumber: "ACC1",
      modality: "CT",
      bodyPart: "CHEST",
      studyDate: "20200131",
      expectedInstances: 12,
      instanceNumber: 7,
      file: "sub/a.dcm",
    })
    expect(Buffer.compare(await objects.bytes(key), bytes)).toBe(0)
  })

  it("reads folders in name order, and numbers arrivals in that order", async () => {
    for (const [at, path] of ["b/2", "b/1", "a", "c/x/y", "B"].entries()) await write(path, dicom(`1.${at + 1}`))
    const harness = await read()
    expect(records(harness).map(({ value }) => value!.file)).toEqual(["B", "a", "b/1", "b/2", "c/x/y"])
    const versions = records(harness).map(({ version }) => version)
    expect(versions).toEqual(versions.toSorted((a, b) => (a < b ? -1 : 1)))
    expect(new Set(versions).size).toBe(5)
    expect(versions.every((version) => version < 1n << 40n)).toBe(true)
  })

  it("ends each file once: released, dropped or a dead letter with its reason", async () => {
    await write("bare.dcm", dicom("1.1", { preamble: false }))
    await write("empty.dcm", "")
    await write("notes.txt", "Jane Doe was here")
    await write("no-uid.dcm", dicom(""))
    const cut = dicom("1.2")
    await write("cut.dcm", cut.subarray(0, 420))
    const huge = dicom("1.3")
    const at = huge.indexOf(Buffer.from("DOE^JANE")) - 2
    huge.writeUInt16LE(0xfffe, at)
    await write("length.dcm", huge)
    const harness = await read()
    expect(sops(harness)).toEqual(["1.1"])
    expect(harness.dropped).toEqual(["not-dicom", "not-dicom"])
    expect(failures(harness).map(([place]) => place)).toEqual(["cut.dcm", "length.dcm", "no-uid.dcm"])
    for (const { error } of harness.failed) {
      expect(error.meaning).toBe("bad-record")
      expect(`${error.message} ${error.path}`).not.toMatch(/DOE|JANE|MRN1/)
    }
    expect(await stored()).toHaveLength(1)
  })

  it("reads nothing twice after a restart, wherever it died, and loses nothing", async () => {
    for (let i = 0; i < 30; i++)
      await write(`f${String(i).padStart(2, "0")}`, i % 7 === 3 ? "text" : i % 7 === 5 ? dicom("") : dicom(`1.${i}`))
    const whole = await read()
    for (const dieAfter of [0, 1, 3, 4, 6, 13, 29]) {
      const first = await read({ dieAfter })
      const second = await read({ checkpoint: first.checkpoint })
      expect([...records(first), ...records(second)]).toEqual(records(whole))
      expect([...failures(first), ...failures(second)]).toEqual(failures(whole))
    }
    const again = await read({ checkpoint: whole.checkpoint })
    expect([again.appended, again.failed, again.dropped]).toEqual([[], [], []])
  })

  it("reads a file again when it changed, as a newer arrival", async () => {
    await write("a.dcm", dicom("1.1"))
    const first = await read()
    await write("a.dcm", dicom("1.1", { pixels: 128 }))
    const second = await read({ checkpoint: first.checkpoint })
    expect(sops(second)).toEqual(["1.1"])
    expect(records(second)[0]!.version > records(first)[0]!.version).toBe(true)
  })

  it("keeps memory flat for a file of half a gigabyte", async () => {
    await write("big.dcm", dicom("1.9"))
    const size = 1 << 29
    const head = dicom("1.9")
    const lengthAt = head.indexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00])) + 8
    head.writeUInt32LE(size - lengthAt - 4, lengthAt)
    await write("big.dcm", head)
    await truncate(join(folder, "big.dcm"), size)
    const pieces: number[] = []
    const counting: Objects = {
      ...objects,
      async put(key, body) {
        let total = 0
        for await (const piece of body as AsyncIterable<Uint8Array>) {
          pieces.push(piece.length)
          total += piece.length
        }
        return { key, size: total }
      },
    }
    const before = process.memoryUsage.rss()
    const harness = sourceRun()
    const source = await dicomFolder.create({ path: folder }, testContext({ objects: () => counting }))
    await source.run(harness.run)
    expect(records(harness)[0]!.value!.object.size).toBe(size)
    expect(pieces.reduce((a, b) => a + b, 0)).toBe(size)
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 << 20)
  })

  it("never puts bytes under the hash of others when a file changes between its two readings", async () => {
    const path = join(folder, "big.dcm")
    let whole = false
    await write("big.dcm", dicom("1.9", { pixels: 9 << 20 }))
    const racing: Objects = {
      ...objects,
      async put(key, body) {
        const file = await open(path, "r+")
        await file.write(Buffer.from([1]), 0, 1, 5 << 20)
        await file.close()
        for await (const piece of body as AsyncIterable<Uint8Array>) expect(piece.length).toBeGreaterThan(0)
        whole = true
        return { key, size: 0 }
      },
    }
    const harness = sourceRun()
    const source = await dicomFolder.create({ path: folder }, testContext({ objects: () => racing }))
    await expect(source.run(harness.run)).rejects.toMatchObject({ meaning: "retryable", code: "file-changing" })
    expect([harness.appended, whole]).toEqual([[], false])
  })

  it("follows no links out of the folder", async () => {
    await writeFile(join(base, "outside.dcm"), dicom("1.1"))
    await symlink(join(base, "outside.dcm"), join(folder, "link.dcm"))
    await symlink(base, join(folder, "up"))
    const harness = await read()
    expect([harness.appended, harness.dropped]).toEqual([[], []])
  })

  it("takes only files of the extensions that are named", async () => {
    await write("a.DCM", dicom("1.1"))
    await write("a.txt", "text")
    const harness = await read({ options: { extensions: ["dcm"] } })
    expect([sops(harness), harness.dropped]).toEqual([["1.1"], []])
  })

  it.skipIf(process.getuid?.() === 0)("reads what it can before it complains of a file without rights", async () => {
    await write("a.dcm", dicom("1.1"))
    await write("b.dcm", dicom("1.2"))
    await chmod(join(folder, "a.dcm"), 0)
    const harness = sourceRun()
    const source = await instance({ "complete-through": "2024" })
    await expect(source.run(harness.run)).rejects.toMatchObject({ meaning: "retryable", code: "file-unreadable" })
    expect([sops(harness), harness.completed]).toEqual([["1.2"], []])
  })

  it("passes an error of the bucket on, and appends nothing without its object", async () => {
    await write("a.dcm", dicom("1.1"))
    const failing: Objects = { ...objects, put: () => Promise.reject(Object.assign(new Error("no"), { code: "x" })) }
    const harness = sourceRun()
    const source = await dicomFolder.create({ path: folder }, testContext({ objects: () => failing }))
    await expect(source.run(harness.run)).rejects.toThrow("no")
    expect(harness.appended).toEqual([])
  })

  it("says how far its images, and nothing else, are complete only after the whole folder", async () => {
    await write("a.dcm", dicom("1.1"))
    const harness = await read({ options: { "complete-through": "2024-06-30" } })
    expect(harness.completed).toEqual([{ feed: "inbox/dicom", through: Date.UTC(2024, 6, 1) }])
  })

  it("refuses a missing folder and a watched folder that claims to be complete", async () => {
    await expect(read({ options: { path: join(base, "none") } })).rejects.toMatchObject({ code: "path-missing" })
    const both = instance({ watch: true, "complete-through": "2024" })
    await expect(both).rejects.toMatchObject({ code: "never-complete" })
  })
})

describe("dicom-folder, watching", () => {
  it("reads what arrives later, says when it has caught up, and stops when asked", async () => {
    await write("a.dcm", dicom("1.1"))
    await utimes(join(folder, "a.dcm"), 1e9, 1e9)
    const harness = sourceRun()
    const running = (await instance({ watch: true })).run(harness.run)
    await until(harness, () => harness.caughtUp > 0)
    expect(sops(harness)).toEqual(["1.1"])
    await mkdir(join(folder, "sub"))
    await writeFile(join(base, "b.dcm"), dicom("1.2"))
    await utimes(join(base, "b.dcm"), 1e9, 1e9)
    await rename(join(base, "b.dcm"), join(folder, "sub", "b.dcm"))
    const before = harness.caughtUp
    await until(harness, () => harness.caughtUp > before && sops(harness).length === 2)
    harness.stop()
    await running
    expect(sops(harness)).toEqual(["1.1", "1.2"])
  })

  it("leaves a file that is being written to until it is whole", async () => {
    const bytes = dicom("1.1")
    await write("a.dcm", bytes.subarray(0, 200))
    const harness = sourceRun()
    let asked = (): void => {}
    const looked = new Promise<void>((done) => (asked = done))
    let now = Date.now()
    const clock = { now: () => (asked(), now) }
    const running = (await instance({ watch: true }, clock)).run(harness.run)
    await looked
    await appendFile(join(folder, "a.dcm"), bytes.subarray(200))
    now += 60_000
    await until(harness, () => harness.caughtUp > 0)
    harness.stop()
    await running
    expect([sops(harness), harness.failed]).toEqual([["1.1"], []])
  })
})

const shared = resolve(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "dicom")
if (!existsSync(shared)) console.warn("skipped: the shared DICOM files are not here")
describe.skipIf(!existsSync(shared))("dicom-folder on the shared DICOM files", () => {
  it("ends each of the 73 files and the manifest, and stores exactly what it appended", async () => {
    const harness = await read({ options: { path: shared } })
    expect(harness.appended.length + harness.dropped.length + harness.failed.length).toBe(74)
    expect(harness.dropped.toSorted()).toEqual(["dicomdir", "dicomdir", "dicomdir", "not-dicom"])
    expect(failures(harness)).toEqual([
      ["dcm4che__no_preamble_dicm_in_data.dcm", "no-uid"],
      ["pyd__MR_truncated.dcm", "truncated"],
      ["pyd__UN_sequence.dcm", "no-uid"],
      ["pyd__meta_missing_tsyntax.dcm", "no-uid"],
      ["pyd__priv_SQ.dcm", "no-uid"],
    ])
    expect(await stored()).toEqual([...new Set(records(harness).map(({ value }) => value!.object.key))].sort())
    for (const { value } of records(harness))
      expect(
        createHash("sha256")
          .update(await objects.bytes(value!.object.key))
          .digest("hex"),
      ).toBe(value!.object.sha256)
  })
})
