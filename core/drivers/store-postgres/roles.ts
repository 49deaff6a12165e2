import type { Client } from "pg"
import { sqlState } from "./errors.ts"

/** What a role of each zone may read: the schemas of the zone and below; for `phi` the Store's own tables too. */
export const schemasOf = {
  phi: ["phi", "limited", "clean", "weir"],
  limited: ["limited", "clean"],
  clean: ["clean"],
} as const

/** Who may look at the rows of the vault, which stay sealed; no zone's role is a member. */
const vaultRole = "weir_vault"

/** The group role of a zone. */
export const roleOf = (zone: keyof typeof schemasOf): string => `weir_${zone}`

/** Whether the roles are there and may read here. */
export async function hasRoles(client: Client): Promise<boolean> {
  const may = "has_schema_privilege(to_regrole('weir_clean'), 'clean', 'USAGE')"
  const { rows } = await client.query<{ may: boolean }>(`SELECT coalesce(${may}, false) AS may`)
  return rows[0]!.may
}

/** Makes the roles of the zones, which cannot log in, and lets them read the tables of their schemas, those to come included.
 * Where the user may not make roles nothing is done: `query` says so then. */
export async function ensureRoles(client: Client): Promise<void> {
  // Roles belong to the whole server: another database's Store may be at it at this moment.
  for (let attempt = 0; ; attempt++) {
    try {
      await client.query(statements())
      return
    } catch (thrown) {
      const state = sqlState(thrown)
      await client.query("ROLLBACK")
      if (state === "42501") return
      if (attempt === 20 || !["23505", "42710", "XX000", "40001"].includes(state ?? "")) throw thrown
    }
  }
}

function statements(): string {
  const roles: readonly (readonly [role: string, schemas: readonly string[]])[] = [
    ...Object.entries(schemasOf).map(([zone, schemas]) => [roleOf(zone as keyof typeof schemasOf), schemas] as const),
    [vaultRole, ["vault"]],
  ]
  const lines = roles.flatMap(([role, schemas]) => {
    return [
      `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN CREATE ROLE ${role} NOLOGIN; END IF; END $$`,
      ...schemas.flatMap((schema) => [
        `GRANT USAGE ON SCHEMA ${schema} TO ${role}`,
        `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}`,
        `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT ON TABLES TO ${role}`,
      ]),
    ]
  })
  return `BEGIN; ${lines.join("; ")}; COMMIT`
}
