import { ActionCheck } from "./action-check.ts"
import type { Checked } from "./action-check.ts"
import { formOf, plainForms, searchBytes, wideForm } from "./byte-search.ts"
import type { ByteForm } from "./byte-search.ts"
import { lookup } from "./dictionary.ts"
import type { DataSet, Element } from "./element.ts"
import { DicomFormatError } from "./errors.ts"
import { hitsOf, needlesOf, searchParsed } from "./identifiers.ts"
import type { Needles } from "./identifiers.ts"
import type { KnownIdentifiers } from "./known-identifiers.ts"
import { parse } from "./parse.ts"
import type { Parsed } from "./parse.ts"
import { isPixelData, tagText } from "./tag.ts"
import { UN, vrCode } from "./vr.ts"

/** What was written, as the de-identifier gives it. */
export interface Written {
  readonly prefix: Uint8Array
  /** Bytes of the original that follow the prefix. */
  readonly copy: { readonly from: number; readonly to: number }
  /** What is told of the object beside it. */
  readonly summary: object
}

/** The elements that file meta information is made of (PS3.10 7.1). */
const metaTags: ReadonlySet<number> = new Set([
  0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013,
])
/** Shorter words are found by chance in bytes that are no text. */
const shortestInBytes = 6
/** Elements up to this many bytes are searched as texts. */
const searchedAsText = 1 << 20
/** Bytes of a frame that are searched: its segments come first. */
const mostOfFrame = 1 << 16
const textLike: ReadonlySet<number> = new Set(
  "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split(" ").map(vrCode),
)

/** Whether bytes in an element are a finding: not where the search of texts has decided already. */
const counts = (element: Element | undefined, isRaw: boolean): boolean =>
  element === undefined ||
  isRaw ||
  element.valueEnd - element.valueStart > searchedAsText ||
  !textLike.has(element.vr === UN ? (lookup(element.tag)?.vr ?? UN) : element.vr)

/** The path of the innermost element over an offset; empty where there is none. */
function placeOf(dataSet: DataSet, at: number): { readonly path: string; readonly element: Element } | undefined {
  const element = dataSet.elements.find(({ start, end }) => start <= at && at < end)
  if (element === undefined) return undefined
  for (const [index, item] of (element.items ?? []).entries()) {
    const inner = placeOf(item, at)
    if (inner !== undefined) return { ...inner, path: `${tagText(element.tag)}[${index}].${inner.path}` }
  }
  return { path: tagText(element.tag), element }
}

/** The word in upper and lower case and as names are written; of ISO 646 alone once, as the search heeds no case there. */
const casesOf = (word: string): readonly string[] =>
  /^[\x21-\x7e]*$/.test(word) ? [word] : [word, word.toLowerCase(), word[0] + word.slice(1).toLowerCase()]

class SelfCheck {
  private readonly original: Parsed
  private readonly its: Checked
  private readonly needles: Needles
  /** Words, where they are not searched for as texts. */
  private readonly words: readonly ByteForm[]
  /** Bytes as they were, and UTF-16, which no text of the standard is in. */
  private readonly raw: readonly ByteForm[]

  constructor(original: Parsed, its: Checked, known: KnownIdentifiers) {
    this.original = original
    this.its = its
    this.needles = needlesOf([...known.texts, ...known.uids])
    const searched = [...this.needles.anywhere, ...this.needles.words]
    const words = [...new Set(searched.flatMap((needle) => needle.split(" ")))]
    const long = words.filter((word) => word.length >= shortestInBytes)
    this.words = long.flatMap(plainForms)
    // Upper and lower case of other letters than those of ISO 8859-1 differ in their bytes.
    const wide = long.flatMap(casesOf).map(wideForm)
    this.raw = [...known.raw.map(formOf), ...new Map(wide.map((form) => [form.text, form])).values()]
  }

