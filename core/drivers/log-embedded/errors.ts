import { type ErrorDetail, type Meaning, retryable, systemic, WeirError } from "../../errors.ts"

const FULL = new Set(["ENOSPC", "EDQUOT", "EROFS"])

/** What a failure to write means: `disk-full` or `disk-failed` (both systemic). */
export function diskError(thrown: unknown): WeirError {
  if (thrown instanceof WeirError) return thrown
  const errno = String((thrown as { code?: unknown } | null)?.code ?? "unknown error")
  if (FULL.has(errno)) return systemic("disk-full", `the disk refused a write of the log (${errno})`, { cause: thrown })
  return systemic("disk-failed", `the disk failed a write of the log (${errno})`, { cause: thrown })
}

/** A transaction of which nobody can say whether it was committed. */
export const unknownOutcome = (cause?: unknown): WeirError =>
  retryable("unknown-outcome", "it is not known whether the transaction was committed", {
    hint: "open the writer again, then look",
    ...(cause === undefined ? {} : { cause }),
  })

/** An error as it crosses a socket. */
export interface ErrorRow {
  readonly meaning: Meaning
  readonly code: string
  readonly message: string
  readonly path?: string
  readonly hint?: string
}

export const toRow = (error: WeirError): ErrorRow => ({
  meaning: error.meaning,
  code: error.code,
  message: error.message,
  ...(error.path === undefined ? {} : { path: error.path }),
  ...(error.hint === undefined ? {} : { hint: error.hint }),
})

export function fromRow({ meaning, code, message, path, hint }: ErrorRow): WeirError {
  const detail: ErrorDetail = { ...(path === undefined ? {} : { path }), ...(hint === undefined ? {} : { hint }) }
  return new WeirError(meaning, code, message, detail)
}

/** The owner of the log closes; the call was not done: ask the next one. */
export const moved = (): WeirError => retryable("log-moved", "the log was closed by the process that owned it")
