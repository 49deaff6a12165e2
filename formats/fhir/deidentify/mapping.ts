import type { ElementAction } from "./decision.ts"
import type { LocalTime } from "./date.ts"

/** What decides on dates and places: shifted by whole days and none; years alone (a day on which the person is 90 or more not even
 * by its year), State and ZIP3 (45 CFR 164.514(b)(2)); or as they are, towns and ZIP codes too (164.514(e)). */
export type Profile = "shifted" | "safe-harbor" | "limited-data-set"

/** The functions that take identity out of a resource; the same for every format of a project. */
export interface Mapping {
  /** Pseudonym of the person that the resource is about. */
  readonly person: string
  /** shifted unless given. */
  readonly profile?: Profile
  /** Days by which the person's dates go back, where they are shifted. */
  readonly shiftDays: number
  /** The clock whose time of day is told; that of each text unless given. */
  readonly local?: LocalTime
  identifier(resourceType: string, id: string): string
  uid(uid: string): string
  accession(issuer: string, value: string): string
  /** True for a valid UCUM code; any other text of a unit is dropped. */
  isUnit(text: string): boolean
  /** Whether the code or the system of a coding says an identifier of the person; unless given, only the search of the whole looks. */
  isOwn?(text: string, isSystem: boolean): boolean
  /** Something was left out for a reason (a code). */
  left(reason: string): void
  /** A rule decided on an element; of an object that it takes whole, once. Paths hold names and positions alone. */
  decided?(path: string, rule: string, action: ElementAction): void
  /** What was told of a path, and of what is under it, no longer holds. */
  undone?(path: string): void
}
