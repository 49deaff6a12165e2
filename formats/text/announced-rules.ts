import { beforeJoin, cue, cuesOf } from "./cues.ts"
import { fold } from "./fold.ts"
import type { NameRules } from "./name-rules.ts"
import { isUnknownPair } from "./other-rules.ts"
import { isParticle } from "./person.ts"
import type { Scan } from "./scan.ts"
import { isFamilyName, isGivenName, isNoName } from "./listed.ts"
import { isEponym, isTerm } from "./terms.ts"
import { isThing } from "./thing.ts"
import { isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const initialled = /[ \t](?:\p{Lu}\.[ ]?){1,2}(\p{Lu}\p{Ll}[\p{L}'’-]+)/uy
const nextOfKin = /^(?: ?\(\d{1,2}(?: ?(?:m|mo|y|yo))?\))?(?:, (?:and )?| and | & |\/)/
const notPersons = cue.month | cue.weekday | cue.facility | cue.id | cue.label | cue.phone
const lineAfter = /[ \t]*[:,]?[ \t]*(?:\r\n|\r|\n)?[ \t]*/y

/** The place after one end of a line, where lines are broken as they come. */
function acrossLine(text: string, at: number): number {
  if (text[at] !== "\n" && text[at] !== "\r") return at
  const next = skip(text, at + (text.startsWith("\r\n", at) ? 2 : 1))
  return next < text.length && text[next] !== "\n" && text[next] !== "\r" ? next : at
}

/** Labels after which initials stand without a colon. */
const signing: ReadonlySet<string> = new Set(
  "vetted therapists therapist tech technologist init initials checked sonographer typist scribe".split(" "),
)
/** Labels after which a time may stand, and then who. */
const timed: ReadonlySet<string> = new Set(
  "dictated transcribed typed signed verified entered reviewed read checked".split(" "),
)
const shortTitles: ReadonlySet<string> = new Set("mr ms dr sr sra".split(" "))
/** Bodies and methods, by which things are done as well. */
const bodies: ReadonlySet<string> = new Set(
  "ems mri pcr osh icu ent fda who nhs cdc epa elisa fish ihc ttf pcp obs gyn hpf bmi gfr pet eeg ecg ekg hcp ems fnd uss usg ivf cpr ems pta npo dre".split(
    " ",
  ),
)
const smallWords: ReadonlySet<string> = new Set(
  "the and was who to of in is on at it as be by he or an no so we if up do for had has her his she not but are via per due all see now new old out our off few any can may him its one two six ten yes nil na tbc tba tbd".split(
    " ",
  ),
)

/** June and April are names where no day or year follows. */
function isMonthName(text: string, word: Word): boolean {
  return (
    /^(?:june|april|may|august)$/.test(word.folded) &&
    isCapital(word.text) &&
    !/^\.?,? ?\d/.test(text.slice(word.end, word.end + 3))
  )
}

/** Rules that find the names that a title, a degree, a label or a word for telling announces. */
export class AnnouncedRules {
  readonly #scan: Scan
  readonly #names: NameRules

  constructor(scan: Scan, names: NameRules) {
    this.#scan = scan
    this.#names = names
  }

  get #text(): string {
    return this.#scan.text
  }

  /** Names that a cue announces. */
  cue(word: Word, cues: number): void {
    const text = this.#text
    if ((cues & (cue.title | cue.weakTitle)) !== 0) this.#afterTitle(word, cues)
    if ((cues & cue.credential) !== 0) this.#names.beforeDegree(word.start, 1)
    else if (
      (cues & cue.weakCredential) !== 0 &&
      isAllCapitals(word.text) &&
      text[skipBack(text, word.start) - 1] === ","
    )
      this.#names.beforeDegree(word.start, 2)
    if ((cues & (cue.label | cue.credential)) !== 0) this.#afterLabel(word)
    if ((cues & cue.joins) !== 0) this.#afterJoin(word)
    if ((cues & cue.informs) !== 0) this.#names.take(skip(text, word.end), { most: 3 })
    if ((cues & cue.closing) !== 0) this.#afterClosing(word)
    if ((cues & cue.relative) !== 0) this.#afterRelative(word)
    if ((cues & cue.role) !== 0 && isAllCapitals(word.text)) this.#afterRole(word)
  }

  /** "RN Kylie", "PC 4471 Trevaskis": in texts that are not in capitals throughout. */
  #afterRole(word: Word): void {
    const text = this.#text
    const at = skip(text, word.end + (/^ \d{2,5}(?= )/.exec(text.slice(word.end, word.end + 7))?.[0].length ?? 0))
    const next = wordAt(text, at)
    if (next === undefined || at === word.end || !isCapital(next.text) || isAllCapitals(next.text)) return
    if (isTerm(next.folded) || isThing(text, next) || (isEponym(next.folded) && !isGivenName(next.folded))) return
    if ((cuesOf(next.folded) & notPersons) !== 0 || isNoName(next.folded)) return
    this.#names.take(at, { most: 3 })
  }

  /** "kids Jed (4), Andrei (1)", "daughter in law Glenys", "wife June". */
  #afterRelative(word: Word): void {
    const text = this.#text
    const inLaw = /^[ -]in[ -]law/i.exec(text.slice(word.end, word.end + 8))?.[0].length ?? 0
    let at = skip(text, word.end + inLaw, ",:(")
    const month = wordAt(text, at)
    if (month !== undefined && isMonthName(text, month)) this.#names.other(month)
    else if (this.#names.take(at, { most: 3 })) {
      for (let more = 0; more < 6; more++) {
        const last = this.#scan.drafts.at(-1)
        const gap = last === undefined ? null : nextOfKin.exec(text.slice(last.end, last.end + 14))
        const next = gap === null ? undefined : wordAt(text, last!.end + gap[0].length)
        if (next === undefined || !isGivenName(next.folded) || isTerm(next.folded) || !isCapital(next.text)) break
        at = next.start
        if (!this.#names.take(at, { most: 2 })) break
      }
    }
    // "mary (wife)", "BUI MINH (SON)".
    if (text[word.start - 1] !== "(") return
    const end = skipBack(text, word.start - 1)
    const before = wordBefore(text, end)
    if (before === undefined || end === word.start - 1) return
    if (isCapital(before.text)) this.#names.beforeDegree(end, 1)
    else if (isGivenName(before.folded) && !isTerm(before.folded)) this.#names.other(before)
  }

  #afterTitle(word: Word, cues: number): void {
    const text = this.#text
    // "She needs an interpreter. Lyme disease is unlikely.": the dot is not of the word.
    if (word.text.length > 5 && text[word.end] === "." && (cues & cue.weakTitle) !== 0) return
    const at = acrossLine(text, skip(text, word.end, "."))
    // MR is an examination, Sr. stands after a name as well.
    const weak = (cues & cue.weakTitle) !== 0
    const titled = isCapital(word.text) && (!isAllCapitals(word.text) || word.text.length > 2)
    const sure = !weak || (titled && shortTitles.has(word.folded)) || (word.folded === "dr" && text[word.end] === ".")
    this.#names.expect(at)
    const after = this.#scan.wordAfter(at)
    const isLoud = isAllCapitals(word.text) && isAllCapitals(after?.text ?? "")
    if (after !== undefined && this.#isSmallTitled(word, after)) this.#names.other(after)
    if (!weak || titled || isLoud || word.folded.length > 3 || text[word.end] === ".")
      this.#names.take(at, { most: isLoud ? 3 : 4, surely: sure && at === skip(text, word.end, ".") })
    if (word.folded === "drs") this.#afterAnd()
  }

  /** "Drs. Achterberg and Nguyen". */
  #afterAnd(): void {
    for (let more = 0; more < 4; more++) {
      const last = this.#scan.drafts.at(-1)
      const gap = last === undefined ? null : nextOfKin.exec(this.#text.slice(last.end, last.end + 14))
      if (gap === null || !this.#names.take(last!.end + gap[0].length, { most: 3 })) break
    }
  }

  /** Whether a small word after a small title is a name: after "dr" nearly always, after others where the whole text is small. */
  #isSmallTitled({ text }: Word, after: Word): boolean {
    if (!this.#isSmallName(after)) return false
    if (text === "dr") return true
    if (!this.#scan.isSmall || !/^(?:nurse|mr|mrs|ms|miss|prof|pcp)$/.test(text)) return false
    return isGivenName(after.folded) || isFamilyName(after.folded) || after.text.length > 3
  }

  /** "dr okoye" in notes without capitals. */
  #isSmallName({ text, folded }: Word): boolean {
    return text.length > 1 && !isCapital(text) && !isTerm(folded) && cuesOf(folded) === 0
  }

  #afterLabel(word: Word): void {
    const text = this.#text
    const at = skip(text, word.end, "()s./")
    const isDash = at > word.end && text[at + 1] === " " && (text[at] === "-" || text[at] === "–")
    if (!isDash && text[at] !== ":" && text[at] !== "|" && text[at] !== "=") {
      // "patient John", "Pt JS": the own names alone.
      this.#names.expect(skip(text, word.end, "."))
      if (word.folded === "aka") this.#names.take(skip(text, word.end, '"“(,'), { most: 3 })
      this.#timedInitials(word)
      if (signing.has(word.folded)) this.#initialsFrom(skip(text, word.end), isAllCapitals(word.text))
      return
    }
    lineAfter.lastIndex = text[at] === ":" ? at : at + 1
    lineAfter.test(text)
    let from = skip(text, lineAfter.lastIndex, "_/")
    if (text[at] === ":" && this.#initialsFrom(from, false, true)) return
    if (this.#timedInitials(word)) return
    const many = word.folded === "cc" || word.folded === "bcc" || word.folded === "attn"
    this.#names.expect(from)
    for (let names = 0; names < (many ? 10 : 1); names++) {
      if (!this.#names.take(from, { most: 5, comma: true })) break
      const last = this.#scan.drafts.at(-1)!.end
      const next = skip(text, this.#afterDegrees(last), ",;/&.")
      if (next === last) break
      from = next
    }
  }

  /** "Sonographer: kmc", "Therapists KB and TS", "VETTED MH": two or three letters that are no word.
   * @param loud whether the label is in capitals, so that capitals say nothing
   * @param sure whether a colon stands before */
  #initialsFrom(from: number, loud: boolean, sure = false): boolean {
    const next = wordAt(this.#text, from)
    if (next === undefined || !this.#mayBeInitials(next, loud, sure)) return false
    this.#names.letters(next)
    const more = /^(?:\/| and | & |, )(?=\p{L}{2,3}(?!\p{L}))/u.exec(this.#text.slice(next.end, next.end + 9))
    if (more !== null) this.#initialsFrom(next.end + more[0].length, loud, sure)
    return true
  }

  #mayBeInitials({ text, folded, end }: Word, loud: boolean, sure: boolean): boolean {
    if (text.length < 2 || text.length > 3 || isTerm(folded) || cuesOf(folded) !== 0 || isParticle(folded)) return false
    if (!/^(?:[\s,.;/)]|$)/.test(this.#text.slice(end, end + 1)) || smallWords.has(folded)) return false
    if (text === text.toUpperCase()) return sure || !loud || !/[aeiou]/.test(folded)
    return text === text.toLowerCase() && (sure || !/[aeiouy]/.test(folded))
  }

  /** "DICTATED: 04/03/2019 15:01 jbw": who, after when. */
  #timedInitials(word: Word): boolean {
    if (!timed.has(word.folded)) return false
    const rest = this.#text.slice(word.end, word.end + 44)
    const found =
      /^:?[ ]{1,2}\d{1,4}[./-]\d{1,2}[./-]\d{2,4}(?:[ ]\d{1,2}:?\d\d(?::\d\d)?)?[ ]{1,2}(?=\p{L}{2,3}(?:[ ]{2}|[\n\r.,;]|$))/u.exec(
        rest,
      )
    return found !== null && this.#initialsFrom(word.end + found[0].length, false, true)
  }

  /** The place after degrees that follow a name: ", MD". */
  #afterDegrees(from: number): number {
    let at = from
    for (let next = wordAt(this.#text, skip(this.#text, at, ",")); next !== undefined;) {
      if ((cuesOf(next.folded) & (cue.credential | cue.weakCredential)) === 0) break
      at = next.end
      next = wordAt(this.#text, skip(this.#text, at, ","))
    }
    return at
  }

  #afterJoin(word: Word): void {
    const before = wordBefore(this.#text, skipBack(this.#text, word.start))
    const isJoin = before !== undefined && beforeJoin[word.folded]?.has(before.folded) === true
    const body = this.#scan.wordAfter(word.end)
    if (body !== undefined && isAllCapitals(body.text) && bodies.has(body.folded)) return
    if (!isJoin && word.folded === "by" && this.#lettersAfter(word.end)) return
    const isKnown =
      isJoin || this.#isInitialled(word.end) || (word.folded === "by" && isUnknownPair(this.#text, word.end))
    if (!isKnown) return
    if (isJoin && word.folded === "by" && this.#initials(word.end)) return
    lineAfter.lastIndex = word.end
    lineAfter.test(this.#text)
    this.#names.take(skip(this.#text, lineAfter.lastIndex, "_/"), { most: 4, comma: word.folded === "by" })
  }

  /** "original by RTW 04/03/2019.": three capitals after "by", whatever was done. */
  #lettersAfter(from: number): boolean {
    const found = /^ (\p{Lu}{3})(?=[.,;)\n\r]|$| \d)/u.exec(this.#text.slice(from, from + 6))
    return (
      found !== null &&
      /\p{Ll}/u.test(this.#text.slice(from - 2, from)) &&
      !bodies.has(fold(found[1]!)) &&
      this.#initials(from)
    )
  }

  /** "read back by TLM." */
  #initials(from: number): boolean {
    const next = wordAt(this.#text, skip(this.#text, from, ":"))
    if (next === undefined || !isAllCapitals(next.text) || next.text.length > 3 || isTerm(next.folded)) return false
    if (
      cuesOf(next.folded) !== 0 ||
      bodies.has(next.folded) ||
      !/^(?:[.,;)\n\r]|$| \d)/.test(this.#text.slice(next.end, next.end + 2))
    )
      return false
    this.#names.letters(next)
    return true
  }

  /** "by L. Vlasenko" says who, whatever was done. */
  #isInitialled(from: number): boolean {
    initialled.lastIndex = from
    const found = initialled.exec(this.#text)?.[1]
    return found !== undefined && !isTerm(fold(found)) && !isEponym(fold(found))
  }

  #afterClosing(word: Word): void {
    const rest = /^[^\n\r,.]{0,20},?\s*/.exec(this.#text.slice(word.end, word.end + 60))
    if (word.folded === "hilsen") this.#names.take(skip(this.#text, word.end, ",\n\r"), { most: 3 })
    if (rest !== null && /[,\n]/.test(rest[0])) this.#names.take(word.end + rest[0].length, { most: 4, comma: true })
  }
}
