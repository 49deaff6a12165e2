/** One element as it stands in the bytes. Offsets count from the start of the file (of the inflated data set when deflated). */
export interface Element {
  readonly tag: number
  /** Code of the VR: the one written, in implicit encodings that of the dictionary, UN where it has none. */
  readonly vr: number
  readonly start: number
  readonly valueStart: number
  /** First byte after the value, before a delimiter. */
  readonly valueEnd: number
  /** First byte after the element, its delimiter included. */
  readonly end: number
  readonly undefinedLength: boolean
  /** Of a sequence; undefined for all else, and for a private sequence that was passed over. */
  readonly items: readonly Item[] | undefined
  /** Of encapsulated data: the offset table first. */
  readonly fragments: readonly Fragment[] | undefined
}

/** Bytes of one fragment of encapsulated data, without its item header. */
export interface Fragment {
  readonly from: number
  readonly to: number
}

/** How elements are written: two flags for each data set, as a sequence of VR UN is implicit little endian inside (PS3.5 6.2.2). */
export interface Coding {
  readonly explicit: boolean
  readonly bigEndian: boolean
}

/** A data set: the top level, or one item of a sequence. */
export interface DataSet {
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly end: number
  readonly undefinedLength: boolean
  readonly coding: Coding
  /** In the order of the bytes; tags are distinct. */
  readonly elements: readonly Element[]
  /** Whether tags ascend, as PS3.5 7.1 asks. */
  readonly sorted: boolean
}

/** An item of a sequence. */
export type Item = DataSet

/** The element of a tag, at the top of a data set. */
export function find({ elements, sorted }: DataSet, tag: number): Element | undefined {
  if (!sorted) return elements.find((element) => element.tag === tag)
  let low = 0
  let high = elements.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const element = elements[middle]!
    if (element.tag === tag) return element
    if (element.tag < tag) low = middle + 1
    else high = middle - 1
  }
  return undefined
}
