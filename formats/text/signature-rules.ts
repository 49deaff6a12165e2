import { cuesOf } from "./cues.ts"
import { fold, isLetterUnit, kindOf, kinds } from "./fold.ts"
import type { NameRules } from "./name-rules.ts"
import { isTerm } from "./terms.ts"
import { skip } from "./word-at.ts"

const typist = /[ \t]*(\p{Lu}{2,4}|\p{Ll}{2,3})[ \t]?[/:][ \t]?(\p{L}{2,4})(?:[/:][\p{L}\d]+)?[ \t]*(?=\r|\n|$)/uy
const signature = /(?:\/s\/|\/es\/|_{4,})[ \t]*/iy
const typistAtEnd = /(?:^|[ \t])(\p{Lu}{2,3})[:/](\p{Ll}{2,3})[ \t\r]*$/u

/** Whether a line begins with a few letters and a stroke or colon: few do. */
function mayBeTypist(text: string, start: number): boolean {
  let at = skip(text, start)
  const letters = at
  while (isLetterUnit(text.charCodeAt(at)) && at - letters < 5) at++
  const code = text.charCodeAt(at)
  if (code >= 0xd800 && code < 0xe000) return true
  if (at - letters < 2 || at - letters > 4) return false
  const next = code === 0x20 || code === 0x09 ? text[at + 1] : text[at]
  return next === "/" || next === ":"
}

/** Whether a colon or stroke stands in a part of a text. */
function hasMark(text: string, start: number, end: number): boolean {
  let at = start
  while (at < end && text[at] !== ":" && text[at] !== "/") at++
  return at < end
}

/** Rules that find who signed, dictated and typed by the form of the line. */
export class SignatureRules {
  readonly #text: string
  readonly #names: NameRules

  constructor(text: string, names: NameRules) {
    this.#text = text
    this.#names = names
  }

  /** Lines that are known by their form: JS/kl of whoever dictated and typed, and signatures. */
  line(start: number): void {
    const text = this.#text
    typist.lastIndex = start
    const found = mayBeTypist(text, start) ? typist.exec(text) : null
    if (found !== null && !found.slice(1, 3).every((each) => isTerm(each!.toLowerCase()))) {
      const from = start + found[0].search(/\S/)
      for (const each of text.slice(from, start + found[0].length).matchAll(/\p{L}{2,4}/gu))
        this.#names.letters({
          start: from + each.index,
          end: from + each.index + each[0].length,
          text: each[0],
          folded: fold(each[0]),
        })
    }
    this.#typistAtEnd(start)
    if (text.startsWith("____", start)) this.signed(start)
  }

  /** OG:mk at the end of a line that says when it was dictated and typed. */
  #typistAtEnd(start: number): void {
    const text = this.#text
    const found = text.indexOf("\n", start)
    const end = found < 0 ? text.length : found
    const last = text.charCodeAt(end - 1)
    // A mark has a colon or a stroke three or four places before its end.
    if (kindOf[last] !== kinds.letter && last !== 0x0d && last !== 0x20) return
    if (!hasMark(text, Math.max(start, end - 12), end)) return
    const tail = text.slice(Math.max(start, end - 12), end)
    const mark = typistAtEnd.exec(tail)
    if (mark === null || mark.slice(1, 3).every((each) => isTerm(each!.toLowerCase()))) return
    const from = end - tail.length + mark.index
    for (const each of text.slice(from, end).matchAll(/\p{L}{2,3}/gu)) {
      const begin = from + each.index
      this.#names.letters({ start: begin, end: begin + each[0].length, text: each[0], folded: fold(each[0]) })
    }
  }

  /** "jlp" or "GTL 16:20" as the last word of all. */
  end(): void {
    const tail = this.#text.slice(-40).trimEnd()
    const found = /(?:[.!?;/\n]\s*|^)([\p{Lu}]{2,3}|\p{Ll}{2,3})(?:\/(\p{Ll}{2,3}))?(?: \d{1,2}:?\d\d)?$/u.exec(tail)
    if (found === null || this.#text.length < 60) return
    const from = this.#text.trimEnd().length - tail.length + found.index
    for (const each of found.slice(1, 3)) {
      if (each === undefined || isTerm(each.toLowerCase()) || cuesOf(fold(each)) !== 0) continue
      const start = this.#text.indexOf(each, from)
      this.#names.letters({ start, end: start + each.length, text: each, folded: fold(each) })
    }
  }

  /** What stands after a mark of a signature. */
  signed(start: number): void {
    signature.lastIndex = start
    if (signature.test(this.#text)) this.#names.take(signature.lastIndex, { most: 4, comma: true })
  }
}
