import { afterAll, describe, expect, it, vi } from "vitest"
import { parseWhole, textsOf } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { PixelCleaner } from "../../transforms/deidentify/pixels/clean-pixels.ts"
import type { PixelResult } from "../../transforms/deidentify/pixels/clean-pixels.ts"
import { NoEngine, OcrEngine } from "../../transforms/deidentify/pixels/ocr-engine.ts"
import type { ReadText } from "../../transforms/deidentify/pixels/read-text.ts"
import { Drawing } from "./drawn-text.ts"
import { fileOf, framesOf, syntaxes } from "./pixels.ts"

// The engine takes a second for a picture, and much more beside other work.
vi.setConfig({ testTimeout: 240_000 })

const engine = new OcrEngine()
afterAll(() => engine.close())
const cleaner = new PixelCleaner(engine)

const [rows, columns] = [160, 320]
const tissue = () => new Drawing(columns, rows, 20, 150)
const file = (transferSyntax: string, frames: readonly Drawing[], more: readonly DataElement[] = []) =>
  fileOf({
    transferSyntax,
    rows,
    columns,
    samples: 1,
    bits: 8,
    photometric: "MONOCHROME2",
    frames: frames.map(({ cells }) => cells),
    more,
  })

/** Where a drawn text of so many letters stands. */
const place = (letters: number, x: number, y: number) => ({ x, y, width: letters * 18, height: 21 })
type Place = ReturnType<typeof place>
const isIn = (at: number, { x, y, width, height }: Place) => {
  const [column, row] = [at % columns, Math.floor(at / columns)]
  return column >= x && column < x + width && row >= y && row < y + height
}

async function changedCells(before: Uint8Array, result: PixelResult) {
  if (result.kind !== "changed") throw new Error(`nothing was changed: ${JSON.stringify(result)}`)
  const [old, now] = [await framesOf(before), await framesOf(result.bytes)]
  return now.map(({ cells }, frame) => ({
    differ: Array.from(cells.keys()).filter((at) => cells[at] !== old[frame]!.cells[at]),
    cells,
  }))
}

describe("text drawn into a picture", () => {
  it.each(["explicit little endian", "RLE", "JPEG-LS", "JPEG 2000 lossless"] as const)(
    "%s: the name goes from every frame, and nothing but its place changes",
    async (syntax) => {
      const frames = [tissue().text("FALKENBERG JANE", 20, 12, 255), tissue()]
      const bytes = await file(syntaxes[syntax], frames)
      const found = place(15, 20, 12)
      for (const { differ, cells } of await changedCells(bytes, await cleaner.clean(bytes, []))) {
        const around = place(17, found.x - 18, found.y - 12)
        expect(differ.every((at) => isIn(at, { ...around, height: 45 }))).toBe(true)
        expect(new Set(Array.from(cells).filter((_, at) => isIn(at, found))).size).toBe(1)
      }
    },
  )

  it.each([
    ["a record number of the header", "MRN20417"],
    ["a date", "08/29/1951"],
    ["an institution that no header names", "CITY HOSPITAL"],
    ["a name given by the caller", "OLSSON"],
  ])("%s goes", async (_, text) => {
    const bytes = await file(syntaxes["explicit little endian"], [tissue().text(text, 10, 60, 255)])
    const [changed] = await changedCells(bytes, await cleaner.clean(bytes, ["OLSSON^KIM"]))
    expect(changed!.cells.every((cell, at) => !isIn(at, place(text.length, 10, 60)) || cell !== 255)).toBe(true)
  })

  it.each(["12 CM", "GAIN 40"])("%s says nothing of a person, and stays", async (text) => {
    const bytes = await file(syntaxes["explicit little endian"], [tissue().text(text, 10, 60, 255)])
    expect((await cleaner.clean(bytes, [])).kind).toBe("read")
  })

  it("tissue without text is read, and stays as it is", async () => {
    expect(await cleaner.clean(await file(syntaxes.RLE, [tissue()]), [])).toEqual({ kind: "read" })
  })

  it("where a device is known to write, the region goes whatever is read there", async () => {
    const device = [{ tag: "00081090", vr: "LO", value: "LOGIQ9" }]
    const bytes = await file(syntaxes["explicit little endian"], [tissue()], device)
    const [changed] = await changedCells(bytes, await cleaner.clean(bytes, []))
    expect(new Set(changed!.cells.subarray(0, 40 * columns)).size).toBe(1)
    expect(changed!.differ.every((at) => at < 40 * columns)).toBe(true)
  })

  it("keeps every element of the file but the pixel data", async () => {
    const bytes = await file(syntaxes["JPEG-LS"], [tissue().text("FALKENBERG", 20, 12, 255)])
    const result = await cleaner.clean(bytes, [])
    if (result.kind !== "changed") throw new Error("nothing was changed")
    expect(textsOf(result.bytes)).toEqual(textsOf(bytes))
    expect(parseWhole(result.bytes).transferSyntax).toBe(syntaxes["JPEG-LS"])
  })
})

/** A reader that says what it is told to. */
const says = (...texts: readonly (readonly [text: string, score: number])[]): ReadText => {
  let turn = 0
  return {
    engine: "none",
    async read() {
      const [text, score] = texts[Math.min(turn++, texts.length - 1)]!
      return [{ x: 20, y: 20, width: 80, height: 20, text, score }]
    },
    async close() {},
  }
}

describe("what cannot be decided is held", () => {
  const clean = async (reader: ReadText) => new PixelCleaner(reader).clean(await file(syntaxes.RLE, [tissue()]), [])

  it("as the reader is not installed", async () => {
    const none: ReadText = { engine: "none", read: () => Promise.reject(new NoEngine("none")), async close() {} }
    expect(await clean(none)).toMatchObject({ reason: "burned-in-text-risk", detail: "no-text-reader" })
  })

  it("as no two looks agree on what may be text", async () => {
    const result = await clean(says(["KWOTZ", 0.6], ["HULPA", 0.6], ["BRENT", 0.6], ["VIMSY", 0.6]))
    expect(result).toMatchObject({ reason: "burned-in-text-unsure", detail: "text-or-tissue" })
  })

  it("as text is found however often it is made black", async () => {
    expect(await clean(says(["FALKENBERG", 0.9]))).toMatchObject({ detail: "text-comes-again" })
  })

  it("but what a closer look makes nothing of is tissue, and stays", async () => {
    expect(await clean(says(["KWOTZ", 0.6], ["", 0]))).toEqual({ kind: "read" })
  })

  it("as its frames cannot be decoded", async () => {
    const bytes = Buffer.from(await file(syntaxes.RLE, [tissue()]))
    const at = bytes.lastIndexOf(Buffer.from([1, 0, 0, 0, 64, 0, 0, 0]))
    bytes[at] = 2
    expect(await new PixelCleaner(engine).clean(bytes, [])).toMatchObject({
      reason: "pixels-unreadable",
      detail: "undecodable",
    })
  })
})
