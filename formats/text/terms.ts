import eponymTable from "./data/eponyms.json" with { type: "json" }
import wordTable from "./data/words.json" with { type: "json" }
import { fold } from "./fold.ts"

const setOf = (texts: readonly string[]): ReadonlySet<string> =>
  new Set(texts.flatMap((text) => text.split(/\s+/)).map(fold))

const words = setOf(wordTable.words)
const verbs = setOf([wordTable.verbs])
const suffixes = wordTable.suffixes.split(" ")
const longestSuffix = Math.max(...suffixes.map(({ length }) => length))
const suffixSet: ReadonlySet<string> = new Set(suffixes)
const eponyms = setOf(eponymTable.eponyms.map((line) => line.replaceAll("-", " ")))
const heads = setOf(eponymTable.heads)
const all: ReadonlySet<string> = new Set([...words, ...heads, ...verbs])

/** The last three letters as a number: most words end as no suffix does. */
export const tailOf = (folded: string): number => {
  const { length } = folded
  return (
    (folded.charCodeAt(length - 1) * 961 + folded.charCodeAt(length - 2) * 31 + folded.charCodeAt(length - 3)) & 0xffff
  )
}
const suffixTails: ReadonlySet<number> = new Set(suffixes.filter(({ length }) => length > 2).map(tailOf))

/** Letters that a word has before a suffix that makes it clinical. */
const leastStem = 3

function hasSuffix(folded: string): boolean {
  if (!suffixTails.has(tailOf(folded))) return false
  for (let length = 3; length <= longestSuffix && folded.length - length >= leastStem; length++)
    if (suffixSet.has(folded.slice(-length))) return true
  return false
}

/** Whether a folded word is one of the language's or of medicine's: a name only in its context. */
export const isWord = (folded: string): boolean => all.has(folded)

/** The same, or by its ending, for words that nobody is known to be named. */
export const isTerm = (folded: string): boolean =>
  isWord(folded) ||
  (folded.length > 5 && hasSuffix(folded)) ||
  (folded.length > 4 && folded.endsWith("s") && words.has(folded.slice(0, -1)))

/** Whether a folded word is what a person is said to do. */
export const isVerb = (folded: string): boolean => verbs.has(folded)

/** Whether a folded word is an eponym, also in the form Hodgkins. */
export const isEponym = (folded: string): boolean =>
  eponyms.has(folded) || (folded.endsWith("s") && eponyms.has(folded.slice(0, -1)))

/** Whether a folded word after an eponym says that the thing is meant. */
export const isHead = (folded: string): boolean => heads.has(folded)
