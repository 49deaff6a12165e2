import table from "./data/names.json" with { type: "json" }
import { HashFilter, fold } from "./fold.ts"

const setOf = (texts: readonly string[]): Set<string> => new Set(texts.flatMap((text) => text.split(" ")).map(fold))

const never = setOf([table.never])
const given = setOf([...table.given, table.more.given])
const family = setOf([...table.family, table.more.family])

/** Which words may be names in use, by hash: most words of a report are none. */
export const listedFilter = new HashFilter(18)
for (const name of given) listedFilter.add(name)
for (const name of family) listedFilter.add(name)

/** Whether a folded word is a given name in use. */
export const isGivenName = (folded: string): boolean => given.has(folded)

/** Whether a folded word is a family name in use. */
export const isFamilyName = (folded: string): boolean => family.has(folded)

/** Whether a folded name is a drug, a device or a place first. */
export const isNoName = (folded: string): boolean => never.has(folded)
