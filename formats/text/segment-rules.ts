import { fold } from "./fold.ts"
import type { NameRules } from "./name-rules.ts"
import type { Scan } from "./scan.ts"
import { isTerm } from "./terms.ts"

const person = /(?:^|[^\p{L}\d])(\d{3,})?\^?(\p{L}[\p{L}'-]+)$/u
const rest = /\^(\p{L}[\p{L}'. -]*)?(?:\^(\p{L}[\p{L}'.-]*)?){0,5}(?=[|&~\s,;.]|$)/uy
const number = /(?:^|[|~\s&])(\d{3,})$/
const address =
  /([^|^~\n]*\d[^|^~\n]*)\^([^|^~\n]*)\^(\p{L}[^|^~\n]*)\^([A-Z]{2})?\^(\d{5}(?:-\d{4})?|[A-Z\d]{3,4} ?[A-Z\d]{3})/uy

/** Rules for what is written as HL7 v2 writes it, by its carets: people and addresses. */
export class SegmentRules {
  readonly #scan: Scan
  readonly #names: NameRules

  constructor(scan: Scan, names: NameRules) {
    this.#scan = scan
    this.#names = names
  }

  /** The sending and the receiving facility of heads of messages. */
  heads(): void {
    const { text, known } = this.#scan
    for (let at = text.indexOf("MSH|"); at >= 0; at = text.indexOf("MSH|", at + 4)) {
      let from = at
      for (const [field, value] of text
        .slice(at, at + 300)
        .split("|")
        .slice(0, 6)
        .entries()) {
        if ((field === 3 || field === 5) && /\p{L}{3}/u.test(value))
          this.#scan.add("place", from, from + value.length, known.maker.place(fold(value)).toUpperCase())
        from += value.length + 1
      }
    }
  }

  /** What stands around the first caret of its field; gives where the scan goes on, 0 for after the caret. */
  caret(at: number): number {
    const { text } = this.#scan
    const before = text.slice(Math.max(0, at - 60), at)
    if (before.includes("^") && !/[|~\s&][^|~\s&^]*$/.test(before)) return 0
    return this.#address(at, before) || this.#numbered(at, before) || this.#person(at, before)
  }

  /** "118 ELM ST^APT 4^WORCESTER^MA^01608". */
  #address(at: number, before: string): number {
    const from =
      at - before.length + Math.max(before.lastIndexOf("|"), before.lastIndexOf("~"), before.lastIndexOf("\n")) + 1
    address.lastIndex = from
    const found = address.exec(this.#scan.text)
    if (found === null) return 0
    const { maker } = this.#scan.known
    const [whole, street, , town, state, zip] = found as unknown as readonly string[]
    const made = `${maker.shape("address", /\d+/.exec(street!)![0])} ${maker.place(fold(street!))}^^`
    const told = maker.given.towns === true
    const code = told
      ? zip!
      : state === undefined || maker.given.zip === undefined
        ? maker.shape("address", zip!)
        : maker.given.zip(zip!)
    this.#scan.add(
      "address",
      from,
      from + whole!.length,
      `${made}${told ? town! : maker.place(fold(town!))}^${state ?? ""}^${code}`,
    )
    return from + whole!.length
  }

  /** "11872^ABERNATHY^SLOANE". */
  #numbered(at: number, before: string): number {
    const { text, known } = this.#scan
    const id = number.exec(before)?.[1]
    if (id === undefined) return 0
    const found = /^\^(\p{L}[\p{L}'-]+)\^(\p{L}[\p{L}'-]*)(?:\^(\p{L}[\p{L}'-]*)?)*/u.exec(text.slice(at, at + 80))
    if (found === null || isTerm(fold(found[1]!))) return 0
    this.#scan.add("id", at - id.length, at, known.ids.surrogate(id, known.maker))
    this.#words(at, at + found[0].length)
    return at + found[0].length
  }

  /** "ABERNATHY^SLOANE". */
  #person(at: number, before: string): number {
    const { text } = this.#scan
    const found = person.exec(before)
    rest.lastIndex = at
    const after = rest.exec(text)
    const [family, given] = [found?.[2], after?.[1]]
    if (family === undefined || given === undefined || / /.test(given)) return 0
    if (isTerm(fold(family)) || isTerm(fold(given)) || fold(family).length < 2) return 0
    this.#words(at - family.length, rest.lastIndex)
    return rest.lastIndex
  }

  #words(start: number, end: number): void {
    for (const each of this.#scan.text.slice(start, end).matchAll(/\p{L}[\p{L}\p{M}]*/gu)) {
      const from = start + each.index
      this.#names.other({ start: from, end: from + each[0].length, text: each[0], folded: fold(each[0]) })
    }
  }
}
