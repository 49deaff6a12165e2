import { Cursor } from "./cursor.ts"
import { lookup } from "./dictionary.ts"
import type { Coding, DataSet, Element, Fragment } from "./element.ts"
import { DicomFormatError } from "./errors.ts"
import type { DicomFormatCode } from "./errors.ts"
import { Unread } from "./source.ts"
import type { Source } from "./source.ts"
import { isPixelData, isPrivate, ITEM, ITEM_END, SEQUENCE_END, tagText } from "./tag.ts"
import { knownVrs, shortVrs, SQ, UN, vrCode } from "./vr.ts"

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type OpenElement = Omit<Mutable<Element>, "items" | "fragments"> & {
  items: OpenDataSet[] | undefined
  fragments: Fragment[] | undefined
}
type OpenDataSet = Omit<Mutable<DataSet>, "elements"> & { elements: OpenElement[] }

/** An open sequence or data set. `limit` is the stated end, -1 when a delimiter ends it; `bound` what nothing may pass. */
interface Frame {
  readonly sequence: OpenElement | undefined
  readonly dataSet: OpenDataSet | undefined
  readonly coding: Coding
  readonly limit: number
  readonly bound: number
}

export interface WalkOptions {
  /** Ends at the pixel data element of the top level, without looking at what follows. */
  readonly stopAtPixelData?: boolean
  /** Passes over private sequences of defined length. */
  readonly skipPrivate?: boolean
  /** But not over those that this names, by what its data set holds so far; also where the VR is not written. */
  readonly isPrivateSequence?: (dataSet: Pick<DataSet, "elements" | "sorted">, tag: number) => boolean
  /** Walks only elements of this group, and ends before the first of another. */
  readonly onlyGroup?: number
}

const undefinedLength = 0xffffffff
const maxDepth = 1024
const maxElements = 1 << 22
const implicitLittle: Coding = { explicit: false, bigEndian: false }
/** VRs that may be encapsulated with an undefined length (PS3.5 A.4). */
const encapsulated: ReadonlySet<number> = new Set(["OB", "OW", "OV", "OL", "OF", "OD"].map(vrCode))

/** Reads elements from bytes without recursion: nesting costs heap, not stack. */
export class Walker extends Cursor {
  private readonly options: WalkOptions
  private readonly stack: Frame[] = []
  private count = 0
  private stopped = false
  // The header that was read last; fields, as an object for each would be garbage on the hot path.
  private tag = 0
  private vr = 0
  private length = 0
  private headerLength = 8

  constructor(source: Source, options: WalkOptions = {}) {
    super(source)
    this.options = options
  }

  /** The data set from an offset to the end of the file. `Unread` when bytes are missing. */
  walk(start: number, coding: Coding): DataSet {
    const root = this.openDataSet(start, start, false, coding)
    this.pos = start
    this.stack.push({ sequence: undefined, dataSet: root, coding, limit: this.source.size, bound: this.source.size })
    while (this.stack.length > 0) {
      const frame = this.stack[this.stack.length - 1]!
      if (frame.dataSet === undefined) this.stepSequence(frame, frame.sequence!)
      else this.stepDataSet(frame, frame.dataSet)
    }
    return root
  }

  /** Where the walk ended. */
  get end(): number {
    return this.pos
  }

  /** Whether the walk ended at the pixel data, before the end of the file. */
  get early(): boolean {
    return this.stopped
  }

  private openDataSet(start: number, valueStart: number, undefinedEnd: boolean, coding: Coding): OpenDataSet {
    return {
      start,
      valueStart,
      valueEnd: 0,
      end: 0,
      undefinedLength: undefinedEnd,
      coding,
      elements: [],
      sorted: true,
    }
  }

  protected override fail(code: DicomFormatCode, tag?: number): never {
    let path = ""
    for (const { sequence, dataSet } of this.stack) {
      if (sequence !== undefined && dataSet === undefined) path += `${path && "."}${tagText(sequence.tag)}`
      else if (sequence !== undefined) path += `[${(sequence.items?.length ?? 1) - 1}]`
    }
    throw new DicomFormatError(code, tag === undefined ? path : `${path && `${path}.`}${tagText(tag)}`, this.pos)
  }

  private stepSequence(frame: Frame, sequence: OpenElement): void {
    const { bigEndian } = frame.coding
    if (this.pos === frame.limit) return this.closeSequence(sequence, this.pos)
    this.require(this.pos + 8, frame.bound)
    if (frame.limit >= 0 && this.pos + 8 > frame.limit) this.fail("length-overflow")
    const start = this.pos
    const tag = this.readTag(start, bigEndian)
    const length = this.u32(start + 4, bigEndian)
    if (tag === SEQUENCE_END && (frame.limit < 0 || start + 8 === frame.limit)) {
      this.pos = start + 8
      return this.closeSequence(sequence, start)
    }
    if (tag !== ITEM) this.fail(tag === SEQUENCE_END || tag === ITEM_END ? "bad-delimiter" : "bad-item")
    this.openItem(frame, sequence, start, length)
  }

