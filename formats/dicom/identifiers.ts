import type { DataSet, Element } from "./element.ts"
import { lookup } from "./dictionary.ts"
import { DicomFormatError } from "./errors.ts"
import { hasOwnMeaning } from "./content-item.ts"
import { isDefinedTerm, isMaker } from "./defined-terms.ts"
import { parse } from "./parse.ts"
import type { Parsed } from "./parse.ts"
import { isPixelData, tagText } from "./tag.ts"
import { Values } from "./values.ts"
import { isClinicalWord } from "./vocabulary.ts"
import { PN, SQ, UI, vrCode } from "./vr.ts"

/** What the de-identifier itself writes is no hit: its dummy, and the statements that it makes of the object. */
const ownDummy = "ANONYMOUS"
const ownStatements: ReadonlySet<number> = new Set([0x00120062, 0x00120063, 0x00120064, 0x00280303])

const freeText: ReadonlySet<number> = new Set("LO LT ST UT UC PN".split(" ").map(vrCode))
const numeric: ReadonlySet<number> = new Set("DS IS TM DA DT AS US SS UL SL FL FD".split(" ").map(vrCode))
/** Whose values are of ISO 646 alone (PS3.5 6.2): what else stands in one is damage, and no letter of a word. */
const plain: ReadonlySet<number> = new Set("AE AS CS DA DS DT IS TM UI UR".split(" ").map(vrCode))
const beyondPrintable = /[^\x20-\x7e]+/g
const largestSearched = 1 << 20

// eslint-disable-next-line no-control-regex
const beyondAscii = /[^\x00-\x7f]/
const normal = (text: string): string =>
  (beyondAscii.test(text) ? text.normalize("NFKD").replace(/\p{M}/gu, "") : text).toUpperCase()
const tokensOf = (text: string): readonly string[] => normal(text).match(/[\p{L}\p{N}]+/gu) ?? []

/** What is searched for. */
export interface Needles {
  /** Tokens joined by one space, searched in values with a space at both ends. */
  readonly anywhere: readonly string[]
  /** The first token of each of those. */
  readonly first: readonly string[]
  /** Words that clinical texts have, and names of makers: in free texts and names alone. */
  readonly words: ReadonlySet<string>
  /** Short ones and defined terms: as the whole of a free text, a name or a component of a name. */
  readonly whole: ReadonlySet<string>
  readonly uids: ReadonlySet<string>
}

/** Searched as they are, whatever stands around them: UIDs, and days as machines write them. */
const isUid = (text: string): boolean => /^\d+(?:\.\d+){3,}$|^\d{4}-\d\d-\d\d$/.test(text)

/** Names count component by component, and each component's words (PS3.5 6.2.1). */
function parts(identifier: string): readonly string[] {
  if (!/[\^=]/.test(identifier)) return [identifier]
  return [...identifier.split(/[\^=]/), ...identifier.split(/[\^=\s]+/), identifier]
}

/** What to search for, of identifiers as they are written. */
export function needlesOf(identifiers: readonly string[]): Needles {
  const anywhere = new Set<string>()
  const words = new Set<string>()
  const whole = new Set<string>()
  const uids = new Set<string>()
  for (const identifier of identifiers) {
    if (isUid(identifier.trim())) {
      uids.add(identifier.trim())
      continue
    }
    for (const part of parts(identifier)) {
      const text = tokensOf(part).join(" ")
      if (text === "" || text === ownDummy) continue
      if (text.length < 4 || isDefinedTerm(text)) whole.add(text)
      else if (isClinicalWord(text) || isMaker(text)) words.add(text)
      else anywhere.add(text)
    }
  }
  return { anywhere: [...anywhere], first: [...anywhere].map(firstWord), words, whole, uids }
}

/** Whether any needle's tokens follow one another in the text; words are compared only where the first word occurs at all. */
function hasTokens(text: string, { anywhere, first }: Needles, shortest: number): boolean {
  const upper = normal(text)
  let padded: string | undefined
  // The innermost loop of all: an iterator of entries would make a pair for each needle and text.
  for (let at = 0; at < anywhere.length; at++) {
    const needle = anywhere[at]!
    if (needle.length < shortest || !upper.includes(first[at]!)) continue
    padded ??= ` ${tokensOf(text).join(" ")} `
    if (padded.includes(` ${needle} `)) return true
  }
  return false
}

const firstWord = (needle: string): string => {
  const space = needle.indexOf(" ")
  return space < 0 ? needle : needle.slice(0, space)
}

