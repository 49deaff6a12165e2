import { fold, kindOf, kinds } from "./fold.ts"

const digitLetters: Readonly<Record<string, string>> = {
  0: "o",
  1: "l",
  2: "z",
  3: "e",
  4: "a",
  5: "s",
  6: "g",
  8: "b",
  9: "g",
}
/** The end of a word with one or two digits inside; its start where it has more, for then it is a number. */
export function misreadEnd(text: string, start: number): number {
  let [at, digits] = [start, 0]
  for (; at < text.length && at - start < 40; at++) {
    const kind = kindOf[text.charCodeAt(at)]
    if (kind === kinds.digit) {
      if (++digits > 2) return start
    } else if (kind !== kinds.letter) break
  }
  return at
}

/** What a word with digits in it says, folded. */
export const unmisread = (found: string): string => fold(found.replace(/\d/g, (digit) => digitLetters[digit] ?? digit))
