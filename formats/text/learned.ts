import type { Draft } from "./draft.ts"
import { HashFilter, fold, foldOf, hashStep, kindOf, kinds } from "./fold.ts"
import { isEponym, isTerm } from "./terms.ts"
import { isCapital } from "./word-at.ts"
import { inCaseOf } from "./surrogates.ts"
import type { Maker } from "./surrogates.ts"

/** Letters of a name that is looked for in the rest of its text. */
const least = 4

/** The names of others that a text announces somewhere, wherever else it has them: "Dr. Grimwade ... Grimwade was told". Words of
 * the language and eponyms are left. */
export function learned(
  text: string,
  drafts: readonly Draft[],
  isOwn: (folded: string) => boolean,
  maker: Maker,
): readonly Draft[] {
  const names = new Set<string>()
  const standing = new Map<number, number>()
  const more: Draft[] = []
  for (const draft of drafts) {
    const { kind, start, end } = draft
    if (kind !== "name") continue
    const nickname = nicknameAfter(text, draft, maker)
    if (nickname !== undefined) more.push(nickname)
    if (end - start < least) continue
    standing.set(start, Math.max(end, standing.get(start) ?? 0))
    const folded = fold(text.slice(start, end))
    if (folded.length < least || names.has(folded) || isOwn(folded) || isTerm(folded) || isEponym(folded)) continue
    names.add(folded)
  }
  if (names.size > 0) addFound(more, text, names, standing, maker)
  return more
}

const quotes = "\"“”'‘"
const quoted = /[ ]?\(?["“”'‘]([\p{L}][\p{L}'-]*)["”'’]\)?/uy

/** `Ernest ("Ern") Thistlewood`: what somebody is called, in quotation marks after a name. */
function nicknameAfter(text: string, { end }: Draft, maker: Maker): Draft | undefined {
  const next = text.charCodeAt(end)
  if (next !== 0x20 && next !== 0x28) return undefined
  let at = end
  if (text[at] === " ") at++
  if (text[at] === "(") at++
  if (!quotes.includes(text[at] ?? " ")) return undefined
  quoted.lastIndex = end
  const name = quoted.exec(text)?.[1]
  if (name === undefined) return undefined
  const start = text.indexOf(name, end)
  return { kind: "name", start, end: start + name.length, make: inCaseOf(name, maker.name(fold(name))) }
}

/** Which words may be names of the text that is being read. */
const filter = new HashFilter(11)
/** By which letters, folded, names of it begin: most words are passed by their first letter. */
const firsts = new Uint8Array(256)

function wordEnd(text: string, start: number): number {
  let at = start
  for (const { length } = text; at < length; at++) {
    const kind = kindOf[text.charCodeAt(at)]
    if (kind !== kinds.letter && kind !== kinds.mark) break
  }
  return at
}

/** @param standing ends of the names that are drafts already, by their starts */
function addFound(
  drafts: Draft[],
  text: string,
  names: ReadonlySet<string>,
  standing: ReadonlyMap<number, number>,
  maker: Maker,
): void {
  filter.clear()
  firsts.fill(0)
  for (const name of names) {
    filter.add(name)
    firsts[name.charCodeAt(0) & 0xff] = 1
  }
  const { length } = text
  for (let at = 0; at < length; at++) {
    const first = text.charCodeAt(at)
    if (kindOf[first] !== kinds.letter) continue
    const start = at
    if (firsts[foldOf[first]! & 0xff] === 0) {
      at = wordEnd(text, at)
      continue
    }
    let hash = 0
    for (; at < length; at++) {
      const code = text.charCodeAt(at)
      const kind = kindOf[code]
      if (kind === kinds.letter) hash = hashStep(hash, foldOf[code]!)
      else if (kind !== kinds.mark) break
    }
    if (!filter.may(hash) || (standing.get(start) ?? 0) >= at) continue
    const word = text.slice(start, at)
    const folded = fold(word)
    if (names.has(folded) && isCapital(word))
      drafts.push({ kind: "name", start, end: at, make: inCaseOf(word, maker.name(folded)) })
  }
}
