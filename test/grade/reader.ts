import { constants, inflateRawSync } from "node:zlib"
import { hex } from "./standard.ts"
import type { Standard } from "./standard.ts"

/** One element as it lies in the bytes. */
export interface Element {
  readonly tag: number
  /** As written; of the dictionary where it is implicit or UN; SQ for all that has items. */
  readonly vr: string
  /** Tags and item numbers from the top: `00081115[0].00081199`. */
  readonly path: string
  readonly value: Buffer
  /** Of the whole element, header and delimiters included, in the bytes of its part. */
  readonly from: number
  readonly to: number
  readonly bigEndian: boolean
  readonly items?: readonly DataSet[]
  /** Of encapsulated pixel data, the offset table first. */
  readonly fragments?: readonly Buffer[]
  /** Private Creator of a private element; "" when it is missing. */
  readonly creator: string
  readonly charset: readonly string[]
}

/** Elements in the order of the bytes. */
export type DataSet = readonly Element[]

/** A file, read as far as it can be. */
export interface DicomFile {
  readonly bytes: Buffer
  /** The 128 bytes before DICM; undefined without. */
  readonly preamble: Buffer | undefined
  readonly meta: DataSet
  readonly data: DataSet
  /** What the offsets of `data` are in: inflated where it was deflated. */
  readonly body: Buffer
  readonly transferSyntax: string
  /** What does not belong: truncated, out of order, trailing. Codes with a path. */
  readonly faults: readonly { readonly code: string; readonly path: string }[]
}

const longForm = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "))
const undefinedLength = 0xffffffff
const [item, itemEnd, sequenceEnd] = [0xfffee000, 0xfffee00d, 0xfffee0dd]

interface Encoding {
  readonly explicit: boolean
  readonly bigEndian: boolean
}

/** Reads elements of one stretch of bytes. */
class Reader {
  readonly faults: { code: string; path: string }[] = []
  readonly bytes: Buffer
  readonly standard: Standard

  constructor(bytes: Buffer, standard: Standard) {
    this.bytes = bytes
    this.standard = standard
  }

  u16(at: number, big: boolean): number {
    return big ? this.bytes.readUInt16BE(at) : this.bytes.readUInt16LE(at)
  }

  u32(at: number, big: boolean): number {
    return big ? this.bytes.readUInt32BE(at) : this.bytes.readUInt32LE(at)
  }

  tag(at: number, big: boolean): number {
    return this.u16(at, big) * 0x10000 + this.u16(at + 2, big)
  }

  /** Elements from `at` until `end`, an item's end, or a tag that `stop` refuses. */
  dataSet(
    at: number,
    end: number,
    encoding: Encoding,
    prefix: string,
    inherited: readonly string[],
    stop?: (tag: number) => boolean,
  ): { elements: Element[]; to: number; delimited: boolean } {
    const elements: Element[] = []
    const creators = new Map<number, string>()
    let charset = inherited
    let last = -1
    while (at + 8 <= end) {
      const tag = this.tag(at, encoding.bigEndian)
      if (tag === itemEnd || tag === sequenceEnd) return { elements, to: at + 8, delimited: true }
      if (stop?.(tag) === true) break
      const found = this.element(at, end, encoding, prefix, charset, creators)
      if (found === undefined) break
      if (tag <= last) this.faults.push({ code: "out-of-order", path: found.path })
      last = tag
      elements.push(found)
      const text = () => found.value.toString("latin1")
      if (tag === 0x00080005)
        charset = text()
          .replaceAll("\0", "")
          .split("\\")
          .map((name) => name.trim())
      if ((tag >>> 16) % 2 === 1 && (tag & 0xffff) >= 0x10 && (tag & 0xffff) <= 0xff)
        creators.set(tag - (tag % 0x10000) + (tag % 0x100) * 0x100, text().replaceAll("\0", "").trim())
      at = found.to
    }
    return { elements, to: at, delimited: false }
  }

