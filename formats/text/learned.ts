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
  const filter = new HashFilter(11)
  for (const { kind, start, end } of drafts) {
    if (kind !== "name" || end - start < least) continue
    const folded = fold(text.slice(start, end))
    if (folded.length < least || names.has(folded) || isOwn(folded) || isTerm(folded) || isEponym(folded)) continue
    names.add(folded)
    filter.add(folded)
  }
  const nicknames = drafts.flatMap((draft) => nicknameAfter(text, draft, maker))
  return names.size === 0 ? nicknames : [...nicknames, ...found(text, names, filter, maker)]
}

const none: readonly Draft[] = []
const quotes = "\"“”'‘"
const quoted = /[ ]?\(?["“”'‘]([\p{L}][\p{L}'-]*)["”'’]\)?/uy

/** `Ernest ("Ern") Thistlewood`: what somebody is called, in quotation marks after a name. */
function nicknameAfter(text: string, { kind, end }: Draft, maker: Maker): readonly Draft[] {
  const next = text.charCodeAt(end)
  if (kind !== "name" || (next !== 0x20 && next !== 0x28)) return none
  let at = end
  if (text[at] === " ") at++
  if (text[at] === "(") at++
  if (!quotes.includes(text[at] ?? " ")) return none
  quoted.lastIndex = end
  const name = quoted.exec(text)?.[1]
  if (name === undefined) return none
  const start = text.indexOf(name, end)
  return [{ kind: "name", start, end: start + name.length, make: inCaseOf(name, maker.name(fold(name))) }]
}

function found(text: string, names: ReadonlySet<string>, filter: HashFilter, maker: Maker): readonly Draft[] {
  const drafts: Draft[] = []
  const { length } = text
  for (let at = 0; at < length; at++) {
    if (kindOf[text.charCodeAt(at)] !== kinds.letter) continue
    const start = at
    let hash = 0
    for (; at < length; at++) {
      const code = text.charCodeAt(at)
      const kind = kindOf[code]
      if (kind === kinds.letter) hash = hashStep(hash, foldOf[code]!)
      else if (kind !== kinds.mark) break
    }
    if (!filter.may(hash)) continue
    const word = text.slice(start, at)
    const folded = fold(word)
    if (names.has(folded) && isCapital(word))
      drafts.push({ kind: "name", start, end: at, make: inCaseOf(word, maker.name(folded)) })
  }
  return drafts
}
