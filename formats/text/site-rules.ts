import { beforePlace, cue, cuesOf, facilityPart, facilityPlain } from "./cues.ts"
import { fold, kindOf, kinds } from "./fold.ts"
import { isNoName } from "./listed.ts"
import type { Scan } from "./scan.ts"
import { inCaseOfName } from "./surrogates.ts"
import { isEponym, isTerm } from "./terms.ts"
import { isThing } from "./thing.ts"
import { isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const otherThan =
  cue.title | cue.relative | cue.month | cue.weekday | cue.label | cue.id | cue.phone | cue.birth | cue.age
const saint =
  /\.?[ ](\p{Lu}[\p{Ll}\p{Lu}'’-]+)((?:['’]s|['’]S)?)((?:[ ](?:and[ ])?(?:St\.?[ ])?\p{Lu}[\p{L}'’-]+){0,2})/uy
/** Saints of remedies and devices. */
const noSaints: ReadonlySet<string> = new Set(["johns wort", "jude valve", "jude medical", "vitus dance"])
const labelled =
  /[ ]?:[ \t]*(\p{Lu}[\p{L}'’-]*(?:(?<=[ :](?:St|Mt|Ste|Ft))\.)?(?:[ ](?:(?:of|de|du|and|&|the)[ ])?\p{Lu}[\p{L}'’-]*(?:(?<= (?:St|Mt|Ste|Ft|Inc|Co))\.)?){0,5})/uy
const opened = /[ ](\p{Lu}\p{Ll}[\p{L}'’-]*(?:[ ]\p{Lu}\p{Ll}[\p{L}'’-]*){0,3})/uy
const wardName = /[ ](\p{Lu}\p{Ll}[\p{L}'’-]+(?:[ ]\p{Lu}\p{Ll}[\p{L}'’-]+)?)(?=[ ]?(?:[.,;:)\n\r]|ward|Ward|$))/uy

/** Rules that find the names of houses, firms and wards, and of hospitals that are called by the end of their name. */
export class SiteRules {
  readonly #scan: Scan

  constructor(scan: Scan) {
    this.#scan = scan
  }

