import { kindOf, kinds } from "./fold.ts"
import { isEponym, isHead } from "./terms.ts"
import { skip, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

/** Whether an eponym means the thing: a head noun follows, or it is joined to another eponym. */
export function isThing(text: string, word: Word): boolean {
  let at = word.end
  if (kindOf[text.charCodeAt(at)] === kinds.apostrophe) at++
  if ((text[at] === "s" || text[at] === "S") && at > word.end && wordAt(text, at)?.text.length === 1) at++
  const afterHyphen = text[at] === "-" || text[at] === "/"
  const next = wordAt(text, afterHyphen ? at + 1 : skip(text, at))
  if (next !== undefined && (isHead(next.folded) || (afterHyphen && isEponym(next.folded)))) return true
  const before = text[word.start - 1] === "-" ? wordBefore(text, word.start - 1) : undefined
  return before !== undefined && (before.folded === "non" || isEponym(before.folded))
}
