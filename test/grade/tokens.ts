import { everyElement } from "./reader.ts"
import type { DicomFile, Element } from "./reader.ts"
import type { Asked } from "./rules.ts"
import type { Standard } from "./standard.ts"
import { decode, isText, valuesOf } from "./text.ts"

/** A piece of identity of an input, lower case. */
export interface Token {
  readonly text: string
  /** Names and places count as words, the others as whole values; devices and texts prove less than who a
   * person is. */
  readonly kind: "name" | "id" | "place" | "device" | "text"
  /** Too short, a number of few digits, or a word of the standard: proves nothing in passing. */
  readonly weak: boolean
  /** Bytes as they were written, where they are not those of `text`. */
  readonly raw?: Buffer
}

const sources = new Set("PN LO SH ST LT UT UC AE UR".split(" "))
const places = /institution|address|location|residence|department|organization|country|region|site name|sponsor/i

/** Which kind of tokens an element gives; undefined for none. */
function kindOf(element: Element, asked: Asked, standard: Standard): Token["kind"] | undefined {
  if (element.tag >>> 16 === 2 || element.items !== undefined) return undefined
  const row = standard.rowOf(element.tag)
  if ((element.tag >>> 16) % 2 === 1) return element.vr === "PN" ? "name" : undefined
  if (row === undefined || row.tag === 0x00080201) return undefined
  if (asked.of(row) !== undefined || !(sources.has(element.vr) || (element.vr === "UN" && isText(element))))
    return undefined
  // Of descriptions, and of what tells how rather than who, a word alone is none of the patient's identifiers.
  if (row.options["cleanDescOpt"] !== undefined || row.options["rtnPatCharsOpt"] !== undefined) return "text"
  if (row.options["rtnDevIdOpt"] !== undefined) return "device"
  return element.vr === "PN" ? "name" : places.test(row.name) ? "place" : "id"
}

/** Whether a lower-case token is found by chance too easily to be a finding on its own. */
export function isWeak(text: string, standard: Standard): boolean {
  if (/^[\d.,\-+\s]*$/.test(text)) return text.replaceAll(/\D/g, "").length < 5
  // Two ideographs are a full name, two letters are none.
  if (/^[\x20-\x7e]*$/.test(text) && text.length < 4) return true
  return text.split(/[^\p{L}\p{N}]+/u).every((word) => word.length < 3 || standard.isVocabulary(word))
}

/** Words that stand for no person where a name belongs: they name nobody wherever they are found. */
const nobody = /^(?:anonym(?:ous|i[sz]ed)?|de-?identified|unknown|removed|none|nobody|n\/a)$/

const rank = { name: 4, id: 3, place: 2, device: 1, text: 0 }
const shortest = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? 3 : 2)

/** Every identity token of an input, once. */
export function tokensOf(file: DicomFile, asked: Asked, standard: Standard): readonly Token[] {
  const tokens = new Map<string, Token>()
  const add = (given: string, kind: Token["kind"], raw?: Buffer) => {
    const text = given.normalize("NFC").toLowerCase().trim()
    if (text.length < shortest(text) || nobody.test(text) || /^[^\p{L}\p{N}]*$/u.test(text)) return
    const key = raw === undefined ? text : `raw ${raw.toString("hex")}`
    const known = tokens.get(key)
    if (known !== undefined && rank[known.kind] >= rank[kind]) return
    tokens.set(key, { text, kind, weak: isWeak(text, standard), ...(raw === undefined ? {} : { raw }) })
  }
  for (const element of everyElement(file.data)) {
    const kind = kindOf(element, asked, standard)
    if (kind === undefined || element.value.length > 0x20000) continue
    for (const value of valuesOf(element)) for (const part of parts(value, kind)) add(part, kind)
    if (element.value.every((byte) => byte < 0x80 && byte !== 0x1b)) continue
    const mislabelled = utf8(element.value)
    if (mislabelled !== undefined) for (const part of parts(mislabelled, kind)) add(part, kind)
    for (const part of parts(element.value.toString("latin1").replaceAll("\0", ""), kind)) {
      const raw = Buffer.from(part, "latin1")
      if (raw.some((byte) => byte >= 0x80 || byte === 0x1b) && raw.length >= 3)
        add(decode(raw, element.charset), kind, raw)
    }
  }
  return [...tokens.values()]
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replaceAll("\0", "")
  } catch {
    return undefined
  }
}

function parts(value: string, kind: Token["kind"]): readonly string[] {
  const whole = value.replaceAll(/\s+/g, " ").trim()
  if (kind !== "name" && kind !== "place") return [whole]
  return [whole, ...whole.split(/[\^=,;\\/\s()]+/)]
}
