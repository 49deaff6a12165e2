import { beforePlace, cue, cuesOf, states } from "./cues.ts"
import { fold } from "./fold.ts"
import { hasTownEnding, institutionEnd, isRegion, isRegionCode, isTown, longTownEnd } from "./gazetteer.ts"
import { isNoName } from "./listed.ts"
import type { Scan } from "./scan.ts"
import { inCaseOfName } from "./surrogates.ts"
import { isEponym, isHead, isTerm } from "./terms.ts"
import { beginsSentence, isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const otherThan =
  cue.title | cue.relative | cue.month | cue.weekday | cue.label | cue.id | cue.phone | cue.birth | cue.age
const kindWords = cue.facility | cue.siteLast | cue.facilityLast | cue.company
/** Words before a place that no organ or position follows in capitals. */
const surely: ReadonlySet<string> = new Set(["at", "near", "outside", "via"])
/** In which things are said and written. */
const languages: ReadonlySet<string> = new Set(
  "english spanish french german italian portuguese dutch polish russian arabic farsi persian mandarin cantonese vietnamese korean japanese hindi urdu punjabi bengali tamil telugu gujarati tagalog somali swahili turkish greek hebrew welsh gaelic irish creole hmong nepali romanian ukrainian epic cerner medicare medicaid hospice trendelenburg fowler excel word powerscribe pacs".split(
    " ",
  ),
)
const capitals = /(?:(?:[ -]| & )\p{Lu}[\p{Ll}'’]+){0,3}/uy
const region = /,[ ](\p{Lu}[\p{L}]+(?:[ ]\p{Lu}\p{Ll}+)?)(?![\p{L}\d])/uy

/** Rules that find towns and institutions by their names and by where the names stand: no word for their kind is near. */
export class PlaceNameRules {
  readonly #scan: Scan

  constructor(scan: Scan) {
    this.#scan = scan
  }

  get #text(): string {
    return this.#scan.text
  }

  #add(start: number, end: number): number {
    const { maker } = this.#scan.known
    const found = this.#text.slice(start, end)
    const rest = this.#regionAfter(end)
    const made = inCaseOfName(found, maker.place(fold(found)))
    this.#scan.add("place", start, end + rest.length, made + rest)
    return end + rest.length
  }

  /** ", Ohio" or ", BC" after a town: it stays, as part of what is told of the place. */
  #regionAfter(end: number): string {
    region.lastIndex = end
    const found = region.exec(this.#text)
    if (found === null) return ""
    for (const name of [found[1]!, found[1]!.split(" ")[0]!])
      if (isRegion(fold(name)) || states.has(name) || isRegionCode(name)) return `, ${name}`
    return ""
  }

  /** A word that may begin a town or an institution that is listed; gives where the scan goes on, 0 for after the word. */
  listed(word: Word): number {
    const { given } = this.#scan.known.maker
    if (!isCapital(word.text)) return 0
    const institution = institutionEnd(this.#text, word)
    if (institution > 0 && this.#isInstitution(word, institution)) return this.#add(word.start, institution)
    if (given.towns === true) return 0
    const long = longTownEnd(this.#text, word)
    if (long > 0 && !this.#isOfThing(long) && this.#isWritten(word, long)) return this.#add(word.start, long)
    if (!isTown(word.folded) || this.#isOfThing(word.end)) return 0
    return this.#standsAsPlace(word, word.end) ? this.#add(word.start, word.end) : 0
  }

  /** A town of several words is in capitals throughout: "New haven" is none. */
  #isWritten(word: Word, end: number): boolean {
    const { text } = this.#text.slice(word.start, end).includes("'")
      ? word
      : { text: this.#text.slice(word.start, end) }
    return !/[ -]\p{Ll}{3,}/u.test(text.replace(/[ -](?:on|upon|sur|de|am|of|ste|st)[ -]/gi, "-X"))
  }

  /** Whether a class, score or rule follows, perhaps after one more word: Ottawa ankle rules. */
  #isOfThing(end: number): boolean {
    let at = end
    for (let words = 0; words < 3; words++) {
      const next = wordAt(this.#text, skip(this.#text, at, "-'’"))
      if (next === undefined) return false
      if (
        isHead(next.folded) ||
        /^(?:chromosome|brace|rules?|consensus|protocols?|shoulder|coma|stool|guidelines?|heart|system|virus|schedule|staging|heights?|solution)$/.test(
          next.folded,
        )
      )
        return true
      if (isCapital(next.text) && !isTerm(next.folded)) return false
      at = next.end
    }
    return false
  }

  #isInstitution(word: Word, end: number): boolean {
    if (this.#text.slice(word.start, end).includes(" ")) return !this.#isOfThing(end)
    if (this.#isOfThing(end)) return false
    const before = this.#before(word)
    if (/^[.\n\r]/.test(this.#text.slice(end, end + 1)) && beginsSentence(this.#text, word.start)) return true
    return before !== undefined && (beforePlace.has(before.folded) || /^(?:by|with|per|via)$/.test(before.folded))
  }

  #before(word: Word): Word | undefined {
    const at = skipBack(this.#text, word.start)
    return word.start - at > 2 ? undefined : wordBefore(this.#text, at)
  }

  /** Whether what stands around says that a place is meant. */
  #standsAsPlace(word: Word, end: number): boolean {
    const text = this.#text
    const before = this.#before(word)
    if (before !== undefined) return beforePlace.has(before.folded) || this.#regionAfter(end) !== ""
    if (this.#regionAfter(end) !== "") return true
    const at = skipBack(text, word.start)
    const closes = /^(?:[.,;)\n\r]|$)/.test(text.slice(end, end + 1))
    const last = text[at - 1]
    if (last === ",") return closes && !isEponym(word.folded) && this.#isPlaceBefore(at - 1)
    return last === "(" && closes
  }

  /** Whether a place, a street or somebody stands before a comma. */
  #isPlaceBefore(comma: number): boolean {
    const last = this.#scan.drafts.at(-1)
    if (last !== undefined && comma - last.end >= 0 && comma - last.end < 12) return true
    const before = wordBefore(this.#text, comma)
    return before !== undefined && isCapital(before.text) && !isTerm(before.folded)
  }

  /** "Dr Lambert, Wavre, tel": the town of a colleague, between commas after the name. */
  afterNames(): void {
    if (this.#scan.known.maker.given.towns === true) return
    const text = this.#text
    for (const { kind, start, end } of this.#scan.drafts) {
      if (kind !== "name" || text[end] !== ",") continue
      const small = text.charCodeAt(end + 3)
      if (small < 0x61 || (small > 0x7a && small < 0xdf)) continue
      const found = /^, (\p{Lu}\p{Ll}{3,})(?=[,.;\n\r)]|$)/u.exec(text.slice(end, end + 30))
      if (
        found === null ||
        !/\b(?:Dr|Dra|Prof|Doctor|Doctora|Docteur)\.? (?:\p{Lu}\S* ){0,2}$/u.test(
          text.slice(Math.max(0, start - 30), start),
        )
      )
        continue
      const folded = fold(found[1]!)
      if (isTerm(folded) || isEponym(folded) || cuesOf(folded) !== 0 || isNoName(folded)) continue
      this.#add(end + 2, end + found[0].length)
    }
  }

  /** A capitalised word that no list has, after a word for being somewhere; it ends as towns do, or can hardly be anything else. */
  unlisted(word: Word): void {
    if (this.#scan.known.maker.given.towns === true) return
    const before = this.#before(word)
    if (before === undefined || !beforePlace.has(before.folded)) return
    const { folded } = word
    if (isTerm(folded) || isEponym(folded) || isNoName(folded) || isTown(folded) || isRegion(folded)) return
    if ((cuesOf(folded) & otherThan) !== 0 || this.#isOfThing(word.end)) return
    const joins = /^ & \p{Lu}\p{Ll}/u.test(this.#text.slice(word.end, word.end + 6))
    const closes = /^(?:[.,;)\n\r]|$)/.test(this.#text.slice(word.end, word.end + 1))
    const isIn =
      /^(?:in|na|em|bei|te)$/.test(before.folded) && closes && !isAllCapitals(word.text) && !languages.has(folded)
    const isNamed = joins || isIn || hasTownEnding(folded) || (surely.has(before.folded) && !isAllCapitals(word.text))
    if (!isNamed) return
    capitals.lastIndex = word.end
    const more = capitals.exec(this.#text)?.[0] ?? ""
    const parts = more.match(/\p{L}+/gu) ?? []
    const end = parts.every((part) => !isTerm(fold(part)) && (cuesOf(fold(part)) & (otherThan | kindWords)) === 0)
      ? word.end + more.length
      : word.end
    this.#add(word.start, end)
  }
}
