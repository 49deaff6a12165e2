import { charsetOf } from "./charset.ts"
import type { Charset } from "./charset.ts"
import { Hl7Error } from "./errors.ts"

/** The characters that take a message apart (HL7 v2.5.1 ch. 2, 2.5.4). */
export interface Delimiters {
  readonly field: string
  readonly component: string
  readonly repetition: string
  /** Empty where the message states none. */
  readonly escape: string
  readonly subcomponent: string
  /** Marks what was cut off (v2.7); empty where none is stated. */
  readonly truncation: string
}

/** A segment as it is written. `fields[n]` is field n, in MSH, FHS and BHS too, where field 1 is the separator itself. */
export interface Segment {
  readonly name: string
  readonly fields: readonly string[]
  /** Which of its name it is, from 1. */
  readonly number: number
  /** What ends it, blank lines after it included. */
  readonly end: string
}

/** A message, or the segments of a batch around messages. */
export interface Message {
  readonly delimiters: Delimiters
  readonly segments: readonly Segment[]
  readonly charset: Charset
  /** What stands before the first segment. */
  readonly before: string
}

/** Segments that state delimiters. */
const heads: ReadonlySet<string> = new Set(["MSH", "FHS", "BHS"])
const segmentName = /^[A-Z][A-Z0-9]{2}$/

/** The n-th field of the first segment, before its characters are known. */
function statedCharset(bytes: Uint8Array, start: number): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("latin1")
    .slice(start, start + 2000)
  const fields = head.split(/[\r\n]/)[0]!.split(head[3]!)
  return head.startsWith("MSH") ? (fields[17] ?? "").trim() : ""
}

function startOf(bytes: Uint8Array): number {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  while (bytes[at] === 0x0a || bytes[at] === 0x0d) at++
  return at
}

/** Reads one message, or the segments of a batch around messages.
 * @throws Hl7Error `not-hl7`, `delimiters`, `segment-malformed`, `charset`, `charset-lossy` */
export function parseMessage(bytes: Uint8Array): Message {
  const start = startOf(bytes)
  checkHead(Buffer.from(bytes.subarray(start, start + 3)).toString("latin1"))
  const charset = charsetOf(statedCharset(bytes, start), bytes)
  return messageOf(decoded(charset, bytes), start, charset)
}

function checkHead(name: string): void {
  if (!heads.has(name) && name !== "BTS" && name !== "FTS")
    throw new Hl7Error("not-hl7", "", "the text does not begin with MSH")
}

/** @param start of the first segment, bytes: what stands before it is breaks, and a mark of UTF-8 that decodes to one character */
function messageOf(text: string, start: number, charset: Charset): Message {
  const from = text.startsWith("\ufeff") ? start - 2 : start
  const name = text.slice(from, from + 3)
  checkHead(name)
  const delimiters = heads.has(name) ? delimitersOf(text.slice(from), name) : usual
  return { delimiters, segments: segmentsOf(text.slice(from), delimiters), charset, before: text.slice(0, from) }
}

const usual: Delimiters = {
  field: "|",
  component: "^",
  repetition: "~",
  escape: "\\",
  subcomponent: "&",
  truncation: "",
}

/** What was read must be written as the same bytes, or nothing said about them holds. */
function decoded(charset: Charset, bytes: Uint8Array): string {
  let text: string
  try {
    text = charset.decode(bytes)
  } catch {
    throw new Hl7Error("charset", "MSH[1]-18", "the bytes are not of the character set that is stated")
  }
  if (Buffer.compare(charset.encode(text), bytes) !== 0)
    throw new Hl7Error("charset-lossy", "MSH[1]-18", "the bytes cannot be written again as they were")
  return text
}

function delimitersOf(text: string, name: string): Delimiters {
  const field = text[3] ?? ""
  const [component = "", repetition = "", escape = "", subcomponent = "", truncation = ""] = text
    .slice(4)
    .split(field)[0]!
    .split(/[\r\n]/)[0]!
  const all = [field, component, repetition, escape, subcomponent, truncation].filter((each) => each !== "")
  if (
    component === "" ||
    new Set(all).size < all.length ||
    all.some((each) => !/^[!-~]$/.test(each) || /\w/.test(each))
  )
    throw new Hl7Error("delimiters", `${name}[1]-2`, "the delimiters are missing or ambiguous")
  return { field, component, repetition, escape, subcomponent, truncation }
}

/** Lines with what ends them. The standard ends a segment by CR alone; files end them by LF or both. In a message that has CR, an LF
 * after which no segment begins is part of a text. */
function linesOf(text: string, field: string): readonly string[] {
  const lines: string[] = []
  const hasReturns = text.includes("\r")
  for (const line of text.match(/[^\r\n]+[\r\n]*|[\r\n]+/g) ?? []) {
    const last = lines.at(-1)
    const begins =
      segmentName.test(line.slice(0, 3)) && (line.length === 3 || line[3] === field || /[\r\n]/.test(line[3]!))
    if (hasReturns && last !== undefined && /[^\r\n]\n+$/.test(last) && !begins) lines[lines.length - 1] = last + line
    else lines.push(line)
  }
  return lines
}

