import type { LocalTime } from "./date.ts"

/** The functions that take identity out of a resource; the same for every format of a project. */
export interface Mapping {
  /** Pseudonym of the person that the resource is about. */
  readonly person: string
  /** Days by which the person's dates go back. */
  readonly shiftDays: number
  /** The clock whose time of day is told; that of each text unless given. */
  readonly local?: LocalTime
  identifier(resourceType: string, id: string): string
  uid(uid: string): string
  accession(issuer: string, value: string): string
  /** True for a valid UCUM code; any other text of a unit is dropped. */
  isUnit(text: string): boolean
  /** Something was left out for a reason (a code). */
  left(reason: string): void
}
