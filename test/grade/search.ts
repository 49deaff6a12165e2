import type { Report } from "./finding.ts"
import { everyElement } from "./reader.ts"
import type { DataSet, DicomFile, Element } from "./reader.ts"
import { isText, valuesOf } from "./text.ts"
import type { Token } from "./tokens.ts"

/** A stretch of an output's bytes that is searched, with the elements that lie in it. */
interface Stretch {
  readonly bytes: Buffer
  readonly place: string
  readonly elements: DataSet
  /** Where `bytes` begins in what the elements' offsets count. */
  readonly offset: number
}

const isPixels = ({ tag }: Element): boolean => tag === 0x7fe00010 || tag === 0x7fe00008 || tag === 0x7fe00009

/** Segments of an encoded frame before its samples: JPEG and JPEG-LS to the scan, JPEG 2000 to the first tile. */
function frameHeader(frame: Buffer): Buffer {
  if (frame.length < 4 || frame[0] !== 0xff || (frame[1] !== 0xd8 && frame[1] !== 0x4f)) return frame.subarray(0, 0)
  const ends = frame[1] === 0xd8 ? 0xda : 0x90
  let at = 2
  while (at + 4 <= frame.length && frame[at] === 0xff && frame[at + 1] !== ends) at += 2 + frame.readUInt16BE(at + 2)
  return frame.subarray(0, Math.min(at, frame.length))
}

/** Everything of a file but its pixel data: of that the headers of encoded frames. */
export function stretchesOf(file: DicomFile): readonly Stretch[] {
  const stretches: Stretch[] = []
  const part = (bytes: Buffer, place: string, elements: DataSet, offset: number) =>
    bytes.length > 0 && stretches.push({ bytes, place, elements, offset })
  const bodyStart = file.data[0]?.from ?? file.body.length
  const metaEnd = file.body === file.bytes ? bodyStart : (file.meta.at(-1)?.to ?? 0)
  part(file.bytes.subarray(0, metaEnd), "preamble", file.meta, 0)
  if (file.body !== file.bytes) part(file.bytes.subarray(metaEnd), "deflated", [], metaEnd)
  let at = file.body === file.bytes ? metaEnd : 0
  for (const pixels of [...everyElement(file.data)].filter(isPixels)) {
    part(file.body.subarray(at, pixels.from), "end", file.data, at)
    for (const [number, fragment] of (pixels.fragments ?? []).entries())
      part(frameHeader(fragment), `${pixels.path} fragment ${number}`, [], 0)
    at = pixels.to
  }
  part(file.body.subarray(at), "end", file.data, at)
  return stretches
}

/** The innermost element over an offset. */
function elementAt(elements: DataSet, at: number): Element | undefined {
  const found = elements.find(({ from, to }) => from <= at && at < to)
  if (found?.items === undefined) return found
  for (const each of found.items) {
    const inner = elementAt(each, at)
    if (inner !== undefined) return inner
  }
  return found
}

/** Bytes with A to Z made small, as a string of one character a byte. */
const lowered = (bytes: Buffer): string =>
  bytes.toString("latin1").replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** How a token can lie in bytes; UTF-16 big endian holds the little endian one but for the edges. */
function formsOf(token: Token): readonly string[] {
  if (token.raw !== undefined) return [lowered(token.raw)]
  const wide = Buffer.from(token.text, "utf16le")
  const latin = [...token.text].some((letter) => letter > "\u00ff") ? [] : [token.text]
  return [...new Set([lowered(Buffer.from(token.text, "utf8")), wide.subarray(0, -1).toString("latin1"), ...latin])]
}

const isWordByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)

/** Calls back for each place of a pattern, at most `most` times. */
function eachPlace(text: string, pattern: string, most: number, found: (at: number) => void): void {
  for (let at = text.indexOf(pattern); at >= 0 && most-- > 0; at = text.indexOf(pattern, at + 1)) found(at)
}

const free = new Set("PN LO SH ST LT UT UC UN AE UR".split(" "))
const numeric = new Set("DS IS DA TM DT AS CS UI".split(" "))
const binary = (element: Element | undefined): boolean => element !== undefined && !isText(element)

