import type { Random } from "../random.ts"

/** A grey picture of one frame. */
export interface Frame {
  readonly rows: number
  readonly columns: number
  /** 8 (US) or 12. */
  readonly bits: 8 | 12
  readonly samples: Uint16Array
}

interface Ellipse {
  readonly x: number
  readonly y: number
  readonly rx: number
  readonly ry: number
  readonly value: number
}

const inside = ({ x, y, rx, ry }: Ellipse, u: number, v: number): boolean =>
  ((u - x) / rx) ** 2 + ((v - y) / ry) ** 2 <= 1

const shapes = (slice: number): readonly Ellipse[] => [
  { x: 0.5, y: 0.5, rx: 0.44, ry: 0.36, value: 0.5 },
  { x: 0.32, y: 0.48, rx: 0.11 + slice * 0.002, ry: 0.19, value: 0.12 },
  { x: 0.68, y: 0.48, rx: 0.12 + slice * 0.002, ry: 0.2, value: 0.14 },
  { x: 0.5, y: 0.76, rx: 0.06, ry: 0.06, value: 0.85 },
]

/** A body in section with noise, of no clinical meaning. */
export function drawFrame(size: number, bits: 8 | 12, slice: number, random: Random): Frame {
  const samples = new Uint16Array(size * size)
  const top = 2 ** bits - 1
  const drawn = shapes(slice)
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const shape = drawn.findLast((one) => inside(one, column / size, row / size))
      const noise = shape === undefined ? 0 : random.int(-20, 20) / 1000
      samples[row * size + column] = Math.round(Math.max(0, (shape?.value ?? 0) + noise) * top)
    }
  return { rows: size, columns: size, bits, samples }
}

/** Digits of three by five dots, a row a number. */
const digits: readonly (readonly number[])[] = [
  [7, 5, 5, 5, 7],
  [2, 6, 2, 2, 7],
  [7, 1, 7, 4, 7],
  [7, 1, 7, 1, 7],
  [5, 5, 7, 1, 1],
  [7, 4, 7, 1, 7],
  [7, 4, 7, 5, 7],
  [7, 1, 2, 2, 2],
  [7, 5, 7, 5, 7],
  [7, 5, 7, 1, 7],
]

/** Burns a number into the upper left corner, each dot two pixels wide. */
export function burnIn({ columns, samples, bits }: Frame, text: string): void {
  for (const [place, character] of [...text].entries())
    for (const [y, row] of (digits[Number(character)] ?? []).entries())
      for (let dot = 0; dot < 6; dot++)
        if ((row >> (2 - (dot >> 1))) & 1)
          for (const line of [0, 1]) samples[(4 + y * 2 + line) * columns + 4 + place * 8 + dot] = 2 ** bits - 1
}
