import type { PersonEvent } from "../../core/index.ts"

/** One match of a code in a table, as records carry it. */
export type MappedCode = PersonEvent["codes"][number]

/** Something wrong in a table's file; `place` is a line or a path. */
export interface TableFault {
  readonly file: string
  readonly place: string
  readonly message: string
}

/** What a file gives: its matches, and what it says of codes that it does not list. */
export interface CodeTable {
  readonly matches: readonly MappedCode[]
  /** By source system, for codes that are not among the group's `listed` ones. */
  readonly unmapped: readonly {
    readonly fromSystem: string
    readonly listed: ReadonlySet<string>
    match(code: string): MappedCode
  }[]
}

/** R4 equivalences; for those that say "no match" the code maps to nothing. */
const equivalences = new Set([
  "relatedto",
  "equivalent",
  "equal",
  "wider",
  "subsumes",
  "narrower",
  "specializes",
  "inexact",
  "unmatched",
  "disjoint",
])

/** R5 relationships in the words of R4 (FHIR R5, ConceptMapRelationship, and its mapping to R4): both say what the target is. */
const fromR5: Readonly<Record<string, string>> = {
  "related-to": "relatedto",
  "source-is-narrower-than-target": "wider",
  "source-is-broader-than-target": "narrower",
  "not-related-to": "disjoint",
}

/** The R4 equivalence that a text names, also by its R5 name; undefined for what is neither. */
export function equivalenceOf(text: string): string | undefined {
  const found = fromR5[text] ?? text
  return equivalences.has(found) ? found : undefined
}

/** Whether a table lists the target only to say that it is no match. */
export const isNoMatch = (equivalence: string): boolean => equivalence === "unmatched" || equivalence === "disjoint"
