import { fold, kindOf, kinds } from "./fold.ts"

/** A word of a text. */
export interface Word {
  readonly start: number
  readonly end: number
  readonly text: string
  readonly folded: string
}

const isLetter = (code: number): boolean => kindOf[code] === kinds.letter || kindOf[code] === kinds.mark

/** The word of letters that begins here; undefined when none does. */
export function wordAt(text: string, start: number): Word | undefined {
  let end = start
  while (end < text.length && isLetter(text.charCodeAt(end))) end++
  if (end === start) return undefined
  const word = text.slice(start, end)
  return { start, end, text: word, folded: fold(word) }
}

/** The word of letters that ends here. */
export function wordBefore(text: string, end: number): Word | undefined {
  let start = end
  while (start > 0 && isLetter(text.charCodeAt(start - 1))) start--
  if (start === end) return undefined
  const word = text.slice(start, end)
  return { start, end, text: word, folded: fold(word) }
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/** The place after blanks, tabs and the characters given. */
export function skip(text: string, from: number, also = ""): number {
  let at = from
  while (at < text.length && (isBlank(text.charCodeAt(at)) || also.includes(text[at]!))) at++
  return at
}

/** The place before blanks, tabs and the characters given. */
export function skipBack(text: string, from: number, also = ""): number {
  let at = from
  while (at > 0 && (isBlank(text.charCodeAt(at - 1)) || also.includes(text[at - 1]!))) at--
  return at
}

/** Whether a word begins with a capital; scripts without capitals count as such. */
export function isCapital(word: string): boolean {
  const code = word.charCodeAt(0)
  if (code >= 97 && code <= 122) return false
  if (code >= 65 && code <= 90) return true
  const first = word[0]!
  return first !== first.toLowerCase() || first === first.toUpperCase()
}

/** Whether a word is of capitals alone. */
export function isAllCapitals(word: string): boolean {
  // Nearly every word has a small letter at its end.
  const last = word.charCodeAt(word.length - 1)
  if (word.length < 2 || (last >= 97 && last <= 122)) return false
  return word === word.toUpperCase() && word !== word.toLowerCase()
}

/** Whether a sentence or line begins here. */
export function beginsSentence(text: string, start: number): boolean {
  const before = text[skipBack(text, start, "\"'(*•-") - 1]
  return before === undefined || ".!?:;\n\r>".includes(before)
}
