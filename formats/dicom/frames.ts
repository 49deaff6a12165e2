import type { Element, Fragment } from "./element.ts"
import type { Source } from "./source.ts"
import type { FrameCoding } from "./transfer-syntax.ts"

/** Comments that encoders write about themselves. */
const encoderComment =
  /^(?:Kakadu-?v?[\d.]+[a-z]?|Created by (?:GDCM\/)?OpenJPEG version [\d.]+|Creator: JasPer Version [\d.]+|OpenJPEG(?: [\d.]+)?|Lavc[\d.]+|LEAD Technologies Inc\.? V[\d.]+|CREATOR: gd-jpeg v[\d.]+ \(using IJG JPEG v\d+\)(?:, quality = \d+| default quality)?|Kdu-Layer-Info: log_2\{Delta-D\(\w+-\w+\)\/Delta-L\(bytes\)\}, L\(bytes\)[\s\d.,e+-]*)[\s\0]*$/

const isEncoder = (bytes: Uint8Array): boolean =>
  bytes.length <= 1024 && encoderComment.test(Buffer.from(bytes).toString("latin1"))

const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(0, to - from)).toString("latin1")

/** Only padding may follow the end of an image. */
const onlyPadding = (bytes: Uint8Array, from: number): boolean => {
  for (let at = from; at < bytes.length; at++) if (bytes[at] !== 0 && bytes[at] !== 0xff) return false
  return true
}

/** Whether an application segment tells nothing: empty, JFIF without thumbnail, Adobe's or HP's colour transform. */
function harmless(marker: number, body: Uint8Array): boolean {
  if (body.length === 0) return true
  if (marker === 0xe0) return body.length === 14 && latin1(body, 0, 5) === "JFIF\0" && body[12] === 0 && body[13] === 0
  if (marker === 0xee) return body.length === 12 && latin1(body, 0, 5) === "Adobe"
  if (marker === 0xe8) return body.length === 5 && latin1(body, 0, 4) === "mrfx"
  return marker === 0xfe && isEncoder(body)
}

/** First marker at or after an offset inside entropy-coded data: FF and a byte from 80 on, other than a restart marker. */
function nextMarker(bytes: Buffer, from: number): number {
  let at = bytes.indexOf(0xff, from)
  while (at >= 0 && at + 1 < bytes.length) {
    const next = bytes[at + 1]!
    if (next >= 0x80 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at
    at = bytes.indexOf(0xff, at + 1)
  }
  return -1
}

/** Reads a JPEG or JPEG-LS image to its end (ISO 10918-1 B.1, ISO 14495-1 C); false when a segment carries data beside the picture,
 * or anything is out of order. */
function cleanJpeg(bytes: Buffer): boolean {
  let at = 2
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false
  while (at + 4 <= bytes.length || at + 2 === bytes.length) {
    if (bytes[at] !== 0xff) return false
    const marker = bytes[at + 1]!
    if (marker === 0xff) at += 1
    else if (marker === 0xd9) return onlyPadding(bytes, at + 2)
    else {
      const length = bytes.length < at + 4 ? 0 : bytes.readUInt16BE(at + 2)
      const end = at + 2 + length
      if (length < 2 || end > bytes.length || marker < 0xc0 || marker === 0xd8) return false
      const application = (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe
      if (application && !harmless(marker, bytes.subarray(at + 4, end))) return false
      at = marker === 0xda ? nextMarker(bytes, end) : end
      if (at < 0) return false
    }
  }
  return at + 3 === bytes.length && bytes[at] === 0xff && bytes[at + 1] === 0xd9
}

/** Reads the main header and each tile-part header of a JPEG 2000 codestream (ISO 15444-1 annex A); false when a comment says more
 * than the name of its encoder, or anything is out of order. Files in boxes (JP2) are refused: boxes may hold anything. */
function cleanJpeg2000(bytes: Buffer): boolean {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xff4f) return false
  let at = 2
  let tileEnd = 0
  while (at + 4 <= bytes.length) {
    const marker = bytes.readUInt16BE(at)
    if (marker === 0xffd9) return onlyPadding(bytes, at + 2)
    if (marker === 0xff93) {
      if (tileEnd < at + 2 || tileEnd > bytes.length) return false
      at = tileEnd
      continue
    }
    const length = bytes.readUInt16BE(at + 2)
    if (marker < 0xff4f || length < 2 || at + 2 + length > bytes.length) return false
    if (marker === 0xff64 && !isEncoder(bytes.subarray(at + 6, at + 2 + length))) return false
    if (marker === 0xff90) tileEnd = tilePartEnd(bytes, at)
    at += 2 + length
  }
  return at === bytes.length || (at + 2 <= bytes.length && bytes.readUInt16BE(at) === 0xffd9)
}

/** End of the tile part that starts with SOT; a length of 0 means up to EOC, the last marker of the stream. */
function tilePartEnd(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 6)
  return length === 0 ? bytes.lastIndexOf(Buffer.from([0xff, 0xd9])) : at + length
}

