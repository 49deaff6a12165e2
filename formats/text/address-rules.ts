import { cue, cuesOf } from "./cues.ts"
import { fold } from "./fold.ts"
import { isTown } from "./gazetteer.ts"
import type { Scan } from "./scan.ts"
import { isTerm } from "./terms.ts"

/** Letters before a postal code that may belong to its address. */
const longest = 110
const unit = String.raw`(?:(?:Flat|Unit|Apt|Apartment|Suite|Ste|Level|Lot|Room|House|Bldg)\.?[ ]#?[\dA-Za-z]{1,5},?[ ])`
const house = String.raw`(?:\d{1,5}[A-Za-z]?(?:[ ]?[-/][ ]?\d{1,5}[A-Za-z]?)?,?[ ])`
const name = String.raw`(?:\p{Lu}[\p{L}'’.-]*|\d{1,3}(?:st|nd|rd|th))(?:[ ](?:(?:of|on|upon|le|the|de|la|du|der|den|by|in)[ ])?(?:\p{Lu}[\p{L}'’.-]*|\d{1,3}(?:st|nd|rd|th))){0,4}`
const segment = new RegExp(String.raw`^[ ]?(${unit})?(${house})?(${name})?[ ]?$`, "u")
const unitBefore = new RegExp(String.raw`${unit}$`, "u")
const german =
  /((?:\p{Lu}[\p{L}.'-]*|Am|An|Im|Zum|Zur|Auf|In)(?:[ ](?:\p{Lu}[\p{L}.'-]*|der|dem|den|de|la|het|van|von)){0,3}[ ]\d{1,4}[ ]?[a-z]?),?[ \n]$/u
const townAfter = /[ ](\p{Lu}[\p{L}'’-]+(?:(?:[ -]|[ ](?:am|an der|im|a\. ?d\.)[ ])\p{Lu}[\p{L}'’-]+)?)/uy
const bare = /(\d{1,5}[a-z]?)[ ](\p{Lu}\p{Ll}[\p{L}'’-]+(?:[ ]\p{Lu}\p{Ll}[\p{L}'’-]+){1,2})(?=[.,;)\n\r]|$)/uy
const dwellingBefore =
  /(?:\b(?:lives?|living|stays?|staying|resides?|address|home|lodging)(?: is| w\/ [\p{L} ]{2,30})? ?(?:at|:)|\bat) $/iu

/** Rules that find an address by its end, a postal code, or by its beginning, a flat or a house. */
export class AddressRules {
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

  /** What stands before a postal code: "14 Beast Banks, Kendal, LA9 4JY".
   * @param start of the code, or of the State before it */
  beforeCode(start: number): void {
    const text = this.#text
    const from = Math.max(0, start - longest)
    const before = text.slice(from, start)
    const line = before.slice(
      Math.max(before.lastIndexOf("\n"), before.lastIndexOf(": "), before.lastIndexOf(";"), before.lastIndexOf("(")) +
        1,
    )
    const parts = line.replace(/,? $/, "").split(",")
    let [begin, segments] = [start - line.length + line.replace(/,? $/, "").length, 0]
    for (; segments < 4; segments++) {
      const part = parts.at(-1 - segments)
      const found = part === undefined ? null : segment.exec(this.#afterSentence(part))
      if (found === null || part === undefined || !this.#isPart(found, segments)) break
      begin -= found[0].length + (segments === 0 ? 0 : 1)
      if (found[0].length < part.length || (found[2] !== undefined && found[3] !== undefined)) {
        this.#unit(begin)
        segments++
        break
      }
    }
    if (segments === 0) return
    const start0 = begin + /^ */.exec(text.slice(begin, start))![0].length
    this.#add(start0, start)
  }

  /** What follows the last full stop that ends a sentence. */
  #afterSentence(part: string): string {
    const found = /^.*(?:\p{Ll}{3,}|\d)\.[ ]/u.exec(part)
    if (found !== null) return part.slice(found[0].length - 1)
    const small = /^.*[ ](?:at|of|is|from|to|in|address)(?=[ ](?:\d|\p{Lu}))/u.exec(part)
    return small === null ? part : part.slice(small[0].length)
  }

  #isPart([whole, flat, number, words]: RegExpExecArray, segments: number): boolean {
    if (words === undefined) return flat !== undefined || (number !== undefined && segments > 0)
    const parts = words.split(/[ .]+/).map(fold)
    if ((cuesOf(parts[0]!) & (cue.title | cue.label | cue.birth | cue.id)) !== 0) return false
    if (number !== undefined || flat !== undefined || whole.trimStart().startsWith("The ")) return true
    return parts.some((each) => !isTerm(each)) || (cuesOf(parts.at(-1)!) & cue.streetLast) !== 0
  }

