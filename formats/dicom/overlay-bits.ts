import type { Element } from "./element.ts"
import { find } from "./element.ts"
import type { Parsed } from "./parse.ts"
import { isOverlay, isPixelData } from "./tag.ts"
import { frameCoding } from "./transfer-syntax.ts"
import { Values } from "./values.ts"

/** The first attribute of an overlay plane (PS3.3 C.9.2) that lies in bits of the pixel data, as the retired form has it: more than one
 * bit allocated, a bit position other than 0, or no data of its own. */
export function embeddedOverlay(parsed: Parsed): Element | undefined {
  const { elements, coding } = parsed.dataSet
  const values = new Values(parsed.source, parsed.dataSet)
  return elements.find((element) => {
    const low = element.tag & 0xffff
    if (!isOverlay(element.tag) || element.valueEnd === element.valueStart) return false
    if (low === 0x0100) return values.u16(element, coding.bigEndian) !== 1
    if (low === 0x0102) return values.u16(element, coding.bigEndian) !== 0
    return low === 0x0010 && !elements.some(({ tag }) => tag === ((element.tag & 0xffff0000) | 0x3000) >>> 0)
  })
}

/** How samples lie in their words: bits that are used, from the lowest. */
interface Cells {
  readonly allocated: number
  readonly low: number
  readonly stored: number
  readonly signed: boolean
}

/** Most bytes of pixel data that are cleared; more would be held in memory. */
const mostCleared = 256 << 20

function cellsOf(parsed: Parsed): Cells | undefined {
  const values = new Values(parsed.source, parsed.dataSet)
  const number = (tag: number): number | undefined => {
    const element = find(parsed.dataSet, tag)
    return element === undefined ? undefined : values.u16(element, parsed.dataSet.coding.bigEndian)
  }
  const [allocated, stored, high] = [number(0x00280100), number(0x00280101), number(0x00280102)]
  if (allocated === undefined || stored === undefined || high === undefined) return undefined
  const fits = stored >= 1 && stored <= high + 1 && high < allocated
  if (!fits || (allocated !== 8 && allocated !== 16)) return undefined
  return { allocated, low: high + 1 - stored, stored, signed: number(0x00280103) === 1 }
}

const pixelsOf = (parsed: Parsed): Element | undefined => parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))

/** Whether an overlay lies in bits that hold samples: taking it out would change the picture. */
function inSamples(parsed: Parsed, { low, stored }: Cells): boolean {
  const { elements, coding } = parsed.dataSet
  const values = new Values(parsed.source, parsed.dataSet)
  const planes = new Set(elements.filter(({ tag }) => isOverlay(tag)).map(({ tag }) => tag >>> 16))
  return [...planes].some((group) => {
    const at = (element: number) => find(parsed.dataSet, group * 0x10000 + element)
    if (at(0x3000) !== undefined) return false
    const position = at(0x0102)
    const bit = position === undefined ? 0 : (values.u16(position, coding.bigEndian) ?? 0)
    return bit >= low && bit < low + stored
  })
}

/** Whether bits that hold no sample can be cleared: native pixel data of 8 or 16 bits a sample that says which it uses, and no overlay
 * in those. */
export function canClear(parsed: Parsed): boolean {
  const pixels = pixelsOf(parsed)
  if (pixels === undefined) return true
  const size = pixels.valueEnd - pixels.valueStart
  const cells = cellsOf(parsed)
  if (cells === undefined || size > mostCleared || frameCoding(parsed.transferSyntax) !== "native") return false
  return !inSamples(parsed, cells)
}

/** The pixel data element with every bit that holds no sample cleared, or set as the sign is: what readers that follow the standard
 * make of it anyway. Throws `Unread` when its bytes are not at hand. */
export function clearedPixels(parsed: Parsed): Uint8Array {
  const pixels = pixelsOf(parsed)!
  const { allocated, low, stored, signed } = cellsOf(parsed)!
  const out = Buffer.from(parsed.source.bytes(pixels.start, pixels.end))
  const sign = 1 << (stored - 1)
  const used = 2 ** stored - 1
  const clear = (cell: number): number => {
    const sample = (cell >>> low) & used
    const extended = signed && low === 0 && (sample & sign) !== 0 ? sample | ~used : sample
    return (extended << low) & (2 ** allocated - 1)
  }
  const { bigEndian } = parsed.dataSet.coding
  const from = pixels.valueStart - pixels.start
  const to = pixels.valueEnd - pixels.start
  if (allocated === 8) for (let at = from; at < to; at++) out[at] = clear(out[at]!)
  else
    for (let at = from; at + 1 < to; at += 2) {
      if (bigEndian) out.writeUInt16BE(clear(out.readUInt16BE(at)), at)
      else out.writeUInt16LE(clear(out.readUInt16LE(at)), at)
    }
  return out
}
