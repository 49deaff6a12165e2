import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto"
import { Client, types } from "pg"
import type { ClientConfig } from "pg"
import { WeirError, fatal } from "../../errors.ts"
import type { Store } from "../../ports/store.ts"
import { postgresError, sqlState } from "./errors.ts"
import { roleOf, schemasOf } from "./roles.ts"
import { connection } from "./sessions.ts"
import type { Sessions } from "./sessions.ts"

type Answer = Awaited<ReturnType<Store["query"]>>
type QueryZone = keyof typeof schemasOf

const statementTimeoutMs = 60_000

/** Times as the server prints them: Date has milliseconds only, and takes dates without a zone for local ones. */
const asText = new Set<number>([
  types.builtins.DATE,
  types.builtins.TIMESTAMP,
  types.builtins.TIMESTAMPTZ,
  types.builtins.INTERVAL,
])
const queryTypes: NonNullable<ClientConfig["types"]> = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    if (format === "binary") return types.getTypeParser(oid, format)
    if (oid === types.builtins.INT8) return BigInt
    return asText.has(oid) ? String : types.getTypeParser(oid, "text")
  }) as never,
}

/** Runs one statement as a login of its own that may read a zone and what is below, and is gone afterwards. A session that merely
 * took another role could put it off again from inside a statement (`set_config('role', ...)`).
 * @throws fatal `query` with the server's word on names and syntax; fatal `query-login` */
export async function queryAs(url: string, sessions: Sessions, sql: string, zone: QueryZone): Promise<Answer> {
  if (!Object.hasOwn(schemasOf, zone)) throw fatal("query", "there is no such zone")
  const login = {
    role: `weir_query_${randomBytes(8).toString("hex")}`,
    password: randomBytes(24).toString("base64url"),
  }
  await makeLogin(sessions, login, zone)
  try {
    return await readOnly(urlFor(url, login), login.role, sql, zone)
  } finally {
    await sessions.use("query", (session) => session.run(`DROP ROLE IF EXISTS ${login.role}`)).catch(() => {})
  }
}

interface Login {
  readonly role: string
  readonly password: string
}

async function makeLogin(sessions: Sessions, { role, password }: Login, zone: QueryZone): Promise<void> {
  try {
    await sessions.use("query", async (session) => {
      await session.run(
        `CREATE ROLE ${role} LOGIN PASSWORD '${scramVerifier(password)}' CONNECTION LIMIT 1 IN ROLE ${roleOf(zone)}`,
      )
      // What a crash left behind lets nobody in for longer than this.
      await session.run(
        `DO $$ BEGIN EXECUTE format('ALTER ROLE ${role} VALID UNTIL %L', clock_timestamp() + interval '1 minute'); END $$`,
      )
    })
  } catch (error) {
    if (error instanceof WeirError && error.meaning !== "fatal") throw error
    throw fatal("query-login", `the Store's user may not make a login that sees only ${zone} and below`, {
      hint: "give it CREATEROLE, and ADMIN of the roles weir_phi, weir_limited and weir_clean, and start Weir once",
    })
  }
}

/** RFC 5803's form of a password, so that none is in a statement that the server may log. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, 4096, 32, "sha256")
  const hmac = (text: string) => createHmac("sha256", salted).update(text).digest()
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64")
  return `SCRAM-SHA-256$4096:${salt.toString("base64")}$${stored}:${hmac("Server Key").toString("base64")}`
}

function urlFor(url: string, { role, password }: Login): string {
  const own = new URL(url)
  own.username = role
  own.password = password
  own.searchParams.delete("user")
  own.searchParams.delete("password")
  return own.href
}

async function readOnly(url: string, role: string, sql: string, zone: QueryZone): Promise<Answer> {
  const client = new Client({ ...connection(url), types: queryTypes, query_timeout: statementTimeoutMs + 5_000 })
  client.on("error", () => {})
  try {
    await client.connect().catch((thrown: unknown) => {
      throw queryLoginError(thrown)
    })
    await checkLogin(client, role)
    await client.query(
      `SET statement_timeout = ${statementTimeoutMs}; SET search_path = ${schemasOf[zone].join(", ")}; SET TIME ZONE 'UTC'; BEGIN READ ONLY`,
    )
    // The extended protocol takes one statement only.
    const { fields, rows } = await client.query<unknown[]>({
      text: sql,
      rowMode: "array",
      queryMode: "extended",
    } as never)
    return { columns: fields.map(({ name }) => name), rows }
  } catch (thrown) {
    throw thrown instanceof WeirError ? thrown : queryError(thrown)
  } finally {
    await client.end().catch(() => {})
  }
}

/** A server or a proxy may map a login to another. */
async function checkLogin(client: Client, role: string): Promise<void> {
  const { rows } = await client.query<{ same: boolean }>({
    text: `SELECT current_user = $1 AND session_user = $1
      AND NOT (SELECT rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = session_user) AS same`,
    values: [role],
  })
  if (rows[0]?.same !== true)
    throw fatal("query-login", "the server let the query in as another user than the one who sees only its zone", {
      hint: "connect the Store to the PostgreSQL server itself, not to a proxy with logins of its own",
    })
}

function queryLoginError(thrown: unknown): WeirError {
  const error = postgresError(thrown, "query")
  if (error.code !== "login-refused") return error
  return fatal("query-login", "the server does not let the login of the query in", {
    hint: "pg_hba.conf must accept scram-sha-256 for users weir_query_* of this database from here",
  })
}

function queryError(thrown: unknown): WeirError {
  const state = sqlState(thrown)
  if (state === "42501") return fatal("access-refused", `the query reads what its zone may not see: ${named(thrown)}`)
  // Texts about names and syntax quote the statement; others may quote what is in the rows.
  if (state?.startsWith("42")) return fatal("query", `the query is wrong: ${named(thrown)}`)
  if (state === "57014") return fatal("query", `the query took longer than ${statementTimeoutMs / 1000} s`)
  if (state === "25006") return fatal("query", "a query only reads")
  if (state !== undefined && !/^(08|28|53|57|58)/.test(state))
    return fatal("query", `the query failed (SQLSTATE ${state})`)
  return postgresError(thrown, "query")
}

const named = (thrown: unknown): string => (thrown as Error).message.slice(0, 200)
