/** What the transfer syntax says of the bytes after the file meta information (PS3.5 chapter 10, PS3.6 annex A). */
export interface Encoding {
  readonly explicit: boolean
  readonly bigEndian: boolean
  readonly deflated: boolean
}

export const implicitLittleEndian = "1.2.840.10008.1.2"
export const explicitLittleEndian = "1.2.840.10008.1.2.1"
export const deflatedExplicitLittleEndian = "1.2.840.10008.1.2.1.99"
export const explicitBigEndian = "1.2.840.10008.1.2.2"

/** The encoding of a transfer syntax; all encapsulated ones are explicit little endian (PS3.5 A.4). */
export function encodingOf(transferSyntax: string): Encoding {
  return {
    explicit: transferSyntax !== implicitLittleEndian,
    bigEndian: transferSyntax === explicitBigEndian,
    deflated: transferSyntax === deflatedExplicitLittleEndian,
  }
}

/** How a frame is coded, for what must be read of it before it is passed on. */
export type FrameCoding = "native" | "jpeg" | "jpeg-2000" | "rle"

const codings: ReadonlyMap<string, FrameCoding> = new Map<string, FrameCoding>([
  [implicitLittleEndian, "native"],
  [explicitLittleEndian, "native"],
  [deflatedExplicitLittleEndian, "native"],
  [explicitBigEndian, "native"],
  ["1.2.840.10008.1.2.5", "rle"],
  ...Array.from({ length: 17 }, (_, i) => [`1.2.840.10008.1.2.4.${50 + i}`, "jpeg"] as const),
  ["1.2.840.10008.1.2.4.70", "jpeg"],
  ["1.2.840.10008.1.2.4.80", "jpeg"],
  ["1.2.840.10008.1.2.4.81", "jpeg"],
  ["1.2.840.10008.1.2.4.90", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.91", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.92", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.93", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.201", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.202", "jpeg-2000"],
  ["1.2.840.10008.1.2.4.203", "jpeg-2000"],
])

/** The coding of a transfer syntax's frames; undefined for video, referenced (JPIP) and unknown ones. */
export const frameCoding = (transferSyntax: string): FrameCoding | undefined => codings.get(transferSyntax)
