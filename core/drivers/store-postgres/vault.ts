import { fatal, retryable } from "../../errors.ts"
import type { VaultEntry, VaultLine, VaultPerson, VaultProject, VaultTables } from "../../ports/vault.ts"
import type { Session, Sessions, Statement } from "./sessions.ts"
import { textArray } from "./text.ts"

const makeProject: Statement = {
  name: "vault.make",
  text: "INSERT INTO vault.projects (project, codes, wrapped) VALUES ($1, $2, decode($3, 'hex')) ON CONFLICT DO NOTHING",
}
const project: Statement = {
  name: "vault.project",
  text: "SELECT codes, wrapped FROM vault.projects WHERE project = $1::text",
}
// In key order, so that two writers of the same rows wait for each other and never in a circle.
const makePersons: Statement = {
  name: "vault.persons.make",
  text: `INSERT INTO vault.persons (project, person, code, wrapped, sealed)
    SELECT $1::text, decode(q.person, 'hex'), q.code, decode(q.wrapped, 'hex'), decode(q.sealed, 'hex')
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS q(person, code, wrapped, sealed) ORDER BY q.person
    ON CONFLICT (project, person) DO NOTHING`,
}
const persons: Statement = {
  name: "vault.persons",
  text: `SELECT (q.at - 1)::integer, p.person, p.code, p.wrapped, p.sealed
    FROM unnest($2::text[]) WITH ORDINALITY AS q(person, at)
    JOIN vault.persons p ON p.project = $1::text AND p.person = decode(q.person, 'hex')`,
}
const makeEntries: Statement = {
  name: "vault.entries.make",
  text: `INSERT INTO vault.entries (project, lookup, person, code, sealed)
    SELECT $1::text, decode(q.lookup, 'hex'), decode(q.person, 'hex'), q.code, decode(q.sealed, 'hex')
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS q(lookup, person, code, sealed) ORDER BY q.lookup
    ON CONFLICT (project, lookup) DO NOTHING`,
}
const codes: Statement = {
  name: "vault.codes",
  text: `SELECT (q.at - 1)::integer, e.code FROM unnest($2::text[]) WITH ORDINALITY AS q(lookup, at)
    JOIN vault.entries e ON e.project = $1::text AND e.lookup = decode(q.lookup, 'hex')`,
}
const personOf: Statement = {
  name: "vault.find.person",
  text: "SELECT person, code, wrapped, sealed FROM vault.persons WHERE project = $1::text AND code = $2::text",
}
const entriesOf: Statement = {
  name: "vault.find.entries",
  text: `SELECT e.lookup, e.code, e.sealed, p.person, p.code, p.wrapped, p.sealed FROM vault.entries e
    JOIN vault.persons p ON p.project = e.project AND p.person = e.person
    WHERE e.project = $1::text AND e.code = $2::text ORDER BY e.lookup`,
}
const lines: Statement = {
  name: "vault.lines",
  text: "SELECT number, at, actor, action, detail, hash FROM vault.audit WHERE project = $1::text ORDER BY number",
}
const lockProject: Statement = {
  name: "vault.lock",
  text: "SELECT session_user::text FROM vault.projects WHERE project = $1::text FOR UPDATE",
}
const lastLine: Statement = {
  name: "vault.last",
  text: `SELECT number, at, actor, action, detail, hash FROM vault.audit WHERE project = $1::text ORDER BY number DESC LIMIT 1`,
}
const append: Statement = {
  name: "vault.append",
  text: `INSERT INTO vault.audit (project, number, at, actor, action, detail, hash)
    VALUES ($1, $2, $3, $4, $5, $6, decode($7, 'hex'))`,
}
const rewrap: Statement = {
  name: "vault.rewrap",
  text: `UPDATE vault.projects SET wrapped = decode($3, 'hex') WHERE project = $1::text AND wrapped = decode($2, 'hex')
    RETURNING 1`,
}
const erase: Statement = {
  name: "vault.erase",
  text: `DELETE FROM vault.persons p USING unnest($2::text[]) AS q(person)
    WHERE p.project = $1::text AND p.person = decode(q.person, 'hex') RETURNING 1`,
}

type PersonRow = [person: Buffer, code: string, wrapped: Buffer, sealed: Buffer]
type LineRow = [number: bigint, at: string, actor: string, action: string, detail: string, hash: Buffer]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const hexes = (list: readonly Uint8Array[]): Buffer => textArray(list.map(hex))

const personFrom = ([person, code, wrapped, sealed]: PersonRow): VaultPerson => ({ person, code, wrapped, sealed })
const lineFrom = ([number, at, actor, action, detail, hash]: LineRow): VaultLine => ({
  number: Number(number),
  at,
  actor,
  action,
  detail,
  hash,
})

