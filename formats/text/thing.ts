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
  const start = afterHyphen ? at + 1 : skip(text, at)
  // Gleason 3+4, Risser 4, Child B7.
  if (
    !afterHyphen &&
    start > at &&
    /^(?:\d{1,2}(?![\d/])|[A-C]\d|I{1,3}[ABab]?(?!\p{L})|IV)/u.test(text.slice(start, start + 4))
  )
    return true
  const next = wordAt(text, start)
  if (next !== undefined && !afterHyphen && isEponym(next.folded)) {
    const last = wordAt(text, skip(text, next.end))
    if (last !== undefined && isHead(last.folded)) return true
  }
  if (next !== undefined && (isHead(next.folded) || (afterHyphen && isEponym(next.folded)))) return true
  const before = text[word.start - 1] === "-" ? wordBefore(text, word.start - 1) : undefined
  return before !== undefined && (before.folded === "non" || isEponym(before.folded))
}
