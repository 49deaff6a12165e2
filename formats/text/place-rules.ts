import { states, streets, streetsFirst } from "./cues.ts"
import { fold, kindOf, kinds } from "./fold.ts"
import type { Scan } from "./scan.ts"
import { isTerm, isWord } from "./terms.ts"
import { isThing } from "./thing.ts"
import { beginsSentence, isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const streetName = String.raw`(?:(?:[NSEW]|[NS][EW]|North|South|East|West)\.?\s+)?(?:(?:\p{Lu}[\p{L}'’.-]*|\d{1,3}(?:st|nd|rd|th))\s+){1,4}`
const unit = String.raw`(?:\s+(?:[NSEW]|[NS][EW])(?![\p{L}\d.]))?(?:,?\s+(?:[Ss]pc?|[Ll]ot|[Bb]ldg|[Tt]rlr|[Aa]pt|[Aa]partment|[Ss]uite|[Ss]te|[Uu]nit|[Ff]loor|[Ff]l|[Rr]oom|[Rr]m|APT|SUITE|STE|UNIT|#)\.?\s*#?\s*[\p{L}\d-]{1,6})?`
const anyCase = (words: string): string =>
  words
    .split(" ")
    .flatMap((word) => [word, word[0]!.toUpperCase() + word.slice(1), word.toUpperCase()])
    .join("|")
// Capitals count, so these patterns cannot ignore case.
const american = new RegExp(
  String.raw`(\d{1,6}[A-Za-z]?(?:\s?[-/]\s?\d{1,5}[A-Za-z]?)?\s+${streetName}(?:${anyCase(streets)})(?![\p{L}\d])\.?)${unit}`,
  "yu",
)
const townRest =
  /,?[ \t]*(?:\r?\n)?[ \t]*(\p{Lu}[\p{L}'’.-]*(?:[ ]\p{Lu}[\p{L}'’.-]*){0,3})(?:,?[ \t]+([A-Z]{2})\.?)?,?[ \t]+(\d{5}(?:-\d{4})?)(?!\d)/uy
const europeanTown =
  /,?[ \t]*(?:\r?\n)?[ \t]*(?:[A-Z]{1,2}-)?(\d{4} ?[A-Z]{2}|\d{5}-\d{3}|\d{4,6}|\d{3} \d{2}|\d{2}-\d{3})[ ](\p{Lu}[\p{L}'’-]+(?:[ -]\p{Lu}[\p{L}'’-]+){0,2})/uy
const townOnly = /,[ ](\p{Lu}[\p{L}'’-]+(?:[ -]\p{Lu}[\p{L}'’-]+){0,2})(?=[,.;\n\r]|$|[ ]\d|[ ][A-Z]{2,3}(?!\p{L}))/uy
const germanStreet =
  /(\p{Lu}[\p{L}-]*(?:stra(?:ß|ss)e|str\.|weg|platz|gasse|allee|ring|damm|ufer|gatan|vägen|gränd|gade|vej|veien|vegen|gata|katu|straat|laan|plein|gracht|kade|dijk|singel))\s+(\d{1,4}\s?[a-z]?)(?![\p{L}\d])/uy
