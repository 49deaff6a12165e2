/** Specific Character Set (0008,0005): decoding and encoding text (PS3.3 C.12.1.1.2, PS3.5 6.1, annexes H to K). */

import { TextDecoder } from "node:util"

interface CodeSet {
  /** WHATWG label of the decoder; `latin1` and `ascii` are done without one. */
  readonly label: string
  /** How bytes are handed to the decoder: as they are, or a 94x94 set in G0 moved to G1, with or without the EUC prefix 8F. */
  readonly form: "plain" | "g0" | "g0-prefix"
}

const plain = (label: string): CodeSet => ({ label, form: "plain" })
const ascii = plain("ascii")

/** By the number in the defined term: `ISO_IR 100` and `ISO 2022 IR 100` name the same set. */
const single: ReadonlyMap<string, CodeSet> = new Map([
  ["6", ascii],
  ["100", plain("latin1")],
  ["101", plain("iso-8859-2")],
  ["109", plain("iso-8859-3")],
  ["110", plain("iso-8859-4")],
  ["144", plain("iso-8859-5")],
  ["127", plain("iso-8859-6")],
  ["126", plain("iso-8859-7")],
  ["138", plain("iso-8859-8")],
  ["148", plain("iso-8859-9")],
  ["203", plain("iso-8859-15")],
  ["166", plain("windows-874")],
  ["13", plain("shift_jis")],
  ["192", plain("utf-8")],
])

/** A set and the sequence after ESC that begins it. */
type Escape = readonly [sequence: string, set: CodeSet]

/** Escape sequences after ESC (PS3.3 tables C.12-3 and C.12-4). */
const escapes: readonly Escape[] = [
  ["(B", ascii],
  ["(J", ascii],
  [")I", plain("shift_jis")],
  ["-A", single.get("100")!],
  ["-B", single.get("101")!],
  ["-C", single.get("109")!],
  ["-D", single.get("110")!],
  ["-L", single.get("144")!],
  ["-G", single.get("127")!],
  ["-F", single.get("126")!],
  ["-H", single.get("138")!],
  ["-M", single.get("148")!],
  ["-b", single.get("203")!],
  ["-T", single.get("166")!],
  ["$B", { label: "euc-jp", form: "g0" }],
  ["$(D", { label: "euc-jp", form: "g0-prefix" }],
  ["$)C", plain("euc-kr")],
  ["$)A", plain("gb18030")],
]

/** What the values of (0008,0005) say: the set at the start of each value, and whether escapes may follow. */
export interface Charset {
  readonly initial: CodeSet
  readonly escapes: boolean
  /** What may be reached by escapes, as it is written: the terms after the first, and the sets of two bytes. */
  readonly others: readonly Escape[]
  /** False for a term that no edition defines: bytes above 7F are then read as ISO 8859-1. */
  readonly known: boolean
}

/** The character set of data without (0008,0005): ISO 646. */
export const defaultCharset: Charset = { initial: ascii, escapes: false, others: [], known: true }

function codeSet(term: string): CodeSet | undefined {
  if (term === "") return ascii
  if (term === "GB18030" || term === "GBK") return plain(term.toLowerCase())
  const number = /^ISO[ _](?:2022[ _])?IR[ _](\d+)$/.exec(term)?.[1]
  return number === undefined ? undefined : single.get(number)
}

/** Sets of two bytes, which are only reached by escapes; alone (against PS3.3 C.12.1.1.2) they mean ISO 646 and escapes. */
const twoBytes = /^ISO[ _]2022[ _]IR[ _](?:58|87|149|159)$/

/** Escape sequences by the number in the defined term (PS3.3 tables C.12-3 and C.12-4). */
const byTerm: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "100": "-A",
    "101": "-B",
    "109": "-C",
    "110": "-D",
    "144": "-L",
    "127": "-G",
    "126": "-F",
    "138": "-H",
    "148": "-M",
    "203": "-b",
    "166": "-T",
    "13": ")I",
    "87": "$B",
    "159": "$(D",
    "149": "$)C",
    "58": "$)A",
  }),
)

