import { find } from "../dicom/element.ts"
import type { DataSet, Element } from "../dicom/element.ts"
import type { Parsed } from "../dicom/parse.ts"
import { rawText } from "../dicom/raw-text.ts"
import type { Source } from "../dicom/source.ts"
import { unsupported } from "./unreadable.ts"

/** What the Image Pixel Module (PS3.3 C.7.6.3) says of the frames of an instance. */
export interface PixelDescription {
  readonly transferSyntax: string
  readonly bigEndian: boolean
  readonly rows: number
  readonly columns: number
  readonly frames: number
  readonly samplesPerPixel: 1 | 3
  readonly photometric: string
  /** Planar Configuration (0028,0006): samples by plane, not by pixel. */
  readonly planar: boolean
  readonly bitsAllocated: 1 | 8 | 16 | 32
  readonly bitsStored: number
  readonly highBit: number
  readonly signed: boolean
}

/** Reads numbers and texts at the top of a data set. */
export class Attributes {
  private readonly source: Source
  private readonly dataSet: DataSet

  constructor(source: Source, dataSet: DataSet) {
    this.source = source
    this.dataSet = dataSet
  }

  element(tag: number): Element | undefined {
    const element = find(this.dataSet, tag)
    return element === undefined || element.valueEnd === element.valueStart ? undefined : element
  }

  bytes(tag: number): Uint8Array | undefined {
    const element = this.element(tag)
    return element === undefined ? undefined : this.source.bytes(element.valueStart, element.valueEnd)
  }

  u16s(tag: number): readonly number[] {
    const bytes = this.bytes(tag)
    if (bytes === undefined) return []
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const little = !this.dataSet.coding.bigEndian
    return Array.from({ length: bytes.length >> 1 }, (_, at) => view.getUint16(2 * at, little))
  }

  u16(tag: number): number | undefined {
    return this.u16s(tag)[0]
  }

  text(tag: number): string {
    const element = this.element(tag)
    return element === undefined || element.items !== undefined ? "" : rawText(this.source, element).trim()
  }

  /** Decimal strings; what is no number is left out. */
  numbers(tag: number): readonly number[] {
    const values = this.text(tag).split("\\")
    return values.map((value) => (value.trim() === "" ? NaN : Number(value))).filter((value) => Number.isFinite(value))
  }

  items(tag: number): readonly Attributes[] {
    const items = find(this.dataSet, tag)?.items ?? []
    return items.map((item) => new Attributes(this.source, item))
  }
}

const allocations: ReadonlySet<number> = new Set([1, 8, 16, 32])

/** Most samples of one frame: what is larger is not read as one picture. */
const mostSamples = 1 << 28

/** Describes the pixel data of an instance. Throws PixelsUnreadable `unsupported` for what is missing or not read. */
export function describe(parsed: Parsed): PixelDescription {
  const its = new Attributes(parsed.source, parsed.dataSet)
  const [rows, columns, bitsAllocated] = [its.u16(0x00280010), its.u16(0x00280011), its.u16(0x00280100)]
  if (!rows || !columns) throw unsupported("rows or columns are missing")
  if (bitsAllocated === undefined || !allocations.has(bitsAllocated))
    throw unsupported(`${bitsAllocated ?? "no"} bits allocated`)
  const samplesPerPixel = its.u16(0x00280002) ?? 1
  if (samplesPerPixel !== 1 && samplesPerPixel !== 3) throw unsupported(`${samplesPerPixel} samples a pixel`)
  if (rows * columns * samplesPerPixel > mostSamples) throw unsupported("a frame is too large")
  const bitsStored = its.u16(0x00280101) ?? bitsAllocated
  const highBit = its.u16(0x00280102) ?? bitsStored - 1
  if (bitsStored < 1 || highBit >= bitsAllocated || bitsStored > highBit + 1) throw unsupported("bits do not fit")
  return {
    transferSyntax: parsed.transferSyntax,
    bigEndian: parsed.dataSet.coding.bigEndian,
    rows,
    columns,
    frames: Math.max(1, its.numbers(0x00280008)[0] ?? 1),
    samplesPerPixel,
    photometric: its.text(0x00280004).toUpperCase(),
    planar: samplesPerPixel === 3 && its.u16(0x00280006) === 1,
    bitsAllocated: bitsAllocated as PixelDescription["bitsAllocated"],
    bitsStored,
    highBit,
    signed: its.u16(0x00280103) === 1,
  }
}