  private openItem(frame: Frame, sequence: OpenElement, start: number, length: number): void {
    const open = length === undefinedLength
    if (++this.count > maxElements) this.fail("too-many-elements")
    if (!open && start + 8 + length > frame.bound) this.overrun(frame.bound)
    this.pos = start + 8
    const limit = open ? -1 : this.pos + length
    const dataSet = this.openDataSet(start, this.pos, open, frame.coding)
    sequence.items!.push(dataSet)
    this.stack.push({ sequence, dataSet, coding: frame.coding, limit, bound: open ? frame.bound : limit })
  }

  private closeSequence(sequence: OpenElement, valueEnd: number): void {
    sequence.valueEnd = valueEnd
    sequence.end = this.pos
    this.stack.pop()
  }

  private closeDataSet(dataSet: OpenDataSet, valueEnd: number): void {
    dataSet.valueEnd = valueEnd
    dataSet.end = this.pos
    if (!dataSet.sorted && new Set(dataSet.elements.map(({ tag }) => tag)).size < dataSet.elements.length)
      this.fail("duplicate-element")
    this.stack.pop()
  }

  private stepDataSet(frame: Frame, dataSet: OpenDataSet): void {
    const { elements } = dataSet
    while (this.pos !== frame.limit) {
      if (this.stack.length === 1 && frame.limit - this.pos < 8 && this.zerosFollow()) break
      this.readHeader(frame)
      if (this.endsDataSet(frame)) return this.closeDataSet(dataSet, this.stopsAt())
      const element = this.openElement(frame)
      const previous = elements.length === 0 ? -1 : elements[elements.length - 1]!.tag
      if (element.tag <= previous) {
        if (element.tag === previous) this.fail("duplicate-element", element.tag)
        dataSet.sorted = false
      }
      elements.push(element)
      if (this.stopped) return this.closeDataSet(dataSet, this.pos)
      if (element.items !== undefined) return
    }
    this.closeDataSet(dataSet, this.pos)
  }

  /** End of the data set's value, when a delimiter or what `endsDataSet` saw ends it. */
  private stopsAt(): number {
    if (this.tag === ITEM_END) return this.pos - 8
    return this.pos
  }

  private endsDataSet(frame: Frame): boolean {
    const start = this.pos
    if (this.tag === ITEM_END && frame.limit < 0) {
      this.pos = start + 8
      return true
    }
    if (this.stack.length > 1) return false
    if (this.options.onlyGroup !== undefined) return this.tag >>> 16 !== this.options.onlyGroup
    return this.tag === 0 && this.zerosFollow()
  }

  /** Tag, VR and length at the position; `valueAt` tells where the value starts. */
  private readHeader(frame: Frame): void {
    const { explicit, bigEndian } = frame.coding
    const at = this.pos
    const root = this.stack.length === 1
    if (root && frame.limit - at < 8) this.tooShort(frame.limit - at)
    this.require(at + 8, frame.bound)
    if (frame.limit >= 0 && at + 8 > frame.limit) this.fail("length-overflow")
    const tag = (this.tag = this.readTag(at, bigEndian))
    this.headerLength = 8
    if (!explicit || tag >>> 16 === 0xfffe || (root && this.leaves(tag))) {
      this.length = this.u32(at + 4, bigEndian)
      this.vr = explicit ? 0 : this.implicitVr(tag)
      return
    }
    this.vr = this.u16(at + 4, true)
    this.explicitLength(frame, at, bigEndian)
  }

  /** A header that ends the top level needs no VR. */
  private leaves(tag: number): boolean {
    return tag === 0 || (this.options.onlyGroup !== undefined && tag >>> 16 !== this.options.onlyGroup)
  }

  private explicitLength(frame: Frame, at: number, bigEndian: boolean): void {
    if (shortVrs.has(this.vr)) {
      this.length = this.u16(at + 6, bigEndian)
      return
    }
    if (!knownVrs.has(this.vr) && !twoCapitals(this.vr)) this.fail("bad-vr", this.tag)
    this.require(at + 12, frame.bound)
    this.length = this.u32(at + 8, bigEndian)
    this.headerLength = 12
  }

  private tooShort(left: number): never {
    this.require(this.pos + left, this.source.size)
    return this.fail(left > 0 ? "trailing-bytes" : "truncated")
  }

  private implicitVr(tag: number): number {
    return lookup(tag)?.vr ?? ((tag & 0xffff) === 0 ? 0x554c : UN)
  }

