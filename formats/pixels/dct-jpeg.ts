import type { PixelDescription } from "./description.ts"
import { undecodable, unsupported } from "./unreadable.ts"

/** Zigzag order (ISO 10918-1 figure A.6). */
const zigzag = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47,
  55, 62, 63,
]

/** Cosines of the inverse transform, by frequency and place (ISO 10918-1 A.3.3). */
const cosines = Float64Array.from({ length: 64 }, (_, at) => {
  const [u, x] = [at >> 3, at & 7]
  return (Math.cos(((2 * x + 1) * u * Math.PI) / 16) * (u === 0 ? Math.SQRT1_2 : 1)) / 2
})

/** Symbols by length and code: `length << 16 | code`. */
type Huffman = ReadonlyMap<number, number>

function huffman(counts: Uint8Array, symbols: Uint8Array): Huffman {
  const table = new Map<number, number>()
  let [code, next] = [0, 0]
  for (let length = 1; length <= 16; length++, code <<= 1)
    for (let i = 0; i < counts[length - 1]!; i++) table.set((length << 16) | code++, symbols[next++]!)
  return table
}

/** Bits of entropy-coded data; zeros behind its end, as decoders pad. */
class Bits {
  private readonly bytes: Uint8Array
  private at: number
  private held = 0
  private count = 0

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  bit(): number {
    if (this.count === 0) {
      const byte = this.bytes[this.at] ?? 0
      const stuffed = byte === 0xff
      // A marker ends the data; FF 00 stands for FF.
      if (stuffed && this.bytes[this.at + 1] !== 0) this.held = 0
      else {
        this.held = byte
        this.at += stuffed ? 2 : 1
      }
      this.count = 8
    }
    return (this.held >> --this.count) & 1
  }

  symbol(table: Huffman): number {
    let code = 0
    for (let length = 1; length <= 16; length++) {
      code = (code << 1) | this.bit()
      const symbol = table.get((length << 16) | code)
      if (symbol !== undefined) return symbol
    }
    throw undecodable("a Huffman code of a JPEG is not known")
  }

  /** EXTEND of RECEIVE (ISO 10918-1 F.2.2.1). */
  signed(size: number): number {
    let value = 0
    for (let i = 0; i < size; i++) value = (value << 1) | this.bit()
    return size > 0 && value < 2 ** (size - 1) ? value - 2 ** size + 1 : value
  }

  /** Goes on behind the next restart marker. */
  restart(): void {
    this.count = 0
    while (this.at + 1 < this.bytes.length) {
      const isRestart = this.bytes[this.at] === 0xff && (this.bytes[this.at + 1]! & 0xf8) === 0xd0
      this.at += isRestart ? 2 : 1
      if (isRestart) return
    }
  }
}

interface Tables {
  precision: number
  rows: number
  columns: number
  restart: number
  quantization: Map<number, Uint16Array>
  dc: Map<number, Huffman>
  ac: Map<number, Huffman>
  quantizedBy: number
}

function readTables(marker: number, body: Uint8Array, tables: Tables): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  if (marker === 0xdd) tables.restart = view.getUint16(0)
  if (marker === 0xc0 || marker === 0xc1) {
    if (body[5] !== 1) throw unsupported("a JPEG of 12 bits with several components")
    tables.precision = body[0]!
    tables.rows = view.getUint16(1)
    tables.columns = view.getUint16(3)
    tables.quantizedBy = body[8]!
  }
  if (marker === 0xdb)
    for (let at = 0; at < body.length;) {
      const wide = body[at]! >> 4 !== 0
      const id = body[at++]! & 15
      const from = at
      tables.quantization.set(
        id,
        Uint16Array.from({ length: 64 }, (_, i) => (wide ? view.getUint16(from + 2 * i) : body[from + i]!)),
      )
      at += wide ? 128 : 64
    }
  if (marker === 0xc4)
    for (let at = 0; at < body.length;) {
      const kind = body[at++]!
      const counts = body.subarray(at, at + 16)
      const total = counts.reduce((sum, count) => sum + count, 0)
      const table = huffman(counts, body.subarray(at + 16, at + 16 + total))
      ;(kind >> 4 === 0 ? tables.dc : tables.ac).set(kind & 15, table)
      at += 16 + total
    }
}

