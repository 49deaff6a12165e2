import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { deidentifier, profileOptions } from "../../formats/dicom/index.ts"
import type { ProfileOption, Pseudonyms } from "../../formats/dicom/index.ts"

const folder = join(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "dicom")
/** David Clunie's validator of IODs (dicom3tools). */
const isInstalled = spawnSync("dciodvfy", ["-version"]).error === undefined
const absent = !existsSync(folder) || !isInstalled
if (absent)
  console.warn("skipped: dciodvfy (dicom3tools) is not installed, or the DICOM files are not in the test data")
const files = absent ? [] : readdirSync(folder).filter((name) => name.endsWith(".dcm"))

const person: Pseudonyms = {
  patientId: () => "abcdefghijklmnopqrstuvwxyz",
  patientName: () => "abcdefghijklmnopqrstuvwxyz",
  uid: (uid) =>
    `2.25.${[...Buffer.from(uid)].reduce((sum, byte) => (sum * 257n + BigInt(byte)) % (10n ** 37n - 9n), 1n)}`,
  accession: () => "ABCDEFGHIJKLMNOP",
  identifier: () => "ABCDEFGHIJKLMNOP",
  shiftDays: 400,
}

/** The tool does not inflate: it reads compressed bytes as elements, and finds others in every file. */
const unreadable = new Set(["pyd__image_dfl.dcm"])

/** Errors and how often each comes, without the values that they tell. */
function errorsOf(path: string): Map<string, number> {
  const { stdout, stderr } = spawnSync("dciodvfy", ["-new", path], { encoding: "latin1" })
  const found = new Map<string, number>()
  for (const line of `${stdout}\n${stderr}`.split("\n").filter((one) => one.startsWith("Error"))) {
    const error = line.replace(/= <[^>]*>/g, "= <>")
    found.set(error, (found.get(error) ?? 0) + 1)
  }
  return found
}

const kept = (...left: readonly ProfileOption[]) => profileOptions.filter((option) => !left.includes(option))
/** With how many are released. What options keep is searched for identifiers: samples whose UIDs hold an id or a study's number, whose
 * birth date is a date of the study, or whose patient id is the body part are held, `identifier-left`. */
const sets: readonly (readonly [string, readonly ProfileOption[], number])[] = [
  ["the basic profile", [], 29],
  ["modified dates", ["retain-longitudinal-modified-dates"], 29],
  ["all options but full dates and UIDs", kept("retain-longitudinal-full-dates", "retain-uids"), 63],
  ["all options but modified dates", kept("retain-longitudinal-modified-dates"), 58],
]

describe.skipIf(absent)("conformance of 73 real DICOM files (shared data), by dciodvfy", () => {
  const out = mkdtempSync(join(tmpdir(), "weir-conformance-"))
  afterAll(() => rmSync(out, { recursive: true, force: true }))

  it.each(sets)(
    "%s: no error in the output that the input did not have",
    (_, options, released) => {
      const run = deidentifier({ options, faces: "allow" })
      let count = 0
      const fresh: string[] = []
      for (const name of files) {
        const bytes = readFileSync(join(folder, name))
        const pixels = options.includes("clean-pixel-data") ? ({ pixels: "read" } as const) : {}
        const verdict = run({ header: bytes, size: bytes.length }, { person, ...pixels })
        if (verdict.kind !== "released") continue
        count++
        if (unreadable.has(name)) continue
        const path = join(out, name)
        const { prefix, copy, suffix } = verdict
        writeFileSync(path, Buffer.concat([prefix, bytes.subarray(copy.from, copy.to), suffix]))
        const before = errorsOf(join(folder, name))
        for (const [error, times] of errorsOf(path))
          if (times > (before.get(error) ?? 0)) fresh.push(`${name}: ${error}`)
      }
      expect(fresh).toEqual([])
      expect(count).toBe(released)
    },
    120_000,
  )
})
