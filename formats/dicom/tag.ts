/** `(0010,0020)` for 0x00100020. */
export function tagText(tag: number): string {
  const hex = tag.toString(16).toUpperCase().padStart(8, "0")
  return `(${hex.slice(0, 4)},${hex.slice(4)})`
}

/** Whether an element belongs to a vendor: odd group (PS3.5 7.8). */
export const isPrivate = (tag: number): boolean => ((tag >>> 16) & 1) === 1

/** Whether a tag is of a 60xx overlay group (PS3.3 C.9). */
export const isOverlay = (tag: number): boolean => tag >>> 24 === 0x60 && !isPrivate(tag)

/** Whether a tag is of a retired 50xx curve group (PS3.3 2004, C.10.2). */
export const isCurve = (tag: number): boolean => tag >>> 24 === 0x50 && !isPrivate(tag)

/** Pixel Data, Float Pixel Data or Double Float Pixel Data (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25). */
export const isPixelData = (tag: number): boolean => tag === 0x7fe00010 || tag === 0x7fe00008 || tag === 0x7fe00009

export const ITEM = 0xfffee000
export const ITEM_END = 0xfffee00d
export const SEQUENCE_END = 0xfffee0dd

/** Group lengths and Length to End are retired (PS3.5 7.2) and would be wrong. */
export const isLength = (tag: number): boolean => (tag & 0xffff) === 0 || tag === 0x00080001
