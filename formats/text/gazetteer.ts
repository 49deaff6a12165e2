import table from "./data/places.json" with { type: "json" }
import { fold } from "./fold.ts"
import { wordAt } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const words = (lines: readonly string[]): readonly string[] => lines.flatMap((line) => line.split(" "))

const towns: ReadonlySet<string> = new Set(words(table.towns))
const regions: ReadonlySet<string> = new Set(table.regions.split(" "))
const regionCodes: ReadonlySet<string> = new Set(table.regionCodes.split(" "))
const endings: ReadonlySet<string> = new Set(table.endings.split(" "))
const longestEnding = Math.max(...[...endings].map(({ length }) => length))
/** Letters that a town has before its ending. */
const leastStem = 2

type Phrases = ReadonlyMap<string, readonly (readonly string[])[]>

/** Names of several words by their first one, the longest first. */
function phrasesOf(lines: readonly string[]): Phrases {
  const found = new Map<string, (readonly string[])[]>()
  for (const phrase of words(lines)) {
    const parts = phrase.split("-").map(fold)
    found.set(parts[0]!, [...(found.get(parts[0]!) ?? []), parts])
  }
  for (const all of found.values()) all.sort((a, b) => b.length - a.length)
  return found
}

const longTowns = phrasesOf(table.longTowns)
const institutions = phrasesOf(table.institutions)

/** First words of the towns and institutions that are listed. */
export const firstPlaceWords: readonly string[] = [
  ...new Set([...towns, ...longTowns.keys(), ...institutions.keys()]),
].filter((word) => word !== "the")

/** Whether a folded word is a town by itself. */
export const isTown = (folded: string): boolean => towns.has(folded)

/** Whether a folded word is a State, province, county or country. */
export const isRegion = (folded: string): boolean => regions.has(folded)

/** Whether letters stand for a province or country. */
export const isRegionCode = (text: string): boolean => regionCodes.has(text)

/** Whether a folded word ends as names of towns do. */
export function hasTownEnding(folded: string): boolean {
  for (let length = 3; length <= longestEnding && folded.length - length >= leastStem; length++)
    if (endings.has(folded.slice(-length))) return true
  return false
}

function phraseEnd(text: string, word: Word, phrases: Phrases): number {
  const all = phrases.get(word.folded)
  if (all === undefined) return 0
  const second = wordAt(text, word.end + (text[word.end] === "." ? 2 : 1))?.folded
  for (const parts of all) {
    if (parts.length > 1 && parts[1] !== second) continue
    let end = word.end
    for (const part of parts.slice(1)) {
      const gap = /^(?:[.]?[ -]|['’])/.exec(text.slice(end, end + 2))?.[0].length ?? 0
      const next = gap === 0 ? undefined : wordAt(text, end + gap)
      end = next?.folded === part ? next.end : 0
      if (end === 0) break
    }
    if (end > 0) return end
  }
  return 0
}

/** The end of a town of several words that begins here; 0 when none does. */
export const longTownEnd = (text: string, word: Word): number => phraseEnd(text, word, longTowns)

/** The end of an institution that begins here; 0 when none does. */
export const institutionEnd = (text: string, word: Word): number => phraseEnd(text, word, institutions)
