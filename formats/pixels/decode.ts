import { frameCoding } from "../dicom/transfer-syntax.ts"
import { charls, jpegLossless, libJpeg, openJpeg, withNative } from "./codecs.ts"
import type { NativeDecoder } from "./codecs.ts"
import { dctJpeg } from "./dct-jpeg.ts"
import type { PixelDescription } from "./description.ts"
import { decodeRle } from "./rle.ts"
import { undecodable, unsupported } from "./unreadable.ts"

/** Cells of samples as they are allocated, without regard to sign. */
export type Cells = Uint8Array | Uint16Array | Uint32Array

/** A decoded frame. */
export interface Frame {
  readonly rows: number
  readonly columns: number
  readonly samples: 1 | 3
  /** By pixel: rows * columns * samples. */
  readonly cells: Cells
  /** What the cells mean, with the colour transform of the codec undone: MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL. */
  readonly photometric: string
}

const cellsFor = (bits: number, length: number): Cells =>
  bits > 16 ? new Uint32Array(length) : bits > 8 ? new Uint16Array(length) : new Uint8Array(length)

/** Little- or big-endian samples of a native frame. */
function nativeCells(bytes: Uint8Array, { bitsAllocated, bigEndian }: PixelDescription, count: number): Cells {
  if (bitsAllocated === 1) return Uint8Array.from({ length: count }, (_, at) => (bytes[at >> 3]! >> (at & 7)) & 1)
  // Not as a Buffer, whose slices are views.
  if (bitsAllocated === 8) return new Uint8Array(bytes.buffer, bytes.byteOffset, count)
  const cells = cellsFor(bitsAllocated, count)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bitsAllocated === 16) for (let at = 0; at < count; at++) cells[at] = view.getUint16(2 * at, !bigEndian)
  else for (let at = 0; at < count; at++) cells[at] = view.getUint32(4 * at, !bigEndian)
  return cells
}

/** Planes one after the other, as cells by pixel. */
function interleaved(cells: Cells, pixels: number): Cells {
  const out = cells.slice()
  for (let at = 0; at < pixels; at++) for (let s = 0; s < 3; s++) out[3 * at + s] = cells[s * pixels + at]!
  return out
}

/** YBR_FULL_422 native: two luminances, then the blue and red chrominance of both (PS3.3 C.7.6.3.1.2). */
function from422(bytes: Uint8Array, pixels: number): Uint8Array {
  const out = new Uint8Array(3 * pixels)
  for (let at = 0; at < pixels; at++) {
    const pair = (at >> 1) << 2
    out[3 * at] = bytes[pair + (at & 1)]!
    out[3 * at + 1] = bytes[pair + 2]!
    out[3 * at + 2] = bytes[pair + 3]!
  }
  return out
}

function decodeNative(bytes: Uint8Array, its: PixelDescription): Frame {
  const { rows, columns, samplesPerPixel: samples, photometric } = its
  const pixels = rows * columns
  if (photometric === "YBR_FULL_422") {
    if (its.bitsAllocated !== 8 || columns % 2 !== 0) throw unsupported("YBR_FULL_422 of this shape")
    return { rows, columns, samples: 3, cells: from422(bytes, pixels), photometric: "YBR_FULL" }
  }
  const cells = nativeCells(bytes, its, pixels * samples)
  return { rows, columns, samples, cells: its.planar ? interleaved(cells, pixels) : cells, photometric }
}

function decodeRleFrame(bytes: Uint8Array, its: PixelDescription): Frame {
  const { rows, columns, samplesPerPixel: samples, bitsAllocated, photometric } = its
  const pixels = rows * columns
  if (bitsAllocated === 1) {
    const [plane] = decodeRle(bytes, Math.ceil(pixels / 8), 1)
    return { rows, columns, samples, cells: nativeCells(plane!, its, pixels), photometric }
  }
  const width = bitsAllocated / 8
  const planes = decodeRle(bytes, pixels, samples * width)
  const cells = cellsFor(bitsAllocated, pixels * samples)
  for (let s = 0; s < samples; s++)
    for (let byte = 0; byte < width; byte++) {
      const plane = planes[s * width + byte]!
      const factor = 256 ** (width - 1 - byte)
      for (let at = 0; at < pixels; at++) cells[at * samples + s]! += plane[at]! * factor
    }
  return { rows, columns, samples, cells, photometric }
}

/** Samples of a codec: one byte each up to 8 bits, two above, low byte first. */
function codecCells(bytes: Uint8Array, bits: number, allocated: number, count: number): Cells {
  if (bytes.length < count * (bits > 8 ? 2 : 1)) throw undecodable("the codec gave fewer samples than described")
  const cells = cellsFor(allocated, count)
  if (bits <= 8) for (let at = 0; at < count; at++) cells[at] = bytes[at]!
  else if (allocated <= 8) throw undecodable("the codec gave wider samples than are allocated")
  else for (let at = 0; at < count; at++) cells[at] = bytes[2 * at]! | (bytes[2 * at + 1]! << 8)
  return cells
}