const firstStreet = new RegExp(
  String.raw`(?:${anyCase(streetsFirst)})\.?\s+(?:(?:de|du|des|la|le|les|los|las|del|della|dei|di|da|do|l['’]|d['’])\s*){0,3}\p{Lu}[\p{L}'’-]+(?:\s\p{Lu}[\p{L}'’-]+){0,3}(?:,?\s*(?:n[º°.]?\s*)?\d{1,4}(?!\d)[a-z]?)?`,
  "yu",
)
const box = /(?:P\.?\s?O\.?\s?)?Box\s+\d{1,6}/iy
const zipLabel = /(?:zip|zipcode|postcode|postal|plz)(?:\s?code)?[ :#]*/iy

const zipWords: ReadonlySet<string> = new Set("zip zipcode postcode postal plz code".split(" "))

/** "Fifth Street and Main": the other street of a crossing. */
const crossed = new RegExp(
  String.raw`^ (?:and|&|at|/) \p{Lu}\p{Ll}[\p{L}'’]+(?:[ ](?:${anyCase(streets)})(?![\p{L}\d])\.?|(?=[.,;)\n\r]|$))`,
  "u",
)

/** Rules that find addresses. */
export class PlaceRules {
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

  #digits(text: string): string {
    return this.#scan.known.maker.shape("address", text)
  }

  /** A place of the person, word by word. */
  own(word: Word, place: readonly string[]): void {
    const text = this.#text
    let at = word.start
    let end = at
    for (const part of place) {
      let to = at
      let folded = ""
      while (to < text.length && folded.length < part.length) {
        const kind = kindOf[text.charCodeAt(to)]
        if (kind !== kinds.letter && kind !== kinds.digit && kind !== kinds.mark) break
        folded = fold(text.slice(at, ++to))
      }
      if (folded !== part) return
      end = to
      at = to
      while (at < text.length && at - to < 4 && /[\s,.;/-]/.test(text[at]!)) at++
    }
    if (place.length === 1 && (word.text === "" || isTerm(word.folded) || !isCapital(word.text))) return
    if (kindOf[text.charCodeAt(end)] === kinds.letter) return
    // The Norwalk virus is of nobody's town.
    if (place.length === 1 && isThing(text, word)) return
    const made = this.#place(place.join(" "))
    this.#scan.add("address", word.start, end, isAllCapitals(word.text) ? made.toUpperCase() : made)
  }

  /** A house number and its street, with the town when it follows. */
  street(start: number, numberEnd: number): number {
    const text = this.#text
    const isUnit = text[numberEnd] === "/" || text[numberEnd] === "-"
    if (text[numberEnd] !== " " && !isUnit && kindOf[text.charCodeAt(numberEnd)] !== kinds.letter) return 0
    const next = wordAt(text, skip(text, numberEnd))
    const nextCode = text.charCodeAt(skip(text, numberEnd))
    if (!isUnit && kindOf[nextCode] !== kinds.digit && (next === undefined || !isCapital(next.text))) return 0
    american.lastIndex = start
    const found = american.exec(text)
    if (found === null || !isStreet(found[1]!, text.slice(start + found[1]!.length, start + found[1]!.length + 24)))
      return 0
    this.#scan.addresses.unitBefore(start)
    const kind = /(\S+?)\.?$/.exec(found[1]!)![1]!
    const made = `${this.#digits(text.slice(start, numberEnd))} ${this.#place(found[1]!)} ${kind}`
    this.#scan.add("address", start, start + found[0].length, made)
    return this.#town(start + found[0].length)
  }

  /** The town, state and ZIP code, or postal code and town, after a street. */
  #town(from: number): number {
    const text = this.#text
    townRest.lastIndex = from
    const found = townRest.exec(text)
    const { towns } = this.#scan.known.maker.given
    const isAmerican = found !== null && (found[2] === undefined || states.has(found[2]))
    if (towns === true && isAmerican) return townRest.lastIndex
    if (found !== null && isAmerican) {
      const town = text.indexOf(found[1]!, from)
      const [end, zip] = [townRest.lastIndex, townRest.lastIndex - found[3]!.length]
      // The State stays, as a part of what is told of the place.
      this.#scan.add("address", town, zip, this.#place(found[1]!) + text.slice(town + found[1]!.trimEnd().length, zip))
      this.#zip(zip, end, true)
      return end
    }
    europeanTown.lastIndex = from
    const other = europeanTown.exec(text)
    if (other === null) return towns === true ? from : this.#townAlone(from)
    if (towns === true) return europeanTown.lastIndex
    const code = text.indexOf(other[1]!, from)
    this.#zip(code, code + other[1]!.length)
    this.#scan.add("address", europeanTown.lastIndex - other[2]!.length, europeanTown.lastIndex, this.#place(other[2]!))
    return europeanTown.lastIndex
  }

  /** ", Kettering" after a street. */
  #townAlone(from: number): number {
    townOnly.lastIndex = from
    const found = townOnly.exec(this.#text)?.[1]
    if (found === undefined || isTerm(fold(found)) || isTerm(fold(found.split(/[ -]/)[0]!))) return from
    this.#scan.add("address", townOnly.lastIndex - found.length, townOnly.lastIndex, this.#place(found))
    return townOnly.lastIndex
  }

  /** "on Westheimer Road": a street without its number. */
  streetLast(word: Word): void {
    if (!isCapital(word.text) || isAllCapitals(word.text)) return
    const sure = /^(?:street|road|avenue|boulevard)$/.test(word.folded)
    const end = skipBack(this.#text, word.start)
    if (this.#text[end - 1] === "." || end === word.start) return
    let start = end
    for (let words = 0; words < 2; words++) {
      const before = wordBefore(this.#text, words === 0 ? end : skipBack(this.#text, start))
      if (
        before === undefined ||
        !isCapital(before.text) ||
        before.text.length < 3 ||
        beginsSentence(this.#text, before.start)
      )
        break
      if (words > 0 && isTerm(before.folded)) break
      start = before.start
    }
    if (start === end) return
    const name = this.#text.slice(start, end)
    if (!sure && !this.#isOnWay(start, name)) return
    const crossing = crossed.exec(this.#text.slice(word.end, word.end + 60))?.[0] ?? ""
    const other = crossing === "" ? "" : ` and ${this.#place(crossing)}`
    this.#scan.add(
      "address",
      start,
      word.end + crossing.length,
      this.#place(name) + this.#text.slice(end, word.end) + other,
    )
  }

  /** Whether a word for being on a street stands before, and the street is called as no organ is. */
  #isOnWay(start: number, name: string): boolean {
    const before = wordBefore(this.#text, skipBack(this.#text, start))
    const isOn = before !== undefined && /^(?:on|at|off|near|along|of|in|to|down|from|and|between)$/.test(before.folded)
    return isOn && name.split(" ").some((each) => !isTerm(fold(each)))
  }

  /** @param ofState it stands after a State of the United States */
  #zip(start: number, end: number, ofState = false): number {
    const { zip, towns } = this.#scan.known.maker.given
    const code = this.#text.slice(start, end)
    if (towns !== true)
      this.#scan.add("address", start, end, ofState && zip !== undefined ? zip(code) : this.#digits(code))
    return end
  }

  /** A five-figure number after a state, with the town before it. */
  postal(start: number, numberEnd: number): number {
    const text = this.#text
    const end =
      text[numberEnd] === "-" && /^-\d{4}(?!\d)/.test(text.slice(numberEnd, numberEnd + 6)) ? numberEnd + 5 : numberEnd
    const state = wordBefore(text, skipBack(text, start, "."))
    if (state === undefined || state.end === start) return 0
    if (!states.has(state.text))
      return zipWords.has(state.folded) ? this.#zip(start, end) : this.street(start, numberEnd)
    const town = this.#townBefore(state.start)
    if (town === undefined) return 0
    // "Interpreter ID 55102" is no town in Idaho.
    if (isWord(state.folded) && text[town[1]] !== ",") return 0
    if (this.#scan.known.maker.given.towns !== true)
      this.#scan.add("address", town[0], town[1], this.#place(text.slice(...town)))
    return this.#zip(start, end, true)
  }

  #townBefore(stateStart: number): readonly [number, number] | undefined {
    const text = this.#text
    const end = skipBack(text, stateStart, ",")
    let start = end
    for (let words = 0; words < 3; words++) {
      const word = wordBefore(text, start === end ? end : skipBack(text, start, "."))
      if (word === undefined || !isCapital(word.text) || (words > 0 && isTerm(word.folded))) break
      start = word.start
    }
    return start === end ? undefined : [start, end]
  }

  /** A street whose kind comes first, as Calle Mayor 5. */
  streetFirst(word: Word): number {
    firstStreet.lastIndex = word.start
    const found = firstStreet.exec(this.#text)
    if (found === null) return 0
    const rest = wordAt(this.#text, skip(this.#text, word.end))
    const isRoute =
      /^(?:via|plaza)$/.test(word.folded) && (rest === undefined || isTerm(rest.folded) || !isCapital(rest.text))
    const before = this.#numberBefore(word.start)
    const hasNumber = before !== undefined || /\d/.test(found[0])
    if (isRoute || (!hasNumber && !isCapital(word.text)) || (!hasNumber && word.folded === "via")) return 0
    const end = word.start + found[0].trimEnd().length
    const number = /\d+[a-z]?$/i.exec(found[0].trimEnd())?.[0]
    const made = `${word.text} ${this.#place(found[0])}${number === undefined ? "" : ` ${this.#digits(number)}`}`
    this.#scan.add("address", word.start, end, made)
    if (before !== undefined) this.#scan.add("address", ...before, this.#digits(this.#text.slice(...before)))
    return this.#town(end)
  }

  /** "12 rue", "12 bis, rue". */
  #numberBefore(start: number): readonly [number, number] | undefined {
    const found = /(\d{1,4})(?:\s?(?:bis|ter|[a-z]))?,?\s$/u.exec(this.#text.slice(Math.max(0, start - 12), start))
    if (found === null || /[\d.,/-]/.test(this.#text[start - found[0].length - 1] ?? "")) return undefined
    const from = start - found[0].length
    return [from, from + found[1]!.length]
  }

  /** A street that ends in its kind, as Hauptstraße 12, and a post-office box. */
  word(word: Word): number {
    const text = this.#text
    germanStreet.lastIndex = word.start
    const street = germanStreet.exec(text)
    if (street !== null) {
      this.#scan.add(
        "address",
        word.start,
        germanStreet.lastIndex,
        `${this.#place(street[1]!)}straße ${this.#digits(street[2]!)}`,
      )
      return this.#town(germanStreet.lastIndex)
    }
    box.lastIndex = word.start
    const found = box.exec(text)
    if (found !== null) {
      this.#scan.add("address", word.start, box.lastIndex, `Box ${this.#digits(/\d+/.exec(found[0])![0])}`)
      return this.#town(box.lastIndex)
    }
    zipLabel.lastIndex = word.start
    if (!zipLabel.test(text)) return 0
    const code = /^[\dA-Z]{2,5}(?:[- ][\dA-Z]{3,4})?(?![\p{L}\d])/u.exec(
      text.slice(zipLabel.lastIndex, zipLabel.lastIndex + 12),
    )
    return code === null || !/\d/.test(code[0]) ? 0 : this.#zip(zipLabel.lastIndex, zipLabel.lastIndex + code[0].length)
  }
}

/** "12 Left Lower Lobe Drive" is a street by its form alone: one of its words has to be none of medicine's. */
function isStreet(found: string, rest: string): boolean {
  const words = (found.match(/\S+/g) ?? []).slice(1)
  const kind = words.at(-1)!.replace(/\.$/, "")
  if (!isCapital(kind)) return false
  const short =
    !/^(?:street|road|rd|avenue|ave|av|boulevard|blvd|lane|ln|crescent|parkway|pkwy|highway|hwy|terrace|trail|trl)$/i.test(
      kind,
    )
  const named = words.slice(0, -1).some((word) => !isTerm(fold(word)) || /^\d/.test(word))
  const placed = () => /^(?: [NSEW]{1,2}(?![\p{L}])|, \p{Lu}\p{Ll}+(?:,| [A-Z]{2}(?!\p{L})| \d))/u.test(rest)
  return named || ((!short || placed()) && words.length > 1)
}