  private openElement(frame: Frame): OpenElement {
    const { tag, vr, length } = this
    if (tag >>> 16 === 0xfffe) this.fail("bad-delimiter", tag)
    if (++this.count > maxElements) this.fail("too-many-elements")
    const valueStart = this.pos + this.headerLength
    const open = length === undefinedLength
    const element: OpenElement = {
      tag,
      vr,
      start: this.pos,
      valueStart,
      valueEnd: valueStart + length,
      end: valueStart + length,
      undefinedLength: open,
      items: undefined,
      fragments: undefined,
    }
    if (!open && element.end > frame.bound)
      this.fail(frame.bound >= this.source.size ? "truncated" : "length-overflow", tag)
    if (this.stack.length === 1 && isPixelData(tag)) this.passPixelData(element, frame)
    else if (this.isSequence(element, frame)) this.openSequence(element, frame)
    else if (open) this.passFragments(element, frame)
    else this.passValue(element)
    return element
  }

  /** A sequence by its VR, by the dictionary where the VR is UN (CP-246), or by an undefined length without another meaning. */
  private isSequence(element: OpenElement, frame: Frame): boolean {
    if (element.undefinedLength) return element.vr === SQ || element.vr === UN || !encapsulated.has(element.vr)
    if (isPrivate(element.tag) && (element.vr === SQ || element.vr === UN)) {
      if (this.options.isPrivateSequence?.(frame.dataSet!, element.tag) === true) return this.beginsItem(element, frame)
      if (this.options.skipPrivate === true) return false
    }
    return element.vr === SQ || (element.vr === UN && lookup(element.tag)?.vr === SQ)
  }

  /** Whether a value is empty or begins like an item, in the coding that it would have. */
  private beginsItem(element: OpenElement, frame: Frame): boolean {
    if (element.valueEnd === element.valueStart) return element.vr === SQ
    if (element.valueEnd - element.valueStart < 8) return false
    this.require(element.valueStart + 8, this.source.size)
    return this.readTag(element.valueStart, element.vr === UN ? false : frame.coding.bigEndian) === ITEM
  }

  private openSequence(element: OpenElement, frame: Frame): void {
    if (element.vr !== SQ && element.vr !== UN) {
      if (frame.coding.explicit) this.fail("undefined-length", element.tag)
      element.vr = SQ
    }
    if (this.stack.length > maxDepth * 2) this.fail("too-deep")
    const limit = element.undefinedLength ? -1 : element.valueEnd
    const coding = element.vr === UN ? implicitLittle : frame.coding
    element.items = []
    this.pos = element.valueStart
    const bound = element.undefinedLength ? frame.bound : limit
    this.stack.push({ sequence: element, dataSet: undefined, coding, limit, bound })
  }

  private passValue(element: OpenElement): void {
    this.require(element.end, this.source.size)
    this.pos = element.end
  }

  private passPixelData(element: OpenElement, frame: Frame): void {
    if (this.options.stopAtPixelData === true) {
      this.stopped = true
      this.pos = element.valueStart
      return
    }
    if (element.undefinedLength) return this.passFragments(element, frame)
    this.pos = element.end
    if (this.pos === this.source.size || this.pos + 8 <= this.available) return
    if (this.source.tail.length > 0 && this.pos >= this.source.tailStart) return
    if (this.source.header.length === this.source.size) return
    throw new Unread({ kind: "more", part: "tail", from: this.pos, to: this.source.size })
  }

  private passFragments(element: OpenElement, frame: Frame): void {
    const { bigEndian } = frame.coding
    const fragments: Fragment[] = (element.fragments = [])
    let at = element.valueStart
    for (;;) {
      this.requireFragment(at, 8, frame)
      const tag = this.readTag(at, bigEndian)
      const length = this.u32(at + 4, bigEndian)
      if (tag === SEQUENCE_END) break
      this.pos = at
      if (tag !== ITEM) this.fail("bad-item", element.tag)
      if (++this.count > maxElements) this.fail("too-many-elements")
      this.requireFragment(at + 8, length, frame)
      fragments.push({ from: at + 8, to: at + 8 + length })
      at += 8 + length
    }
    element.valueEnd = at
    element.end = this.pos = at + 8
  }

  /** Fragments have no total length: what is missing of them may be the rest of the file. */
  private requireFragment(at: number, length: number, frame: Frame): void {
    if (at + length > frame.bound) {
      this.pos = at
      this.overrun(frame.bound)
    }
    if (at + length <= this.available) return
    throw new Unread({ kind: "more", part: "header", from: 0, to: this.source.size })
  }
}

const capital = (code: number): boolean => code >= 0x41 && code <= 0x5a
const twoCapitals = (vr: number): boolean => capital(vr >> 8) && capital(vr & 0xff)
