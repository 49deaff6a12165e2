import { cleanDescriptor } from "../../../formats/dicom/index.ts"
import type { TextPerson } from "../../../formats/dicom/index.ts"
import type { TextBox } from "./read-text.ts"

/** What is to be done with a line of text: it goes, it may stay, or a person has to look. */
export type Judgement = "redact" | "keep" | "unsure"

/** From here on a reading counts as what stands there. */
export const sureScore = 0.75
/** Below it nothing was read: edges of tissue, marks and scales look like lines, and read as such. */
export const leastScore = 0.5

/** Small numbers, and measures as consoles write them, with what stands before and after. */
const measure =
  /^[<>=≤≥~±+×*#(-]*(?:\d{1,3}(?:[.,/]\d{1,3}){0,2}|\d{1,4}(?:[.,]\d{1,3})?(?:cm|mm|m|k?hz|mhz|db|fps|%|s|ms|sec|m\/s|cm\/s|bpm|mmhg|ml|cc|g|°|deg|x|kvp?|mas?|hu|t))[-+*/,;:.)=]*$/i
const unit = /^(?:cm|mm|k?hz|mhz|db|fps|%|ms|sec|m\/s|cm\/s|bpm|mmhg|ml|cc|deg|kvp?|mas?|hu)$/i
/** Safety indices with their value, probes and dynamic ranges. */
const consoleTerm =
  /^(?:(?:MI|TI[SBC]?|AO|DR|GN|MAP|WF|PRF|FR|PWR|GAIN|DYN|IM#?)[<=:]*\d{0,3}(?:[.,]\d{1,2})?%?[,;:]?|[A-Z]{1,2}\d{1,2}-\d{1,2}[A-Za-z]?|\d{1,2}[A-Z]\d{1,2})$/i
/** Words of consoles that clinical vocabularies do not have. */
const consoleWords: ReadonlySet<string> = new Set(
  `GEN HGEN RES PEN PWR GAIN DYN MAP THI HD FR RS FPS PRF WF SV DEPTH FREQ CF PW CW COMP PERSIST FOCUS TGC CINE ZOOM FREEZE
  SPL AP ML CC SAG TRV TRANS LONG DIST AREA VOL VEL MSCSKEL ABD`.split(/\s+/),
)

const alphanumeric = (text: string): string => text.normalize("NFKD").replace(/[^\p{L}\p{N}]/gu, "")

/** Letters that readers take for digits, and the other way round, as one. */
const folded = (text: string): string =>
  alphanumeric(text)
    .toUpperCase()
    .replace(/[OQD]/g, "0")
    .replace(/[IL|]/g, "1")
    .replace(/S/g, "5")
    .replace(/B/g, "8")
    .replace(/Z/g, "2")

/** From here on a long identifier of the person counts as read. */
const leastOwn = 0.3
/** Least side of a box, in pixels as given: letters of less are not legible. */
const leastSide = 6

/** Whether the person's own words stand in a text, run together or misread by a letter that looks alike; short ones, which marks are
 * easily taken for, where the reading is sure. */
function isOwn(text: string, score: number, { identifiers }: TextPerson): boolean {
  const line = folded(text)
  return identifiers
    .flatMap((identifier) => [identifier, ...identifier.split(/[\s^=,]+/)])
    .map(folded)
    .some((own) =>
      own.length > 3
        ? score >= leastOwn && line.includes(own)
        : own.length > 1 && score >= sureScore && wordsOf(text).includes(own),
    )
}

const wordsOf = (text: string): readonly string[] => text.split(/[^\p{L}\p{N}]+/u).map(folded)

/** Whether nothing in a text can tell who or when: clinical words, measures, terms of consoles. */
function isHarmless(text: string, person: TextPerson): boolean {
  const rest = text
    .split(/\s+/)
    .filter((token) => {
      const word = token.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "").toUpperCase()
      const harmless = [measure, unit, consoleTerm].some((known) => known.test(token))
      return !harmless && !consoleWords.has(word) && word !== ""
    })
    .join(" ")
  // Dates and times are also shapes of several tokens, so the text as a whole is asked as well.
  return cleanDescriptor(rest, person) === rest && !hasShape(text)
}

/** Dates, times of day and numbers of five digits and more. */
const shapes: readonly RegExp[] = [
  /\d{1,4}\s?([-/.])\s?\d{1,2}\s?\1\s?\d{1,4}/,
  /\d{1,2}:\d\d/,
  /\d{5}/,
  /\d{1,2}[\s-]?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|[O0]CT|NOV|DEC)/i,
  /(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|[O0]CT|NOV|DEC)[A-Z]*[\s,.-]{0,2}\d{1,4}/i,
]
const hasShape = (text: string): boolean => shapes.some((shape) => shape.test(text))

/** Judges what was read in one place.
 *
 * The person's own identifiers go however unsure the reading is. Of the rest, what cannot be told from the marks of an image
 * (less than three letters or digits) stays; what is known to be harmless stays; dates, times, long numbers and every word that
 * is not known go where the reading is sure, and are for a person to look at where it is not. */
export function judge({ text, score, width, height }: TextBox, person: TextPerson): Judgement {
  const count = alphanumeric(text).length
  if (count === 0 || Math.min(width, height) < leastSide) return "keep"
  if (isOwn(text, score, person)) return "redact"
  if (score < leastScore || count < 3 || isHarmless(text, person)) return "keep"
  return score >= sureScore ? "redact" : "unsure"
}

/** Whether two readings of a place say the same, but for some letters. */
export function agree(a: string, b: string): boolean {
  const [one, other] = [folded(a), folded(b)]
  if (one.length < 3 || other.length < 3) return false
  return distance(one, other) <= 0.4 * Math.max(one.length, other.length)
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
