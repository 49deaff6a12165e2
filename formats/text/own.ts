import { fold, kindOf, kinds } from "./fold.ts"
import { OwnIds } from "./ids.ts"
import { OwnNames } from "./person.ts"
import type { TextPerson } from "./person.ts"

/** Letters from which on a name is no word by chance. */
const shortest = 4

/** Finds the person's own names and identifiers in what was made: the check before it is written. Names that are also words or
 * eponyms, and short ones, do not count. */
export function ownFinder({ names, ids }: TextPerson): (text: string) => boolean {
  const own = new OwnNames(names)
  const numbers = new OwnIds(ids)
  const isOwnName = (folded: string) => {
    const found = own.words.get(folded)
    return folded.length >= shortest && found?.kind === "plain" && found.canonical === folded
  }
  return (text) => {
    for (let at = 0; at < text.length; at++) {
      if (!isTold(text.charCodeAt(at))) continue
      const start = at
      if (numbers.endAt(text, start) > 0) return true
      while (at < text.length && isTold(text.charCodeAt(at))) at++
      if (isOwnName(fold(text.slice(start, at)))) return true
    }
    return false
  }
}

const isTold = (code: number): boolean =>
  kindOf[code] === kinds.letter || kindOf[code] === kinds.digit || kindOf[code] === kinds.mark
