import { buildPart10, parseWhole } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { decodeFrame, describe as described, frameBytes } from "../../formats/pixels/index.ts"
import type { Frame } from "../../formats/pixels/index.ts"
import { encodeJ2k, encodeJpegLs, encodeNative, encodeRleFrame } from "../../formats/pixels/encode.ts"

/** Transfer syntaxes whose frames can be written. */
export const syntaxes = {
  "implicit little endian": "1.2.840.10008.1.2",
  "explicit little endian": "1.2.840.10008.1.2.1",
  "deflated little endian": "1.2.840.10008.1.2.1.99",
  "big endian": "1.2.840.10008.1.2.2",
  RLE: "1.2.840.10008.1.2.5",
  "JPEG-LS": "1.2.840.10008.1.2.4.80",
  "JPEG 2000 lossless": "1.2.840.10008.1.2.4.90",
  "JPEG 2000": "1.2.840.10008.1.2.4.91",
} as const

export interface PictureGiven {
  readonly transferSyntax: string
  readonly rows: number
  readonly columns: number
  readonly samples: 1 | 3
  readonly bits: 8 | 12 | 16
  readonly photometric: string
  readonly frames: readonly Uint16Array[]
  readonly planar?: boolean
  readonly more?: readonly DataElement[]
}

const cellsOf = (values: Uint16Array, bits: number) => (bits === 8 ? Uint8Array.from(values) : values)

/** A file with frames coded as its transfer syntax asks. */
export async function fileOf(given: PictureGiven): Promise<Uint8Array> {
  const { transferSyntax, rows, columns, samples, bits, photometric, planar = false, more = [] } = given
  const allocated = bits === 8 ? 8 : 16
  const its = {
    transferSyntax,
    bigEndian: transferSyntax === syntaxes["big endian"],
    rows,
    columns,
    frames: given.frames.length,
    samplesPerPixel: samples,
    photometric,
    planar,
    bitsAllocated: allocated,
    bitsStored: bits,
    highBit: bits - 1,
    signed: false,
  } as const
  const frames: Frame[] = given.frames.map((values) => ({
    rows,
    columns,
    samples,
    cells: cellsOf(values, bits),
    photometric,
  }))
  const encoders: Readonly<Record<string, (frame: Frame) => Promise<Uint8Array>>> = {
    [syntaxes.RLE]: async (frame) => encodeRleFrame(frame, its),
    [syntaxes["JPEG-LS"]]: (frame) => encodeJpegLs(frame, its),
    [syntaxes["JPEG 2000 lossless"]]: (frame) => encodeJ2k(frame, its),
    [syntaxes["JPEG 2000"]]: (frame) => encodeJ2k(frame, its),
  }
  const encode = encoders[transferSyntax]
  const pixels: DataElement =
    encode === undefined
      ? {
          tag: "7FE00010",
          vr: allocated === 8 ? "OB" : "OW",
          value: Buffer.concat(frames.map((frame) => encodeNative(frame, its, its.bigEndian, planar))),
        }
      : { tag: "7FE00010", vr: "OB", fragments: await Promise.all(frames.map(encode)) }
  const transformed = samples === 3 && /\.4\.9[01]$/.test(transferSyntax)
  const own: DataElement[] = [
    { tag: "00080005", vr: "CS", value: "ISO_IR 100" },
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY"] },
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.6.1" },
    { tag: "00080018", vr: "UI", value: "1.2.3.4.5" },
    { tag: "00080060", vr: "CS", value: "US" },
    { tag: "00080050", vr: "SH", value: "ACC4711" },
    { tag: "00100010", vr: "PN", value: "FALKENBERG^JANE" },
    { tag: "00100020", vr: "LO", value: "MRN20417" },
    { tag: "0020000D", vr: "UI", value: "1.2.3.4.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
    { tag: "00280002", vr: "US", value: samples },
    { tag: "00280004", vr: "CS", value: transformed ? "YBR_RCT" : photometric },
    ...(samples === 3 ? [{ tag: "00280006", vr: "US", value: planar ? 1 : 0 }] : []),
    { tag: "00280008", vr: "IS", value: String(frames.length) },
    { tag: "00280010", vr: "US", value: rows },
    { tag: "00280011", vr: "US", value: columns },
    { tag: "00280100", vr: "US", value: allocated },
    { tag: "00280101", vr: "US", value: bits },
    { tag: "00280102", vr: "US", value: bits - 1 },
    { tag: "00280103", vr: "US", value: 0 },
    pixels,
  ]
  const kept = own.filter(({ tag }) => !more.some((other) => other.tag === tag))
  return buildPart10([...kept, ...more], { transferSyntax })
}

/** The frames of a file, decoded. */
export async function framesOf(bytes: Uint8Array): Promise<readonly Frame[]> {
  const parsed = parseWhole(bytes)
  const its = described(parsed)
  return Promise.all(frameBytes(parsed, its).map((frame) => decodeFrame(frame, its)))
}
