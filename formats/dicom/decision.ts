import type { Treatment } from "./case.ts"
import type { BasicAction, Rule } from "./profile.ts"

/** What decided on an element: the table and its options, or what the table leaves to its reader (docs/decisions/0011, 0035). */
export type Why =
  | "length"
  | "identity"
  | "statement"
  | "pixel-data"
  | "basic"
  | "option"
  | "content-item"
  | "private"
  | "private-safe"
  | "dummy-sequence"
  | "unreadable"
  | "names-person"
  | "other-kind"
  | "unknown"
  | "off-table"
  | "off-table-removed"
  | "off-table-date"
  | "off-table-name"
  | "off-table-text"
  | "uid"

/** What became of one element, and why. */
export interface Decision {
  /** Tag path, as `(0008,1115)[0].(0020,000E)`. */
  readonly path: string
  readonly tag: number
  /** Row of Table E.1-1, under the options that are on; undefined for an element without one. */
  readonly rule: Rule | undefined
  /** What the type in the IOD leaves of the row's alternatives. */
  readonly basic: BasicAction | undefined
  readonly why: Why
  readonly treatment: Treatment
}
