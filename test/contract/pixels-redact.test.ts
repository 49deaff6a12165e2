import { describe, expect, it } from "vitest"
import { parseWhole } from "../../formats/dicom/index.ts"
import { redact } from "../../formats/pixels/index.ts"
import type { Frame, Rectangle } from "../../formats/pixels/index.ts"
import { decodeRle, encodeRle } from "../../formats/pixels/rle.ts"
import { Drawing } from "./drawn-text.ts"
import { fileOf, framesOf, syntaxes } from "./pixels.ts"

const [rows, columns] = [60, 90]
const area: Rectangle = { x: 11, y: 7, width: 40, height: 13 }
const inside = (at: number, { x, y, width, height }: Rectangle) => {
  const [column, row] = [at % columns, Math.floor(at / columns)]
  return column >= x && column < x + width && row >= y && row < y + height
}

/** Cells that differ, as inside or outside of the area. */
function changed(before: Frame, after: Frame): { readonly inside: number; readonly outside: number } {
  expect(after.cells.length).toBe(before.cells.length)
  const counts = { inside: 0, outside: 0 }
  for (let at = 0; at < before.cells.length; at++)
    if (before.cells[at] !== after.cells[at])
      counts[inside(Math.floor(at / before.samples), area) ? "inside" : "outside"]++
  return counts
}

const isSame = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.from(a).every((cell, at) => cell === b[at])
const grey = (bits: 8 | 12 | 16) => new Drawing(columns, rows, 20, 2 ** bits - 60).cells
const coloured = () => {
  const { cells } = new Drawing(columns * 3, rows, 30, 240)
  return cells
}
const isBlack = (frame: Frame, black: readonly number[]) =>
  frame.cells.every((cell, at) => !inside(Math.floor(at / frame.samples), area) || cell === black[at % frame.samples])

describe("rectangles of a picture made black", () => {
  for (const [name, transferSyntax] of Object.entries(syntaxes)) {
    it.each([8, 12, 16] as const)(
      `${name}, grey of %d bits: nothing else changes, and the coding stays`,
      async (bits) => {
        const frames = [grey(bits), grey(bits).reverse()]
        const bytes = await fileOf({
          transferSyntax,
          rows,
          columns,
          samples: 1,
          bits,
          photometric: "MONOCHROME2",
          frames,
        })
        const before = await framesOf(bytes)
        expect(before.every(({ cells }, at) => isSame(cells, frames[at]!))).toBe(true)
        const done = await redact(parseWhole(bytes), [area])
        expect(done).toMatchObject({ transferSyntax, transcoded: false })
        const after = await framesOf(done.bytes)
        for (const [at, frame] of after.entries()) {
          expect(changed(before[at]!, frame)).toMatchObject({ outside: 0 })
          expect(isBlack(frame, [Math.min(...before[at]!.cells)])).toBe(true)
        }
      },
    )

    it.each([false, true])(`${name}, colour by plane: %s`, async (planar) => {
      if (planar && /\.4\./.test(transferSyntax)) return
      const frames = [coloured()]
      const bytes = await fileOf({
        transferSyntax,
        rows,
        columns,
        samples: 3,
        bits: 8,
        photometric: "RGB",
        frames,
        planar,
      })
      const before = await framesOf(bytes)
      expect(isSame(before[0]!.cells, frames[0]!)).toBe(true)
      const done = await redact(parseWhole(bytes), [area])
      expect(done).toMatchObject({ transferSyntax, transcoded: false })
      const [after] = await framesOf(done.bytes)
      expect(changed(before[0]!, after!).outside).toBe(0)
      expect(isBlack(after!, [0, 0, 0])).toBe(true)
    })
  }

  it("shows the highest value where that is black, and the darkest entry of a palette", async () => {
    const given = { transferSyntax: syntaxes.RLE, rows, columns, samples: 1, bits: 8, frames: [grey(8)] } as const
    const inverse = await fileOf({ ...given, photometric: "MONOCHROME1" })
    const [frame] = await framesOf((await redact(parseWhole(inverse), [area])).bytes)
    expect(isBlack(frame!, [Math.max(...grey(8))])).toBe(true)
    const table = Uint16Array.from({ length: 256 }, (_, at) => 257 * (255 - at))
    const lut = { vr: "OW", value: new Uint8Array(table.buffer) }
    const palette = await fileOf({
      ...given,
      photometric: "PALETTE COLOR",
      more: [
        ...["00281101", "00281102", "00281103"].map((tag) => ({ tag, vr: "US", value: [256, 0, 16] })),
        ...["00281201", "00281202", "00281203"].map((tag) => ({ tag, ...lut })),
      ],
    })
    const [shown] = await framesOf((await redact(parseWhole(palette), [area])).bytes)
    expect(isBlack(shown!, [Math.max(...grey(8))])).toBe(true)
  })
})

describe("RLE segments", () => {
  it("decode to what was coded, whatever runs they have", () => {
    let seed = 471147
    const random = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31
    for (let round = 0; round < 200; round++) {
      const width = 1 + Math.floor(random() * 300)
      const plane = Uint8Array.from({ length: width * 3 }, () => (random() < 0.7 ? 7 : Math.floor(random() * 256)))
      const coded = encodeRle([plane, plane.slice().reverse()], width)
      const [one, other] = decodeRle(coded, plane.length, 2)
      expect([one, other], `seed 471147 round ${round}`).toEqual([plane, plane.slice().reverse()])
    }
  })

  it("that end early or lie outside their frame are refused", () => {
    const coded = encodeRle([new Uint8Array(400).map((_, at) => at)], 20)
    expect(() => decodeRle(coded.subarray(0, 200), 400, 1)).toThrow(/ends early/)
    expect(() => decodeRle(coded, 400, 2)).toThrow(/number of segments/)
  })
})
