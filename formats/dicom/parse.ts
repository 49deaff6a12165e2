import { inflateRawSync } from "node:zlib"
import { lookup } from "./dictionary.ts"
import type { DataSet } from "./element.ts"
import { find } from "./element.ts"
import { DicomFormatError } from "./errors.ts"
import { rawText } from "./raw-text.ts"
import { Source, Unread } from "./source.ts"
import type { Input, NeedMore } from "./source.ts"
import { encodingOf, explicitBigEndian, explicitLittleEndian, implicitLittleEndian } from "./transfer-syntax.ts"
import type { Encoding } from "./transfer-syntax.ts"
import { creatorOf, safeAttribute } from "./safe-private.ts"
import { knownVrs, SQ } from "./vr.ts"
import { Walker } from "./walk.ts"
import type { WalkOptions } from "./walk.ts"

export type { Input, NeedMore } from "./source.ts"
export { DicomFormatError } from "./errors.ts"
export type { DicomFormatCode } from "./errors.ts"

/** A file read as elements over its bytes; nothing is copied. */
export interface Parsed {
  readonly kind: "parsed"
  /** That of the bytes: where the one stated is missing or plainly wrong, the one they were read with. */
  readonly transferSyntax: string
  readonly encoding: Encoding
  /** File meta information (group 0002); undefined when the file has none. */
  readonly meta: DataSet | undefined
  readonly dataSet: DataSet
  /** Where the elements of `dataSet` are: the input, or the inflated data set. */
  readonly source: Source
  /** Where those of `meta` are. */
  readonly metaSource: Source
  /** False when reading stopped at the pixel data. */
  readonly complete: boolean
}

export interface ParseOptions {
  /** Ends at the pixel data element; `DataSet.elements` has it last. Nothing after it is asked for or checked. */
  readonly stopAtPixelData?: boolean
  /** Passes over private sequences of defined length, whose bytes are then not checked. */
  readonly skipPrivate?: boolean
  /** But reads those that are kept under Retain Safe Private, also where their VR is not written. */
  readonly safePrivate?: boolean
  /** Most bytes that a deflated data set may inflate to; 256 MiB unless said. */
  readonly maxInflated?: number
}

const defaultMaxInflated = 256 * 1024 * 1024

interface Start {
  readonly at: number
  readonly meta: boolean
}

const u16 = (bytes: Uint8Array, at: number, bigEndian = false): number =>
  bigEndian ? (bytes[at]! << 8) | bytes[at + 1]! : (bytes[at + 1]! << 8) | bytes[at]!

const isDicm = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0x44 && bytes[at + 1] === 0x49 && bytes[at + 2] === 0x43 && bytes[at + 3] === 0x4d

const hasVr = (bytes: Uint8Array, at: number): boolean => knownVrs.has(u16(bytes, at + 4, true))

/** A tag that data sets begin with: a known attribute or group length of an early group. */
const begins = (tag: number): boolean =>
  tag >= 0x00040000 && tag < 0x00210000 && (lookup(tag) !== undefined || (tag & 0xffff) === 0)

/** The transfer syntax that the first element at an offset can be read with; undefined when it looks like no element. */
function guess(bytes: Uint8Array, at: number, size: number, plausible = begins): string | undefined {
  if (bytes.length < at + 8) return undefined
  for (const bigEndian of [false, true]) {
    if (!plausible(u16(bytes, at, bigEndian) * 0x10000 + u16(bytes, at + 2, bigEndian))) continue
    if (hasVr(bytes, at)) return bigEndian ? explicitBigEndian : explicitLittleEndian
    const length = u16(bytes, at + 6) * 0x10000 + u16(bytes, at + 4)
    if (!bigEndian && (length <= size - at - 8 || length === 0xffffffff)) return implicitLittleEndian
  }
  return undefined
}

/** Where elements start: after the preamble and `DICM` (PS3.10 7.1), after a bare `DICM`, or at once. */
function findStart(bytes: Uint8Array, size: number): Start {
  const starts = [...(isDicm(bytes, 128) ? [132] : []), ...(isDicm(bytes, 0) ? [4] : []), 0]
  for (const at of starts) {
    if (bytes.length >= at + 8 && u16(bytes, at) === 2) return { at, meta: true }
    if (guess(bytes, at, size) !== undefined) return { at, meta: false }
  }
  if (starts[0] === 132) throw new DicomFormatError(size < 140 ? "truncated" : "bad-meta", "", 132)
  throw new DicomFormatError("not-dicom", "", 0)
}