function segmentsOf(text: string, { field }: Delimiters): readonly Segment[] {
  const counts = new Map<string, number>()
  return linesOf(text, field).map((line, at) => {
    const end = /[\r\n]*$/.exec(line)![0]
    const fields = line.slice(0, line.length - end.length).split(field)
    const name = fields[0]!
    const number = (counts.get(name) ?? 0) + 1
    counts.set(name, number)
    // Its name is not told: a line that is no segment may begin with anything.
    if (!segmentName.test(name))
      throw new Hl7Error("segment-malformed", `segment ${at + 1}`, "a line does not begin with the name of a segment")
    return { name, number, end, fields: heads.has(name) ? [name, field, ...fields.slice(1)] : fields }
  })
}

/** The bytes of a message, or of the segments of a batch, as a text. Throws Hl7Error as {@link parseMessage} does. */
export const readText = (bytes: Uint8Array): string =>
  decoded(charsetOf(statedCharset(bytes, startOf(bytes)), bytes), bytes)

/** Reads a message that is a text already, as {@link readText} gives it; it is written as UTF-8. Throws as {@link parseMessage}. */
export function parseText(text: string): Message {
  const bytes = Buffer.from(text, "utf8")
  const stated = statedCharset(bytes, startOf(bytes))
  // Escapes of bytes are of the set that is stated, whatever the text is kept in.
  const decode: Charset["decode"] = (escaped) => charsetOf(stated, escaped).decode(escaped)
  return messageOf(text, startOf(bytes), { decode, encode: (written) => Buffer.from(written, "utf8") })
}

/** Writes a message; what was not changed has the bytes that it had.
 * @throws Hl7Error `charset-lossy` */
export const serializeMessage = (message: Message): Uint8Array => message.charset.encode(writeText(message))

/** Writes a message as a text. */
export function writeText({ before, segments, delimiters }: Message): string {
  let text = before
  for (const { name, fields, end } of segments) {
    const told = heads.has(name) ? [name, ...fields.slice(2)] : fields
    text += told.join(delimiters.field) + end
  }
  return text
}

/** A part of a file: a message, or what a batch has around messages; before and after it stand what frames it. */
export interface FilePart {
  readonly kind: "message" | "envelope"
  readonly before: Uint8Array
  readonly bytes: Uint8Array
  readonly after: Uint8Array
}

const [startBlock, endBlock] = [0x0b, 0x1c]
const isBreak = (byte: number | undefined): boolean =>
  byte === 0x0a || byte === 0x0d || byte === startBlock || byte === endBlock
const isWord = (byte: number | undefined): boolean => byte !== undefined && /\w/.test(String.fromCharCode(byte))
const envelopes = ["FHS", "BHS", "BTS", "FTS"]

/** Cuts a file of one or many messages, with MLLP frames or the headers of a batch around them, at the beginnings of MSH, FHS, BHS,
 * BTS and FTS; the parts together are the file. Throws Hl7Error `not-hl7` for a file that begins with something else, `truncated`. */
export function splitFile(bytes: Uint8Array): readonly FilePart[] {
  const cuts: { readonly at: number; readonly kind: FilePart["kind"] }[] = []
  for (let at = 0; at + 3 <= bytes.length; at++) {
    if (at > 0 && !isBreak(bytes[at - 1]) && !(at === 3 && bytes[0] === 0xef)) continue
    const name = String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!)
    // A line of text may begin with the same letters.
    if (isWord(bytes[at + 3])) continue
    if (name === "MSH") cuts.push({ at, kind: "message" })
    else if (envelopes.includes(name)) cuts.push({ at, kind: "envelope" })
  }
  const first = cuts[0]?.at ?? -1
  if (first < 0 || first > (bytes[0] === startBlock ? 1 : startOf(bytes)))
    throw new Hl7Error("not-hl7", "", "the file does not begin with MSH, FHS or BHS")
  return cuts.map(({ at, kind }, index) => {
    const from = index === 0 ? 0 : startIn(bytes, at)
    const next = cuts[index + 1]?.at
    return part(kind, bytes.subarray(from, next === undefined ? bytes.length : startIn(bytes, next)))
  })
}

/** The start block of a frame belongs to what it frames. */
const startIn = (bytes: Uint8Array, at: number): number => (bytes[at - 1] === startBlock ? at - 1 : at)

/** Takes an MLLP frame off (MLLP release 1): the start block, and from the end block on. Throws Hl7Error `truncated` for a frame
 * without an end. */
function part(kind: FilePart["kind"], whole: Uint8Array): FilePart {
  const from = whole[0] === startBlock ? 1 : 0
  const end = whole.lastIndexOf(endBlock)
  if (from === 1 && end < 0) throw new Hl7Error("truncated", "", "a frame has no end: the message was cut off")
  const to = end < 0 || whole.subarray(end + 1).some((byte) => !isBreak(byte)) ? whole.length : end
  return { kind, before: whole.subarray(0, from), bytes: whole.subarray(from, to), after: whole.subarray(to) }
}
