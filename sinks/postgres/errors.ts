import { WeirError, badRecord, fatal, retryable, systemic } from "../../core/index.ts"

/** The SQLSTATE of an error that the server answered with; undefined for anything else (a lost connection, a timeout). */
export function sqlState(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code
  return typeof code === "string" &&
    /^[0-9A-Z]{5}$/.test(code) &&
    (thrown as { severity?: unknown }).severity !== undefined
    ? code
    : undefined
}

/** True when the server refused what a row holds, not the statement: data exceptions (22), integrity constraints (23), and what
 * is too large for a row or an index (54). */
export const isRowError = (thrown: unknown): boolean => /^(22|23|54)/.test(sqlState(thrown) ?? "")

/** True when the connection was lost, so that the outcome of what ran is not known. */
export function isLost(thrown: unknown): boolean {
  const state = sqlState(thrown)
  return state === undefined ? !(thrown instanceof WeirError) : /^(08|57P)/.test(state)
}

const rowReasons: Readonly<Record<string, readonly [code: string, what: string]>> = {
  "22021": ["nul-character", "holds a character that PostgreSQL cannot store"],
  "22P05": ["nul-character", "holds a character that PostgreSQL cannot store"],
  "22003": ["out-of-range", "holds a number that does not fit its column"],
  "22008": ["out-of-range", "holds a time that does not fit its column"],
  "54000": ["too-large", "has a key or a value that is too large for its column or index"],
}

/** A row that the server refused, as a bad record. The server's text may quote values, so it is not kept. */
export function rowError(thrown: unknown): WeirError {
  const state = sqlState(thrown) ?? ""
  const [code, what] = rowReasons[state] ?? ["row-refused", "was refused by PostgreSQL"]
  return badRecord(code, `the row ${what} (SQLSTATE ${state})`)
}

type Make = (cause: unknown) => WeirError

const byState: readonly (readonly [state: RegExp, make: Make])[] = [
  [
    /^28/,
    (cause) =>
      systemic("login-refused", "PostgreSQL refused the login", { hint: "check user and password of the url", cause }),
  ],
  [
    /^3D000/,
    (cause) =>
      fatal("no-database", "the database of the url does not exist", {
        hint: "create it, or name another in with.url",
        cause,
      }),
  ],
  [
    /^53100/,
    (cause) => systemic("disk-full", "PostgreSQL's disk is full", { hint: "free space on the database server", cause }),
  ],
  [/^53200/, (cause) => systemic("out-of-memory", "PostgreSQL is out of memory", { cause })],
  [
    /^55P03/,
    (cause) =>
      systemic("lock-timeout", "another session holds a lock that this write needs", {
        hint: "see pg_locks for who holds it",
        cause,
      }),
  ],
  [
    /^25006/,
    (cause) =>
      systemic("read-only", "the database takes no writes now", { hint: "name the primary in with.url", cause }),
  ],
  [/^40/, (cause) => retryable("deadlock", "the transaction was ended in favour of another", { cause })],
  [
    /^(23505|42P0[67])/,
    (cause) => retryable("made-elsewhere", "another process made the same table or schema at this moment", { cause }),
  ],
  [
    /^42501/,
    (cause) =>
      fatal("permission-denied", "the database user may not do this", {
        hint: "let the user of the url create schemas in its database and own the sink's tables",
        cause,
      }),
  ],
  [
    /^(08|53|57|58|25P0[34]|XX)/,
    (cause) => retryable("unreachable", `PostgreSQL cannot answer now (SQLSTATE ${sqlState(cause)})`, { cause }),
  ],
]

/** What a failed call of the server means to the engine. */
export function meaningOf(thrown: unknown): WeirError {
  if (thrown instanceof WeirError) return thrown
  const state = sqlState(thrown)
  if (state !== undefined)
    return (
      byState.find(([pattern]) => pattern.test(state))?.[1](thrown) ??
      fatal("statement-refused", `PostgreSQL refused a statement of the sink (SQLSTATE ${state})`, {
        hint: "the tables may have been changed by hand",
        cause: thrown,
      })
    )
  // The driver's own texts have no code; this one says that the server wants a password and the url has none.
  if (thrown instanceof Error && thrown.message.startsWith("SASL"))
    return systemic("login-refused", "PostgreSQL refused the login", { hint: "check user and password of the url" })
  const code = (thrown as { code?: unknown } | null)?.code
  return retryable("unreachable", `no connection to PostgreSQL${typeof code === "string" ? ` (${code})` : ""}`, {
    hint: "see that the server runs and that with.url names it",
    cause: thrown,
  })
}
