import { cue, cuesOf } from "./cues.ts"
import { fold } from "./fold.ts"
import type { Scan } from "./scan.ts"
import { isEponym, isTerm } from "./terms.ts"
import { inCaseOf } from "./surrogates.ts"
import { isAllCapitals } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const town = String.raw`((?:(?:St|Mt|Ft|Ste)\.?[ ])?\p{Lu}[\p{L}'’]+(?:[- ](?:(?:&|de|del|la|sur|upon|on|am|of)[- ])?\p{Lu}[\p{L}'’]+){0,2})`
/** From somebody who lives to the town: at most five small words, a word for the place, and capitals. */
const dwelling = new RegExp(
  String.raw`(?:[ ]\p{L}\p{Ll}*){0,5}?[ ](?:in|at|near|outside|from|to|for|en|a|à|em|im|of)[ ](?:the[ ])?${town}`,
  "uy",
)
const origin = new RegExp(String.raw`[ ](?:the[ ])?${town}`, "uy")
const none =
  cue.title |
  cue.relative |
  cue.month |
  cue.weekday |
  cue.label |
  cue.facility |
  cue.id |
  cue.phone |
  cue.birth |
  cue.age

/** Rules that find where somebody lives, works or comes from, by the words before it. */
export class TownRules {
  readonly #scan: Scan

  constructor(scan: Scan) {
    this.#scan = scan
  }

  /** A word for living, working or coming from somewhere. */
  after(word: Word): void {
    const { text, known } = this.#scan
    if (known.maker.given.towns === true) return
    const pattern = word.folded === "from" || word.folded === "nach" ? origin : dwelling
    pattern.lastIndex = word.end
    let found = pattern.exec(text)?.[1]
    let end = pattern.lastIndex
    if (found === undefined && /^(?:lives?|lived|resides?)$/.test(word.folded)) {
      origin.lastIndex = word.end
      found = origin.exec(text)?.[1]
      end = origin.lastIndex
    }
    if (found === undefined) return
    const named = this.#named(found)
    if (named === "") return
    const start = end - found.length
    this.#scan.add("place", start, start + named.length, inCaseOf(named, known.maker.place(fold(named))))
  }

  /** As much of the capitalised words as can be the name of a place. */
  #named(found: string): string {
    let end = 0
    let telling = false
    for (const { 0: word, index } of found.matchAll(/[\p{L}'’]+/gu)) {
      const folded = fold(word)
      if ((cuesOf(folded) & none) !== 0 || (end === 0 && isEponym(folded))) break
      if (isAllCapitals(word) && (word.length < 5 || isTerm(folded))) break
      telling ||= !isTerm(folded)
      end = index + word.length
    }
    return telling ? found.slice(0, end) : ""
  }
}