  get #text(): string {
    return this.#scan.text
  }

  /** A cue of a site; which, its bits say. */
  cue(word: Word, cues: number): void {
    if ((cues & cue.siteLabel) !== 0) this.#labelled(word)
    if (!isCapital(word.text)) {
      if ((cues & cue.ward) !== 0) this.#wardBefore(word)
      return
    }
    if ((cues & cue.saint) !== 0) this.#saint(word)
    if ((cues & cue.facilityLast) !== 0) this.#named(word, true)
    if ((cues & cue.siteLast) !== 0) this.#named(word, false)
    if ((cues & cue.company) !== 0) this.#company(word)
    if ((cues & cue.ward) !== 0) {
      this.#wardBefore(word)
      this.#wardAfter(word)
    }
  }

  #add(start: number, end: number, kept: string): void {
    const name = this.#text.slice(start, end).trim()
    const made = inCaseOfName(name, this.#scan.known.maker.place(fold(name)))
    this.#scan.add("place", start, end + kept.length, made + kept)
  }

  /** The start of the capitalised words before a kind, and whether one of them is no word of the language. */
  #run(end: number, loud: boolean): { readonly start: number; readonly words: number; readonly telling: boolean } {
    const text = this.#text
    let [start, words, telling] = [end, 0, false]
    for (; words < 4; words++) {
      let at = skipBack(text, start)
      if (start - at > 1) break
      if (kindOf[text.charCodeAt(at - 1)] === kinds.apostrophe || text[at - 1] === "-") at--
      else if (text[at - 1] === "." && /(?:^|\s)(?:St|Mt|Ft)$/.test(text.slice(Math.max(0, at - 4), at - 1))) at--
      const before = wordBefore(text, at)
      if (before === undefined || (!isCapital(before.text) && !(before.text === "s" && at < start))) break
      if (isAllCapitals(before.text) !== loud && before.text.length > 2) break
      if ((cuesOf(before.folded) & otherThan) !== 0 || (isNoName(before.folded) && !facilityPart.has(before.folded)))
        break
      if (facilityPlain.has(before.folded)) break
      telling ||= before.text.length > 2 && !isTerm(before.folded) && !isEponym(before.folded)
      start = before.start
    }
    return { start, words, telling }
  }

  #isAfterPlaceWord(start: number): boolean {
    const before = wordBefore(this.#text, skipBack(this.#text, start))
    if (before?.folded === "the") return this.#isAfterPlaceWord(before.start)
    return before !== undefined && beforePlace.has(before.folded)
  }

  /** "to Mercy General", "at Whitcliffe House": after a word for being somewhere, or with a name that is no word. */
  #named(word: Word, hospital: boolean): void {
    if (hospital && (cuesOf(this.#scan.wordAfter(word.end)?.folded ?? "") & cue.facility) !== 0) return
    const end = skipBack(this.#text, word.start)
    const { start, words, telling } = this.#run(end, isAllCapitals(word.text))
    if (words === 0 || (!telling && words < 2 && !hospital)) return
    if (!telling && !this.#isAfterPlaceWord(start)) return
    if (!telling && /^(?:general|regional|community)$/.test(word.folded) && words < 1) return
    this.#add(start, end, this.#text.slice(end, word.end))
  }

  /** "at St Vincent's", "from St. Mary". */
  #saint(word: Word): void {
    if (
      isAllCapitals(word.text) &&
      word.folded === "st" &&
      this.#text[word.end] !== "." &&
      !/^ \p{Lu}+['’]S/u.test(this.#text.slice(word.end, word.end + 20))
    )
      return
    saint.lastIndex = word.end
    const found = saint.exec(this.#text)
    if (found === null) return
    const [, name, possessive, more] = found as unknown as readonly [string, string, string, string]
    const before = this.#text[skipBack(this.#text, word.start) - 1]
    const owned = possessive !== "" || /['’]s$/i.test(name)
    if (!owned && !this.#isAfterPlaceWord(word.start) && before !== undefined && !/[\n\r(,:;.]/.test(before)) return
    const next = this.#scan.wordAfter(word.end + found[0].length - more.length)
    if (
      noSaints.has(`${fold(name + possessive)} ${next?.folded ?? ""}`) ||
      noSaints.has(`${fold(name)} ${next?.folded ?? ""}`)
    )
      return
    if (isTerm(fold(name)) && possessive === "") return
    const end = saint.lastIndex - more.length
    this.#add(word.start, end, "")
  }

  /** "Pharmacy: Boots, High Street", "Nursing home: Sunny Acres". */
  #labelled(word: Word): void {
    const open =
      /^(?:school|nursery|insurance|employer|pharmacy|insurer)$/.test(word.folded) && this.#text[word.end] === " "
    const pattern = open ? opened : labelled
    pattern.lastIndex = word.end
    const found = pattern.exec(this.#text)?.[1]
    if (found === undefined) return
    const first = wordAt(found, 0)
    if (first === undefined) return
    const folded = found.split(/[ .'’-]+/).map(fold)
    if (open && (isAllCapitals(first.text) || isEponym(first.folded) || folded.some((each) => facilityPlain.has(each))))
      return
    if (open && isTerm(first.folded) && folded.length < 2) return
    const small = folded.every((each) => isTerm(each) || facilityPlain.has(each))
    if (small && (folded.length < 2 || isAllCapitals(first.text) || folded.some((each) => facilityPlain.has(each))))
      return
    if (!small && isAllCapitals(first.text) && first.text.length < 3) return
    if ((cuesOf(first.folded) & otherThan) !== 0) return
    const start = pattern.lastIndex - found.length
    if (this.#text[pattern.lastIndex] === ":" || (open && small)) return
    this.#add(start, pattern.lastIndex, "")
  }

  /** "Pinnacle Steel Inc." */
  #company(word: Word): void {
    const text = this.#text
    const end = skipBack(text, word.start, ",")
    const { start, words } = this.#run(end, isAllCapitals(text.slice(Math.max(0, end - 3), end)))
    if (words > 0) this.#add(start, end, text.slice(end, word.end))
  }

  /** "Nightingale Ward". */
  #wardBefore(word: Word): void {
    const end = skipBack(this.#text, word.start)
    const name = wordBefore(this.#text, end)
    if (name === undefined || end === word.start || !isCapital(name.text) || isAllCapitals(name.text)) return
    if (name.text.length < 4 || isTerm(name.folded) || isNoName(name.folded) || facilityPlain.has(name.folded)) return
    if ((cuesOf(name.folded) & otherThan) !== 0 || isThing(this.#text, name)) return
    if (isEponym(name.folded) && word.folded !== "ward") return
    this.#add(name.start, name.end, this.#text.slice(name.end, word.end))
  }

  /** "Ward Rosebery". */
  #wardAfter(word: Word): void {
    if (word.folded !== "ward") return
    wardName.lastIndex = word.end
    const found = wardName.exec(this.#text)?.[1]
    if (found === undefined || found.split(" ").some((each) => isTerm(fold(each)))) return
    this.#add(skip(this.#text, word.end), wardName.lastIndex, "")
  }
}
