/** Encodes a plain data set as a DICOM Part 10 file: for made-up data and tests, not for changing real files (see splice).
 *
 *     buildPart10(
 *       [
 *         { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
 *         { tag: "00080018", vr: "UI", value: "1.2.3" },
 *         { tag: "00100010", vr: "PN", value: "DOE^JANE" },
 *         { tag: "00081110", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.4" }]] },
 *         { tag: "00280010", vr: "US", value: 512 },
 *         { tag: "7FE00010", vr: "OW", value: pixels },
 *       ],
 *       { transferSyntax: "1.2.840.10008.1.2.1" },
 *     )
 */
import { deflateRawSync } from "node:zlib"
import { charsetOf, encodeText } from "./charset.ts"
import type { Charset } from "./charset.ts"
import { implementationClassUid, implementationVersionName } from "./implementation.ts"
import { encodingOf } from "./transfer-syntax.ts"
import type { Encoding } from "./transfer-syntax.ts"
import { numberWidth, shortVrs, vrCode } from "./vr.ts"

/** One element. Strings are written in the data set's (0008,0005); numbers in the VR's width and the file's byte order; bytes as
 * they are (so OW bytes must already have the file's order); `fragments` make encapsulated pixel data with an empty offset table. */
export interface DataElement {
  /** Eight hexadecimal digits, group and element. */
  readonly tag: string
  readonly vr: string
  readonly value?: string | number | readonly string[] | readonly number[] | Uint8Array
  readonly items?: readonly (readonly DataElement[])[]
  readonly fragments?: readonly Uint8Array[]
}

export interface BuildOptions {
  readonly transferSyntax: string
  /** 128 zero bytes and `DICM` before the file meta information; true unless said. */
  readonly preamble?: boolean
  /** Sequences and items of undefined length, ended by delimiters; false unless said. */
  readonly undefinedLengths?: boolean
}

interface Writing {
  readonly encoding: Encoding
  readonly charset: Charset
  readonly undefinedLengths: boolean
}

const bytesOf = (width: number, write: (view: DataView) => void): Buffer => {
  const bytes = Buffer.alloc(width)
  write(new DataView(bytes.buffer, bytes.byteOffset, width))
  return bytes
}

const u16 = (value: number, bigEndian: boolean) => bytesOf(2, (view) => view.setUint16(0, value, !bigEndian))
const u32 = (value: number, bigEndian: boolean) => bytesOf(4, (view) => view.setUint32(0, value, !bigEndian))
const tagBytes = (tag: string, bigEndian: boolean) =>
  Buffer.concat([u16(parseInt(tag.slice(0, 4), 16), bigEndian), u16(parseInt(tag.slice(4), 16), bigEndian)])

function numberBytes(vr: string, value: number, bigEndian: boolean): Buffer {
  const width = numberWidth.get(vrCode(vr))
  if (width === undefined) return Buffer.from(String(value), "latin1")
  return bytesOf(width, (view) => {
    if (vr === "FL" || vr === "OF") view.setFloat32(0, value, !bigEndian)
    else if (vr === "FD" || vr === "OD") view.setFloat64(0, value, !bigEndian)
    else if (width === 8) view.setBigInt64(0, BigInt(value), !bigEndian)
    else if (width === 4) view.setUint32(0, value >>> 0, !bigEndian)
    else if (width === 2) view.setUint16(0, value & 0xffff, !bigEndian)
    else view.setUint8(0, value)
  })
}

function textBytes(element: DataElement, text: string, charset: Charset): Uint8Array {
  const bytes = encodeText(text, charset)
  if (bytes === undefined) throw new RangeError(`${element.tag}: a character is not in Specific Character Set`)
  return bytes
}

function valueBytes(element: DataElement, writing: Writing): Uint8Array {
  const { value, vr } = element
  const { bigEndian } = writing.encoding
  if (value === undefined) return new Uint8Array(0)
  if (value instanceof Uint8Array) return value
  const values: readonly (string | number)[] = typeof value === "object" ? value : [value]
  if (values.every((one) => typeof one === "number") && numberWidth.has(vrCode(vr)))
    return Buffer.concat(values.map((one) => numberBytes(vr, one, bigEndian)))
  if (vr === "AT") return Buffer.concat(values.map((one) => tagBytes(String(one), bigEndian)))
  return textBytes(element, values.map(String).join("\\"), writing.charset)
}

function even(bytes: Uint8Array, vr: string): Uint8Array {
  if (bytes.length % 2 === 0) return bytes
  const zero = numberWidth.has(vrCode(vr)) || vr === "UI" || vr === "UN"
  return Buffer.concat([bytes, Buffer.from([zero ? 0 : 0x20])])
}