  /** Paths at which the result still tells who it is of. */
  paths({ prefix, copy, summary }: Written): readonly string[] {
    const parsed = parse({ header: prefix, size: prefix.length }, { safePrivate: true })
    if (parsed.kind === "more") throw new DicomFormatError("truncated", "", prefix.length)
    const found = [
      ...searchParsed(parsed, this.needles),
      ...this.beside(parsed),
      ...this.bytes(parsed),
      ...this.actions(parsed),
      ...this.frames(copy),
      ...this.summary(summary),
    ]
    return [...new Set(found)]
  }

  /** Preamble, and elements of file meta information that are not ours. */
  private beside({ metaSource, meta }: Parsed): readonly string[] {
    const preamble = metaSource.header.subarray(0, 128).every((byte) => byte === 0) ? [] : ["preamble"]
    const strange = meta?.elements.filter(({ tag }) => !metaTags.has(tag)) ?? []
    const told = meta === undefined ? ["preamble"] : searchParsed({ source: metaSource, dataSet: meta }, this.needles)
    return [...preamble, ...strange.map(({ tag }) => tagText(tag)), ...told]
  }

  /** All but the pixel data, where that is written as well. */
  private bytes({ source, dataSet }: Parsed): readonly string[] {
    const pixels = dataSet.elements.find(({ tag }) => isPixelData(tag))
    const bytes = source.header
    const found = new Set<string>()
    for (const { at, form } of searchBytes(bytes, [...this.words, ...this.raw])) {
      if (pixels !== undefined && at >= pixels.start && at < pixels.end) continue
      const place = placeOf(dataSet, at)
      // Words are told from bytes as they were by what may stand beside them.
      if (counts(place?.element, !form.bounded)) found.add(place?.path ?? "bytes")
    }
    return [...found]
  }

  private actions({ source, dataSet }: Parsed): readonly string[] {
    const check = new ActionCheck(this.its, source)
    check.dataSet(this.original.dataSet, dataSet)
    return check.found
  }

  /** Of encapsulated pixel data the segments before its samples. */
  private frames({ from, to }: Written["copy"]): readonly string[] {
    if (to === from) return []
    const pixels = this.original.dataSet.elements.find(({ tag }) => isPixelData(tag))
    const { source } = this.original
    const hit = pixels?.fragments?.some((fragment) => {
      const head = source.bytes(fragment.from, Math.min(fragment.to, fragment.from + mostOfFrame))
      return [...searchBytes(segmentsOf(head), [...this.words, ...this.raw])].length > 0
    })
    return hit === true ? [tagText(pixels!.tag)] : []
  }

  private summary(summary: object): readonly string[] {
    const texts = Object.entries(summary).filter((entry): entry is [string, string] => typeof entry[1] === "string")
    const vrOf = (name: string) => vrCode(name === "bodyPart" || name === "modality" ? "CS" : "LO")
    return texts.filter(([name, text]) => hitsOf(text, vrOf(name), this.needles)).map(([name]) => `summary.${name}`)
  }
}

/** Segments of a frame before its samples (ISO 10918-1 B.1, ISO 15444-1 A); nothing of what is neither JPEG nor JPEG 2000. */
function segmentsOf(frame: Uint8Array): Uint8Array {
  if (frame[0] !== 0xff || (frame[1] !== 0xd8 && frame[1] !== 0x4f)) return frame.subarray(0, 0)
  const samples = frame[1] === 0xd8 ? 0xda : 0x93
  let at = 2
  while (at + 4 <= frame.length && frame[at] === 0xff && frame[at + 1] !== samples)
    at += 2 + frame[at + 2]! * 256 + frame[at + 3]!
  return frame.subarray(0, Math.min(at, frame.length))
}

/** A search of what is about to be written for what the original says of its person: texts at token boundaries, bytes in any
 * encoding, file meta information, the segments of frames, what is told beside the object; and whether the table's actions hold at
 * each place. Gives the places of what is found. The check throws DicomFormatError for bytes that cannot be read back. */
export function selfCheck(
  original: Parsed,
  its: Checked,
  known: KnownIdentifiers,
): (written: Written) => readonly string[] {
  const check = new SelfCheck(original, its, known)
  return (written) => check.paths(written)
}
