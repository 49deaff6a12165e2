import { maskOf, moreThanTwoBits } from "./fold.ts"
import type { Fuzzy, OwnName } from "./person.ts"

/** Whether two folded words are one edit apart, or the same: a letter put in, left out, replaced, or two neighbours swapped. */
export function isOneEdit(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  if (long.length - short.length > 1) return false
  let at = 0
  while (at < short.length && short[at] === long[at]) at++
  if (short.length < long.length) return short.slice(at) === long.slice(at + 1)
  if (short.slice(at + 1) === long.slice(at + 1)) return true
  return short[at] === long[at + 1] && short[at + 1] === long[at] && short.slice(at + 2) === long.slice(at + 2)
}

/** Whether any name may be one edit away, by letters and length alone: most words end here. */
export function mayBeFuzzy(names: readonly Fuzzy[], mask: number, length: number): boolean {
  for (let at = 0; at < names.length; at++) {
    const { mask: own, folded } = names[at]!
    const off = folded.length - length
    if (off >= -1 && off <= 1 && !moreThanTwoBits(own ^ mask)) return true
  }
  return false
}

/** The name that a folded word is one edit away from. */
export function fuzzyName(names: readonly Fuzzy[], folded: string): OwnName | undefined {
  const mask = maskOf(folded)
  for (const name of names) {
    const off = name.folded.length - folded.length
    if (off >= -1 && off <= 1 && !moreThanTwoBits(name.mask ^ mask) && isOneEdit(name.folded, folded)) return name.own
  }
  return undefined
}
