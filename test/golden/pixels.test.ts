import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FileResult } from "../../cli/deid/index.ts"
import { parseWhole } from "../../formats/dicom/index.ts"
import { decodeFrame, describe as described, frameBytes } from "../../formats/pixels/index.ts"
import type { Rectangle } from "../../formats/pixels/index.ts"
import { PixelCleaner } from "../../transforms/deidentify/pixels/clean-pixels.ts"
import { OcrEngine } from "../../transforms/deidentify/pixels/ocr-engine.ts"
import { textsOf } from "../contract/dicom-slice.ts"
import { RecordedReads } from "./pixels-recorded.ts"

const folder = join(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "dicom")
const absent = !existsSync(folder)
if (absent) console.warn("skipped: the DICOM files are not in the test data")
const files = absent ? [] : readdirSync(folder).filter((name) => name.endsWith(".dcm"))

/** Files with text burned in, by manifest.csv and its README. */
const burnedIn = [
  "dcm4che__YBR_FULL-RLE.dcm",
  "deidd__GREYSCALE_IMAGE.dcm",
  "deidd__RGB_IMAGE.dcm",
  "pyd__examples_palette.dcm",
  "pydd__OBXXXX1A_rle.dcm",
  "pydd__US1_J2KI.dcm",
]

const path = join(import.meta.dirname, "pixels", "verdicts.json")
const expected = () => JSON.parse(readFileSync(path, "utf8")) as Record<string, string>

async function framesOf(bytes: Uint8Array) {
  const parsed = parseWhole(bytes, { skipPrivate: true })
  const its = described(parsed)
  return Promise.all(frameBytes(parsed, its).map((frame) => decodeFrame(frame, its)))
}

/** Pixels that differ and lie in none of the areas. */
async function changedElsewhere(before: Uint8Array, after: Uint8Array, areas: readonly Rectangle[]): Promise<number> {
  const [old, now] = [await framesOf(before), await framesOf(after)]
  expect(now.length).toBe(old.length)
  let count = 0
  for (const [at, { cells, samples, columns }] of now.entries())
    for (let cell = 0; cell < cells.length; cell++) {
      if (cells[cell] === old[at]!.cells[cell]) continue
      const pixel = Math.floor(cell / samples)
      const [x, y] = [pixel % columns, Math.floor(pixel / columns)]
      const inArea = areas.some((one) => x >= one.x && x < one.x + one.width && y >= one.y && y < one.y + one.height)
      if (!inArea) count++
    }
  return count
}

const placed = (areas: readonly Rectangle[]) =>
  areas
    .map(({ x, y, width, height }) => `${x},${y} ${width}x${height}`)
    .sort()
    .join("; ")

describe.skipIf(absent)("pictures of real DICOM files (shared data)", () => {
  const reads = new RecordedReads()
  const cleaner = new PixelCleaner(reads)
  afterAll(() => reads.close())

  it("have the verdicts that were looked at, and change in nothing but the areas of text", async () => {
    const found: Record<string, string> = {}
    for (const name of files) {
      const bytes = readFileSync(join(folder, name))
      const reading = cleaner.reading(bytes)
      if (reading === undefined || reading === "none") {
        found[name] = reading === undefined ? "unparsable" : "no text in its pictures, or none"
        continue
      }
      const result = await cleaner.clean(bytes, [])
      if (result.kind === "read") found[name] = `${reading}: read`
      else if (result.kind === "refused") found[name] = `${reading}: held, ${result.reason} ${result.detail}`
      else {
        found[name] = `${reading}: changed, ${placed(result.areas)}`
        expect(await changedElsewhere(bytes, result.bytes, result.areas), name).toBe(0)
      }
    }
    if (process.env["WEIR_UPDATE_READS"] === "1") writeFileSync(path, `${JSON.stringify(found, undefined, 2)}\n`)
    expect(found).toEqual(expected())
  }, 240_000)

  it.each(burnedIn)("%s: what is burned in is gone or held", (name) => {
    expect(expected()[name]).toMatch(/: (?:changed|held), /)
  })
})

describe.skipIf(absent)("de-identifying real DICOM files with clean-pixel-data (shared data)", () => {
  const output = mkdtempSync(join(tmpdir(), "weir-pixels-"))
  const reads = new RecordedReads()
  const results: FileResult[] = []
  beforeAll(async () => {
    const options = {
      "retain-longitudinal-modified-dates": true,
      "clean-pixel-data": true,
      faces: "allow",
    } as const
    const given = { input: folder, output, projectKey: Buffer.alloc(32, 7), options, readText: reads }
    for await (const result of deidentifyEach(given)) results.push(result)
  }, 240_000)
  afterAll(async () => {
    await reads.close()
    rmSync(output, { recursive: true, force: true })
  })

  it("releases at least four of five that can be read, and says why of the others", () => {
    const readable = results.filter(
      ({ reason }) => reason !== "media-directory" && reason !== "not-dicom" && reason !== "unparsable",
    )
    const released = readable.filter(({ status }) => status === "released")
    console.info(`${released.length} of ${readable.length} released`)
    for (const { input, reason } of readable) if (reason !== "") console.info(`held: ${input} ${reason}`)
    expect(released.length / readable.length).toBeGreaterThanOrEqual(0.8)
    expect(readable.every(({ status, reason }) => status === "released" || reason !== "")).toBe(true)
  })

  it("says of those with text that it is gone, and that pixels were changed", () => {
    for (const name of burnedIn) {
      const { status, output: file } = results.find(({ input }) => input === name)!
      if (status !== "released") continue
      const texts = textsOf(readFileSync(join(output, file)))
      expect(texts.get("(0028,0301)"), name).toBe("NO")
      expect(texts.get("(0008,2111)"), name).toMatch(/black/)
    }
  })
})

describe.skipIf(absent)("the text reader on a real picture (shared data)", () => {
  it("finds name, hospital and date that are burned into an ultrasound image", async () => {
    const engine = new OcrEngine()
    try {
      const bytes = readFileSync(join(folder, "dcm4che__YBR_FULL-RLE.dcm"))
      const result = await new PixelCleaner(engine).clean(bytes, [])
      if (result.kind !== "changed") throw new Error(`nothing was changed: ${JSON.stringify(result)}`)
      const holds = (x: number, y: number) =>
        result.areas.some((one) => x >= one.x && x < one.x + one.width && y >= one.y && y < one.y + one.height)
      for (const [x, y] of [
        [70, 10],
        [160, 23],
        [600, 10],
        [600, 40],
        [130, 380],
      ] as const)
        expect(holds(x, y), `${x},${y}`).toBe(true)
    } finally {
      await engine.close()
    }
  }, 240_000)
})
