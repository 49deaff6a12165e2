import table from "./data/dictionary.json" with { type: "json" }
import uids from "./data/uids.json" with { type: "json" }
import { vrCode } from "./vr.ts"

/** What PS3.6 says of one attribute; in a repeating group the tag is that of the first. */
export interface DictionaryEntry {
  readonly keyword: string
  /** Code of the VR (see vr.ts); of several that are possible, the first. 0 for item delimiters. */
  readonly vr: number
  readonly vm: string
}

interface Pattern {
  readonly mask: number
  readonly value: number
  readonly entry: DictionaryEntry
}

const exact = new Map<number, DictionaryEntry>()
const repeating: Pattern[] = []
for (const [tag, vr, vm, keyword] of table.rows as [string, string, string, string][]) {
  const entry = { keyword, vr: vr === "" ? 0 : vrCode(vr), vm }
  if (!tag.includes("x")) exact.set(parseInt(tag, 16), entry)
  else {
    const mask = parseInt(tag.replace(/[^x]/g, "F").replaceAll("x", "0"), 16) >>> 0
    repeating.push({ mask, value: parseInt(tag.replaceAll("x", "0"), 16), entry })
  }
}

const repeatingGroup = (tag: number): DictionaryEntry | undefined =>
  repeating.find(({ mask, value }) => (tag & mask) >>> 0 === value)?.entry

/** The entry of a standard attribute, repeating groups included; undefined for private and unknown ones. */
export function lookup(tag: number): DictionaryEntry | undefined {
  const found = exact.get(tag)
  if (found !== undefined) return found
  if (((tag >>> 16) & 1) === 1) return undefined
  return repeatingGroup(tag)
}

const registered: ReadonlySet<string> = new Set((uids.rows as string[][]).map((row) => row[0]!))

/** UIDs of context groups: table A-3 gives them to CIDs one by one. */
const contextGroup = /^1\.2\.840\.10008\.6\.1\.[1-9]\d{0,3}$/

/** Whether PS3.6 annex A registers a UID: SOP classes, transfer syntaxes, well-known frames of reference, coding schemes, context
 * groups. */
export const isRegisteredUid = (uid: string): boolean => registered.has(uid) || contextGroup.test(uid)

/** Tags by keyword, for those who write data sets by hand. */
export const tagOf = (keyword: string): number | undefined => byKeyword().get(keyword)

let keywords: ReadonlyMap<string, number> | undefined
function byKeyword(): ReadonlyMap<string, number> {
  keywords ??= new Map([...exact].map(([tag, entry]) => [entry.keyword, tag]))
  return keywords
}
