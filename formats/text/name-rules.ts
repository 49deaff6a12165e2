import { cue, cuesOf } from "./cues.ts"
import { fold } from "./fold.ts"
import { fuzzyName } from "./fuzzy.ts"
import { isFamilyName, isNoName } from "./listed.ts"
import { misreadEnd, unmisread } from "./misread.ts"
import { nameRun, nameRunBefore } from "./name-run.ts"
import type { NameRun } from "./name-run.ts"
import { isParticle } from "./person.ts"
import type { OwnName } from "./person.ts"
import type { Scan } from "./scan.ts"
import { inCaseOf, initialFor } from "./surrogates.ts"
import { isEponym, isHead, isTerm, isVerb, isWord } from "./terms.ts"
import { beginsSentence, isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import { isThing } from "./thing.ts"
import type { Word } from "./word-at.ts"

/** Abbreviations with dots that are nobody's initials. */
const dotted: ReadonlySet<string> = new Set(
  "iv po er md im ct mr us so bp hr pm am ie eg ph do pa rn gi gu ed or sc sl pr ad ap".split(" "),
)
const twoInitials = /\p{Lu}\.\s?\p{Lu}\.(?:\s?\p{Lu}\.)?/uy
const initials =
  /\p{Lu}\.[ ]?(?:-?(\p{Lu})\.?[ ]?(?:\p{Lu}\.[ ]?)?)?(?:(?:von|van|der|den|de|la|di|da|del|ten|ter|zu|af|le)[ ]|[dDlLO]['’]|(?:De|Van|Von|Di|La|Le)[ ])*(\p{Lu}[\p{L}'’]+(?:-\p{Lu}\p{L}+)?)(?![\p{L}\d])/uy
/** What may stand before the initials of somebody, and is not the sentence that a letter ends. */
const beforeInitials =
  /(?:^|[\n\r,:;(/&"|]|[.!?] |- |\b(?:by|with|from|and|cc|to|per|w|via|of|dr|mr|mrs|ms|prof|rn|np|pa|md|nurse|surgeon|consultant|attending|resident|fellow|tech|dott|sig|prof\.|dr\.|mr\.|mrs\.|ms\.))[ ]*$/i
/** Second names of bacteria and parasites, where they have a capital. */
const epithets: ReadonlySet<string> = new Set(
  "coli aureus pylori difficile diff pneumoniae albicans faecalis falciparum vivax fragilis cereus marcescens influenzae catarrhalis jirovecii carinii fumigatus tuberculosis avium trachomatis gonorrhoeae meningitidis epidermidis pyogenes agalactiae viridans bovis cepacia cenocepacia aeruginosa mirabilis vulgaris cloacae histolytica lamblia neoformans immitis burgdorferi pallidum jejuni maltophilia haemolyticus acnes granulosus donovani typhi".split(
    " ",
  ),
)
const degree = /(?:M|D|Ph|R)\.\s?(?:D|O|N)\.?(?![\p{L}])/uy

/** Rules that find names: the person's own, and the words of others'. */
export class NameRules {
  readonly #scan: Scan
  /** Where the name of somebody is expected by what stands before. */
  #named = -1
  /** The end of the last own name. */
  #lastOwn = -1

  constructor(scan: Scan) {
    this.#scan = scan
  }

  get #text(): string {
    return this.#scan.text
  }

  /** One word of a name, replaced; what is the same name gets the same. */
  #replace(word: Word, own: OwnName | undefined): void {
    const { maker, names } = this.#scan.known
    if (word.text.length === 1) {
      const of = names.firstLetters.get(word.folded)
      const made =
        of === undefined
          ? initialFor(word.text, maker.key("initial", word.folded))
          : maker.name(of.canonical, of.given)[0]!
      const same = made.toLowerCase() === word.text.toLowerCase()
      this.#scan.add(
        "name",
        word.start,
        word.end,
        same ? initialFor(word.text, maker.key("initial", word.folded)) : made,
      )
      return
    }
    const found = own ?? names.words.get(word.folded)
    const made = found === undefined ? maker.name(word.folded) : maker.name(found.canonical, found.given)
    this.#scan.add("name", word.start, word.end, inCaseOf(word.text, made))
  }

  /** Says that a name is expected at a place. */
  expect(at: number): void {
    this.#named = at
  }

  /** A word of the name of somebody else. */
  other(word: Word): void {
    this.#replace(word, undefined)
  }

  #isNear(before: number, start: number): boolean {
    if (before < 0 || before > start || start - before > 5) return false
    // The end of a sentence is no gap inside a name, the dot of an initial is.
    if (/^\.\s/.test(this.#text.slice(before, before + 2)) && (wordBefore(this.#text, before)?.text.length ?? 1) > 1)
      return false
    return /^[\s,.^'’_-]{0,3}(?:\p{L}\.?[\s,.]{1,2})?$/u.test(this.#text.slice(before, start))
  }

  /** Whether the next word is a name of the person beyond doubt, so that this one is, too. */
  #isBeforeOwn(word: Word): boolean {
    const text = this.#text
    let at = skip(text, word.end, word.text.length > 1 ? ",^-'’_" : ".,^-'’_")
    if (at - word.end > 3) return false
    let next = wordAt(text, at)
    if (next?.text.length === 1 && isCapital(next.text)) {
      at = skip(text, next.end, ".,")
      next = wordAt(text, at)
    }
    if (next === undefined) return false
    const own = this.#scan.known.names.words.get(next.folded)
    return own !== undefined && own.fuzzy === undefined && (own.kind === "plain" || isCapital(next.text))
  }

  #counts(word: Word, own: OwnName): boolean {
    const capital = isCapital(word.text)
    const named = this.#named === word.start || this.#isNear(this.#lastOwn, word.start) || this.#isBeforeOwn(word)
    switch (own.kind) {
      case "plain":
        return true
      case "eponym":
        return named || (!isThing(this.#text, word) && (capital || !isWord(word.folded)))
      case "short":
        return named ? capital || !isWord(word.folded) : capital && !isWord(word.folded)
      case "word": {
        if (named) return true
        if (!capital || isThing(this.#text, word)) return false
        if (!beginsSentence(this.#text, word.start) || isAllCapitals(word.text)) return true
        const next = this.#scan.wordAfter(word.end)
        return next === undefined || isCapital(next.text) || isVerb(next.folded)
      }
    }
  }

  /** A word that is one of the person's names, if it is one here. */
  own(word: Word, own: OwnName): void {
    if (!this.#counts(word, own)) return
    this.#particlesBefore(word)
    this.#initialBefore(word)
    this.#replace(word, own)
    this.#lastOwn = word.end
  }

  /** "van der" before a name goes with it. */
  #particlesBefore(word: Word): void {
    const { names } = this.#scan.known
    let start = word.start
    for (;;) {
      const at = skipBack(this.#text, start, "'’-")
      const before = wordBefore(this.#text, at)
      if (start - at > 2 || before === undefined || !names.particles.has(before.folded) || !isParticle(before.folded))
        break
      start = before.start
    }
    if (start < word.start) this.#scan.add("name", start, word.start, "")
  }

  /** "J." before a name; the scan has passed it when it comes to the name. */
  #initialBefore(word: Word): void {
    const at = skipBack(this.#text, word.start, ".,")
    const before = wordBefore(this.#text, at)
    if (word.start - at > 2 || before?.text.length !== 1 || !isCapital(before.text)) return
    if (/[\p{L}\p{N}'’/]/u.test(this.#text[before.start - 1] ?? "")) return
    this.#replace(before, undefined)
    if (this.#text[before.end] === ".") this.#initialBefore(before)
  }

  /** A letter by itself: an initial after a name, initials with dots, or the beginning of M.D. */
  letter(word: Word): number {
    const text = this.#text
    if (!isCapital(word.text)) return 0
    degree.lastIndex = word.start
    if (degree.test(text)) {
      this.beforeDegree(word.start, 1)
      return degree.lastIndex
    }
    twoInitials.lastIndex = word.start
    if (twoInitials.test(text)) {
      const end = twoInitials.lastIndex
      const folded = fold(text.slice(word.start, end))
      if (this.#scan.known.names.initials.has(folded) && (!dotted.has(folded) || this.#named === word.start)) {
        for (let at = word.start; at < end; at++) {
          const each = wordAt(text, at)
          if (each !== undefined) this.#replace(each, undefined)
        }
        return end
      }
    }
    const named = this.#initialled(word)
    if (named > 0) return named
    if (this.#isNear(this.#lastOwn, word.start) && !/[\p{L}\p{N}]/u.test(text[word.end] ?? "")) {
      const gap = text.slice(this.#lastOwn, word.start)
      const own = this.#scan.known.names.firstLetters.has(word.folded)
      if (/^(?:,? |\^|\.)/.test(gap) && (own || this.#closesName(word))) this.#replace(word, undefined)
    }
    return 0
  }

  /** Whether a letter after an own name is the end of it: "SMITH, JOHN L is". */
  #closesName({ end }: Word): boolean {
    const rest = this.#text.slice(end, end + 6)
    return /^\.?(?:[,;)\n\r]|  |$)/.test(rest) || /^ (?:is|was|has)\b/i.test(rest)
  }

  /** "H. Featherby", "H.-P. von Allmendingen": one or two initials with dots, and a name; the end, or 0. */
  #initialled(word: Word): number {
    const text = this.#text
    if (/[\p{L}\p{N}'’&/+-]/u.test(text[word.start - 1] ?? "")) return 0
    initials.lastIndex = word.start
    const found = initials.exec(text)
    if (found === null) return 0
    const last = wordAt(text, initials.lastIndex - found[2]!.length)!
    if (isAllCapitals(last.text) && last.text.length < 3) return 0
    if (epithets.has(last.folded) || isNoName(last.folded) || isHead(last.folded)) return 0
    if ((cuesOf(last.folded) & (cue.title | cue.credential | cue.month | cue.facility | cue.id | cue.phone)) !== 0)
      return 0
    const listed = isFamilyName(last.folded)
    const before = text.slice(Math.max(0, word.start - 12), word.start)
    if (this.#scan.drafts.at(-1)?.kind === "name" && this.#scan.drafts.at(-1)!.end === skipBack(text, word.start))
      return 0
    const isOpen = beforeInitials.test(before) || this.#named === word.start
    if (!isOpen && (!listed || isAllCapitals(last.text) || /[LR]/.test(word.text))) return 0
    if (isOpen && !listed && isAllCapitals(last.text) && !/[\n\r,:;(]\s*$|^$/.test(before)) return 0
    const latin = found[1] === undefined && /[AVNM]/.test(word.text)
    const ends = /^(?:[,.;)\n\r]|$|[ ](?:MD|DO|RN|NP|PA|BSc|OT|PT))/.test(
      text.slice(initials.lastIndex, initials.lastIndex + 4),
    )
    if (isEponym(last.folded) && (latin || isThing(text, last) || !ends)) return 0
    if (
      isTerm(last.folded)
        ? !(this.#named === word.start && listed)
        : latin && !listed && !(ends && /(?:^|\n|by |with |dr\.? |cc:? |from )$/i.test(before))
    )
      return 0
    for (const each of text.slice(word.start, initials.lastIndex).matchAll(/\p{L}[\p{L}\p{M}]*/gu)) {
      const start = word.start + each.index
      const folded = fold(each[0])
      if (!isParticle(folded) || each[0].length === 1)
        this.#replace({ start, end: start + each[0].length, text: each[0], folded }, undefined)
    }
    return initials.lastIndex
  }

  /** JS in the place of a name. */
  bareInitials(word: Word): void {
    if (!isAllCapitals(word.text)) return
    const next = this.#scan.wordAfter(word.end)
    const acts =
      word.text.length === 3 && next !== undefined && isVerb(next.folded) && beginsSentence(this.#text, word.start)
    if (this.#named === word.start || acts) this.letters(word)
  }

  /** Letters that stand for somebody, one for one. */
  letters(word: Word): void {
    const { maker } = this.#scan.known
    let made = ""
    for (const [at, letter] of [...word.text].entries())
      made += initialFor(letter, maker.key("initial", `${word.folded}${at}`))
    this.#scan.add("name", word.start, word.end, made)
  }

  /** A word with a digit inside, as a scanner of paper reads Sm1th. */
  misread(start: number): void {
    const end = misreadEnd(this.#text, start)
    if (end - start < 4) return
    const found = this.#text.slice(start, end)
    const folded = unmisread(found)
    const { names } = this.#scan.known
    const own = names.words.get(folded) ?? fuzzyName(names.fuzzy, folded)
    if (own === undefined || own.kind === "short") return
    this.#replace({ start, end: start + found.length, text: found, folded }, own)
    this.#lastOwn = start + found.length
  }

  /** Names inside a run of a script without blanks. */
  unspaced(start: number, end: number): void {
    const text = this.#text
    for (let at = start; at < end; at++)
      for (const { text: needle, canonical } of this.#scan.known.names.needles)
        if (text.startsWith(needle, at)) {
          this.#scan.add("name", at, at + needle.length, this.#scan.known.maker.name(canonical, false))
          at += needle.length - 1
          break
        }
  }

  /** The name that begins at a place, if one does. */
  take(from: number, run: NameRun): boolean {
    const words = nameRun(this.#text, from, run)
    for (const each of words) this.#replace(each, undefined)
    this.#named = from
    return words.length > 0
  }

  /** The name that ends before a degree. */
  beforeDegree(start: number, least: number): void {
    const end = skipBack(this.#text, start, ",")
    for (const each of nameRunBefore(this.#text, end, least)) this.#replace(each, undefined)
  }
}