function escapesOf(names: readonly string[]): readonly Escape[] {
  const sequences = names.map((name) => byTerm.get(/^ISO[ _]2022[ _]IR[ _](\d+)$/.exec(name)?.[1] ?? ""))
  return escapes.filter(([sequence]) => sequences.includes(sequence))
}

/** @param terms the values of (0008,0005), in order; none or one empty value mean ISO 646 */
export function charsetOf(terms: readonly string[]): Charset {
  const names = terms.map((term) => term.trim().toUpperCase())
  const initial = twoBytes.test(names[0] ?? "") ? ascii : codeSet(names[0] ?? "")
  const alone = initial?.label === "utf-8" || initial?.label === "gb18030" || initial?.label === "gbk"
  const escapes = !alone && names.some((name) => name.startsWith("ISO 2022") || name.startsWith("ISO_2022"))
  const others = escapes ? escapesOf(names) : []
  return { initial: initial ?? plain("latin1"), escapes, others, known: initial !== undefined }
}

const decoders = new Map<string, TextDecoder>()
function decoder(label: string): TextDecoder {
  let found = decoders.get(label)
  if (found === undefined) decoders.set(label, (found = new TextDecoder(label)))
  return found
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")

function decodePart(bytes: Uint8Array, set: CodeSet): string {
  if (set.label === "ascii" || set.label === "latin1") return latin1(bytes)
  if (set.form === "plain") return decoder(set.label).decode(bytes)
  const moved: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte < 0x21 || byte > 0x7e) moved.push(byte)
    else {
      if (set.form === "g0-prefix") moved.push(0x8f)
      moved.push(byte | 0x80, (bytes[++at] ?? 0x21) | 0x80)
    }
  }
  return decoder(set.label).decode(Uint8Array.from(moved))
}

/** Control characters and the delimiters of values and names end what an escape sequence began (PS3.5 6.1.2.5.3). */
function resets(byte: number, set: CodeSet): boolean {
  if (byte === 0x0d || byte === 0x0a || byte === 0x0c || byte === 0x09) return true
  return set.form === "plain" && (byte === 0x5c || byte === 0x5e || byte === 0x3d)
}

function escapeAt(bytes: Uint8Array, at: number): readonly [length: number, set: CodeSet] | undefined {
  for (const [sequence, set] of escapes) {
    let same = true
    for (let i = 0; i < sequence.length && same; i++) same = bytes[at + 1 + i] === sequence.charCodeAt(i)
    if (same) return [sequence.length + 1, set]
  }
  return undefined
}

function decodeEscaped(bytes: Uint8Array, initial: CodeSet): string {
  let out = ""
  let set = initial
  let from = 0
  const flush = (to: number) => {
    if (to > from) out += decodePart(bytes.subarray(from, to), set)
  }
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    const escape = byte === 0x1b ? escapeAt(bytes, at) : undefined
    if (escape !== undefined) {
      flush(at)
      set = escape[1]
      from = at + escape[0]
      at = from - 1
    } else if (resets(byte, set)) {
      flush(at)
      out += String.fromCharCode(byte)
      set = initial
      from = at + 1
    }
  }
  flush(bytes.length)
  return out
}

const utf8: Charset = { initial: plain("utf-8"), escapes: false, others: [], known: true }
const strictUtf8 = new TextDecoder("utf-8", { fatal: true })

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictUtf8.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** The set that bytes are in: the stated one, or UTF-8 where ISO 646 or ISO 8859-1 is stated and the bytes above 7F are nothing but
 * UTF-8, as many systems write it without saying so. */
export function charsetAs(bytes: Uint8Array, charset: Charset): Charset {
  const { label } = charset.initial
  if (charset.escapes || (label !== "ascii" && label !== "latin1")) return charset
  for (const byte of bytes) if (byte > 0x7f) return isUtf8(bytes) ? utf8 : charset
  return charset
}

