import cueTable from "./data/cues.json" with { type: "json" }
import { HashFilter, fold, maskOf } from "./fold.ts"
import { nicknameGroups } from "./surrogates.ts"
import { isEponym, isWord } from "./terms.ts"

/** One name of a person, in parts; each may be of several words. */
export interface TextName {
  readonly family: readonly string[]
  readonly given: readonly string[]
}

/** An identifier of the person, and what stands for it where other formats have made that already. */
export interface TextId {
  readonly value: string
  readonly surrogate?: string
}

/** What is known of the person that a text is about. */
export interface TextPerson {
  /** All names: also former ones, aliases, those of known relatives. */
  readonly names: readonly TextName[]
  /** Patient ids, accession and account numbers, phones: found with and without separators. */
  readonly ids: readonly TextId[]
  /** Birth dates, as yyyy-mm-dd. */
  readonly birthDates: readonly string[]
  /** Addresses line by line, towns, employers: found as they are. */
  readonly places?: readonly string[]
}

/** What a word of a text is when it is one of the person's names. */
export interface OwnName {
  /** The name that it is a form of: it decides the surrogate. */
  readonly canonical: string
  readonly given: boolean
  /** plain: always a name. word: one of the language's as well. eponym: one of medicine's. short: two letters. */
  readonly kind: "plain" | "word" | "eponym" | "short"
  /** One edit away from how it is written. */
  readonly fuzzy?: true
}

const particles: ReadonlySet<string> = new Set(cueTable.particle.split(" "))

/** Words such as van and de, which are part of a name and no name. */
export const isParticle = (folded: string): boolean => particles.has(folded)

/** The words of a name; what stands between them is blank, hyphen, apostrophe, dot, comma or caret. */
export const nameWords = (text: string): readonly string[] => text.match(/[\p{L}\p{M}]+/gu) ?? []

/** Scripts that set no blanks between words. */
// eslint-disable-next-line no-misleading-character-class
const unspaced = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/

/** A name in a script without blanks between words, searched as a text. */
export interface Needle {
  readonly text: string
  readonly canonical: string
}

/** Names of the letters that other spellings write in two. */
const transcribed: readonly (readonly [RegExp, string])[] = [
  [/ü/g, "ue"],
  [/ö/g, "oe"],
  [/ä/g, "ae"],
  [/ß/g, "ss"],
  [/å/g, "aa"],
  [/ø/g, "oe"],
  [/æ/g, "ae"],
  [/œ/g, "oe"],
  [/ñ/g, "ny"],
]
const untranscribed: readonly (readonly [RegExp, string])[] = [
  [/ue/g, "u"],
  [/oe/g, "o"],
  [/ae/g, "a"],
  [/ss/g, "s"],
]

/** What scanners of paper take for one another. */
const confusions: readonly (readonly [string, string])[] = [
  ["m", "rn"],
  ["d", "cl"],
  ["w", "vv"],
  ["h", "li"],
  ["n", "ri"],
  ["u", "ii"],
]

function spellings(name: string): readonly string[] {
  const lower = name.toLowerCase()
  let long = lower
  for (const [pattern, by] of transcribed) long = long.replace(pattern, by)
  const folded = fold(lower)
  const short = untranscribed.map(([pattern, by]) => folded.replace(pattern, by)).filter((made) => made.length > 2)
  return [...new Set([folded, fold(long), ...short])]
}

const cyrillicEndings = ["а", "у", "ом", "е", "ым", "ой", "ои", "ы", "и", "ю", "я", "ем", "еи", "ого", "ому"]

/** Forms that a language's grammar gives a name. */
function inflected(folded: string): readonly string[] {
  if (/^[а-я]/.test(folded) && folded.length >= 4) {
    const stem = folded.replace(/[аяыиоеуюй]$/, "")
    return [...cyrillicEndings.map((ending) => stem + ending), ...cyrillicEndings.map((ending) => folded + ending)]
  }
  if (/^[\u0621-\u064a]/.test(folded)) return [..."وبلكف"].map((before) => before + folded)
  return folded.length >= 4 && /^[a-z]/.test(folded) && !folded.endsWith("s") ? [`${folded}s`] : []
}

function confused(folded: string): readonly string[] {
  const found: string[] = []
  for (const [one, two] of confusions)
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const)
      for (let at = folded.indexOf(from); at >= 0; at = folded.indexOf(from, at + 1))
        found.push(folded.slice(0, at) + to + folded.slice(at + from.length))
  return found
}