/** The vault's tables. An insert of rows that are there waits for who makes them and then does nothing; what stands is read by a
 * statement of its own, which sees it. */
export function vaultTables(sessions: Sessions): VaultTables {
  const use = <T>(work: (session: Session) => Promise<T>) => sessions.use("vault", work)
  const find = async (name: string) => {
    const [row] = await use((session) => session.run<[VaultProject["codes"], Buffer]>(project, name))
    return row === undefined ? undefined : { codes: row[0], wrapped: row[1] }
  }
  return {
    async open(name, fresh) {
      const known = await find(name)
      if (known !== undefined) return known
      await use((session) => session.run(makeProject, name, fresh.codes, hex(fresh.wrapped)))
      return (await find(name))!
    },
    project: find,
    persons: (name, rows) => use((session) => standingPersons(session, name, rows)),
    known: (name, wanted) => use((session) => knownPersons(session, name, wanted)),
    codes: (name, lookups) => use((session) => standingCodes(session, name, lookups)),
    entries: (name, rows) => use((session) => standingEntries(session, name, rows)),
    async find(name, code) {
      const [person] = await use((session) => session.run<PersonRow>(personOf, name, code))
      const entries = await use((session) => session.run<[Buffer, string, Buffer, ...PersonRow]>(entriesOf, name, code))
      return {
        person: person === undefined ? undefined : personFrom(person),
        entries: entries.map(([lookup, own, sealed, ...owner]) => ({
          entry: { lookup, person: owner[0], code: own, sealed },
          person: personFrom(owner),
        })),
      }
    },
    lines: async (name) => (await use((session) => session.run<LineRow>(lines, name))).map(lineFrom),
    act: (name, next, change = {}) =>
      sessions.transaction("vault", async (session) => {
        const [user] = await session.run<[string]>(lockProject, name)
        const [last] = await session.run<LineRow>(lastLine, name)
        const line = next(last === undefined ? undefined : lineFrom(last), user?.[0] ?? "")
        const { number, at, actor, action, detail, hash } = line
        await session.run(append, name, number, at, actor, action, detail, hex(hash))
        if (change.rewrap !== undefined) {
          const changed = await session.run(rewrap, name, hex(change.rewrap.from), hex(change.rewrap.to))
          if (changed.length === 0)
            throw fatal("vault-changed", "the vault's key was wrapped anew by somebody else meanwhile", {
              hint: "look at the audit, and do it again if it is still wanted",
            })
        }
        return change.erase === undefined ? 0 : (await session.run(erase, name, hexes(change.erase))).length
      }),
  }
}

const gone = () => retryable("vault-person", "a person of the vault was removed meanwhile")

async function standingPersons(session: Session, name: string, rows: readonly VaultPerson[]): Promise<VaultPerson[]> {
  if (rows.length === 0) return []
  const keys = hexes(rows.map(({ person }) => person))
  await session.run(
    makePersons,
    name,
    keys,
    textArray(rows.map(({ code }) => code)),
    hexes(rows.map(({ wrapped }) => wrapped)),
    hexes(rows.map(({ sealed }) => sealed)),
  )
  const found: VaultPerson[] = []
  for (const [at, ...row] of await session.run<[number, ...PersonRow]>(persons, name, keys)) found[at] = personFrom(row)
  if (Object.keys(found).length < rows.length) throw gone()
  return found
}

async function knownPersons(session: Session, name: string, wanted: readonly Uint8Array[]) {
  const found = wanted.map((): VaultPerson | undefined => undefined)
  for (const [at, ...row] of await session.run<[number, ...PersonRow]>(persons, name, hexes(wanted)))
    found[at] = personFrom(row)
  return found
}

async function standingCodes(session: Session, name: string, lookups: readonly Uint8Array[]) {
  const found = lookups.map((): string | undefined => undefined)
  if (lookups.length === 0) return found
  for (const [at, code] of await session.run<[number, string]>(codes, name, hexes(lookups))) found[at] = code
  return found
}

async function standingEntries(session: Session, name: string, rows: readonly VaultEntry[]): Promise<string[]> {
  if (rows.length === 0) return []
  const lookups = rows.map(({ lookup }) => lookup)
  await session
    .run(
      makeEntries,
      name,
      hexes(lookups),
      hexes(rows.map(({ person }) => person)),
      textArray(rows.map(({ code }) => code)),
      hexes(rows.map(({ sealed }) => sealed)),
    )
    .catch((error: unknown) => {
      // 23503: the row of a person is gone.
      throw String((error as Error).message).includes("SQLSTATE 23503") ? gone() : error
    })
  const found = await standingCodes(session, name, lookups)
  if (found.includes(undefined)) throw gone()
  return found as string[]
}
