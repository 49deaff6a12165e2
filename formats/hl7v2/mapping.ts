import type { Replaced } from "./escape.ts"
import type { LocalTime } from "./time.ts"

/** The functions that take identity out of a message; the same for every format of a project. */
export interface Hl7Mapping {
  /** Pseudonym of the person that the message is about. */
  readonly person: string
  /** Days by which the person's dates go back. */
  readonly shiftDays: number
  /** The clock whose time of day is told of times that state an offset; that of each text unless given. */
  readonly local?: LocalTime
  identifier(namespace: string, value: string): string
  accession(issuer: string, value: string): string
  uid(uid: string): string
  /** The replacements that a text needs, in order. */
  clean(text: string): readonly Replaced[]
  /** Whether a text says an identifier of the person: no code does. */
  isOwn(text: string): boolean
  /** Something was left out: where, and why (a code). */
  left(path: string, reason: string): void
}

/** How messages are de-identified. */
export interface Hl7Options {
  /** Dates move by whole days. Other profiles are named in errors only, until they are there. */
  readonly profile?: "shifted"
  /** Segments beyond the table, such as Z-segments, with the rules of their fields; `ZDS` alone takes the rules of IHE. */
  readonly allow?: Readonly<Record<string, Readonly<Record<string, string>>>> | readonly string[]
}
