import type { Frame } from "./decode.ts"
import type { PixelDescription } from "./description.ts"
import { valuesOf } from "./render.ts"
import type { Display } from "./render.ts"

/** A rectangle in whole pixels of a frame. */
export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** A rectangle of one frame, numbered from 0, or of every frame. */
export interface FrameArea extends Rectangle {
  readonly frame?: number
}

/** The areas that lie in a frame. */
export const areasIn = (areas: readonly FrameArea[], at: number): readonly FrameArea[] =>
  areas.filter(({ frame }) => frame === undefined || frame === at)

/** The rectangle in whole pixels that holds another with a margin, cut at the edges of the frame. */
export function around(
  { x, y, width, height }: Rectangle,
  margin: number,
  size: Pick<Frame, "rows" | "columns">,
): Rectangle {
  const [left, top] = [Math.max(0, Math.floor(x - margin)), Math.max(0, Math.floor(y - margin))]
  const right = Math.min(size.columns, Math.ceil(x + width + margin))
  const bottom = Math.min(size.rows, Math.ceil(y + height + margin))
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) }
}

/** Cells that show black: of grey ones the darkest value that the frame has, of palettes its darkest entry. */
export function blackOf(frame: Frame, its: PixelDescription, display: Display): readonly number[] {
  const { photometric, cells, samples } = frame
  if (samples === 3) {
    const middle = 2 ** (its.bitsStored - 1)
    return photometric.startsWith("YBR") ? [0, middle, middle] : [0, 0, 0]
  }
  const { palette } = display
  const values = valuesOf(frame, its)
  const light = (value: number): number => {
    if (palette === undefined) return photometric === "MONOCHROME1" ? -value : value
    return palette.reduce((sum, { first, entries }) => {
      return sum + (entries[Math.min(entries.length - 1, Math.max(0, value - first))] ?? 0)
    }, 0)
  }
  const known = new Map<number, number>()
  let [darkest, least] = [0, Infinity]
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!
    let its = known.get(value)
    if (its === undefined) known.set(value, (its = light(value)))
    if (its < least) [darkest, least] = [at, its]
  }
  return [cells[darkest]!]
}

/** A frame with its rectangles black; the one that is given stays. */
export function filled(frame: Frame, its: PixelDescription, display: Display, areas: readonly Rectangle[]): Frame {
  const black = blackOf(frame, its, display)
  const { samples, columns } = frame
  const cells = frame.cells.slice()
  for (const { x, y, width, height } of areas)
    for (let row = y; row < y + height; row++)
      for (let column = x; column < x + width; column++)
        for (let s = 0; s < samples; s++) cells[(row * columns + column) * samples + s] = black[s]!
  return { ...frame, cells }
}