function readMeta(source: Source, at: number): { readonly meta: DataSet; readonly end: number } {
  const walker = new Walker(source, { onlyGroup: 2 })
  const meta = walker.walk(at, { explicit: hasVr(source.header, at), bigEndian: false })
  return { meta, end: walker.end }
}

/** The stated transfer syntax, unless it is missing or the first element cannot be read with it. */
function transferSyntaxOf(source: Source, meta: DataSet | undefined, at: number): string {
  const element = meta === undefined ? undefined : find(meta, 0x00020010)
  const stated = element === undefined ? "" : rawText(source, element).trim()
  if (stated !== "" && encodingOf(stated).deflated) return stated
  if (source.header.length < Math.min(source.size, at + 8))
    throw new Unread({ kind: "more", part: "header", from: 0, to: Math.min(source.size, at + 8) })
  const guessed = guess(source.header, at, source.size)
  if (stated === "") {
    const found = guessed ?? guess(source.header, at, source.size, () => true)
    if (found === undefined) throw new DicomFormatError("bad-transfer-syntax", "(0002,0010)", at)
    return found
  }
  const plain = stated === explicitLittleEndian || stated === implicitLittleEndian || stated === explicitBigEndian
  return plain && guessed !== undefined ? guessed : stated
}

function inflate(source: Source, at: number, limit: number): Source {
  if (source.header.length < source.size) throw new Unread({ kind: "more", part: "header", from: 0, to: source.size })
  try {
    const header = inflateRawSync(source.header.subarray(at), { maxOutputLength: limit })
    return new Source({ header, size: header.length })
  } catch (cause) {
    const code = (cause as { code?: unknown }).code
    throw new DicomFormatError(code === "ERR_BUFFER_TOO_LARGE" ? "too-large" : "bad-deflate", "", at)
  }
}

/** Whether a private attribute is a sequence by what is known of its creator. */
const safeSequence =
  (source: Source): NonNullable<WalkOptions["isPrivateSequence"]> =>
  (dataSet, tag) => {
    const creator = creatorOf(source, dataSet, tag)
    return creator !== undefined && safeAttribute(creator, tag)?.vr === SQ
  }

function read(input: Input, options: ParseOptions): Parsed {
  const metaSource = new Source(input)
  const { header, size } = input
  if (header.length < Math.min(size, 140))
    throw new Unread({ kind: "more", part: "header", from: 0, to: Math.min(size, 4096) })
  const start = findStart(header, size)
  const { meta, end } = start.meta ? readMeta(metaSource, start.at) : { meta: undefined, end: start.at }
  const transferSyntax = transferSyntaxOf(metaSource, meta, end)
  const encoding = encodingOf(transferSyntax)
  const source = encoding.deflated ? inflate(metaSource, end, options.maxInflated ?? defaultMaxInflated) : metaSource
  const walking: WalkOptions = {
    stopAtPixelData: options.stopAtPixelData ?? false,
    skipPrivate: options.skipPrivate ?? false,
    ...(options.safePrivate === true ? { isPrivateSequence: safeSequence(source) } : {}),
  }
  const walker = new Walker(source, walking)
  const dataSet = walker.walk(encoding.deflated ? 0 : end, encoding)
  return { kind: "parsed", transferSyntax, encoding, meta, dataSet, source, metaSource, complete: !walker.early }
}

/** Reads a DICOM file (PS3.10 chapter 7), with or without preamble and file meta information, from its first bytes and, where the
 * answer asks for them, its last. Native pixel data is never touched: of a file of gigabytes only the bytes around it are needed.
 * Answers `more` when an element passes the end of what was given. Throws {@link DicomFormatError} for anything unreadable. */
export function parse(input: Input, options: ParseOptions = {}): Parsed | NeedMore {
  try {
    return read(input, options)
  } catch (thrown) {
    if (thrown instanceof Unread) return thrown.need
    throw thrown
  }
}

/** The same for a whole file. */
export function parseWhole(bytes: Uint8Array, options: ParseOptions = {}): Parsed {
  const parsed = parse({ header: bytes, size: bytes.length }, options)
  if (parsed.kind === "more") throw new DicomFormatError("truncated", "", bytes.length)
  return parsed
}
