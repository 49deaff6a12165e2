import { deflateRawSync } from "node:zlib"
import type { Output } from "./output.ts"
import { clearedPixels, embeddedOverlay } from "./overlay-bits.ts"
import type { Parsed } from "./parse.ts"
import { isPixelData } from "./tag.ts"

/** A result as what was written, a part of the input, and what follows it. */
export interface Spliced {
  readonly prefix: Uint8Array
  readonly copy: { readonly from: number; readonly to: number }
  readonly suffix: Uint8Array
}

/** Where the pixel data stays in the input; a deflated data set has to be written whole. */
export function splice(parsed: Parsed, output: Output, bodyStart: number): Spliced {
  const pixelData = parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))
  const suffix = new Uint8Array(0)
  const cleared = pixelData !== undefined && embeddedOverlay(parsed) !== undefined
  if (cleared) output.append(clearedPixels(parsed))
  if (!parsed.encoding.deflated) {
    const copied = pixelData !== undefined && !cleared
    const copy = copied ? { from: pixelData.start, to: pixelData.end } : { from: 0, to: 0 }
    return { prefix: output.bytes(), copy, suffix }
  }
  if (pixelData !== undefined && !cleared) output.append(parsed.source.bytes(pixelData.start, pixelData.end))
  const whole = output.bytes()
  const body = deflateRawSync(whole.subarray(bodyStart))
  // PS3.5 A.5: a stream of odd length is padded.
  const prefix = Buffer.concat([whole.subarray(0, bodyStart), body, Buffer.alloc(body.length % 2)])
  return { prefix, copy: { from: 0, to: 0 }, suffix }
}
