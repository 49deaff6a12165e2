/** What an error asks the engine to do; the only five reactions there are. */
export type Meaning = "retryable" | "bad-record" | "partial" | "systemic" | "fatal"

/** Where and why, for people. Never a payload value: codes, names, paths, positions and sizes only. */
export interface ErrorDetail {
  /** Path inside the document or record that is at fault, as `a.b[0].c`, or a DICOM tag path. */
  readonly path?: string
  /** What to do next, one sentence. */
  readonly hint?: string
  readonly cause?: unknown
}

/** The one error class: a meaning, a stable code (kebab-case, dots between parts) and a text without payload values. */
export class WeirError extends Error {
  override readonly name = "WeirError"
  readonly meaning: Meaning
  readonly code: string
  readonly path: string | undefined
  readonly hint: string | undefined
  /** Of a `partial` failure: the failed rows by their index in the batch. */
  readonly rows: ReadonlyMap<number, WeirError> | undefined

  constructor(
    meaning: Meaning,
    code: string,
    message: string,
    detail: ErrorDetail = {},
    rows?: ReadonlyMap<number, WeirError>,
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.meaning = meaning
    this.code = code
    this.path = detail.path
    this.hint = detail.hint
    this.rows = rows
  }
}

/** The outside world may be better in a moment: back off and do it again. */
export const retryable = (code: string, message: string, detail?: ErrorDetail) =>
  new WeirError("retryable", code, message, detail)

/** This record can never pass: dead letter, go on. */
export const badRecord = (code: string, message: string, detail?: ErrorDetail) =>
  new WeirError("bad-record", code, message, detail)

/** A privacy decision not to let a record pass; a bad record whose code is `refused.<reason>`. */
export const refused = (reason: string, message: string, detail?: ErrorDetail) =>
  badRecord(`refused.${reason}`, message, detail)

/** Some rows of a batch failed: retry or dead-letter those alone. */
export const partial = (rows: ReadonlyMap<number, WeirError>) =>
  new WeirError("partial", "partial", `${rows.size} rows of the batch failed`, {}, rows)

/** The system behind is in trouble (disk full, login refused): pause, probe, resume; never drain records. */
export const systemic = (code: string, message: string, detail?: ErrorDetail) =>
  new WeirError("systemic", code, message, detail)

/** Stop the pipeline with this message. */
export const fatal = (code: string, message: string, detail?: ErrorDetail) =>
  new WeirError("fatal", code, message, detail)

/** Every thrown thing has a meaning; what nobody classified is fatal. The text of a foreign error may hold a payload value,
 * so it stays in `cause` and only its class name is told. */
export function classify(thrown: unknown): WeirError {
  if (thrown instanceof WeirError) return thrown
  const system = (thrown as { code?: unknown } | null)?.code
  if (system === "ENOSPC" || system === "EDQUOT" || system === "EROFS")
    return systemic("disk-full", `the disk refused a write (${system})`, { cause: thrown })
  const kind = thrown instanceof Error ? thrown.name : typeof thrown
  return fatal(
    "unclassified",
    `an unclassified error was thrown (${kind}${typeof system === "string" ? `, ${system}` : ""})`,
    {
      cause: thrown,
    },
  )
}
