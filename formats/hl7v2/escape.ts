import type { Delimiters } from "./message.ts"

/** A text without its escapes, and where each of its units stood: `at[n]` is the place of unit n, the last entry the end. */
export interface Unescaped {
  readonly text: string
  readonly at: readonly number[]
}

const separatorOf = (code: string, its: Delimiters): string | undefined =>
  ({ F: its.field, S: its.component, T: its.subcomponent, R: its.repetition, E: its.escape })[code]

/** What an escape stands for (HL7 v2.5.1 ch. 2, 2.7): a delimiter, bytes in hex, a line break, or nothing that is text. */
function meaning(code: string, its: Delimiters): string | undefined {
  const separator = separatorOf(code, its)
  if (separator !== undefined) return separator
  if (/^X(?:[0-9A-Fa-f]{2})+$/.test(code)) return Buffer.from(code.slice(1), "hex").toString("latin1")
  if (/^\.(?:br|sp|ce|fi|nf|in|ti|sk)[+-]?\d*$/.test(code)) return /^\.(?:br|sp|ce)/.test(code) ? "\n" : " "
  return code === "H" || code === "N" ? "" : undefined
}

/** Reads a text with its escapes; what is no escape stands as it is. */
export function unescape(raw: string, delimiters: Delimiters): Unescaped {
  const { escape } = delimiters
  let text = ""
  const at: number[] = []
  for (let from = 0; from < raw.length;) {
    const close = escape !== "" && raw[from] === escape ? raw.indexOf(escape, from + 1) : -1
    const told = close < 0 || close - from > 200 ? undefined : meaning(raw.slice(from + 1, close), delimiters)
    const piece = told ?? raw[from]!
    for (let unit = 0; unit < piece.length; unit++) at.push(from)
    text += piece
    from = told === undefined ? from + 1 : close + 1
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
    done = at[last]!
  }
  return out + raw.slice(done)
}