/** Whether a hit counts, is only told, or is chance. */
function weigh(token: Token, element: Element | undefined, bounded: boolean): "finding" | "ambiguous" | undefined {
  const number = /^\d+$/.test(token.text)
  const length = token.raw?.length ?? token.text.length
  if (binary(element) && (token.weak || length < (bounded ? 5 : 6) || number)) return undefined
  if (!bounded && (token.weak || number || token.text.length < 6)) return undefined
  if (element !== undefined && element.vr === "UI") return number && (token.weak || length < 6) ? undefined : "finding"
  const whole = element !== undefined && isText(element) && valuesOf(element).some((value) => same(value, token.text))
  if (token.weak || token.kind === "text")
    return whole && element !== undefined && free.has(element.vr) && !isCoded(token, element) ? "finding" : "ambiguous"
  return element !== undefined && numeric.has(element.vr) && (number || length < 6) ? "ambiguous" : "finding"
}

/** Weak tokens and texts count only as whole values where a person writes freely. */
const isCoded = (token: Token, element: Element): boolean =>
  token.kind === "text" ? token.weak || token.text.length < 8 : element.vr === "AE" || element.vr === "UR"

const same = (value: string, token: string): boolean => value.normalize("NFC").toLowerCase() === token

/** Searches an output for tokens: bytes outside pixel data in every form, parsed values, file name. `isKept` says where a token is no
 * finding as the standard keeps the element as it was. */
export function searchTokens(
  file: DicomFile,
  name: string,
  tokens: readonly Token[],
  isKept: (token: Token, element: Element) => boolean,
  report: Report,
): void {
  const told = new Set<string>()
  const hit = (token: Token, element: Element | undefined, place: string, bounded: boolean) => {
    const kept = element !== undefined && isKept(token, element)
    const given = weigh(token, element, bounded)
    const weight = kept && given === "finding" ? "ambiguous" : given
    const path = element?.path ?? place
    if (weight === undefined || told.has(`${path} ${token.text}`)) return
    told.add(`${path} ${token.text}`)
    report(weight === "finding" ? "identity" : "ambiguous", path, `${token.kind}-token`, token.text)
  }
  for (const { bytes, place, elements, offset } of stretchesOf(file)) {
    const text = lowered(bytes)
    for (const token of tokens)
      for (const form of formsOf(token))
        eachPlace(text, form, 50, (at) => {
          const step = form.includes("\0") ? 2 : 1
          const before = at < step ? 0 : bytes[at - step]!
          const after = bytes[at + form.length + step - 1] ?? 0
          hit(token, elementAt(elements, at + offset), place, !isWordByte(before) && !isWordByte(after))
        })
  }
  for (const element of everyElement([...file.meta, ...file.data])) {
    if (element.items !== undefined || isPixels(element) || !isText(element)) continue
    const text = valuesOf(element).join("\\").normalize("NFC").toLowerCase()
    for (const token of tokens)
      eachPlace(text, token.text, 5, (at) => hit(token, element, "", isBounded(text, at, token.text.length)))
  }
  const lowerName = name.toLowerCase()
  for (const token of tokens)
    eachPlace(lowerName, token.text, 1, (at) =>
      hit(token, undefined, "name", isBounded(lowerName, at, token.text.length)),
    )
}

const isBounded = (text: string, at: number, length: number): boolean =>
  !/[\p{L}\p{N}]$/u.test(text.slice(Math.max(0, at - 2), at)) &&
  !/^[\p{L}\p{N}]/u.test(text.slice(at + length, at + length + 2))

/** Searches for original UIDs or dates as ASCII, not inside longer ones; tells path and element of each. */
export function searchExact(
  file: DicomFile,
  patterns: readonly string[],
  inside: RegExp,
  found: (pattern: string, element: Element | undefined, place: string) => void,
): void {
  for (const { bytes, place, elements, offset } of stretchesOf(file)) {
    const text = lowered(bytes)
    for (const pattern of patterns)
      for (const form of [pattern, Buffer.from(pattern, "utf16le").subarray(0, -1).toString("latin1")])
        eachPlace(text, form, 50, (at) => {
          const step = form === pattern ? 1 : 2
          const [before, after] = [text[at - step] ?? "", text[at + form.length + step - 1] ?? ""]
          if (!inside.test(before) && !inside.test(after)) found(pattern, elementAt(elements, at + offset), place)
        })
  }
}
