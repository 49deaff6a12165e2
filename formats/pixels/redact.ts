import type { Parsed } from "../dicom/parse.ts"
import { explicitLittleEndian, frameCoding } from "../dicom/transfer-syntax.ts"
import { decodeFrame } from "./decode.ts"
import type { Frame } from "./decode.ts"
import { describe } from "./description.ts"
import type { PixelDescription } from "./description.ts"
import { encodeJ2k, encodeJpegLs, encodeNative, encodeRleFrame, isTransformed } from "./encode.ts"
import { areasIn, around, filled } from "./fill.ts"
import type { FrameArea, Rectangle } from "./fill.ts"
import { frameBytes, nativeBits, pixelElement } from "./frame-bytes.ts"
import { displayOf } from "./render.ts"
import { withElements } from "./replace.ts"
import type { NewElement } from "./replace.ts"
import { PixelsUnreadable, unsupported } from "./unreadable.ts"

/** A file without what its rectangles showed. */
export interface Redacted {
  readonly bytes: Uint8Array
  readonly transferSyntax: string
  /** Whether the frames are coded in another transfer syntax than before. */
  readonly transcoded: boolean
}

const [OB, OW, CS, US] = [0x4f42, 0x4f57, 0x4353, 0x5553]
const PIXELS = 0x7fe00010
/** Extended Offset Table and its lengths: offsets of what is no more. */
const offsetTables = [0x7fe00001, 0x7fe00002]
const text = (value: string): Uint8Array => Buffer.from(value.padEnd(value.length + (value.length % 2)), "latin1")

type Changes = Map<number, NewElement | undefined>

/** Rectangles that hold whole pairs of pixels, as 4:2:2 shares its colour between two. */
const inPairs = ({ x, width, ...rest }: Rectangle): Rectangle => {
  const left = x & ~1
  return { ...rest, x: left, width: (x + width + 1 - left) & ~1 }
}

/** Native pixel data with its rectangles black and every other byte as it was. */
async function nativeRedacted(parsed: Parsed, its: PixelDescription, areas: readonly FrameArea[]): Promise<Uint8Array> {
  const element = pixelElement(parsed)!
  const out = Buffer.from(parsed.source.bytes(element.valueStart, element.valueEnd))
  const size = nativeBits(its) / 8
  if (!Number.isInteger(size) || its.bitsAllocated === 1) throw unsupported("single bits are not changed")
  const display = displayOf(parsed, its)
  const halved = its.photometric === "YBR_FULL_422"
  for (const [at, bytes] of frameBytes(parsed, its).entries()) {
    const own = areasIn(areas, at)
    if (own.length === 0) continue
    const frame = await decodeFrame(bytes, its)
    const target = out.subarray(at * size, (at + 1) * size)
    if (halved) fill422(target, its, own.map(inPairs))
    else target.set(encodeNative(filled(frame, its, display, own), its, its.bigEndian, its.planar))
  }
  return out
}

function fill422(target: Uint8Array, { columns }: PixelDescription, areas: readonly Rectangle[]): void {
  for (const { x, y, width, height } of areas)
    for (let row = y; row < y + height; row++)
      for (let pair = x; pair < x + width; pair += 2) target.set([0, 0, 128, 128], (row * columns + pair) * 2)
}

const encoders: ReadonlyMap<string, (frame: Frame, its: PixelDescription) => Promise<Uint8Array>> = new Map([
  ["1.2.840.10008.1.2.5", async (frame: Frame, its: PixelDescription) => encodeRleFrame(frame, its)],
  ["1.2.840.10008.1.2.4.80", encodeJpegLs],
  ["1.2.840.10008.1.2.4.81", encodeJpegLs],
  ["1.2.840.10008.1.2.4.90", encodeJ2k],
  ["1.2.840.10008.1.2.4.91", encodeJ2k],
])

const same = (a: Frame["cells"], b: Frame["cells"]): boolean =>
  a.length === b.length && a.every((cell, at) => cell === b[at])

