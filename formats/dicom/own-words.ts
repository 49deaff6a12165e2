import type { TextPerson } from "./clean-text.ts"
import { isDefinedTerm } from "./defined-terms.ts"

/** Upper case, without accents. */
const normal = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase()
const token = /[\p{L}\p{M}\p{N}]+/gu
const standIn = "ANONYMOUS"
// eslint-disable-next-line no-control-regex
const isAscii = (word: string): boolean => /^[\x00-\x7f]*$/.test(word)
/** Two ideographs are a full name, three letters are none. */
const isLong = (word: string): boolean => (isAscii(word) ? word.length > 3 : word.length > 1)

interface OwnWords {
  /** Taken out wherever they stand. */
  readonly telling: ReadonlySet<string>
  /** All words of names: taken out where two of them stand in one text. */
  readonly names: ReadonlySet<string>
}

const remembered = new WeakMap<TextPerson, OwnWords>()

function ownWords(person: TextPerson): OwnWords {
  const known = remembered.get(person)
  if (known !== undefined) return known
  const [telling, names] = [new Set<string>(), new Set<string>()]
  for (const identifier of person.identifiers) {
    const words = (normal(identifier).match(token) ?? []).filter((word) => word !== standIn)
    const isNumber = /\d/.test(identifier)
    for (const word of words) {
      if (!isNumber && word.length > 1) names.add(word)
      // Of an id in several parts those with digits tell it, and letters before them an issuer.
      if (isLong(word) && !isDefinedTerm(word) && (!isNumber || words.length === 1 || /\d{4}/.test(word)))
        telling.add(word)
    }
  }
  const made = { telling, names }
  remembered.set(person, made)
  return made
}

/** A text with the words of a person's own names and ids replaced; terms of the standard and short words only where two words of the
 * name stand in it, as alone they are something else as a rule. */
export function withoutOwnWords(text: string, person: TextPerson): string {
  const { telling, names } = ownWords(person)
  const words = new Set((text.match(token) ?? []).map(normal))
  const isNamed = [...names].filter((name) => words.has(name)).length > 1
  return text.replace(token, (word) => {
    const own = normal(word)
    return telling.has(own) || (isNamed && names.has(own)) ? standIn : word
  })
}
