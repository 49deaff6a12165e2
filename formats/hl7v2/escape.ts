import type { Charset } from "./charset.ts"
import type { Delimiters } from "./message.ts"

/** A text without its escapes, and where each of its units stood: `at[n]` is the place of unit n, the last entry the end. */
export interface Unescaped {
  readonly text: string
  readonly at: readonly number[]
}

/** What escapes are read with: bytes in hex are of the message's character set. */
export interface Reading {
  readonly delimiters: Delimiters
  readonly charset: Charset
}

const separatorOf = (code: string, its: Delimiters): string | undefined =>
  ({ F: its.field, S: its.component, T: its.subcomponent, R: its.repetition, E: its.escape, P: its.truncation })[code]

const hex = /^X(?:[0-9A-Fa-f]{2})+$/

/** Escapes that cannot be read: other character sets (`\Cxxyy\`, `\Mxxyyzz\`) and those of a site's own (`\Z..\`), HL7 v2.5.1 ch. 2,
 * 2.7.2 and 2.7.7. What they say cannot be searched. */
export function holdsUnreadable(raw: string, { escape }: Delimiters): boolean {
  if (escape === "" || !raw.includes(escape)) return false
  for (let from = raw.indexOf(escape); from >= 0;) {
    const close = raw.indexOf(escape, from + 1)
    if (close < 0) return false
    const code = raw.slice(from + 1, close)
    if (/^(?:C[0-9A-Fa-f]{4}|M(?:[0-9A-Fa-f]{4}|[0-9A-Fa-f]{6})|Z\S{0,100})$/.test(code)) return true
    // What is no escape may share its closing character with one.
    from = /^(?:[FSTREPHN]|X[0-9A-Fa-f]*|\.[a-z]{2}[+-]?\d*)$/.test(code) ? raw.indexOf(escape, close + 1) : close
  }
  return false
}

/** What an escape stands for (HL7 v2.5.1 ch. 2, 2.7): a delimiter, a line break, or nothing that is text. */
function meaning(code: string, its: Delimiters): string | undefined {
  const separator = separatorOf(code, its)
  if (separator !== undefined) return separator
  if (/^\.(?:br|sp|ce|fi|nf|in|ti|sk)[+-]?\d*$/.test(code)) return /^\.(?:br|sp|ce)/.test(code) ? "\n" : " "
  return code === "H" || code === "N" ? "" : undefined
}

interface Piece {
  readonly text: string
  readonly end: number
}

/** Bytes in hex, of one or several escapes that follow one another: together they may be one character. */
function hexAt(raw: string, start: number, { delimiters: { escape }, charset }: Reading): Piece | undefined {
  let digits = ""
  let end = start
  while (raw[end] === escape) {
    const close = raw.indexOf(escape, end + 1)
    const code = close < 0 ? "" : raw.slice(end + 1, close)
    if (!hex.test(code)) break
    digits += code.slice(1)
    end = close + 1
  }
  if (digits === "") return undefined
  const bytes = Buffer.from(digits, "hex")
  try {
    return { text: charset.decode(bytes), end }
  } catch {
    return { text: bytes.toString("latin1"), end }
  }
}

function escapeAt(raw: string, from: number, reading: Reading): Piece | undefined {
  const bytes = hexAt(raw, from, reading)
  if (bytes !== undefined) return bytes
  const close = raw.indexOf(reading.delimiters.escape, from + 1)
  const told = close < 0 || close - from > 200 ? undefined : meaning(raw.slice(from + 1, close), reading.delimiters)
  return told === undefined ? undefined : { text: told, end: close + 1 }
}

/** Reads a text with its escapes; what is no escape stands as it is.
 * @param lines the repetitions of a text are its lines */
export function unescape(raw: string, reading: Reading, lines = false): Unescaped {
  const { escape, repetition } = reading.delimiters
  let text = ""
  const at: number[] = []
  for (let from = 0; from < raw.length;) {
    const char = raw[from]!
    const found = escape !== "" && char === escape ? escapeAt(raw, from, reading) : undefined
    const piece = found?.text ?? (lines && char === repetition ? "\n" : char)
    for (let unit = 0; unit < piece.length; unit++) at.push(from)
    text += piece
    from = found?.end ?? from + 1
  }
  at.push(raw.length)
  return { text, at }
}

/** Writes a text so that it holds no delimiter. */
export function escape(text: string, its: Delimiters): string {
  let out = ""
  for (const char of text) {
    const code =
      char === its.field
        ? "F"
        : char === its.component
          ? "S"
          : char === its.subcomponent
            ? "T"
            : char === its.repetition
              ? "R"
              : char === its.escape
                ? "E"
                : undefined
    if (code !== undefined) out += its.escape === "" ? " " : `${its.escape}${code}${its.escape}`
    else out += char === "\n" || char === "\r" ? (its.escape === "" ? " " : `${its.escape}.br${its.escape}`) : char
  }
  return out
}

/** A passage of a text that was replaced. */
export interface Replaced {
  readonly start: number
  readonly end: number
  readonly surrogate: string
  /** What it was: name, date ... */
  readonly kind?: string
}

/** Puts replacements, found in the text without escapes, into the text with them; all else keeps its bytes. */
export function spliced(raw: string, { at }: Unescaped, found: readonly Replaced[], delimiters: Delimiters): string {
  let out = ""
  let done = 0
  for (const { start, end, surrogate } of found) {
    const from = at[start]!
    // An escape of several units goes as a whole.
    let last = end
    while (last < at.length - 1 && at[last] === at[last - 1]) last++
    out += raw.slice(done, Math.max(from, done)) + escape(surrogate, delimiters)
    done = Math.max(done, at[last]!)
  }
  return out + raw.slice(done)
}
