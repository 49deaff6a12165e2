import type { FieldAction } from "./decision.ts"
import type { Replaced } from "./escape.ts"
import type { PatientId } from "./identifiers.ts"
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
  /** The pseudonym of a patient that was merged (MRG-1), by their ids; undefined for one that is not known. */
  readonly merged?: (ids: readonly PatientId[]) => string | undefined
  /** The replacements that a text needs, in order. */
  clean(text: string): readonly Replaced[]
  /** What may be told of an address; undefined for nothing, as under `shifted`. */
  readonly address?: (given: Hl7Address) => Hl7Address | undefined
  /** Birth dates of the person that are known beside the message, yyyy-mm-dd or the start of one. */
  readonly birthDates?: readonly string[]
  /** Whether a text says an identifier of the person: no code does. */
  isOwn(text: string): boolean
  /** Something was left out: where, and why (a code). */
  left(path: string, reason: string): void
  /** A rule decided on a field that holds something. */
  decided?(path: string, rule: string, action: FieldAction): void
  /** A passage of a field's text was replaced; from and to in the text without escapes. */
  finding?(path: string, kind: string, start: number, end: number): void
}

/** Parts of an address (XAD) that any profile may tell. */
export interface Hl7Address {
  readonly city?: string
  readonly state?: string
  readonly postalCode?: string
  readonly country?: string
}

/** How messages are de-identified. */
export interface Hl7Options {
  /** How dates are told: `shifted` by whole days (default), `safe-harbor` the year alone and no times, `limited-data-set` as they are. */
  readonly profile?: "shifted" | "safe-harbor" | "limited-data-set"
  /** Segments beyond the table, such as Z-segments, with the rules of their fields; `ZDS` alone takes the rules of IHE. */
  readonly allow?: Readonly<Record<string, Readonly<Record<string, string>>>> | readonly string[]
}
