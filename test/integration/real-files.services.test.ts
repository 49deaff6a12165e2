import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const data = resolve("../shared/data")
const absent = !existsSync(join(data, "dicom"))
if (absent) console.warn("skipped: the real files (shared data) are not there")

interface Fates {
  readonly arrived: number
  readonly released: number
  readonly dead: Readonly<Record<string, number>>
  readonly dropped: Readonly<Record<string, number>>
  readonly waiting: number
}
interface Told {
  readonly ended: string
  readonly fates: Readonly<Record<string, Fates>>
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, one) => all + one, 0)

/** Runs the command; its output and how it ended. */
function weir(args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> {
  const child = spawn(process.execPath, ["cli/bin.ts", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      WEIR_TEST_DATA: data,
      WEIR_PROJECT_KEY: "real files, project key 0123456789",
      WEIR_IDENTITY_KEY: "real files, identity key 012345678",
    },
  })
  let stdout = ""
  child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()))
  return new Promise((done, failed) => child.on("error", failed).on("close", (code) => done({ code, stdout })))
}

/** 73 DICOM files, many broken on purpose, a manifest beside them, and 92,668 FHIR resources; minutes on a small machine. */
describe.skipIf(absent)("examples/real-files.yaml over the real files (shared data)", () => {
  let folder: string
  let told: Told
  let code: number | null

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-real-files-"))
    await cp("examples/phenotypes", join(folder, "phenotypes"), { recursive: true })
    const text = await readFile("examples/real-files.yaml", "utf8")
    await writeFile(join(folder, "pipeline.yaml"), text.replaceAll("../.weir/real-files", "data"))
    const ended = await weir(["run", join(folder, "pipeline.yaml"), "--until-idle", "--json"])
    code = ended.code
    told = JSON.parse(ended.stdout) as Told
  }, 2_400_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it("ends, whatever is broken", () => {
    expect(code).toBe(0)
    expect(told.ended).toBe("idle")
  })

  it("gives each arrival one fate: they sum to what came in, and nothing waits", () => {
    for (const { arrived, released, dead, dropped, waiting } of Object.values(told.fates)) {
      expect(released + sum(dead) + sum(dropped) + waiting).toBe(arrived)
      expect(waiting).toBe(0)
    }
    expect(told.fates["dicom.arrivals"]?.arrived).toBe(74)
    expect(told.fates["fhir.arrivals"]?.arrived).toBe(92_668)
  })

  it("drops what names no person and what is no image, by reason, and releases the rest of the resources", () => {
    const { dropped, dead, released } = told.fates["fhir.arrivals"]!
    expect(Object.keys(dead)).toEqual([])
    expect(Object.keys(dropped)).toEqual(["no-person"])
    expect(released).toBe(92_668 - dropped["no-person"]!)
    expect(told.fates["dicom.arrivals"]!.dropped["not-dicom"]).toBe(1)
  })
})
