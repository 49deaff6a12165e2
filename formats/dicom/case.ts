import type { CleanText, TextPerson } from "./clean-text.ts"
import type { LocalTime } from "./dates.ts"
import type { Decision } from "./decision.ts"
import type { Rule } from "./profile.ts"
import type { Counts, Pseudonyms } from "./pseudonyms.ts"
import type { Refused } from "./refusal.ts"
import type { Source } from "./source.ts"

/** What becomes of an element: `keep` as it stands, `drop`, `clean` a sequence item by item, `dummies` for all that its first item
 * holds, or another value. */
export type Treatment = "keep" | "drop" | "clean" | "dummies" | Replacement

export interface Replacement {
  readonly vr: number
  /** Of any length; padded when written. */
  readonly value: Uint8Array
}

/** One instance on its way: what is the same for all its data sets. */
export interface Case {
  readonly source: Source
  readonly rules: ReadonlyMap<number, Rule>
  readonly sopClass: string
  readonly pseudonyms: Pseudonyms
  readonly retainUids: boolean
  /** What dates become: moved by the person's days, kept, gone, or their year alone, and no times of day. */
  readonly dates: "shifted" | "kept" | "removed" | "year"
  /** Whether the year of a date may be told: not of one at which the patient may be 90 or more (45 CFR 164.514(b)(2)(i)(C)). */
  readonly tellsYear: (date: string) => boolean
  /** The clock that date times with an offset are told by; that of each text unless given. */
  readonly local?: LocalTime
  readonly characteristics: boolean
  readonly safePrivate: boolean
  /** Whether any option cleans texts: descriptors, structured content or graphics. */
  readonly cleaning: boolean
  /** Whether Clean Descriptors is on: texts are cleaned wherever they stand. */
  readonly descriptors: boolean
  readonly cleanText: CleanText
  /** The patient: what must be in no value that is kept. */
  readonly patient: TextPerson
  /** Whose texts they are, with all others who are named in the object; only asked for when a text is cleaned. */
  readonly whose: () => TextPerson
  /** Words of all names in the object that are not clinical as well, each as it may stand in a text; undefined when there is none. */
  readonly named: () => RegExp | undefined
  /** Whether a value that an option would keep has an identifier of the person in it, as the search of the result would find. */
  readonly isHit: (text: string, vr: number) => boolean
  readonly counts: Counts
  /** Is told what decided on each element. */
  readonly trace?: (decision: Decision) => void
}

/** Thrown to unwind when something inside a sequence must not pass. */
export class RefusedInside extends Error {
  readonly refused: Refused
  constructor(refused: Refused) {
    super(refused.reason)
    this.refused = refused
  }
}
