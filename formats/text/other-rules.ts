import { cue, cuesOf } from "./cues.ts"
import { fold } from "./fold.ts"
import { isFamilyName, isGivenName, isNoName } from "./listed.ts"
import type { NameRules } from "./name-rules.ts"
import type { Scan } from "./scan.ts"
import { isEponym, isHead, isTerm, isVerb } from "./terms.ts"
import { isThing } from "./thing.ts"
import { beginsSentence, isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const list = (words: string): ReadonlySet<string> => new Set(words.split(" "))
/** Words before somebody who is spoken to, asked or told. */
const contacts = list(
  "told asked informed paged texted called notified telephoned phoned contacted emailed messaged updated spoke rang saw met thanked with from per via by to and for signed named tell ask call page text w",
)
/** Those of them after which somebody stands whatever the case. */
const telling = list("told asked informed paged texted called notified telephoned phoned contacted tell ask")
/** Those of them that join everything. */
const plainJoins = list("for to and from")
const persons = cue.relative | cue.title | cue.informs | cue.label
const notPersons = cue.month | cue.weekday | cue.facility | cue.id | cue.label | cue.title | cue.phone
/** Words after a family name that say that it is somebody. */
const does = list(
  "who called said agreed agrees signed concurs concur reviewed recommends recommended wants wanted told aware notified informed paged updated drove brought found picked will was is has saw reports states stated denies",
)

const commonFirst = list(
  "mark rob gene grant drew art bill sue pat violet hazel olive may june april chase hope faith joy grace dawn ray jack rich chance wade lance miles dale heath cliff reed forest",
)

/** Rules for people whom nothing announces: by names in use, their case and what stands around them. A name that is also a word or an
 * eponym counts beside another one alone. */
export class OtherRules {
  readonly #text: string
  readonly #names: NameRules

  readonly #scan: Scan

  constructor(scan: Scan, names: NameRules) {
    this.#scan = scan
    this.#text = scan.text
    this.#names = names
  }

  /** A word that may be a name in use. */
  word(word: Word): number {
    const { folded } = word
    const given = isGivenName(folded)
    if (!given && !isFamilyName(folded)) return 0
    if (isJoint(this.#text[word.start - 1]) && wordBefore(this.#text, word.start - 1) !== undefined) return 0
    const pair = given ? this.#pairFrom(word) : []
    if (pair.length > 0) return this.#replace([word, ...pair])
    const inverted = this.#inverted(word)
    if (inverted.length > 0) return this.#replace([word, ...inverted])
    return this.#stands(word, given) ? this.#replace([word]) : 0
  }

  #replace(words: readonly Word[]): number {
    for (const each of words) this.#names.other(each)
    return words.at(-1)!.end
  }

  /** Whether a word by itself is the name of somebody. */
  #stands(word: Word, given: boolean): boolean {
    const { folded, text } = word
    if (folded.length < 2 || isTerm(folded) || isEponym(folded) || isNoName(folded)) return false
    if ((cuesOf(folded) & (cue.title | cue.relative | cue.label)) !== 0 && !given) return false
    if ((cuesOf(folded) & (cue.relative | cue.title)) !== 0) return false
    if (this.#isCommon(word)) return false
    if (isThing(this.#text, word) || /[-/&]/.test(this.#text[word.end] ?? "") || this.#beforeHead(word)) return false
    const loud = isAllCapitals(text)
    if (isCapital(text) && !loud && given && folded.length > 2) return true
    if (this.#afterPerson(word, given, isCapital(text))) return true
    if (given && folded.length > 3 && this.#scan.isSmall && this.#isBesidePerson(word)) return true
    const next = wordAt(this.#text, skip(this.#text, word.end))
    if (!isCapital(text) || next === undefined || folded.length < 3) return false
    const acts = does.has(next.folded) || isVerb(next.folded)
    return acts && (loud ? given && beginsSentence(this.#text, word.start) : beginsSentence(this.#text, word.start))
  }

  /** "Mark the calendar": at the beginning of a sentence, before what no name is followed by. */
  #isCommon({ folded, start, end }: Word): boolean {
    if (!commonFirst.has(folded) || !beginsSentence(this.#text, start)) return false
    const next = wordAt(this.#text, skip(this.#text, end))
    return (
      next !== undefined &&
      next.start - end === 1 &&
      !isCapital(next.text) &&
      !isVerb(next.folded) &&
      !does.has(next.folded)
    )
  }

  /** "Baker cyst" and "BRCA gene" are things. */
  #beforeHead(word: Word): boolean {
    const next = wordAt(this.#text, skip(this.#text, word.end))
    return next !== undefined && isHead(next.folded)
  }

  /** In a text without capitals: "that michael hit him", "tanisha rn", "told by susan". */
  #isBesidePerson({ start, end }: Word): boolean {
    const before = wordBefore(this.#text, skipBack(this.#text, start))
    if (before !== undefined && (contacts.has(before.folded) || before.folded === "that")) return true
    const next = wordAt(this.#text, skip(this.#text, end, "(,"))
    if (next === undefined) return false
    return (cuesOf(next.folded) & (cue.credential | cue.weakCredential | cue.relative)) !== 0 || does.has(next.folded)
  }

  /** After a relative, a title, or a word for telling. */
  #afterPerson(word: Word, given: boolean, capital: boolean): boolean {
    const at = skipBack(this.#text, word.start, "(,.:/")
    const before = wordBefore(this.#text, at)
    if (before === undefined || word.start - at > 3) return false
    const cues = cuesOf(before.folded)
    if ((cues & persons) !== 0 && (given || capital || (cues & cue.title) !== 0)) return word.text.length > 1
    if (!contacts.has(before.folded) || /[.:]/.test(this.#text.slice(at, word.start))) return false
    return capital ? given || !plainJoins.has(before.folded) : given && telling.has(before.folded)
  }

  /** The words after a given name that belong to it: initials and a family name. */
  #pairFrom(word: Word): readonly Word[] {
    const text = this.#text
    const found: Word[] = []
    let at = word.end
    for (let words = 0; words < 3; words++) {
      const next = wordAt(text, skip(text, at))
      if (next === undefined || next.start === at || next.start - at > 2) return []
      if (next.text.length === 1) {
        if (!isCapital(next.text)) return []
        found.push(next)
        at = next.end + (text[next.end] === "." ? 1 : 0)
        continue
      }
      if (!this.#isPair(word, next, found.length > 0)) return []
      found.push(next)
      const more = text[next.end] === "-" ? wordAt(text, next.end + 1) : undefined
      if (more !== undefined && isCapital(more.text) && !isTerm(more.folded)) found.push(more)
      return found
    }
    return []
  }

  /** Whether two words are a given and a family name. */
  #isPair(first: Word, next: Word, initials: boolean): boolean {
    if ((cuesOf(next.folded) & (notPersons | cue.credential)) !== 0 || isHead(next.folded)) return false
    const isWordy = isTerm(first.folded) || isEponym(first.folded) || isNoName(first.folded)
    const listed = isFamilyName(next.folded) && !isTerm(next.folded)
    if (!isCapital(first.text))
      return !isWordy && !isCapital(next.text) && listed && next.folded.length > 2 && !isEponym(next.folded)
    if (!isCapital(next.text) || isAllCapitals(first.text) !== isAllCapitals(next.text)) {
      const french = isAllCapitals(next.text) && next.text.length > 3 && isCapital(first.text)
      if (!french || isWordy || !listed) return false
    }
    if (isTerm(next.folded) && !isWordy && listedAlone(next.folded) && this.#closes(next)) return isCapital(first.text)
    if (isTerm(next.folded) || (isEponym(next.folded) && (isWordy || isThing(this.#text, next)))) return false
    if (isWordy) return listed && !isEponym(next.folded) && (initials || !isNoName(first.folded))
    return listed || initials || !isAllCapitals(first.text)
  }

  /** Whether the sentence or its part ends after a word, or tells what somebody does. */
  #closes({ end }: Word): boolean {
    const rest = this.#text.slice(end, end + 2)
    if (/^(?:[,;)\n\r]|$|\.(?:\s|$)| \()/.test(rest)) return true
    const next = wordAt(this.#text, skip(this.#text, end))
    return next !== undefined && (does.has(next.folded) || isVerb(next.folded))
  }

  /** "Vandermeer, Lucas P." */
  #inverted(word: Word): readonly Word[] {
    const text = this.#text
    if (text[word.end] !== "," || !isCapital(word.text) || isTerm(word.folded) || isEponym(word.folded)) return []
    if (!isFamilyName(word.folded)) return []
    const next = wordAt(text, skip(text, word.end + 1))
    if (next === undefined || !isCapital(next.text) || isAllCapitals(next.text) !== isAllCapitals(word.text)) return []
    if (!isGivenName(next.folded) || isTerm(next.folded) || isNoName(next.folded)) return []
    const initial = wordAt(text, skip(text, next.end))
    return initial?.text.length === 1 && isCapital(initial.text) ? [next, initial] : [next]
  }
}

const isJoint = (char: string | undefined): boolean => char === "-" || char === "'" || char === "’"

const listedAlone = (folded: string): boolean => isFamilyName(folded) && folded.length > 3

/** Whether two capitalised words after "by" are somebody that no list knows. */
export function isUnknownPair(text: string, from: number): boolean {
  const found = /^[ \t](\p{Lu}[\p{L}'’-]+)[ ](?:\p{Lu}\.? )?(\p{Lu}[\p{L}'’-]+)/u.exec(text.slice(from, from + 60))
  if (found === null) return false
  return [found[1]!, found[2]!].every((each) => {
    const folded = fold(each)
    return (
      folded.length > 2 &&
      !isTerm(folded) &&
      !isEponym(folded) &&
      !isNoName(folded) &&
      (cuesOf(folded) & notPersons) === 0
    )
  })
}
