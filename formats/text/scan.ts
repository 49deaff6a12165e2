import { AddressRules } from "./address-rules.ts"
import { AnnouncedRules } from "./announced-rules.ts"
import { months, weekdays } from "./calendar.ts"
import type { Day } from "./calendar.ts"
import { beforePlace, capitalFilter, cue, cueFilter, cuesOf } from "./cues.ts"
import type { Draft, FindingKind } from "./draft.ts"
import { bitOf, fold, foldOf, hashStep, kindOf, kinds } from "./fold.ts"
import { FacilityRules } from "./facility-rules.ts"
import { fuzzyName, mayBeFuzzy } from "./fuzzy.ts"
import type { OwnIds } from "./ids.ts"
import { listedFilter } from "./listed.ts"
import { NameRules } from "./name-rules.ts"
import { NumberRules } from "./number-rules.ts"
import type { OwnName, OwnNames } from "./person.ts"
import { OtherRules } from "./other-rules.ts"
import { PlaceNameRules } from "./place-names.ts"
import { PlaceRules } from "./place-rules.ts"
import { SegmentRules } from "./segment-rules.ts"
import { SiteRules } from "./site-rules.ts"
import { SignatureRules } from "./signature-rules.ts"
import type { DateOrder } from "./date-text.ts"
import type { Maker } from "./surrogates.ts"
import { isWord } from "./terms.ts"
import { TownRules } from "./town-rules.ts"
import { isCapital, wordAt } from "./word-at.ts"
import type { Word } from "./word-at.ts"

/** What a scan knows of the person and of how texts are to be read. */
export interface Known {
  readonly names: OwnNames
  readonly ids: OwnIds
  readonly places: readonly (readonly string[])[]
  /** Those of them that begin with a number. */
  readonly numberedPlaces: readonly (readonly string[])[]
  readonly birthDays: readonly Day[]
  readonly maker: Maker
  readonly order: DateOrder
}

/** Letters of a word that can be one edit away from a name. */
const leastFuzzy = 4
/** Letters of a name that is found one edit away also without a capital. */
const leastSmallFuzzy = 7
const firstUnspaced = 0x0e00
const siteCues = cue.saint | cue.facilityLast | cue.siteLast | cue.siteLabel | cue.company | cue.ward
const isUpper = (code: number): boolean => (code >= 65 && code <= 90) || (code > 0xbf && code < 0xdf)

/** One pass over a text; words that are none of ours cost a hash and a look into a bit table. */
export class Scan {
  readonly text: string
  readonly known: Known
  readonly drafts: Draft[] = []
  readonly addresses: AddressRules
  readonly #names: NameRules
  readonly #numbers: NumberRules
  readonly #announced: AnnouncedRules
  readonly #others: OtherRules
  readonly #places: PlaceRules
  readonly #facilities: FacilityRules
  readonly #towns: TownRules
  readonly #placeNames: PlaceNameRules
  readonly #sites: SiteRules
  readonly #segments: SegmentRules
  readonly #signatures: SignatureRules
  #at = 0
  #small: boolean | undefined

  constructor(text: string, known: Known) {
    this.text = text
    this.known = known
    this.addresses = new AddressRules(this)
    this.#names = new NameRules(this)
    this.#announced = new AnnouncedRules(this, this.#names)
    this.#others = new OtherRules(this, this.#names)
    this.#numbers = new NumberRules(this)
    this.#places = new PlaceRules(this)
    this.#facilities = new FacilityRules(this)
    this.#towns = new TownRules(this)
    this.#placeNames = new PlaceNameRules(this)
    this.#sites = new SiteRules(this)
    this.#segments = new SegmentRules(this, this.#names)
    this.#signatures = new SignatureRules(text, this.#names)
  }

  /** Whether the text has no capitals, as notes that are typed in a hurry: small letters are no sign against a name then. */
  get isSmall(): boolean {
    this.#small ??= this.text.length > 20 && !/\p{Lu}\p{Ll}/u.test(this.text) && /\p{Ll}{3}/u.test(this.text)
    return this.#small
  }

