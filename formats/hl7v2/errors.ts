/** Why bytes are no HL7 v2 message, or why one is not de-identified. */
export type Hl7Code =
  | "not-hl7"
  | "delimiters"
  | "segment-malformed"
  | "charset"
  | "charset-lossy"
  | "escape"
  | "truncated"
  | "no-patient"
  | "several-patients"
  | "embedded-document"
  | "unreadable-date"

/** A message that must not pass; says where (`PID[1]-3`), never a value. */
export class Hl7Error extends Error {
  override readonly name = "Hl7Error"
  readonly code: Hl7Code
  /** Segment with its number among those of its name, and field. */
  readonly path: string

  constructor(code: Hl7Code, path: string, message: string) {
    super(path === "" ? message : `${path}: ${message}`)
    this.code = code
    this.path = path
  }
}