const kindOfName = (folded: string): OwnName["kind"] => {
  if (folded.length <= 2 && /^[a-z]/.test(folded)) return "short"
  if (isEponym(folded)) return "eponym"
  return isWord(folded) ? "word" : "plain"
}

/** Letters from which on a name is also found one edit away. */
const leastFuzzy = 5

/** A name as the search for it one edit away needs it. */
export interface Fuzzy {
  readonly folded: string
  readonly mask: number
  readonly own: OwnName
}

/** The person's names and identifiers, ready to be looked up. */
export class OwnNames {
  readonly words = new Map<string, OwnName>()
  readonly filter = new HashFilter(12)
  readonly fuzzy: Fuzzy[] = []
  readonly needles: Needle[] = []
  /** Folded initials of two or three letters, as js, and the canonical name of each letter. */
  readonly initials = new Set<string>()
  readonly firstLetters = new Map<string, OwnName>()
  readonly particles = new Set<string>()

  constructor(names: readonly TextName[]) {
    for (const { family, given } of names) {
      for (const text of family) this.#add(text, false)
      for (const text of given) this.#add(text, true)
      this.#addInitials(family, given)
      this.#addNeedles(family, given)
    }
    for (const folded of this.initials) this.filter.add(folded)
    for (const [folded, own] of this.words) {
      this.filter.add(folded)
      if (own.fuzzy === undefined && own.kind !== "short" && folded.length >= leastFuzzy)
        this.fuzzy.push({ folded, mask: maskOf(folded), own })
    }
  }

  #add(text: string, given: boolean): void {
    const words = nameWords(text)
    const telling = words.filter((word) => !isParticle(fold(word)))
    for (const word of words) if (isParticle(fold(word))) this.particles.add(fold(word))
    for (const word of telling.length === 0 ? words : telling) this.#addWord(word, given)
    // "O'Brien" is also written OBrien, "De la Cruz" also Delacruz.
    if (words.length > 1)
      this.#addForms(words.map(fold).join(""), { canonical: fold(words.join("")), given, kind: "plain" })
  }

  #addWord(word: string, given: boolean): void {
    const folded = fold(word)
    if (folded.length < 2) return
    const own: OwnName = { canonical: folded, given, kind: kindOfName(folded) }
    this.#addForms(word, own)
    if (!given) return
    for (const group of nicknameGroups.get(folded) ?? [])
      for (const form of group) if (form !== folded) this.#set(form, { ...own, kind: kindOfName(form) })
  }

  #addForms(word: string, own: OwnName): void {
    for (const spelling of spellings(word)) {
      this.#set(spelling, { ...own, kind: kindOfName(spelling) })
      for (const form of inflected(spelling)) this.#set(form, { ...own, kind: kindOfName(form) })
      if (spelling.length >= leastFuzzy)
        for (const form of confused(spelling)) if (!isWord(form)) this.#set(form, { ...own, fuzzy: true })
    }
  }

  #set(folded: string, own: OwnName): void {
    const standing = this.words.get(folded)
    if (standing === undefined || (standing.fuzzy === true && own.fuzzy === undefined)) this.words.set(folded, own)
    const letter = folded[0]!
    if (own.canonical.startsWith(letter) && own.fuzzy === undefined && !this.firstLetters.has(letter))
      this.firstLetters.set(letter, own)
  }

  #addInitials(family: readonly string[], given: readonly string[]): void {
    const letters = (texts: readonly string[]) =>
      texts
        .flatMap(nameWords)
        .map((word) => fold(word)[0] ?? "")
        .filter((letter) => letter !== "")
    const [firsts, lasts] = [letters(given), letters(family)]
    for (const last of lasts) {
      if (firsts[0] !== undefined) this.initials.add(firsts[0] + last).add(last + firsts[0])
      if (firsts[1] !== undefined) this.initials.add(firsts[0]! + firsts[1] + last)
    }
    if (firsts.length > 0 && lasts.length > 1) this.initials.add(firsts[0]! + lasts.join(""))
  }

  #addNeedles(family: readonly string[], given: readonly string[]): void {
    const [last, first] = [family.join(""), given.join("")]
    const texts = [
      last + first,
      `${last} ${first}`,
      `${last}　${first}`,
      `${last}・${first}`,
      first + last,
      ...family,
      ...given,
    ]
    for (const text of texts)
      if (unspaced.test(text) && text.trim().length >= 2)
        this.needles.push({ text: text.trim(), canonical: fold(text) })
    this.needles.sort((a, b) => b.text.length - a.text.length)
  }

  /** Whether a folded word is a name or a form of one; what is made must not be one. */
  has = (folded: string): boolean => this.words.has(folded)
}