const isWords = ({ words, whole }: Needles): boolean => words.size + whole.size > 0

/** Who says what a value means: others than the object's maker, or a site in a code of its own. */
type Defined = "by-others" | "by-site"

/** Whether a value of a VR is a hit.
 * @param defined by others: words are nobody's name there; by a site: they are searched for whatever the VR */
export function hitsOf(given: string, vr: number, needles: Needles, defined?: Defined): boolean {
  const { words, whole, uids } = needles
  const text = plain.has(vr) ? given.replaceAll(beyondPrintable, " ") : given
  if (vr === UI) return text.split("\\").some((uid) => uids.has(uid.trim()))
  for (const uid of uids) if (text.includes(uid)) return true
  if (hasTokens(text, needles, numeric.has(vr) ? 6 : 0)) return true
  const isSearched = freeText.has(vr) || defined === "by-site"
  if (defined === "by-others" || !isWords(needles) || !isSearched) return false
  if (words.size > 0 && tokensOf(text).some((word) => words.has(word))) return true
  const values = vr === PN ? text.split(/[\\^=]/) : text.split("\\")
  return values.some((value) => whole.has(tokensOf(value).join(" ")))
}

class Search {
  private readonly wanted: Needles
  private readonly found: string[] = []

  constructor(wanted: Needles) {
    this.wanted = wanted
  }

  run(parsed: Pick<Parsed, "source" | "dataSet">): readonly string[] {
    this.dataSet(parsed.dataSet, new Values(parsed.source, parsed.dataSet), "")
    return this.found
  }

  private dataSet(dataSet: DataSet, values: Values, path: string): void {
    for (const element of dataSet.elements) {
      if (path === "" && ownStatements.has(element.tag)) continue
      if (element.items === undefined) this.element(element, dataSet, values, path)
      else
        element.items.forEach((item, index) => {
          const inner = `${path}${tagText(element.tag)}[${index}].`
          this.dataSet(item, new Values(values.source, item, values.charset), inner)
        })
    }
  }

  private element(element: Element, dataSet: DataSet, values: Values, path: string): void {
    const size = element.valueEnd - element.valueStart
    if (size === 0 || size > largestSearched || element.fragments !== undefined) return
    if (isPixelData(element.tag) && path === "") return
    const known = lookup(element.tag)?.vr
    const vr = known === undefined || known === SQ ? element.vr : known
    const text = values.text(element, vr)
    if (hitsOf(text, vr, this.wanted, this.defined(element.tag, dataSet, values, text)))
      this.found.push(path + tagText(element.tag))
  }

  /** A published scheme says what it means by a code, and a maker how it is called. */
  private defined(tag: number, dataSet: DataSet, { source }: Values, text: string): Defined | undefined {
    if (tag === MANUFACTURER) return isMaker(text.trim().toUpperCase()) ? "by-others" : undefined
    if (tag === CODE_MEANING) return hasOwnMeaning(source, dataSet) ? undefined : "by-others"
    return (tag === CODE_VALUE || tag === SCHEME) && hasOwnMeaning(source, dataSet) ? "by-site" : undefined
  }
}

const MANUFACTURER = 0x00080070
const CODE_VALUE = 0x00080100
const SCHEME = 0x00080102
const CODE_MEANING = 0x00080104

/** Searches a file that was read (up to its pixel data) for a person's identifiers: at token boundaries, without regard to case and
 * accents; names by component; short tokens and defined terms only as whole values of free text or names. Gives the tag paths of
 * the hits. */
export const searchParsed = (parsed: Pick<Parsed, "source" | "dataSet">, wanted: Needles): readonly string[] =>
  new Search(wanted).run(parsed)

/** Whether a value of a VR would be a hit of {@link searchParsed}. */
export function hitsIn(identifiers: readonly string[]): (text: string, vr: number) => boolean {
  const wanted = needlesOf(identifiers)
  return (text, vr) => hitsOf(text, vr, wanted)
}

/** The tag paths at which a file, or the header of one, still holds any of a person's identifiers; see {@link searchParsed}. Throws
 * DicomFormatError for bytes that cannot be read. */
export function findIdentifiers(header: Uint8Array, identifiers: readonly string[]): readonly string[] {
  const parsed = parse({ header, size: header.length }, { stopAtPixelData: true })
  if (parsed.kind === "more") throw new DicomFormatError("truncated", "", header.length)
  return searchParsed(parsed, needlesOf(identifiers))
}