const starts: Readonly<Record<"jpeg" | "jpeg-2000", number>> = { jpeg: 0xffd8, "jpeg-2000": 0xff4f }

const begins = (bytes: Uint8Array, start: number): boolean => bytes[0] === start >> 8 && bytes[1] === (start & 0xff)

/** Images of encapsulated pixel data: a fragment that begins like an image begins one, others continue it (PS3.5 A.4). */
function* images(source: Source, fragments: readonly Fragment[], start: number): Generator<Buffer> {
  let parts: Uint8Array[] = []
  const join = () => {
    const only = parts[0]!
    return parts.length === 1 ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(parts)
  }
  for (const { from, to } of fragments.slice(1)) {
    const bytes = source.bytes(from, to)
    if (parts.length > 0 && begins(bytes, start)) {
      yield join()
      parts = []
    }
    if (bytes.length > 0) parts.push(bytes)
  }
  if (parts.length > 0) yield join()
}

/** Reads the header of an RLE frame and the runs of its segments (PS3.5 annex G) up to as many bytes as a segment decodes to; false when
 * anything but padding follows them, or lies between. */
function cleanRle(bytes: Buffer, decoded: number): boolean {
  if (bytes.length < 64) return false
  const count = bytes.readUInt32LE(0)
  if (count < 1 || count > 15) return false
  const starts = Array.from({ length: 15 }, (_, at) => bytes.readUInt32LE(4 + 4 * at))
  if (starts[0] !== 64 || starts.slice(count).some((start) => start !== 0)) return false
  for (let at = 0; at < count; at++) {
    const end = at + 1 < count ? starts[at + 1]! : bytes.length
    if (starts[at]! > end || end > bytes.length || !cleanSegment(bytes, starts[at]!, end, decoded)) return false
  }
  return true
}

function cleanSegment(bytes: Buffer, from: number, to: number, decoded: number): boolean {
  let [at, made] = [from, 0]
  while (made < decoded && at < to) {
    const run = bytes.readInt8(at)
    made += run >= 0 ? run + 1 : run === -128 ? 0 : 1 - run
    at += run >= 0 ? run + 2 : run === -128 ? 1 : 2
  }
  // Encoders end with no-ops, zeros, or the odd byte of a run that goes past the end.
  for (; at < to; at++) if (bytes[at] !== 0 && bytes[at] !== 0x80 && bytes[at] !== 0xff) return false
  return true
}

/** Whether all frames are pictures and nothing else. JPEG and JPEG 2000 frames are read for segments that carry text or EXIF data;
 * RLE frames
 * for what follows their runs; native frames have no place for any.
 * @param samples of a frame in one plane: rows times columns */
export function framesAreClean(source: Source, pixelData: Element, coding: FrameCoding, samples: number): boolean {
  if (coding === "native") return pixelData.fragments === undefined
  if (pixelData.fragments === undefined || pixelData.fragments.length < 2) return false
  const offsets = pixelData.fragments[0]!
  if (offsets.to - offsets.from > 4 * (pixelData.fragments.length - 1)) return false
  if (coding === "rle")
    return pixelData.fragments.slice(1).every(({ from, to }) => {
      const bytes = source.bytes(from, to)
      return cleanRle(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), samples)
    })
  const isClean = coding === "jpeg" ? cleanJpeg : cleanJpeg2000
  for (const image of images(source, pixelData.fragments, starts[coding])) if (!isClean(image)) return false
  return true
}