  /** Adds a finding. */
  add(kind: FindingKind, start: number, end: number, make: Draft["make"], day?: Day): void {
    this.drafts.push(day === undefined ? { kind, start, end, make } : { kind, start, end, make, day })
  }

  run(): readonly Draft[] {
    const { text } = this
    const { length } = text
    this.#signatures.line(0)
    while (this.#at < length) {
      const code = text.charCodeAt(this.#at)
      const kind = kindOf[code]
      if (kind === kinds.letter) this.#word(code)
      else if (kind === kinds.digit) this.#number()
      else if (code === 0x40) this.#at = Math.max(this.#numbers.mail(this.#at), this.#at + 1)
      else if (code === 0x5e) this.#at = Math.max(this.#segments.caret(this.#at), this.#at + 1)
      else {
        this.#at++
        if (code === 0x0a || code === 0x0d) this.#signatures.line(this.#at)
        else if (code === 0x2f && (text[this.#at] === "s" || text[this.#at] === "e"))
          this.#signatures.signed(this.#at - 1)
      }
    }
    this.#signatures.end()
    this.#placeNames.afterNames()
    this.#segments.heads()
    return this.drafts
  }

  #number(): void {
    for (const place of this.known.numberedPlaces)
      if (this.text.startsWith(place[0]!, this.#at))
        this.#places.own({ start: this.#at, end: this.#at, text: "", folded: "" }, place)
    this.#at = Math.max(this.#numbers.number(this.#at), this.#at + 1)
  }

  /** A run of letters: its hash and mask are made on the way, and nothing is allocated for a word that is none of ours. */
  #word(first: number): void {
    const { text, known } = this
    const { length } = text
    const start = this.#at
    let at = start
    let hash = 0
    let mask = 0
    let letters = 0
    let code = first
    for (;;) {
      const kind = kindOf[code]
      if (kind === kinds.letter) {
        const folded = foldOf[code]!
        hash = hashStep(hash, folded)
        mask |= bitOf(folded)
        letters++
      } else if (kind !== kinds.mark) break
      code = ++at < length ? text.charCodeAt(at) : 0
    }
    this.#at = at
    if (first >= firstUnspaced && known.names.needles.length > 0) this.#names.unspaced(start, at)
    const isDigitNext = kindOf[code] === kinds.digit
    if (
      (isDigitNext || code === 0x2d || code === 0x5f || known.ids.mayBegin(first)) &&
      this.#code(start, at, isDigitNext)
    )
      return
    if (code === 0x2e && letters > 4 && text.startsWith("str.", at - 3) && this.#germanStreet(start, at + 1)) return
    if (code === 0x20 && letters > 4 && this.#germanStreet(start, at)) return
    const isRare = letters === 1 || cueFilter.may(hash) || known.names.filter.may(hash) || listedFilter.may(hash)
    const isPlace = letters > 3 && isUpper(first) && this.#isAfterPlaceWord(start)
    const isNamed = isPlace || (isUpper(first) && capitalFilter.may(hash))
    if (!isRare && !isNamed && (letters < leastFuzzy || !mayBeFuzzy(known.names.fuzzy, mask, letters))) return
    const source = text.slice(start, at)
    if (isPlace) this.#placeNames.unlisted({ start, end: at, text: source, folded: fold(source) })
    this.#told({ start, end: at, text: source, folded: fold(source) }, letters)
  }

  /** Whether a word for being somewhere stands before. */
  #isAfterPlaceWord(start: number): boolean {
    const { text } = this
    if (text.charCodeAt(start - 1) !== 0x20) return false
    let from = start - 1
    while (from > 0 && start - from < 12 && kindOf[text.charCodeAt(from - 1)] === kinds.letter) from--
    return start - from > 2 && beforePlace.has(text.slice(from, start - 1).toLowerCase())
  }

  /** Whether a code of letters and digits begins here; the scan has passed it then. */
  #code(start: number, wordEnd: number, isDigitNext: boolean): boolean {
    const isQuarter = wordEnd - start === 1 && this.text[start] === "Q"
    const end = (isQuarter ? this.#numbers.quarter(start) : 0) || this.#numbers.code(start, wordEnd)
    if (end > 0) this.#at = end
    else if (isDigitNext) this.#names.misread(start)
    return end > 0
  }

  /** Whether a street with its number begins here; the scan has passed it then. */
  #germanStreet(start: number, wordEnd: number): boolean {
    if (kindOf[this.text.charCodeAt(wordEnd + 1)] !== kinds.digit || !isCapital(this.text[start]!)) return false
    const end = this.#places.word({ start, end: wordEnd, text: "", folded: "" })
    if (end > 0) this.#at = end
    return end > 0
  }

  #told(word: Word, letters: number): void {
    const { known } = this
    if (letters === 1) {
      this.#at = Math.max(this.#at, this.#names.letter(word))
      return
    }
    const own = this.#ownOf(word)
    if (own !== undefined) this.#names.own(word, own)
    else if (letters <= 3 && known.names.initials.has(word.folded)) this.#names.bareInitials(word)
    else if (letters > 1) this.#at = Math.max(this.#at, this.#others.word(word))
    const cues = cuesOf(word.folded)
    if (cues !== 0) this.#at = Math.max(this.#at, this.#cue(word, cues))
    for (const place of known.places) if (place[0] === word.folded) this.#places.own(word, place)
  }

  #ownOf({ folded, text }: Word): OwnName | undefined {
    const { words, fuzzy } = this.known.names
    const own = words.get(folded)
    if (own !== undefined && (own.fuzzy === undefined || isCapital(text))) return own
    if (folded.length < leastFuzzy || isWord(folded)) return undefined
    const found = fuzzyName(fuzzy, folded)
    if (found === undefined) return undefined
    const isSmall = !isCapital(text)
    return isSmall && found.canonical.length < leastSmallFuzzy ? undefined : { ...found, kind: "plain", fuzzy: true }
  }

  /** What a cue says of its surroundings; gives where the scan goes on, 0 for after the word. */
  #cue(word: Word, cues: number): number {
    if ((cues & cue.month) !== 0 && months.has(word.folded)) {
      const end = this.#numbers.month(word)
      if (end > 0) return end
    }
    if ((cues & cue.weekday) !== 0 && weekdays.has(word.folded)) this.#numbers.weekday(word)
    if ((cues & (cue.id | cue.weakId)) !== 0) {
      const end = this.#numbers.labelledId(word, (cues & cue.id) !== 0)
      if (end > 0) return end
    }
    if ((cues & cue.phone) !== 0) {
      const end = this.#numbers.labelledPhone(word)
      if (end > 0) return end
    }
    if ((cues & (cue.birth | cue.age)) !== 0) this.#numbers.birthOrAge(word, (cues & cue.birth) !== 0)
    if ((cues & cue.numberWord) !== 0) this.#numbers.spelledAge(word)
    if ((cues & cue.domain) !== 0) {
      const end = this.#numbers.address(word)
      if (end > 0) return end
    }
    if ((cues & cue.streetFirst) !== 0) {
      const end = this.#places.streetFirst(word)
      if (end > 0) return end
    }
    if ((cues & cue.place) !== 0) {
      const end = this.#placeNames.listed(word)
      if (end > 0) return end
    }
    if ((cues & cue.postal) !== 0) {
      const end = this.#places.word(word)
      if (end > 0) return end
    }
    if ((cues & (cue.facility | cue.facilityFirst)) !== 0) this.#facilities.facility(word, cues)
    if ((cues & siteCues) !== 0) this.#sites.cue(word, cues)
    if ((cues & cue.streetLast) !== 0) this.#places.streetLast(word)
    if ((cues & cue.dwells) !== 0) this.#towns.after(word)
    this.#announced.cue(word, cues)
    return 0
  }

  /** A house number and its street. */
  street = (start: number, end: number): number => this.#places.street(start, end)

  /** A five-figure postal code. */
  postal = (start: number, end: number): number => this.#places.postal(start, end)

  /** The word after blanks, for rules that look ahead. */
  wordAfter(end: number): Word | undefined {
    let at = end
    while (this.text[at] === " ") at++
    return wordAt(this.text, at)
  }
}
