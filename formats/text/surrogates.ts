import nicknameTable from "./data/nicknames.json" with { type: "json" }
import table from "./data/surrogates.json" with { type: "json" }
import { fold, foldOf, longestCopied } from "./fold.ts"
import { isEponym } from "./terms.ts"
import { isAllCapitals, isCapital } from "./word-at.ts"

/** The keyed functions that make surrogates; what they give must not be derivable without the key. */
export interface Surrogates {
  /** 26 characters of [a-z2-7] for a value of a kind of thing of this person. */
  key(kind: string, value: string): string
  /** Whole days by which the person's dates go back. */
  readonly shiftDays: number
  /** How dates are told: moved by those days (default), the year alone, or as they are. */
  readonly dates?: "shifted" | "year" | "true"
  /** What of a ZIP code after a State of the United States may be told; a surrogate of its shape unless given. */
  readonly zip?: (zip: string) => string
  /** Whether towns, States and postal codes stay (45 CFR 164.514(e)(2)(ii)). */
  readonly towns?: boolean
  /** The UID that stands for one everywhere in the project. */
  uid(uid: string): string
}

const usable = (list: string): readonly string[] => list.split(" ").filter((name) => !isEponym(fold(name)))
const [given, family, places] = [usable(table.given), usable(table.family), usable(table.places)]

/** Groups of forms of one given name, by each form. */
export const nicknameGroups: ReadonlyMap<string, readonly (readonly string[])[]> = groupsByForm()

function groupsByForm(): ReadonlyMap<string, readonly (readonly string[])[]> {
  const found = new Map<string, (readonly string[])[]>()
  for (const line of nicknameTable.groups) {
    const forms = line.split(" ").map(fold)
    for (const form of new Set(forms)) found.set(form, [...(found.get(form) ?? []), forms])
  }
  return found
}

const base32 = "abcdefghijklmnopqrstuvwxyz234567"

function numberOf(key: string): number {
  let value = 0
  for (let at = 0; at < 6; at++) value = value * 32 + base32.indexOf(key[at]!)
  return value
}

function pick(list: readonly string[], key: string, isTaken: (folded: string) => boolean): string {
  const from = numberOf(key) % list.length
  for (let step = 0; step < list.length; step++) {
    const found = list[(from + step) % list.length]!
    if (!isTaken(fold(found))) return found
  }
  return list[from]!
}

/** A word in the case of the one that it stands for. */
export function inCaseOf(original: string, made: string): string {
  if (isAllCapitals(original)) return made.toUpperCase()
  return isCapital(original) ? made : made.toLowerCase()
}

/** The same by the letters of a name of several words. */
export function inCaseOfName(original: string, made: string): string {
  // "St. Mary's": a capital, and a small letter somewhere.
  if (/^[A-Z]/.test(original) && /[a-z]/.test(original)) return made
  return inCaseOf(original.replace(/[^\p{L}]/gu, ""), made)
}

/** A capital for an initial; never the one that was. */
export function initialFor(letter: string, key: string): string {
  const own = foldOf[letter.charCodeAt(0)]! - 97
  const made = numberOf(key) % 26
  return String.fromCharCode((made === own ? (made + 1) % 26 : made) + (letter === letter.toLowerCase() ? 97 : 65))
}

/** Names of a person's texts that are kept in memory. */
const mostNames = 1000

/** Makes the surrogates of one person, each the same whenever it is asked for. */
export class Maker {
  readonly given: Surrogates
  readonly #names = new Map<string, string>()
  readonly #others = new Map<string, Map<string, string>>()
  #remembered = 0
  readonly #isTaken: (folded: string) => boolean

  /** @param isTaken whether a folded word is one of the person's own names */
  constructor(given: Surrogates, isTaken: (folded: string) => boolean) {
    this.given = given
    this.#isTaken = isTaken
  }

  /** A name for a folded name: a given one for given names, else a family name. */
  name(folded: string, isGiven = nicknameGroups.has(folded)): string {
    const known = this.#names.get(folded)
    if (known !== undefined) return known
    const taken = (made: string) => made === folded || this.#isTaken(made)
    const made = pick(isGiven ? given : family, this.given.key("name", folded), taken)
    if (this.#names.size >= mostNames) this.#names.clear()
    this.#names.set(folded, made)
    return made
  }

  /** A place for a place, a street or the name of an institution. */
  place(folded: string): string {
    return this.#once("place", folded, () => this.#place(folded))
  }

  #place(folded: string): string {
    return pick(places, this.given.key("place", folded), (made) => made === folded || this.#isTaken(made))
  }

  /** The key of a value of a kind for which nothing else is made. */
  key(kind: "email" | "url" | "initial", value: string): string {
    return this.#once(kind, value, () => this.given.key(kind, value))
  }

  /** Digits for digits and letters for letters, by the value without its separators, so that each way of writing an identifier
   * gives the same; never the identifier itself. */
  shape(kind: string, text: string): string {
    return this.#once(kind, text, () => this.#shape(kind, text))
  }

  /** A report says the same things again and again. */
  #once(kind: string, value: string, make: () => string): string {
    // A long slice of a text would keep the whole of it in memory.
    const slot = value.length > longestCopied ? ` ${value}` : value
    let ofKind = this.#others.get(kind)
    const known = ofKind?.get(slot)
    if (known !== undefined) return known
    const made = make()
    if (++this.#remembered > mostNames) {
      this.#others.clear()
      this.#remembered = 1
      ofKind = undefined
    }
    if (ofKind === undefined) this.#others.set(kind, (ofKind = new Map<string, string>()))
    ofKind.set(slot, made)
    return made
  }

  #shape(kind: string, text: string): string {
    const folded = fold(text)
    // What is longer than any identifier is named by its key, so that its blocks cost the same each.
    const bare = folded.length > 256 ? this.given.key(kind, folded) : folded
    let [out, key, used, block] = ["", "", 26, 0]
    let digits = 0
    for (const char of text) {
      const code = foldOf[char.charCodeAt(0)]!
      const isDigit = char >= "0" && char <= "9"
      if (!isDigit && (code < 97 || code > 122)) {
        out += /[\p{L}\p{N}]/u.test(char) ? "x" : char
        continue
      }
      if (used + 2 > 26) {
        key = this.given.key(kind, block === 0 ? bare : `${bare}#${block}`)
        block++
        used = 0
      }
      const value = base32.indexOf(key[used]!) * 32 + base32.indexOf(key[used + 1]!)
      used += 2
      if (isDigit) {
        out += digits === 0 ? String((value % 9) + 1) : String(value % 10)
        digits++
      } else {
        const made = String.fromCharCode(97 + (value % 26))
        out += char === char.toLowerCase() ? made : made.toUpperCase()
      }
    }
    return out === text ? other(out) : out
  }
}

/** The same with its last digit or letter moved on. */
function other(text: string): string {
  return text.replace(/[0-9a-zA-Z](?=[^0-9a-zA-Z]*$)/, (last) =>
    /\d/.test(last)
      ? String((Number(last) + 1) % 10)
      : last.toLowerCase() === "z"
        ? "a"
        : String.fromCharCode(last.charCodeAt(0) + 1),
  )
}
