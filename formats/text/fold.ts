/** What a UTF-16 unit is to the scanner. */
export const kinds = { other: 0, letter: 1, digit: 2, mark: 3, apostrophe: 4 } as const

/** Letters that no normal form takes apart; each to the letter that people write for it. */
const plainLetters: Readonly<Record<string, string>> = {
  ß: "s",
  ø: "o",
  đ: "d",
  ð: "d",
  ł: "l",
  ħ: "h",
  ı: "i",
  æ: "a",
  œ: "o",
  þ: "t",
  ŧ: "t",
  ё: "е",
  ς: "σ",
}

const letter = /^\p{L}$/u
const mark = /^\p{M}$/u
const digit = /^\p{Nd}$/u

interface Tables {
  readonly kind: Uint8Array
  readonly folded: Uint16Array
}

function build(): Tables {
  const kind = new Uint8Array(0x10000)
  const folded = new Uint16Array(0x10000)
  for (let code = 0; code < 0x10000; code++) {
    folded[code] = code
    if (code >= 0xd800 && code < 0xf900) continue
    const char = String.fromCharCode(code)
    if (digit.test(char)) kind[code] = kinds.digit
    else if (mark.test(char)) kind[code] = kinds.mark
    else if (letter.test(char)) {
      kind[code] = kinds.letter
      const lower = char.toLowerCase()
      const base = lower.normalize("NFKD").charCodeAt(0)
      folded[code] = (plainLetters[String.fromCharCode(base)] ?? String.fromCharCode(base)).charCodeAt(0)
    }
  }
  for (const code of [0x27, 0x2018, 0x2019, 0x02bc, 0x60, 0xb4]) kind[code] = kinds.apostrophe
  return { kind, folded }
}

/** By UTF-16 unit: its kind, and what it folds to: lower case, without diacritics. */
export const { kind: kindOf, folded: foldOf }: Tables = build()

/** Letters up to which a slice of a text is a text of its own, which does not keep the whole in memory. */
export const longestCopied = 12

/** Lower case without diacritics, unit by unit, letters and digits only: what a word hashes to. */
export function fold(text: string): string {
  const { length } = text
  if (length > longestCopied) return foldPhrase(text)
  let hasCapital = false
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 65 && code <= 90) hasCapital = true
    else if ((code < 97 || code > 122) && (code < 48 || code > 57)) return foldPhrase(text)
  }
  return hasCapital ? text.toLowerCase() : text
}

function foldPhrase(text: string): string {
  const { length } = text
  let [out, from, parts] = ["", 0, 0]
  for (let at = 0; at <= length; at++) {
    const code = at < length ? text.charCodeAt(at) : 0x20
    if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57)) continue
    if (code > 0x7f) return foldUnits(text)
    if (at > from) {
      out += text.slice(from, at)
      parts++
    }
    from = at + 1
  }
  // A long slice would keep the whole text in memory.
  return parts === 1 && out.length > longestCopied ? foldUnits(out) : out.toLowerCase()
}

function foldUnits(text: string): string {
  let out = ""
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const kind = kindOf[code]
    if (kind === kinds.letter || kind === kinds.digit) out += String.fromCharCode(foldOf[code]!)
  }
  return out
}

/** Whether a unit is a letter (\p{L}), also one that the scanner takes for an apostrophe. */
export const isLetterUnit = (code: number): boolean => kindOf[code] === kinds.letter || code === 0x02bc

/** Whether a unit is a figure of ASCII. */
export const isFigure = (code: number): boolean => code >= 48 && code <= 57

/** One step of the hash of a folded word; it begins with 0. */
export const hashStep = (hash: number, folded: number): number => (Math.imul(hash, 31) + folded) | 0

/** The hash of a folded word. */
export function hashOf(folded: string): number {
  let hash = 0
  for (let at = 0; at < folded.length; at++) hash = hashStep(hash, folded.charCodeAt(at))
  return hash
}

/** The bit of a folded letter in the mask of a word; words one edit apart differ in two bits at most. */
export const bitOf = (folded: number): number =>
  folded >= 97 && folded <= 122 ? 1 << (folded - 97) : 1 << (26 + (folded % 6))

/** The mask of a folded word. */
export function maskOf(folded: string): number {
  let mask = 0
  for (let at = 0; at < folded.length; at++) mask |= bitOf(folded.charCodeAt(at))
  return mask
}

/** Whether more than two bits are set. */
export function moreThanTwoBits(mask: number): boolean {
  const one = mask & (mask - 1)
  return (one & (one - 1)) !== 0
}

/** A filter before a table: false means that no word of that hash is in it. */
export class HashFilter {
  readonly #seen: Uint8Array
  readonly #mask: number

  /** @param bits of the hash that count: with more fewer words are looked up in vain */
  constructor(bits = 15) {
    this.#seen = new Uint8Array(1 << bits)
    this.#mask = (1 << bits) - 1
  }

  add(folded: string): void {
    const hash = hashOf(folded)
    this.#seen[(hash ^ (hash >>> 15)) & this.#mask] = 1
  }

  clear(): void {
    this.#seen.fill(0)
  }

  may(hash: number): boolean {
    return this.#seen[(hash ^ (hash >>> 15)) & this.#mask] === 1
  }
}