function header(tag: string, vr: string, length: number, encoding: Encoding): Buffer {
  const { bigEndian } = encoding
  if (!encoding.explicit || tag.startsWith("FFFE"))
    return Buffer.concat([tagBytes(tag, bigEndian), u32(length, bigEndian)])
  const letters = Buffer.from(vr, "latin1")
  if (shortVrs.has(vrCode(vr))) {
    if (length > 0xffff) throw new RangeError(`${tag}: ${length} bytes do not fit ${vr}`)
    return Buffer.concat([tagBytes(tag, bigEndian), letters, u16(length, bigEndian)])
  }
  return Buffer.concat([tagBytes(tag, bigEndian), letters, u16(0, bigEndian), u32(length, bigEndian)])
}

const undefinedLength = 0xffffffff

function enclosed(tag: string, vr: string, body: Uint8Array, end: string, writing: Writing): Buffer {
  if (!writing.undefinedLengths) return Buffer.concat([header(tag, vr, body.length, writing.encoding), body])
  return Buffer.concat([header(tag, vr, undefinedLength, writing.encoding), body, header(end, "", 0, writing.encoding)])
}

function fragmentBytes(element: DataElement, fragments: readonly Uint8Array[], encoding: Encoding): Buffer {
  const parts: Uint8Array[] = [
    header(element.tag, "OB", undefinedLength, encoding),
    header("FFFEE000", "", 0, encoding),
  ]
  for (const fragment of fragments) {
    const padded = even(fragment, "OB")
    parts.push(header("FFFEE000", "", padded.length, encoding), padded)
  }
  parts.push(header("FFFEE0DD", "", 0, encoding))
  return Buffer.concat(parts)
}

function elementBytes(element: DataElement, writing: Writing): Uint8Array {
  if (element.fragments !== undefined) return fragmentBytes(element, element.fragments, writing.encoding)
  if (element.vr === "SQ") {
    const items = (element.items ?? []).map((item) =>
      enclosed("FFFEE000", "", dataSetBytes(item, writing), "FFFEE00D", writing),
    )
    return enclosed(element.tag, "SQ", Buffer.concat(items), "FFFEE0DD", writing)
  }
  const value = even(valueBytes(element, writing), element.vr)
  return Buffer.concat([header(element.tag, element.vr, value.length, writing.encoding), value])
}

const byTag = (a: DataElement, b: DataElement) => (a.tag.toUpperCase() < b.tag.toUpperCase() ? -1 : 1)

const termsOf = (elements: readonly DataElement[]): readonly string[] | undefined => {
  const value = elements.find((element) => element.tag === "00080005")?.value
  if (typeof value === "string") return value.split("\\")
  return Array.isArray(value) ? value.map(String) : undefined
}

function dataSetBytes(elements: readonly DataElement[], writing: Writing): Uint8Array {
  const terms = termsOf(elements)
  const own = terms === undefined ? writing : { ...writing, charset: charsetOf(terms) }
  return Buffer.concat([...elements].sort(byTag).map((element) => elementBytes(element, own)))
}

function metaBytes(elements: readonly DataElement[], transferSyntax: string): Uint8Array {
  const text = (tag: string) => String(elements.find((element) => element.tag === tag)?.value ?? "")
  const given = elements.filter((element) => element.tag.startsWith("0002"))
  const own: DataElement[] = [
    { tag: "00020001", vr: "OB", value: Uint8Array.of(0, 1) },
    { tag: "00020002", vr: "UI", value: text("00080016") },
    { tag: "00020003", vr: "UI", value: text("00080018") },
    { tag: "00020010", vr: "UI", value: transferSyntax },
    { tag: "00020012", vr: "UI", value: implementationClassUid },
    { tag: "00020013", vr: "SH", value: implementationVersionName },
  ]
  const kept = own.filter((element) => !given.some(({ tag }) => tag === element.tag))
  const writing = { encoding: encodingOf("1.2.840.10008.1.2.1"), charset: charsetOf([]), undefinedLengths: false }
  const body = dataSetBytes([...kept, ...given.filter(({ tag }) => tag !== "00020000")], writing)
  return Buffer.concat([elementBytes({ tag: "00020000", vr: "UL", value: body.length }, writing), body])
}

/** The bytes of a Part 10 file (PS3.10 7.1). Elements are sorted by tag, also in items; the file meta information is made from
 * (0008,0016), (0008,0018) and the transfer syntax, except for the group 0002 elements that are given. Throws RangeError for a
 * character outside Specific Character Set and for a value too long for its VR. */
export function buildPart10(elements: readonly DataElement[], options: BuildOptions): Uint8Array {
  const encoding = encodingOf(options.transferSyntax)
  const writing = { encoding, charset: charsetOf([]), undefinedLengths: options.undefinedLengths ?? false }
  const body = dataSetBytes(
    elements.filter((element) => !element.tag.startsWith("0002")),
    writing,
  )
  const start = options.preamble === false ? [] : [Buffer.alloc(128), Buffer.from("DICM", "latin1")]
  return Buffer.concat([
    ...start,
    metaBytes(elements, options.transferSyntax),
    encoding.deflated ? deflateRawSync(body) : body,
  ])
}
