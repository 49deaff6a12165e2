import type { Element } from "../dicom/element.ts"
import type { Parsed } from "../dicom/parse.ts"
import { isPixelData } from "../dicom/tag.ts"
import { frameCoding } from "../dicom/transfer-syntax.ts"
import type { PixelDescription } from "./description.ts"
import { undecodable, unsupported } from "./unreadable.ts"

/** Bits that a native frame takes (PS3.5 8.1.1; YBR_FULL_422 has two samples a pixel). */
export function nativeBits({ rows, columns, samplesPerPixel, bitsAllocated, photometric }: PixelDescription): number {
  const samples = photometric === "YBR_FULL_422" ? 2 : samplesPerPixel
  return rows * columns * samples * bitsAllocated
}

/** The pixel data element at the top; undefined when there is none. */
export const pixelElement = (parsed: Parsed): Element | undefined =>
  parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))

function nativeFrames(bytes: Uint8Array, description: PixelDescription): readonly Uint8Array[] {
  const { frames } = description
  const bits = nativeBits(description)
  if (bytes.length * 8 < bits * frames) throw undecodable("the pixel data is shorter than its frames")
  // Frames of single bits follow each other without a gap (PS3.5 8.1.1): one that begins inside a byte is shifted into place.
  if (bits % 8 !== 0) return Array.from({ length: frames }, (_, at) => shifted(bytes, at * bits, bits))
  const size = bits / 8
  return Array.from({ length: frames }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
}

function shifted(bytes: Uint8Array, from: number, bits: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(bits / 8))
  for (let at = 0; at < bits; at++) {
    const bit = (bytes[(from + at) >> 3]! >> ((from + at) & 7)) & 1
    out[at >> 3]! |= bit << (at & 7)
  }
  return out
}

const markers: Readonly<Record<"jpeg" | "jpeg-2000", number>> = { jpeg: 0xffd8, "jpeg-2000": 0xff4f }

function begins(bytes: Uint8Array, coding: "rle" | "jpeg" | "jpeg-2000"): boolean {
  if (coding === "rle") return true
  return bytes.length > 1 && ((bytes[0]! << 8) | bytes[1]!) === markers[coding]
}

/** Frames of encapsulated pixel data: one fragment each, or each begun by a fragment that begins like an image (PS3.5 A.4). */
function encapsulatedFrames(parsed: Parsed, element: Element, { frames }: PixelDescription): readonly Uint8Array[] {
  const coding = frameCoding(parsed.transferSyntax)
  if (coding === undefined || coding === "native") throw unsupported("the transfer syntax is not read")
  const fragments = element.fragments!.slice(1).map(({ from, to }) => parsed.source.bytes(from, to))
  if (fragments.length === frames) return fragments
  if (frames === 1) return [Buffer.concat(fragments)]
  const groups: Uint8Array[][] = []
  for (const fragment of fragments)
    if (groups.length === 0 || begins(fragment, coding)) groups.push([fragment])
    else groups.at(-1)!.push(fragment)
  if (groups.length !== frames) throw undecodable("the fragments do not make as many frames as are stated")
  return groups.map((group) => (group.length === 1 ? group[0]! : Buffer.concat(group)))
}

/** The bytes of each frame, as views where that is possible. Throws PixelsUnreadable where they cannot be told apart, `Unread`
 * where they are not at hand. */
export function frameBytes(parsed: Parsed, description: PixelDescription): readonly Uint8Array[] {
  const element = pixelElement(parsed)
  if (element === undefined) return []
  if (element.tag !== 0x7fe00010) throw unsupported("float pixel data")
  if (element.items !== undefined) throw undecodable("the pixel data is a sequence")
  if (element.fragments !== undefined) return encapsulatedFrames(parsed, element, description)
  return nativeFrames(parsed.source.bytes(element.valueStart, element.valueEnd), description)
}