/** Sign bits as the cell has them: codecs of fewer bits than are allocated extend or do not. */
function withSign(cells: Cells, its: PixelDescription): Cells {
  if (!its.signed || its.bitsStored >= its.bitsAllocated || its.highBit !== its.bitsStored - 1) return cells
  const sign = 2 ** (its.bitsStored - 1)
  const used = 2 ** its.bitsStored - 1
  const extension = 2 ** its.bitsAllocated - 1 - used
  return cells.map((cell) => ((cell & sign) === 0 ? cell & used : (cell & used) + extension))
}

function decodeWith(
  make: new () => NativeDecoder,
  bytes: Uint8Array,
  its: PixelDescription,
  photometric: string,
): Frame {
  return withNative(make, (decoder) => {
    decoder.getEncodedBuffer(bytes.length).set(bytes)
    decoder.decode()
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo()
    const { rows, columns, samplesPerPixel: samples } = its
    if (width !== columns || height !== rows || componentCount !== samples)
      throw undecodable("the frame has another size than described")
    const count = rows * columns * samples
    const cells = codecCells(decoder.getDecodedBuffer(), bitsPerSample, its.bitsAllocated, count)
    const byPlane = samples === 3 && decoder.getInterleaveMode?.() === 0
    return { rows, columns, samples, cells: byPlane ? interleaved(cells, rows * columns) : cells, photometric }
  })
}

const lossless: ReadonlySet<string> = new Set(["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"])
const dct: ReadonlySet<string> = new Set(["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"])
const ls: ReadonlySet<string> = new Set(["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"])
const j2k: ReadonlySet<string> = new Set(["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"])

async function decodeLossless(bytes: Uint8Array, its: PixelDescription): Promise<Frame> {
  const { Decoder } = await jpegLossless()
  const decoder = new Decoder()
  // A Buffer's slice would be a view.
  const copy = Uint8Array.from(bytes)
  const { rows, columns, samplesPerPixel: samples, photometric } = its
  let out: Uint8Array | Uint16Array
  try {
    out = decoder.decode(copy.buffer as ArrayBuffer, 0, copy.length)
  } catch {
    throw undecodable("the JPEG lossless decoder cannot read the frame")
  }
  if (decoder.frame.dimX !== columns || decoder.frame.dimY !== rows || decoder.numComp !== samples)
    throw undecodable("the frame has another size than described")
  const count = rows * columns * samples
  if (out.length < count) throw undecodable("the codec gave fewer samples than described")
  const cells = cellsFor(its.bitsAllocated, count)
  for (let at = 0; at < count; at++) cells[at] = out[at]!
  return { rows, columns, samples, cells, photometric }
}

/** JPEG with DCT (ISO 10918-1): colour comes out as RGB. Of 12 bits, which libjpeg-turbo's build does not read, by our own. */
async function decodeDct(bytes: Uint8Array, its: PixelDescription): Promise<Frame> {
  const photometric = its.samplesPerPixel === 3 ? "RGB" : its.photometric
  if (its.bitsAllocated === 16) {
    const { rows, columns } = its
    return { rows, columns, samples: 1, cells: withSign(dctJpeg(bytes, its), its), photometric }
  }
  return decodeWith((await libJpeg()).JPEGDecoder, bytes, its, photometric)
}

async function decodeJ2k(bytes: Uint8Array, its: PixelDescription): Promise<Frame> {
  const transformed = its.photometric === "YBR_ICT" || its.photometric === "YBR_RCT"
  const frame = decodeWith((await openJpeg()).J2KDecoder, bytes, its, transformed ? "RGB" : its.photometric)
  return { ...frame, cells: withSign(frame.cells, its) }
}

/** Decodes one frame. Throws PixelsUnreadable: `codec-missing`, `undecodable`, `unsupported`. */
export async function decodeFrame(bytes: Uint8Array, its: PixelDescription): Promise<Frame> {
  const { transferSyntax } = its
  const coding = frameCoding(transferSyntax)
  if (coding === "native") return decodeNative(bytes, its)
  if (coding === "rle") return decodeRleFrame(bytes, its)
  if (lossless.has(transferSyntax)) return decodeLossless(bytes, its)
  if (dct.has(transferSyntax)) return decodeDct(bytes, its)
  if (ls.has(transferSyntax)) {
    const frame = decodeWith((await charls()).JpegLSDecoder, bytes, its, its.photometric)
    return { ...frame, cells: withSign(frame.cells, its) }
  }
  if (j2k.has(transferSyntax)) return decodeJ2k(bytes, its)
  throw unsupported("no codec reads the transfer syntax")
}
