import { createHmac, randomBytes } from "node:crypto"

/** Classes of findings, in the order of the report. `ambiguous` is told but does not count. */
export const classes = [
  "files",
  "identity",
  "uids",
  "uid-mapping",
  "dates",
  "date-shift",
  "private",
  "actions",
  "unchanged",
  "markers",
  "file",
  "pixels",
  "conformance",
  "ambiguous",
] as const

/** Class of a finding. */
export type FindingClass = (typeof classes)[number]

/** One fault of an output; never a value. */
export interface Finding {
  readonly class: FindingClass
  /** Of the input, under its folder. */
  readonly input: string
  readonly output: string
  /** Path in the data set, or a place in the file: preamble, name, end. */
  readonly path: string
  /** What is wrong, as a code. */
  readonly what: string
  /** Length and a hash of the value that it is about, salted anew in each run; "" without one. */
  readonly evidence: string
}

const salt = randomBytes(32)

/** What tells two values apart in one report and says neither. */
export const evidenceOf = (value: string | Buffer): string =>
  `len ${value.length} #${createHmac("sha256", salt).update(value).digest("hex").slice(0, 8)}`

/** Takes a finding of the file at hand. */
export type Report = (kind: FindingClass, path: string, what: string, value?: string | Buffer) => void
