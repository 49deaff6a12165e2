import type { Parsed } from "../dicom/parse.ts"
import type { Frame } from "./decode.ts"
import { Attributes } from "./description.ts"
import type { PixelDescription } from "./description.ts"

/** A picture of 8-bit samples as a reader sees it: grey, or red, green and blue by pixel. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

/** Grey values of what the whole range of the frame is spread over, and of what a viewer would show. */
export type Contrast = "full" | "window"

interface Lut {
  readonly first: number
  readonly entries: readonly number[]
}

/** A look-up table (PS3.3 C.11.1.1): its length, first mapped value and bits, then the entries. */
function lutOf(its: Attributes, descriptor: number, data: number, signed: boolean): Lut | undefined {
  const [length, first, bits] = its.u16s(descriptor)
  if (length === undefined || first === undefined) return undefined
  const start = signed ? (first << 16) >> 16 : first
  const count = length === 0 ? 0x10000 : length
  const bytes = its.bytes(data)
  if (bytes === undefined) return undefined
  // Palettes of 8 bits are stored one a byte where their length says so.
  const entries = bytes.length < 2 * count || bits === 8 ? narrow(bytes, its.u16s(data), count) : its.u16s(data)
  return { first: start, entries }
}

const narrow = (bytes: Uint8Array, words: readonly number[], count: number): readonly number[] =>
  bytes.length >= 2 * count ? words : Array.from(bytes)

const mapped = ({ first, entries }: Lut, value: number): number =>
  entries[Math.min(entries.length - 1, Math.max(0, value - first))] ?? 0

/** Everything of a header that tells how stored values are shown (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5). */
export interface Display {
  readonly palette: readonly [Lut, Lut, Lut] | undefined
  readonly slope: number
  readonly intercept: number
  readonly modality: Lut | undefined
  readonly voi: Lut | undefined
  readonly window: { readonly center: number; readonly width: number } | undefined
}

/** Reads the tables and windows at the top of a data set, of functional groups the shared ones. */
export function displayOf(parsed: Parsed, { signed }: PixelDescription): Display {
  const its = new Attributes(parsed.source, parsed.dataSet)
  const shared = its.items(0x52009229)[0]
  const [red, green, blue] = [1, 2, 3].map((n) => lutOf(its, 0x00281100 + n, 0x00281200 + n, signed))
  const of = (tag: number, group: number): number | undefined =>
    its.numbers(tag)[0] ?? shared?.items(group)[0]?.numbers(tag)[0]
  const table = (sequence: number, isSigned: boolean): Lut | undefined => {
    const item = its.items(sequence)[0]
    return item === undefined ? undefined : lutOf(item, 0x00283002, 0x00283006, isSigned)
  }
  const center = of(0x00281050, 0x00289132)
  const width = of(0x00281051, 0x00289132)
  return {
    palette: red === undefined || green === undefined || blue === undefined ? undefined : [red, green, blue],
    slope: of(0x00281053, 0x00289145) ?? 1,
    intercept: of(0x00281052, 0x00289145) ?? 0,
    modality: table(0x00283000, signed),
    voi: table(0x00283010, true),
    window: center === undefined || width === undefined || width < 1 ? undefined : { center, width },
  }
}

/** Sample values of the bits that are used, with their sign. */
export function valuesOf({ cells }: Frame, { bitsStored, highBit, signed }: PixelDescription): Float64Array {
  const low = 2 ** (highBit + 1 - bitsStored)
  const range = 2 ** bitsStored
  const out = new Float64Array(cells.length)
  for (let at = 0; at < cells.length; at++) {
    const value = Math.floor(cells[at]! / low) % range
    out[at] = signed && value >= range / 2 ? value - range : value
  }
  return out
}

/** Values below and above which a ten-thousandth of them lies. */
function ends(values: Float64Array): readonly [number, number] {
  const step = Math.max(1, Math.floor(values.length / 65536))
  const sample = Float64Array.from({ length: Math.floor(values.length / step) }, (_, at) => values[at * step]!).sort()
  const cut = Math.floor(sample.length / 10000)
  return [sample[cut] ?? 0, sample[sample.length - 1 - cut] ?? 0]
}

function spread(values: Float64Array, low: number, high: number, inverse: boolean): Uint8Array {
  const scale = high > low ? 255 / (high - low) : 0
  const out = new Uint8Array(values.length)
  for (let at = 0; at < values.length; at++) {
    const grey = Math.min(255, Math.max(0, (values[at]! - low) * scale))
    out[at] = inverse ? 255 - grey : grey
  }
  return out
}

function grey(frame: Frame, its: PixelDescription, display: Display, contrast: Contrast): Uint8Array {
  const { modality, slope, intercept, voi, window } = display
  const inverse = frame.photometric === "MONOCHROME1"
  let values = valuesOf(frame, its)
  values = values.map((value) => (modality === undefined ? value * slope + intercept : mapped(modality, value)))
  if (contrast === "full") return spread(values, ...ends(values), inverse)
  if (voi !== undefined) {
    const shown = values.map((value) => mapped(voi, value))
    return spread(shown, ...ends(shown), inverse)
  }
  if (window !== undefined)
    return spread(values, window.center - window.width / 2, window.center + window.width / 2, inverse)
  // Without a window: dark parts lifted, where text of little contrast hides.
  const [low, high] = ends(values)
  return spread(
    values.map((value) => Math.sqrt(Math.max(0, (value - low) / (high - low || 1)))),
    0,
    1,
    inverse,
  )
}

const clamp = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)

function colour(frame: Frame, its: PixelDescription, display: Display): Uint8Array {
  const { palette } = display
  const values = valuesOf(frame, its)
  if (frame.samples === 1) {
    const out = new Uint8Array(3 * values.length)
    const wide = palette!.some(({ entries }) => entries.some((entry) => entry > 255))
    for (let at = 0; at < values.length; at++)
      for (let c = 0; c < 3; c++) out[3 * at + c] = mapped(palette![c]!, values[at]!) / (wide ? 257 : 1)
    return out
  }
  const scale = 255 / (2 ** its.bitsStored - 1)
  const out = Uint8Array.from(values, (value) => clamp(value * scale))
  if (!frame.photometric.startsWith("YBR")) return out
  for (let at = 0; at < out.length; at += 3) {
    const [y, b, r] = [out[at]!, out[at + 1]! - 128, out[at + 2]! - 128]
    out[at] = clamp(y + 1.402 * r)
    out[at + 1] = clamp(y - 0.344136 * b - 0.714136 * r)
    out[at + 2] = clamp(y + 1.772 * b)
  }
  return out
}

/** A frame as it is seen: modality and VOI tables or windows applied for grey, palettes and YBR turned to red, green and blue. */
export function render(frame: Frame, its: PixelDescription, display: Display, contrast: Contrast): Picture {
  const { columns: width, rows: height, samples } = frame
  if (samples === 3 || (frame.photometric.startsWith("PALETTE") && display.palette !== undefined))
    return { width, height, channels: 3, data: colour(frame, its, display) }
  return { width, height, channels: 1, data: grey(frame, its, display, contrast) }
}
