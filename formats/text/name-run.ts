import { cue, cuesOf } from "./cues.ts"
import { kindOf, kinds } from "./fold.ts"
import { isFamilyName } from "./listed.ts"
import { isParticle } from "./person.ts"
import { isTerm } from "./terms.ts"
import { isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

/** How a name is read after what announces it. */
export interface NameRun {
  /** Most words that are taken. */
  readonly most: number
  /** The first word is a name even when it is a word of the language: after a title. */
  readonly surely?: boolean
  /** `Last, First` is one name. */
  readonly comma?: boolean
}

const credentials = cue.credential | cue.weakCredential
const notNames = cue.title | cue.label | cue.month | cue.weekday | cue.relative | cue.facility | cue.id

/** An apostrophe inside a word, as in O'Brien; what follows is a possessive s only when the word ends there. */
function joined(text: string, word: Word): number {
  const code = text.charCodeAt(word.end)
  if (kindOf[code] !== kinds.apostrophe) return 0
  const next = wordAt(text, word.end + 1)
  return next !== undefined && next.text.length > 1 && isCapital(next.text) ? word.end + 1 : 0
}

/** Where the next word of a name may begin: after blanks, a hyphen, the dot of an initial, a caret, once a comma. */
function nextStart(text: string, word: Word, commas: boolean): number {
  const inside = joined(text, word)
  if (inside > 0) return inside
  let at = word.end
  if (text[at] === "." && word.text.length <= 2) at++
  if (text[at] === "^" || text[at] === "-" || text[at] === "\u2010") return at + 1
  if (commas && text[at] === ",") at++
  const next = skip(text, at)
  return next - at > 3 ? -1 : next
}

function isName(text: string, word: Word, run: NameRun, first: boolean): boolean {
  // The other half of a double name: Ji-hoon, Minh-Thu, Pemberton-Shaw.
  if (
    !first &&
    word.text.length > 1 &&
    text[word.start - 1] === "-" &&
    /\p{L}{2}-$/u.test(text.slice(Math.max(0, word.start - 3), word.start))
  )
    return isCapital(word.text) ? word.text.length > 2 || !isAllCapitals(word.text) : !isTerm(word.folded)
  if (!isCapital(word.text)) return false
  if (word.text.length === 1) return true
  const cues = cuesOf(word.folded)
  if (!first && isMark(text, word, cues)) return false
  if (first && run.surely === true) {
    if (isAllCapitals(word.text) && word.text.length <= 3 && isTerm(word.folded)) return false
    return (cues & (cue.label | cue.facility)) === 0 || !isTerm(word.folded)
  }
  // "Dr. Imani Wells.": a family name that is a word as well, at the end of a name that a title announces.
  const closes =
    run.surely === true &&
    !first &&
    isFamilyName(word.folded) &&
    /^(?:[,;:)\n\r]|\.(?:\s|$)|['’]s|$)/.test(text.slice(word.end, word.end + 2))
  return (closes || !isTerm(word.folded)) && (cues & (notNames | credentials)) === 0
}

const isSmallLetter = (code: number): boolean => code >= 97 && code <= 122

/** Whether a word after one of a name is a degree or a label: RC after Blackwood, FRCOphth, DOB, FAX and its number. */
function isMark(text: string, word: Word, cues: number): boolean {
  if ((cues & (cue.birth | cue.age)) !== 0) return true
  if ((cues & cue.phone) !== 0 && /^[\s.:]{0,2}\d/.test(text.slice(word.end, word.end + 3))) return true
  const before = wordBefore(text, skipBack(text, word.start, ".,"))
  const small = before !== undefined && before.text.length > 1 && !isAllCapitals(before.text)
  if (!small) return false
  if (!isSmallLetter(word.text.charCodeAt(1)) && /^\p{Lu}{3,}\p{Ll}/u.test(word.text)) return true
  return isAllCapitals(word.text) && word.text.length <= 3 && !isFamilyName(word.folded)
}

/** The words of a name that begins here, without titles, degrees and particles; empty when none does. */
export function nameRun(text: string, from: number, run: NameRun): readonly Word[] {
  const found: Word[] = []
  let at = skip(text, from)
  let commas = run.comma === true
  for (let titles = 0; found.length < run.most;) {
    const word = wordAt(text, at)
    if (word === undefined) break
    const first = found.length === 0
    const isTitle = (cuesOf(word.folded) & cue.title) !== 0
    if (first && isTitle && titles++ < 2) {
      at = skip(text, word.end, ".,")
      continue
    }
    const startsWithDigit = kindOf[text.charCodeAt(word.end)] === kinds.digit
    const particle = isParticle(word.folded) && word.text.length > 1
    if (particle && !isAllCapitals(word.text)) {
      const next = nextStart(text, word, false)
      if (next < 0 || wordAt(text, next) === undefined) break
      at = next
      continue
    }
    const afterInitial = run.surely === true && found.length > 0 && found.every(({ text: each }) => each.length === 1)
    if (startsWithDigit || !isName(text, word, run, first || afterInitial)) break
    found.push(word)
    const isHalf = found.length === 2 && text[word.start - 1] === "-"
    const next = nextStart(text, word, commas && (found.length === 1 || isHalf))
    if (text[word.end] === ",") commas = false
    if (next < 0) break
    at = next
  }
  // An initial alone is nobody.
  return found.some(({ text: word }) => word.length > 1) ? found : []
}

/** The words of a name that ends here, from the last to the first: before a degree.
 * @param least words that have to be there */
export function nameRunBefore(text: string, end: number, least: number): readonly Word[] {
  const found: Word[] = []
  let at = end
  while (found.length < 4) {
    const word = wordBefore(text, at)
    if (word === undefined || !isCapital(word.text)) break
    if (kindOf[text.charCodeAt(word.start - 1)] === kinds.digit) break
    if (word.text.length > 1 && isTerm(word.folded) && !(found.length === 0 && hasNameBefore(text, word))) break
    if ((cuesOf(word.folded) & (notNames | credentials)) !== 0 && word.text.length > 1) break
    found.push(word)
    const before = text[word.start - 1]
    if (before === "-" || (before !== undefined && kindOf[before.charCodeAt(0)] === kinds.apostrophe))
      at = word.start - 1
    else {
      at = skipBack(text, word.start)
      const commaName = found.length <= 2 && text[at - 1] === "," && at > 1
      if (text[at - 1] === ".") {
        const initial = wordBefore(text, at - 1)
        if (initial === undefined || initial.text.length > 1) break
        at--
      } else if (commaName) at = skipBack(text, at - 1)
    }
  }
  return found.filter(({ text: word }) => word.length > 1).length >= least ? found : []
}

function hasNameBefore(text: string, word: Word): boolean {
  const at = skipBack(text, word.start)
  const before = wordBefore(text, text[at - 1] === "." ? at - 1 : at)
  if (before === undefined || !isCapital(before.text)) return false
  return before.text.length === 1 || !isTerm(before.folded)
}
