import { parseWhole } from "../../formats/dicom/index.ts"
import type { Parsed } from "../../formats/dicom/index.ts"
import { Output } from "../../formats/dicom/output.ts"
import { isPixelData } from "../../formats/dicom/tag.ts"
import { explicitLittleEndian, frameCoding } from "../../formats/dicom/transfer-syntax.ts"
import { OW, UI } from "../../formats/dicom/vr.ts"
import { held } from "./pixels.ts"
import type { DecodeFrame, Held } from "./pixels.ts"
import { Header } from "./slices.ts"

/** Fragments by frame: one each, or all of the one frame. More than one fragment a frame of several needs an offset table, which real
 * CT and MR do not have. */
function framesOf({ source, dataSet }: Parsed, count: number): readonly Uint8Array[] | undefined {
  const fragments = dataSet.elements.find(({ tag }) => isPixelData(tag))?.fragments?.slice(1) ?? []
  const bytes = fragments.map(({ from, to }) => source.bytes(from, to))
  if (count === 1 && bytes.length > 0) return [Buffer.concat(bytes)]
  return bytes.length === count ? bytes : undefined
}

/** The file with its pixel data decoded, in explicit little endian; itself when it is native already. The data set before and behind
 * the pixel data stays as it is, as all encapsulated files are explicit little endian (PS3.5 A.4). */
export async function nativeOf(file: Uint8Array, decode: DecodeFrame | undefined): Promise<Uint8Array | Held> {
  const parsed = parseWhole(file, { skipPrivate: true })
  const coding = frameCoding(parsed.transferSyntax)
  if (coding === "native") return file
  if (decode === undefined || coding === undefined) return held("compressed")
  const header = new Header(parsed)
  const [rows, columns, bitsAllocated, bitsStored] = [0x00280010, 0x00280011, 0x00280100, 0x00280101].map(
    (tag) => header.u16(tag) ?? 0,
  ) as [number, number, number, number]
  const frames = framesOf(parsed, header.numbers(0x00280008, 1)?.[0] ?? 1)
  if (frames === undefined) return held("unreadable-pixels")
  const of = { transferSyntax: parsed.transferSyntax, rows, columns, bitsAllocated, bitsStored }
  const size = (rows * columns * bitsAllocated) / 8
  const decoded: Uint8Array[] = []
  for (const frame of frames) {
    const bytes = await decode(frame, { ...of, signed: header.u16(0x00280103) === 1 })
    if (bytes === undefined || bytes.length !== size) return held("compressed")
    decoded.push(bytes)
  }
  return written(parsed, decoded)
}

function written({ source, dataSet }: Parsed, frames: readonly Uint8Array[]): Uint8Array {
  const pixels = dataSet.elements.find(({ tag }) => isPixelData(tag))!
  const length = frames.reduce((sum, frame) => sum + frame.length, 0)
  const plain = { explicit: true, bigEndian: false }
  const meta = new Output(256)
  meta.append(Buffer.concat([Buffer.alloc(128), Buffer.from("DICM", "latin1")]))
  const syntax = Buffer.from(`${explicitLittleEndian}\0`, "latin1")
  meta.header(0x00020010, UI, syntax.length, plain)
  meta.append(syntax)
  const element = new Output(64)
  element.header(pixels.tag, OW, length + (length % 2), plain)
  return Buffer.concat([
    meta.bytes(),
    source.bytes(dataSet.start, pixels.start),
    element.bytes(),
    ...frames,
    Buffer.alloc(length % 2),
    source.bytes(pixels.end, source.size),
  ])
}
