import {
  cue,
  cuesOf,
  facilityAfter,
  facilityBefore,
  facilityEnd,
  facilityPart,
  facilityPlain,
  smallKinds,
} from "./cues.ts"
import { fold, kindOf, kinds } from "./fold.ts"
import { isParticle } from "./person.ts"
import type { Scan } from "./scan.ts"
import { isEponym, isTerm } from "./terms.ts"
import { beginsSentence, isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

/** Kinds that are also what is done there: with two words before them that are no medical ones. */
const weakKinds: ReadonlySet<string> = new Set("surgery pathology college".split(" "))

/** Small words inside a name. */
const smallParts: ReadonlySet<string> = new Set("of and the for de del la y s".split(" "))
/** Parts of names that name nothing by themselves. */
const plainParts: ReadonlySet<string> = new Set("va st state good our city county community regional".split(" "))

/** Rules that find the names of institutions. */
export class FacilityRules {
  readonly #scan: Scan

  constructor(scan: Scan) {
    this.#scan = scan
  }

  get #text(): string {
    return this.#scan.text
  }

  #place(text: string): string {
    return this.#scan.known.maker.place(fold(text))
  }

  /** The name of an institution, around the word for its kind. */
  facility(word: Word, cues: number): void {
    if (!isCapital(word.text) && !this.#isSmallKind(word)) return
    const isNamed = (cues & cue.facility) !== 0 && this.#facilityBefore(word)
    if (isNamed && this.#scan.wordAfter(word.end)?.folded !== "of") return
    if ((cues & cue.facilityFirst) !== 0 || facilityEnd.has(word.folded)) this.#facilityAfter(word)
  }

  /** "Mercy Hospital", "St. Mary's Medical Center". */
  #facilityBefore(word: Word): boolean {
    const tail = this.#tail(word)
    if (tail === undefined) return false
    if (weakKinds.has(tail.folded) && !this.#isHeading(tail)) return this.#replaceFrom(this.#plainBefore(tail), tail)
    let start = tail.start
    let named = false
    for (let words = 0; words < 7; words++) {
      const before = this.#partBefore(start)
      if (before === undefined) break
      const small = smallParts.has(before.folded)
      if (small && !isCapital(before.text) && before.folded !== "s" && !this.#isCapitalBefore(before.start)) break
      const isName = isCapital(before.text) && (!isTerm(before.folded) || facilityPart.has(before.folded))
      if (
        !small &&
        !isName &&
        !(
          isCapital(before.text) &&
          !isAllCapitals(before.text) &&
          named &&
          words < 3 &&
          (facilityPart.has(before.folded) || this.#isInName(before))
        )
      )
        break
      named ||= isName && !plainParts.has(before.folded)
      named ||= isName && words > 0
      if (!small || before.folded !== "the") start = before.start
    }
    if (!named || start === tail.start) start = this.#plainBefore(tail)
    return this.#replaceFrom(start, tail)
  }

  /** Whether a word of the language belongs to a name that follows it: Cold Creek State Prison. */
  #isInName(word: Word): boolean {
    if (facilityPlain.has(word.folded) || isEponym(word.folded) || beginsSentence(this.#text, word.start)) return false
    return cuesOf(word.folded) === 0
  }

  /** Whether a line begins with the name and ends with its kind: the heading of a report. */
  #isHeading(tail: Word): boolean {
    const text = this.#text
    const line = text.lastIndexOf("\n", tail.start) + 1
    return (
      tail.start - line < 60 &&
      /^(?:\p{Lu}[\p{L}'’.-]*[ ]){1,4}$/u.test(text.slice(line, tail.start)) &&
      /^[ \t]*(?:[,\n\r]|[ ]{2}|$)/.test(text.slice(this.#kindEnd(tail), this.#kindEnd(tail) + 3))
    )
  }

  #replaceFrom(start: number, tail: Word): boolean {
    const { text } = this.#scan
    if (start === tail.start) return false
    const made = this.#place(text.slice(start, tail.start))
    const upper = isAllCapitals(text.slice(start, tail.start).trim())
    const gap = /\s$/.test(text.slice(start, tail.start)) ? " " : ""
    // The word for its kind belongs to the name of an institution, and stays.
    const end = this.#kindEnd(tail)
    this.#scan.add("place", start, end, `${upper ? made.toUpperCase() : made}${gap}${text.slice(tail.start, end)}`)
    return true
  }

  /** The end of the words for a kind: Hospital, Medical Center. */
  #kindEnd(tail: Word): number {
    let { end } = tail
    for (let next = this.#scan.wordAfter(end); next !== undefined && facilityAfter.has(next.folded);) {
      if (!isCapital(next.text)) break
      end = next.end
      next = this.#scan.wordAfter(end)
    }
    return end
  }

  /** "Little Acorns daycare": a name in the middle of a sentence, and its kind in small letters. */
  #isSmallKind(word: Word): boolean {
    if (!smallKinds.has(word.folded)) return false
    const before = this.#partBefore(word.start)
    return before !== undefined && isCapital(before.text) && !beginsSentence(this.#text, before.start)
  }

  /** "Broad Street Surgery", "Cedar Valley Cancer Center": two words and more of the language, none of them medicine's. */
  #plainBefore(tail: Word): number {
    let [start, words] = [tail.start, 0]
    for (; words < 4; words++) {
      const before = this.#partBefore(start)
      if (before === undefined || !isCapital(before.text) || isAllCapitals(before.text)) break
      if (
        facilityPlain.has(before.folded) ||
        isEponym(before.folded) ||
        (cuesOf(before.folded) & (cue.label | cue.title | cue.month)) !== 0
      )
        break
      start = before.start
    }
    if (words > 0 && this.#isHeading(tail)) return start
    return words < 2 || (beginsSentence(this.#text, start) && !/[,:] $/.test(this.#text.slice(start - 2, start)))
      ? tail.start
      : start
  }

  /** The words for the kind: Hospital, Medical Center. */
  #tail(word: Word): Word | undefined {
    const text = this.#text
    if (facilityEnd.has(word.folded) || weakKinds.has(word.folded)) return word
    if (facilityBefore.has(word.folded)) {
      const next = this.#scan.wordAfter(word.end)
      return next !== undefined && isCapital(next.text) && facilityAfter.has(next.folded) ? word : undefined
    }
    if (/^(?:university|college|institute)$/.test(word.folded)) return undefined
    const before = wordBefore(text, skipBack(text, word.start))
    if (before !== undefined && facilityBefore.has(before.folded)) return undefined
    // "Radiology Center" alone names nobody; "Weston Center" does.
    return /^(?:center|centre)$/.test(word.folded) && before !== undefined && !isTerm(before.folded) ? word : undefined
  }

  #partBefore(start: number): Word | undefined {
    const text = this.#text
    let at = skipBack(text, start)
    if (start - at > 2) return undefined
    if (at === start && text[at - 1] === "-") at--
    else if (at === start && kindOf[text.charCodeAt(at - 1)] === kinds.apostrophe) at--
    else if (text[at - 1] === ".") {
      const short = wordBefore(text, at - 1)
      return short !== undefined && /^(?:st|ste|mt|ft|univ|[a-z])$/.test(short.folded) ? short : undefined
    } else if (text[at - 1] === "&") return this.#partBefore(at - 1)
    return wordBefore(text, at)
  }

  #isCapitalBefore(start: number): boolean {
    const before = this.#partBefore(start)
    return before !== undefined && isCapital(before.text)
  }

  /** "Hospital San Carlos", "Hospital of St. John". */
  #facilityAfter(word: Word): void {
    const text = this.#text
    let at = skip(text, word.end, word.folded === "univ" ? "." : "")
    let end = 0
    const from = at
    let commas = false
    for (let words = 0; words < 6 && !commas; words++) {
      const next = wordAt(text, at)
      if (next === undefined) break
      const small = isParticle(next.folded) || /^(?:of|the|for|and|st|san|santa|sainte)$/.test(next.folded)
      const joins = small && !(isAllCapitals(next.text) && isTerm(next.folded))
      if (
        !joins &&
        (!isCapital(next.text) ||
          (isTerm(next.folded) && !facilityPart.has(next.folded)) ||
          (cuesOf(next.folded) & (cue.month | cue.weekday | cue.label | cue.title)) !== 0)
      )
        break
      if (!joins) end = next.end
      at = next.end
      if (text[at] === "." && next.text.length <= 3) at++
      if (text[at] === "-" || kindOf[text.charCodeAt(at)] === kinds.apostrophe) at++
      else {
        commas = text[at] !== " "
        at = skip(text, at)
      }
    }
    if (end > from)
      this.#scan.add("place", word.start, end, text.slice(word.start, from) + this.#place(text.slice(from, end)))
  }
}