  element(
    from: number,
    end: number,
    encoding: Encoding,
    prefix: string,
    charset: readonly string[],
    creators: ReadonlyMap<number, string>,
  ): Element | undefined {
    const { bigEndian } = encoding
    const tag = this.tag(from, bigEndian)
    const path = `${prefix}${hex(tag)}`
    let written = ""
    let [at, length] = [from + 8, 0]
    if (encoding.explicit && /^[A-Z]{2}$/.test(this.bytes.toString("latin1", from + 4, from + 6))) {
      written = this.bytes.toString("latin1", from + 4, from + 6)
      if (longForm.has(written)) {
        if (from + 12 > end) return this.#cut(path)
        ;[at, length] = [from + 12, this.u32(from + 8, bigEndian)]
      } else length = this.u16(from + 6, bigEndian)
    } else length = this.u32(from + 4, bigEndian)
    const vr = this.#vr(tag, written)
    const creator = creators.get(tag - (tag % 0x100)) ?? ""
    const base = { tag, path, from, bigEndian, creator, charset }
    const whole = Buffer.alloc(0)
    if (length === undefinedLength) {
      if (tag === 0x7fe00010 || (written !== "" && written !== "SQ" && written !== "UN")) {
        const { fragments, to } = this.#fragments(at, end, bigEndian, path)
        return { ...base, vr, value: whole, to, fragments }
      }
      // Undefined length with VR UN is implicit VR little endian inside (PS3.5 6.2.2 Note 4).
      const inner = written === "UN" ? { explicit: false, bigEndian: false } : encoding
      const { items, to } = this.#items(at, end, inner, path, charset)
      return { ...base, vr: "SQ", value: this.bytes.subarray(at, to), to, items }
    }
    if (at + length > end) {
      this.faults.push({ code: "truncated", path })
      length = end - at
    }
    const [value, to] = [this.bytes.subarray(at, at + length), at + length]
    const items = this.#itemsOf(at, to, vr, written, encoding, path, charset)
    return items === undefined ? { ...base, vr, value, to } : { ...base, vr: "SQ", value, to, items }
  }

  /** Items of a defined length; also of UN, where they fill it. */
  #itemsOf(
    at: number,
    to: number,
    vr: string,
    written: string,
    encoding: Encoding,
    path: string,
    charset: readonly string[],
  ): DataSet[] | undefined {
    if (vr === "SQ" && (written !== "UN" || to - at < 8)) return this.#items(at, to, encoding, path, charset).items
    if (to - at < 8 || (written !== "UN" && written !== "" && written !== "OB")) return undefined
    for (const inner of [{ explicit: false, bigEndian: false }, encoding]) {
      if (this.tag(at, inner.bigEndian) !== item) continue
      const known = this.faults.length
      const found = this.#items(at, to, inner, path, charset)
      if (found.to === to && this.faults.length === known) return found.items
      this.faults.length = known
    }
    return undefined
  }

  #items(
    at: number,
    end: number,
    encoding: Encoding,
    path: string,
    charset: readonly string[],
  ): { items: DataSet[]; to: number } {
    const items: DataSet[] = []
    while (at + 8 <= end) {
      const tag = this.tag(at, encoding.bigEndian)
      if (tag === sequenceEnd) return { items, to: at + 8 }
      if (tag !== item) {
        this.faults.push({ code: "no-item", path })
        return { items, to: at }
      }
      const length = this.u32(at + 4, encoding.bigEndian)
      const limit = length === undefinedLength ? end : Math.min(end, at + 8 + length)
      const found = this.dataSet(at + 8, limit, encoding, `${path}[${items.length}].`, charset)
      items.push(found.elements)
      at = length === undefinedLength ? found.to : limit
    }
    return { items, to: end }
  }

  #fragments(at: number, end: number, big: boolean, path: string): { fragments: Buffer[]; to: number } {
    const fragments: Buffer[] = []
    while (at + 8 <= end) {
      const tag = this.tag(at, big)
      if (tag === sequenceEnd) return { fragments, to: at + 8 }
      if (tag !== item) break
      const length = this.u32(at + 4, big)
      fragments.push(this.bytes.subarray(at + 8, Math.min(end, at + 8 + length)))
      at = Math.min(end, at + 8 + length)
    }
    this.faults.push({ code: "truncated", path })
    return { fragments, to: at }
  }

  #vr(tag: number, written: string): string {
    if (written !== "" && written !== "UN") return written
    if ((tag & 0xffff) === 0) return "UL"
    if ((tag >>> 16) % 2 === 1) return (tag & 0xffff) >= 0x10 && (tag & 0xffff) <= 0xff ? "LO" : "UN"
    return this.standard.vrOf(tag)?.replace(/ or .*/, "") ?? "UN"
  }

  #cut(path: string): undefined {
    this.faults.push({ code: "truncated", path })
    return undefined
  }
}

