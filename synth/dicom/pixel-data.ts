import type { DataElement } from "../../formats/dicom/index.ts"
import type { Frame } from "./frame.ts"
import { encodeJpegLossless } from "./jpeg-lossless.ts"
import { encodeRle } from "./rle.ts"

/** Transfer syntaxes of the folder (PS3.6 annex A). */
export const transferSyntaxes = {
  implicit: "1.2.840.10008.1.2",
  explicit: "1.2.840.10008.1.2.1",
  bigEndian: "1.2.840.10008.1.2.2",
  deflated: "1.2.840.10008.1.2.1.99",
  rle: "1.2.840.10008.1.2.5",
  jpegLossless: "1.2.840.10008.1.2.4.70",
} as const
export type Coding = keyof typeof transferSyntaxes

function nativeBytes({ samples, bits }: Frame, bigEndian: boolean): Uint8Array {
  if (bits === 8) return Uint8Array.from(samples)
  const bytes = Buffer.alloc(samples.length * 2)
  for (const [at, sample] of samples.entries())
    if (bigEndian) bytes.writeUInt16BE(sample, at * 2)
    else bytes.writeUInt16LE(sample, at * 2)
  return bytes
}

/** Pixel Data (7FE0,0010) in a coding. */
export function pixelData(frame: Frame, coding: Coding, exif?: string): DataElement {
  const tag = "7FE00010"
  if (coding === "rle") return { tag, vr: "OB", fragments: [encodeRle(frame)] }
  if (coding === "jpegLossless") return { tag, vr: "OB", fragments: [encodeJpegLossless(frame, exif)] }
  const vr = frame.bits === 8 && coding !== "implicit" ? "OB" : "OW"
  return { tag, vr, value: nativeBytes(frame, coding === "bigEndian") }
}