/** Inverse transform of one block, rows then columns, into a plane. */
function place(block: Float64Array, plane: Uint16Array, at: number, stride: number, precision: number): void {
  const half = new Float64Array(64)
  for (let v = 0; v < 8; v++)
    for (let x = 0; x < 8; x++) {
      let sum = 0
      for (let u = 0; u < 8; u++) sum += block[8 * v + u]! * cosines[8 * u + x]!
      half[8 * v + x] = sum
    }
  const [level, most] = [2 ** (precision - 1), 2 ** precision - 1]
  for (let y = 0; y < 8; y++)
    for (let x = 0; x < 8; x++) {
      let sum = 0
      for (let v = 0; v < 8; v++) sum += half[8 * v + x]! * cosines[8 * v + y]!
      plane[at + y * stride + x] = Math.min(most, Math.max(0, Math.round(sum + level)))
    }
}

function decodeScan(bytes: Uint8Array, at: number, header: Uint8Array, tables: Tables): Uint16Array {
  const { rows, columns, precision } = tables
  const dc = tables.dc.get(header[2]! >> 4)
  const ac = tables.ac.get(header[2]! & 15)
  const quantization = tables.quantization.get(tables.quantizedBy)
  if (header[0] !== 1 || dc === undefined || ac === undefined || quantization === undefined)
    throw undecodable("a JPEG lacks a table")
  const [wide, high] = [Math.ceil(columns / 8), Math.ceil(rows / 8)]
  const plane = new Uint16Array(wide * high * 64)
  const bits = new Bits(bytes, at)
  const block = new Float64Array(64)
  let previous = 0
  for (let b = 0; b < wide * high; b++) {
    if (tables.restart > 0 && b > 0 && b % tables.restart === 0) {
      bits.restart()
      previous = 0
    }
    block.fill(0)
    previous += bits.signed(bits.symbol(dc))
    block[0] = previous * quantization[0]!
    for (let k = 1; k < 64; k++) {
      const symbol = bits.symbol(ac)
      if (symbol === 0) break
      k += symbol >> 4
      if (k > 63) throw undecodable("a JPEG block is too long")
      if ((symbol & 15) > 0) block[zigzag[k]!] = bits.signed(symbol & 15) * quantization[k]!
    }
    place(block, plane, Math.floor(b / wide) * 64 * wide + (b % wide) * 8, wide * 8, precision)
  }
  const out = new Uint16Array(rows * columns)
  for (let y = 0; y < rows; y++) out.set(plane.subarray(y * wide * 8, y * wide * 8 + columns), y * columns)
  return out
}

/** Decodes a sequential JPEG (ISO 10918-1 process 2 and 4) of one component and up to 12 bits, which common builds of libjpeg do not.
 * Throws PixelsUnreadable. */
export function dctJpeg(bytes: Uint8Array, { rows, columns }: PixelDescription): Uint16Array {
  const tables: Tables = {
    precision: 0,
    rows: 0,
    columns: 0,
    restart: 0,
    quantization: new Map(),
    dc: new Map(),
    ac: new Map(),
    quantizedBy: 0,
  }
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) throw undecodable("a JPEG marker is missing")
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at++
      continue
    }
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
    if (marker > 0xc1 && marker < 0xd0 && marker !== 0xc4) throw unsupported("a JPEG process that is not sequential")
    const body = bytes.subarray(at + 4, end)
    if (end > bytes.length) throw undecodable("a JPEG segment is cut")
    if (marker !== 0xda) readTables(marker, body, tables)
    else if (tables.rows !== rows || tables.columns !== columns)
      throw undecodable("the frame has another size than described")
    else return decodeScan(bytes, end, body, tables)
    at = end
  }
  throw undecodable("a JPEG has no scan")
}