/** Frames coded without loss in their own transfer syntax, each read back and compared; undefined where that is not possible. */
async function coded(
  frames: readonly Frame[],
  its: PixelDescription,
): Promise<{ readonly fragments: readonly Uint8Array[]; readonly photometric: string } | undefined> {
  const encode = encoders.get(its.transferSyntax)
  if (encode === undefined || (its.bitsAllocated !== 8 && its.bitsAllocated !== 16)) return undefined
  const fragments: Uint8Array[] = []
  let photometric = frames[0]!.photometric
  for (const frame of frames) {
    try {
      const bytes = await encode(frame, its)
      if (frameCoding(its.transferSyntax) === "jpeg-2000" && frame.samples === 3 && isTransformed(bytes))
        photometric = "YBR_RCT"
      const again = await decodeFrame(bytes, { ...its, photometric })
      if (!same(again.cells, frame.cells)) return undefined
      fragments.push(bytes)
    } catch (thrown) {
      if (thrown instanceof PixelsUnreadable) return undefined
      throw thrown
    }
  }
  return { fragments, photometric }
}

/** Frames in native form: what is left where their own coding loses, or cannot be written. */
function transcoded(frames: readonly Frame[], its: PixelDescription): Changes {
  const [first] = frames
  const bytes = Buffer.concat(frames.map((frame) => encodeNative(frame, its, false, false)))
  return new Map<number, NewElement | undefined>([
    [0x00280004, { vr: CS, value: text(first!.photometric) }],
    ...(first!.samples === 3 ? [[0x00280006, { vr: US, value: Uint8Array.of(0, 0) }] as const] : []),
    [PIXELS, { vr: its.bitsAllocated === 8 ? OB : OW, value: bytes }],
  ])
}

async function encapsulatedRedacted(
  parsed: Parsed,
  its: PixelDescription,
  areas: readonly FrameArea[],
): Promise<Redacted> {
  const isDct = /\.4\.5[01]$/.test(its.transferSyntax)
  if (isDct && its.samplesPerPixel === 3 && !its.photometric.startsWith("YBR"))
    throw unsupported("a JPEG whose colour transform is not told")
  const display = displayOf(parsed, its)
  const frames: Frame[] = []
  for (const [at, bytes] of frameBytes(parsed, its).entries())
    frames.push(filled(await decodeFrame(bytes, its), its, display, areasIn(areas, at)))
  const own = await coded(frames, its)
  const changes: Changes =
    own === undefined
      ? transcoded(frames, its)
      : new Map<number, NewElement | undefined>([
          ...(own.photometric === its.photometric
            ? []
            : [[0x00280004, { vr: CS, value: text(own.photometric) }] as const]),
          [PIXELS, { vr: OB, value: new Uint8Array(0), fragments: own.fragments }],
        ])
  for (const tag of offsetTables) changes.set(tag, undefined)
  const transferSyntax = own === undefined ? explicitLittleEndian : its.transferSyntax
  return { bytes: withElements(parsed, transferSyntax, changes), transferSyntax, transcoded: own === undefined }
}

const within = (area: FrameArea, its: PixelDescription): FrameArea => {
  const { frame } = area
  return frame === undefined ? around(area, 0, its) : { ...around(area, 0, its), frame }
}

/** Fills rectangles of every frame, or of the frames that they name, with black: in the transfer syntax of the file where its coding can be written without loss (native,
 * RLE, JPEG-LS, JPEG 2000), else as Explicit VR Little Endian. All other samples decode to what they decoded to before. Throws
 * PixelsUnreadable where that cannot be done. */
export async function redact(parsed: Parsed, areas: readonly FrameArea[]): Promise<Redacted> {
  const its = describe(parsed)
  const whole = areas.map((area) => within(area, its)).filter(({ width, height }) => width > 0 && height > 0)
  if (frameCoding(its.transferSyntax) !== "native") return encapsulatedRedacted(parsed, its, whole)
  const element = pixelElement(parsed)!
  const value = await nativeRedacted(parsed, its, whole)
  const vr = parsed.dataSet.coding.explicit ? element.vr : OW
  const bytes = withElements(parsed, its.transferSyntax, new Map([[PIXELS, { vr, value }]]))
  return { bytes, transferSyntax: its.transferSyntax, transcoded: false }
}