/** How a data set without file meta is encoded, by its first element. */
function guessed(bytes: Buffer, at: number): Encoding {
  const explicit = /^[A-Z]{2}$/.test(bytes.toString("latin1", at + 4, at + 6))
  const little = at + 2 <= bytes.length ? bytes.readUInt16LE(at) : 0
  return { explicit, bigEndian: little >= 0x100 && little % 0x100 === 0 }
}

const syntaxes: Readonly<Record<string, Encoding>> = {
  "1.2.840.10008.1.2": { explicit: false, bigEndian: false },
  "1.2.840.10008.1.2.2": { explicit: true, bigEndian: true },
}

/** What a deflate stream holds, and how many bytes it takes; nothing of one that is broken. */
function inflated(bytes: Buffer): { body: Buffer; consumed: number } {
  try {
    const info = inflateRawSync(bytes, { info: true, finishFlush: constants.Z_SYNC_FLUSH } as never) as unknown as {
      buffer: Buffer
      engine: { bytesWritten: number }
    }
    return { body: info.buffer, consumed: info.engine.bytesWritten }
  } catch {
    return { body: Buffer.alloc(0), consumed: 0 }
  }
}

/** Reads a file; undefined for what does not look like DICOM. Never throws on bytes. */
export function readDicom(bytes: Buffer, standard: Standard): DicomFile | undefined {
  const magic = [128, 0].find((at) => bytes.toString("latin1", at, at + 4) === "DICM")
  let start = magic === undefined ? 0 : magic + 4
  const preamble = magic === 128 ? bytes.subarray(0, 128) : undefined
  if (magic === undefined && (bytes.length < 16 || ![1, 2, 8].includes(groupOf(bytes)))) return undefined
  const head = new Reader(bytes, standard)
  let meta: Element[] = []
  if (start + 2 <= bytes.length && bytes.readUInt16LE(start) === 2) {
    const encoding = guessed(bytes, start)
    const found = head.dataSet(start, bytes.length, encoding, "", [], (tag) => tag >>> 16 !== 2)
    ;[meta, start] = [found.elements, found.to]
  }
  const named = meta
    .find(({ tag }) => tag === 0x00020010)
    ?.value.toString("latin1")
    .replaceAll(/[\0 ]/g, "")
  const deflated = named === "1.2.840.10008.1.2.1.99"
  let [body, at] = [bytes, start]
  const faults = [...head.faults]
  if (deflated) {
    const { body: made, consumed } = inflated(bytes.subarray(start))
    // A deflate stream of odd length is padded with one NUL (PS3.5 A.5).
    const left = bytes.subarray(start + consumed)
    if (left.length > 1 || left.some((byte) => byte !== 0)) faults.push({ code: "trailing-bytes", path: "end" })
    ;[body, at] = [made, 0]
  }
  const stated = syntaxes[named ?? ""] ?? { explicit: true, bigEndian: false }
  // Without a stated syntax, or against what the bytes show, the bytes decide.
  const encoding = named === undefined || named === "" ? guessed(body, at) : stated
  const reader = new Reader(body, standard)
  const { elements, to } = reader.dataSet(at, body.length, encoding, "", [])
  if (to < body.length) faults.push({ code: "trailing-bytes", path: "end" })
  faults.push(...reader.faults)
  return { bytes, preamble, meta, data: elements, body, transferSyntax: named ?? "", faults }
}

function groupOf(bytes: Buffer): number {
  const little = bytes.readUInt16LE(0)
  return little >= 0x100 && little % 0x100 === 0 ? little / 0x100 : little
}

/** All elements, nested ones after their sequence. */
export function* everyElement(data: DataSet): Generator<Element> {
  for (const element of data) {
    yield element
    for (const each of element.items ?? []) yield* everyElement(each)
  }
}
