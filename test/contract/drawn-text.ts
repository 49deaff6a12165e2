/** Letters of five by seven dots, a row a number, the leftmost dot the highest bit. */
const font: Readonly<Record<string, readonly number[]>> = {
  A: [14, 17, 17, 31, 17, 17, 17],
  B: [30, 17, 17, 30, 17, 17, 30],
  C: [14, 17, 16, 16, 16, 17, 14],
  D: [30, 17, 17, 17, 17, 17, 30],
  E: [31, 16, 16, 30, 16, 16, 31],
  F: [31, 16, 16, 30, 16, 16, 16],
  G: [14, 17, 16, 23, 17, 17, 15],
  H: [17, 17, 17, 31, 17, 17, 17],
  I: [14, 4, 4, 4, 4, 4, 14],
  J: [7, 2, 2, 2, 2, 18, 12],
  K: [17, 18, 20, 24, 20, 18, 17],
  L: [16, 16, 16, 16, 16, 16, 31],
  M: [17, 27, 21, 21, 17, 17, 17],
  N: [17, 25, 21, 19, 17, 17, 17],
  O: [14, 17, 17, 17, 17, 17, 14],
  P: [30, 17, 17, 30, 16, 16, 16],
  R: [30, 17, 17, 30, 20, 18, 17],
  S: [15, 16, 16, 14, 1, 1, 30],
  T: [31, 4, 4, 4, 4, 4, 4],
  U: [17, 17, 17, 17, 17, 17, 14],
  V: [17, 17, 17, 17, 17, 10, 4],
  W: [17, 17, 17, 21, 21, 27, 17],
  Y: [17, 17, 10, 4, 4, 4, 4],
  "0": [14, 17, 19, 21, 25, 17, 14],
  "1": [4, 12, 4, 4, 4, 4, 14],
  "2": [14, 17, 1, 2, 4, 8, 31],
  "3": [30, 1, 1, 14, 1, 1, 30],
  "4": [2, 6, 10, 18, 31, 2, 2],
  "5": [31, 16, 30, 1, 1, 17, 14],
  "6": [6, 8, 16, 30, 17, 17, 14],
  "7": [31, 1, 2, 4, 8, 8, 8],
  "8": [14, 17, 17, 14, 17, 17, 14],
  "9": [14, 17, 17, 15, 1, 2, 12],
  "/": [1, 1, 2, 4, 8, 16, 16],
  ",": [0, 0, 0, 0, 4, 4, 8],
  " ": [0, 0, 0, 0, 0, 0, 0],
}

/** A grey picture in which text can be drawn. */
export class Drawing {
  readonly width: number
  readonly height: number
  readonly cells: Uint16Array

  /** Tissue: soft waves between `low` and `high`, the same for the same size. */
  constructor(width: number, height: number, low: number, high: number) {
    this.width = width
    this.height = height
    this.cells = Uint16Array.from({ length: width * height }, (_, at) => {
      const [x, y] = [at % width, Math.floor(at / width)]
      return Math.round(low + ((high - low) * (2 + Math.sin(x / 23) + Math.cos(y / 17))) / 4)
    })
  }

  /** Writes text with its upper left corner at a place, each dot a square. */
  text(text: string, x: number, y: number, value: number, dot = 3): this {
    for (const [at, letter] of [...text].entries())
      for (const [row, dots] of font[letter]!.entries())
        for (let column = 0; column < 5; column++)
          if (((dots >> (4 - column)) & 1) === 1) this.#square(x + (6 * at + column) * dot, y + row * dot, dot, value)
    return this
  }

  #square(x: number, y: number, size: number, value: number): void {
    for (let dy = 0; dy < size; dy++)
      for (let dx = 0; dx < size; dx++) this.cells[(y + dy) * this.width + x + dx] = value
  }
}
