import { PixelsUnreadable, decodeFrame } from "../../formats/pixels/index.ts"
import { encodeNative } from "../../formats/pixels/encode.ts"
import type { PixelDescription } from "../../formats/pixels/index.ts"
import type { DecodeFrame } from "../deface/index.ts"

/** Decodes frames of grey slices, of which alone faces are taken out, with the codecs that are installed; undefined for others. */
export const decodeSlice: DecodeFrame = async (frame, { bitsAllocated, bitsStored, ...of }) => {
  if ((bitsAllocated !== 8 && bitsAllocated !== 16) || bitsStored < 1 || bitsStored > bitsAllocated) return undefined
  const its: PixelDescription = {
    ...of,
    bitsAllocated,
    bitsStored,
    highBit: bitsStored - 1,
    bigEndian: false,
    frames: 1,
    samplesPerPixel: 1,
    photometric: "MONOCHROME2",
    planar: false,
  }
  try {
    return encodeNative(await decodeFrame(frame, its), its, false, false)
  } catch (thrown) {
    if (thrown instanceof PixelsUnreadable) return undefined
    throw thrown
  }
}