/** Text of a value, padding and value delimiters included. Never throws: what the set cannot say becomes U+FFFD. */
export function decodeText(bytes: Uint8Array, charset: Charset): string {
  if (charset.escapes && bytes.includes(0x1b)) return decodeEscaped(bytes, charset.initial)
  return decodePart(bytes, charsetAs(bytes, charset).initial)
}

/** Sets whose characters have two bytes, each from A1 to FE, once they are in G1. */
const twoByteLabels: ReadonlySet<string> = new Set(["euc-jp", "euc-kr", "gb18030", "gbk"])

const encoders = new Map<string, ReadonlyMap<string, readonly number[]>>()
function encoder(label: string, prefix: readonly number[] = []): ReadonlyMap<string, readonly number[]> {
  const key = `${label} ${prefix.join()}`
  const known = encoders.get(key)
  if (known !== undefined) return known
  const table = new Map<string, readonly number[]>()
  const add = (...bytes: readonly number[]) => {
    const text = decoder(label).decode(Uint8Array.from([...prefix, ...bytes]))
    if (text.length === 1 && text !== "\ufffd" && !table.has(text)) table.set(text, bytes)
  }
  if (prefix.length === 0) for (let byte = 0; byte < 256; byte++) add(byte)
  if (twoByteLabels.has(label))
    for (let high = 0x81; high < 0xff; high++) for (let low = 0x40; low < 0xff; low++) add(high, low)
  encoders.set(key, table)
  return table
}

/** Bytes of one character in a set; undefined when the set lacks it. Of 94x94 sets in G0 without the high bits. */
function encodeOne(character: string, set: CodeSet): readonly number[] | undefined {
  const code = character.codePointAt(0)!
  if (set.form === "plain" && code < 0x80) return [code]
  if (set.label === "ascii") return undefined
  if (set.label === "latin1") return code < 0x100 ? [code] : undefined
  const bytes = encoder(set.label, set.form === "g0-prefix" ? [0x8f] : []).get(character)
  if (set.form === "plain" || bytes === undefined) return bytes
  return bytes.length === 2 && bytes.every((byte) => byte > 0xa0) ? bytes.map((byte) => byte & 0x7f) : undefined
}

const isDelimiter = (character: string): boolean => "\\^=\r\n\f\t".includes(character)

/** Text with escapes, each of which ends at a delimiter, a control character or the end (PS3.5 6.1.2.5.3). */
function encodeEscaped(text: string, { initial, others }: Charset): Uint8Array | undefined {
  const out: number[] = []
  let now: CodeSet = initial
  const sequences: readonly Escape[] = [["(B", ascii], ...others]
  for (const character of text) {
    if (now.form !== "plain" && isDelimiter(character)) out.push(0x1b, 0x28, 0x42)
    if (isDelimiter(character)) now = initial
    let bytes = encodeOne(character, now)
    if (bytes === undefined || (now.form !== "plain" && character < "\x80")) {
      const found = sequences.find(([, set]) => encodeOne(character, set) !== undefined)
      bytes = found === undefined ? undefined : encodeOne(character, found[1])
      if (found === undefined || bytes === undefined) return undefined
      out.push(0x1b, ...Buffer.from(found[0], "latin1"))
      now = found[1]
    }
    out.push(...bytes)
  }
  if (now.form !== "plain") out.push(0x1b, 0x28, 0x42)
  return Uint8Array.from(out)
}

/** Bytes of a text in a character set, with escapes where the set has them; undefined when it lacks a character. */
export function encodeText(text: string, charset: Charset): Uint8Array | undefined {
  // eslint-disable-next-line no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return Buffer.from(text, "latin1")
  if (charset.initial.label === "utf-8") return Buffer.from(text, "utf8")
  if (charset.escapes) return encodeEscaped(text, charset)
  const out: number[] = []
  for (const character of text) {
    const bytes = encodeOne(character, charset.initial)
    if (bytes === undefined) return undefined
    out.push(...bytes)
  }
  return Uint8Array.from(out)
}
