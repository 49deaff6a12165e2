import { parseWhole } from "../../formats/dicom/index.ts"
import type { Parsed } from "../../formats/dicom/index.ts"
import { frameCoding } from "../../formats/dicom/transfer-syntax.ts"
import { isPixelData } from "../../formats/dicom/tag.ts"
import { Header, sliceModality, slicesOf } from "./slices.ts"
import type { Slice } from "./slices.ts"

/** How samples lie in their bytes (PS3.5 8.1.1): the low bits of 1 or 2 bytes. */
export interface Cells {
  readonly bytes: 1 | 2
  readonly stored: number
  readonly signed: boolean
  readonly bigEndian: boolean
}

/** An image whose samples are at hand. */
export interface Image {
  readonly kind: "image"
  readonly modality: "CT" | "MR"
  readonly slices: readonly Slice[]
  readonly cells: Cells
  /** The file, and where in it the samples begin. */
  readonly file: Uint8Array
  readonly at: number
}

/** Why a face is not taken out, as a code for people. */
export interface Held {
  readonly kind: "held"
  readonly why:
    | "not-slices"
    | "compressed"
    | "unreadable-pixels"
    | "too-large"
    | "mixed-modalities"
    | "not-a-head"
    | "head-cut-off"
    | "no-nose"
    | "face-left"
}

export const held = (why: Held["why"]): Held => ({ kind: "held", why })

/** Decodes one frame of encapsulated pixel data to samples as native pixel data has them, little endian; undefined for what it
 * cannot decode without loss to them. */
export type DecodeFrame = (
  frame: Uint8Array,
  of: {
    readonly transferSyntax: string
    readonly rows: number
    readonly columns: number
    readonly bitsAllocated: number
    readonly bitsStored: number
    readonly signed: boolean
  },
) => Promise<Uint8Array | undefined>

function cellsOf(header: Header, parsed: Parsed): Cells | undefined {
  const [allocated, stored, high, sign] = [0x00280100, 0x00280101, 0x00280102, 0x00280103].map((tag) => header.u16(tag))
  if (header.u16(0x00280002) !== 1 || header.texts(0x00280004)[0] !== "MONOCHROME2") return undefined
  if (allocated !== 8 && allocated !== 16) return undefined
  if (stored === undefined || stored < 4 || stored > allocated || high !== stored - 1) return undefined
  return { bytes: allocated === 8 ? 1 : 2, stored, signed: sign === 1, bigEndian: parsed.dataSet.coding.bigEndian }
}

/** The image of a file that is whole in memory, or why it cannot be read. Encapsulated pixel data is held: see {@link nativeOf}. */
export function imageOf(file: Uint8Array): Image | Held {
  const parsed = parseWhole(file, { skipPrivate: true })
  const header = new Header(parsed)
  const modality = sliceModality(header.texts(0x00080016)[0] ?? "")
  const slices = modality === undefined ? undefined : slicesOf(header)
  if (modality === undefined || slices === undefined) return held("not-slices")
  const pixels = parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))
  if (parsed.encoding.deflated || frameCoding(parsed.transferSyntax) !== "native" || pixels?.fragments !== undefined)
    return held("compressed")
  const cells = cellsOf(header, parsed)
  const [{ rows, columns }] = slices as [Slice]
  const isWhole = pixels !== undefined && cells !== undefined && pixels.tag === 0x7fe00010
  if (!isWhole || pixels.valueEnd - pixels.valueStart < rows * columns * slices.length * cells.bytes)
    return held("unreadable-pixels")
  return { kind: "image", modality, slices, cells, file, at: pixels.valueStart }
}

const offsetOf = ({ at, cells }: Image, { frame, rows, columns }: Slice): number =>
  at + frame * rows * columns * cells.bytes

/** The values of a slice: samples by slope and intercept. */
export function valuesOf(image: Image, slice: Slice): Float32Array {
  const { cells, file } = image
  const from = offsetOf(image, slice)
  const out = new Float32Array(slice.rows * slice.columns)
  const { slope, intercept } = slice
  const spare = 32 - cells.stored
  const [low, high] = cells.bigEndian ? [1, 0] : [0, 1]
  for (let at = 0; at < out.length; at++) {
    const word = cells.bytes === 1 ? file[from + at]! : file[from + at * 2 + low]! | (file[from + at * 2 + high]! << 8)
    const sample = cells.signed ? (word << spare) >> spare : (word << spare) >>> spare
    out[at] = sample * slope + intercept
  }
  return out
}

/** Writes values in place of samples, as near as samples come; all other bytes stay. */
export function writer(image: Image, slice: Slice, into: Uint8Array): (voxel: number, value: number) => void {
  const { cells } = image
  const from = offsetOf(image, slice)
  const [least, most] = cells.signed
    ? [-(2 ** (cells.stored - 1)), 2 ** (cells.stored - 1) - 1]
    : [0, 2 ** cells.stored - 1]
  const [low, high] = cells.bigEndian ? [1, 0] : [0, 1]
  return (voxel, value) => {
    const sample = Math.min(most, Math.max(least, Math.round((value - slice.intercept) / slice.slope)))
    if (cells.bytes === 1) into[from + voxel] = sample & 0xff
    else {
      into[from + voxel * 2 + low] = sample & 0xff
      into[from + voxel * 2 + high] = (sample >> 8) & 0xff
    }
  }
}
