import type { Day } from "./calendar.ts"

/** What a finding is. */
export type FindingKind =
  "name" | "date" | "birth-date" | "age" | "phone" | "id" | "uid" | "email" | "url" | "ip" | "address" | "place"

/** What is known once the whole text is read. */
export interface Times {
  /** The year that a date without one is taken to be of. */
  yearAt(position: number): number
  /** The newest day that the text or its bearer names. */
  readonly newest: Day | undefined
}

/** A finding before its surrogate is made: some need to know what else the text says. */
export interface Draft {
  readonly kind: FindingKind
  readonly start: number
  readonly end: number
  readonly make: string | ((times: Times) => string)
  /** The day that it names, of dates with a year. */
  readonly day?: Day
}
