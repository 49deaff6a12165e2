import { charls, openJpeg, withNative } from "./codecs.ts"
import type { NativeEncoder } from "./codecs.ts"
import type { Cells, Frame } from "./decode.ts"
import type { PixelDescription } from "./description.ts"
import { encodeRle } from "./rle.ts"

/** Little-endian bytes of cells. */
function littleEndian(cells: Cells): Uint8Array {
  if (cells instanceof Uint8Array) return cells
  const wide = cells.BYTES_PER_ELEMENT
  const out = Buffer.alloc(cells.length * wide)
  for (let at = 0; at < cells.length; at++)
    if (wide === 2) out.writeUInt16LE(cells[at]!, 2 * at)
    else out.writeUInt32LE(cells[at]!, 4 * at)
  return out
}

/** A frame in native form, little or big endian, by pixel or by plane (PS3.5 8.1). */
export function encodeNative(frame: Frame, its: PixelDescription, bigEndian: boolean, planar: boolean): Uint8Array {
  const pixels = frame.rows * frame.columns
  const cells = planar
    ? frame.cells.map((_, at) => frame.cells[(at % pixels) * frame.samples + Math.floor(at / pixels)]!)
    : frame.cells
  const bytes = littleEndian(cells)
  if (!bigEndian || its.bitsAllocated === 8) return bytes
  const out = Buffer.from(bytes)
  return its.bitsAllocated === 16 ? out.swap16() : out.swap32()
}

/** A frame as RLE: one segment for each byte of each sample, the most significant first (PS3.5 annex G). */
export function encodeRleFrame(frame: Frame, its: PixelDescription): Uint8Array {
  const { cells, samples, columns } = frame
  const width = its.bitsAllocated / 8
  const planes: Uint8Array[] = []
  for (let s = 0; s < samples; s++)
    for (let byte = width - 1; byte >= 0; byte--) {
      const plane = new Uint8Array(cells.length / samples)
      for (let at = 0; at < plane.length; at++) plane[at] = Math.floor(cells[at * samples + s]! / 256 ** byte)
      planes.push(plane)
    }
  return encodeRle(planes, columns)
}

function encodeWith(
  make: new () => NativeEncoder,
  frame: Frame,
  its: PixelDescription,
  set: (encoder: NativeEncoder) => void,
): Uint8Array {
  return withNative(make, (encoder) => {
    const { rows: height, columns: width, samples: componentCount } = frame
    const bytes = littleEndian(frame.cells)
    const info = { width, height, bitsPerSample: its.bitsStored, componentCount, isSigned: its.signed }
    encoder.getDecodedBuffer(info).set(bytes)
    set(encoder)
    encoder.encode()
    return Uint8Array.from(encoder.getEncodedBuffer())
  })
}

/** A frame as JPEG-LS without loss; colour by sample. */
export const encodeJpegLs = async (frame: Frame, its: PixelDescription): Promise<Uint8Array> =>
  encodeWith((await charls()).JpegLSEncoder, frame, its, (encoder) => {
    encoder.setNearLossless!(0)
    encoder.setInterleaveMode!(frame.samples === 3 ? 2 : 0)
  })

/** A frame as JPEG 2000 without loss. */
export const encodeJ2k = async (frame: Frame, its: PixelDescription): Promise<Uint8Array> =>
  encodeWith((await openJpeg()).J2KEncoder, frame, its, (encoder) => encoder.setQuality!(true, 0))

/** Whether a JPEG 2000 codestream has its components transformed: the byte behind progression and layers of COD (ISO 15444-1 A.6.1). */
export function isTransformed(codestream: Uint8Array): boolean {
  const at = Buffer.from(codestream.buffer, codestream.byteOffset, codestream.length).indexOf(Buffer.from([0xff, 0x52]))
  return at >= 0 && codestream[at + 8] === 1
}