  /** "Flat 2, " before a house number that is replaced. */
  #unit(start: number): void {
    const found = unitBefore.exec(this.#text.slice(Math.max(0, start - 20), start))
    if (found !== null) this.#scan.add("address", start - found[0].length, start, "")
  }

  #add(start: number, end: number): void {
    const text = this.#text
    const { towns } = this.#scan.known.maker.given
    const whole = text.slice(start, end).replace(/[ ,]+$/, "")
    const comma = whole.lastIndexOf(",")
    const street = comma < 0 ? "" : whole.slice(0, comma)
    const town = whole.slice(comma + 1).trim()
    const number = /\d+/.exec(street)?.[0]
    const made = street === "" ? "" : `${number === undefined ? "" : `${this.#digits(number)} `}${this.#place(street)}`
    if (towns === true) {
      if (street !== "") this.#scan.add("address", start, start + street.length, made)
      return
    }
    const rest = text.slice(start + whole.length, end)
    this.#scan.add("address", start, end, `${made}${made === "" ? "" : ", "}${this.#place(town)}${rest}`)
  }

  /** A flat before a street that begins here, as "Flat 2, ". */
  unitBefore(start: number): void {
    this.#unit(start)
  }

  /** "Am Markt 3, 72108 Rottenburg", "1015 CJ Amsterdam": a postal code before its town; 0 where none begins. */
  codeFirst(start: number, end: number): number {
    const text = this.#text
    const dutch = end - start === 4 && /^ ?[A-Z]{2}(?= \p{Lu})/u.exec(text.slice(end, end + 6)) !== null
    if (end - start !== 5 && !dutch) return 0
    const codeEnd = dutch ? end + /^ ?[A-Z]{2}/.exec(text.slice(end, end + 3))![0].length : end
    townAfter.lastIndex = codeEnd
    const town = townAfter.exec(text)?.[1]
    if (town === undefined || isTerm(fold(town))) return 0
    const before = german.exec(text.slice(Math.max(0, start - 60), start))
    if (before === null && !isTown(fold(town.split(/[ ]/)[0]!)) && !dutch) return 0
    if (before !== null) {
      const [whole, lot] = before as unknown as readonly [string, string]
      const street = /(?:^|[ ])((?:Am|An|Im|Zum|Zur|Auf|In|Unter)[ ].*)$/.exec(lot)?.[1] ?? lot
      const from = start - whole.length + lot.length - street.length
      this.#scan.add(
        "address",
        from,
        from + street.length,
        `${this.#place(street)} ${this.#digits(/\d+/.exec(street)![0])}`,
      )
    }
    if (this.#scan.known.maker.given.towns === true) return townAfter.lastIndex
    const to = townAfter.lastIndex
    this.#scan.add("address", start, to, `${this.#digits(text.slice(start, codeEnd))} ${this.#place(town)}`)
    return to
  }

  /** "lives at 61 Peckham Rye.": a number and names of which none says that it is a street; 0 where there are none. */
  bare(start: number): number {
    const text = this.#text
    if (text[start - 1] !== " " || !(text[start - 2] === ":" || text.startsWith("at", start - 3))) return 0
    if (!dwellingBefore.test(text.slice(Math.max(0, start - 50), start))) return 0
    bare.lastIndex = start
    const found = bare.exec(text)
    if (found === null) return 0
    const words = found[2]!.split(" ").map(fold)
    if (words.every(isTerm) || (cuesOf(words[0]!) & (cue.month | cue.weekday | cue.title)) !== 0) return 0
    this.#scan.add("address", start, bare.lastIndex, `${this.#digits(found[1]!)} ${this.#place(found[2]!)}`)
    return bare.lastIndex
  }
}
