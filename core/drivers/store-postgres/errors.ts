import { WeirError, fatal, retryable, systemic } from "../../errors.ts"

/** The SQLSTATE of an error that the server answered with; undefined for anything else, as a lost connection. */
export function sqlState(thrown: unknown): string | undefined {
  const { code, severity } = (thrown ?? {}) as { code?: unknown; severity?: unknown }
  return typeof code === "string" && severity !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** True when the session is gone, so that whatever was under way may or may not have happened. */
export function isLost(thrown: unknown): boolean {
  const state = sqlState(thrown)
  return state === undefined ? !(thrown instanceof WeirError) : /^(08|57P|25P03)/.test(state)
}

type Make = (told: string) => WeirError

const byState: readonly (readonly [state: RegExp, make: Make])[] = [
  [/^28/, (told) => systemic("login-refused", told, { hint: "check the user and the password of the Store's url" })],
  [/^53100/, (told) => systemic("disk-full", told, { hint: "free space on the disk of the PostgreSQL server" })],
  [
    /^55P03/,
    (told) => systemic("lock-timeout", told, { hint: "pg_locks and pg_stat_activity show who holds the lock" }),
  ],
  [/^(40P01|40001)/, (told) => retryable("deadlock", told)],
  [/^25006/, (told) => systemic("read-only", told, { hint: "name the primary server in the Store's url" })],
  [
    /^42501/,
    (told) =>
      fatal("access-refused", told, { hint: "the Store's user must be allowed to create schemas in its database" }),
  ],
  [/^3D000/, (told) => fatal("no-database", told, { hint: "create the database that the Store's url names" })],
  [/^54000/, (told) => fatal("state-key", told, { hint: "a state key is too long for an index" })],
  [/^(08|53|57|58|25P|XX)/, (told) => retryable("unreachable", told)],
]

/** Gives what `pg` threw its meaning. The server's text may quote values, so only its SQLSTATE is told and kept.
 * @param what the operation, without values */
export function postgresError(thrown: unknown, what: string): WeirError {
  if (thrown instanceof WeirError) return thrown
  const state = sqlState(thrown)
  if (state !== undefined) {
    const told = `${what}: PostgreSQL answered SQLSTATE ${state}`
    return byState.find(([pattern]) => pattern.test(state))?.[1](told) ?? fatal("store-refused", told)
  }
  // What pg itself says when the server wants a password and the url has none; it has no code.
  if (thrown instanceof Error && thrown.message.startsWith("SASL"))
    return systemic("login-refused", `${what}: the server wants a password`, { hint: "put it into the Store's url" })
  const { code } = (thrown ?? {}) as { code?: unknown }
  return retryable("unreachable", `${what}: no answer of PostgreSQL${typeof code === "string" ? ` (${code})` : ""}`, {
    hint: "see that the server runs and that the Store's url names it",
    cause: thrown,
  })
}

/** A COMMIT whose answer was lost. */
export const unknownOutcome = (what: string, cause: unknown): WeirError =>
  retryable(
    "unknown-outcome",
    `${what}: the connection was lost while the transaction was committed`,
    sqlState(cause) === undefined ? { cause } : {},
  )

/** Another claim came after. */
export const fenced = (what: string): WeirError => fatal("fenced", `${what}: another owner has claimed the task`)
