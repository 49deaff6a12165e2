import { readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import { migrations } from "../../core/drivers/store-postgres/migrations/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"

const folder = join(import.meta.dirname, "released-stores")
const released = readdirSync(folder).filter((name) => name.endsWith(".sql"))

/** Everything of the Store's schema that statements can tell apart. */
const shape = `
  SELECT 'column' AS kind, table_name || '.' || column_name AS name,
    concat_ws(' ', data_type, is_nullable, column_default, collation_name, is_identity) AS what
  FROM information_schema.columns WHERE table_schema = 'weir'
  UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'weir'
  UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'weir'::regnamespace AND contype <> 'n'
  UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger
  WHERE tgrelid::regclass::text LIKE 'weir.%' AND NOT tgisinternal
  UNION ALL SELECT 'schema', nspname, '' FROM pg_namespace WHERE nspname IN ('weir', 'phi', 'limited', 'clean')
  ORDER BY 1, 2, 3`

describe("the Store of a released version", () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())

  async function database(name: string): Promise<{ readonly url: string; readonly client: Client }> {
    await server.client.query(`CREATE DATABASE ${name}`)
    const url = server.url.replace(/[^/]*$/, name)
    const client = new Client({ connectionString: url })
    await client.connect()
    return { url, client }
  }

  it.each(released)("%s is brought up to date by opening it, once, and keeps what is in it", async (file) => {
    const name = file.replace(/\W/g, "_").toLowerCase()
    const old = await database(`old_${name}`)
    const fresh = await database(`fresh_${name}`)
    try {
      await old.client.query(readFileSync(join(folder, file), "utf8"))
      // Several processes of the new version start at the same time.
      const [store, other, empty] = await Promise.all(
        [old.url, old.url, fresh.url].map((url) => openPostgresStore({ url })),
      )
      const { rows } = await old.client.query("SELECT number, name FROM weir.migrations ORDER BY number")
      expect(rows).toEqual(migrations.map((migration, at) => ({ number: at + 1, name: migration.name })))
      expect((await old.client.query(shape)).rows).toEqual((await fresh.client.query(shape)).rows)

      expect(await store!.positions("chest")).toEqual([
        {
          stage: "label",
          partition: 3,
          positions: [
            {
              topic: "people.facts",
              next: 9_007_199_254_740_993n,
              last: { offset: 9_007_199_254_740_992n, checksum: 4_026_531_839 },
            },
          ],
        },
      ])
      const task = await store!.claim("chest", "label", 3)
      expect(task).toMatchObject({ epoch: 8n, outbox: 12n, published: 11n, dueCalendar: 1_700_000_000_000 })
      expect(task.facts).toMatchObject({ ended: { "people.facts|source/ehr": "5" } })
      expect(task.pending).toEqual([{ number: 12n, payload: Buffer.from([1, 2]) }])
      const step = await task.begin()
      expect(await step.get([["person", "d/fact"]])).toEqual(['{"n":1}'])
      await step.shared.lock(["all"])
      expect(await step.shared.get([["all", "x"]])).toEqual(["2"])
      await step.rollback()
      expect((await store!.query("SELECT 1 AS one", "limited")).columns).toEqual(["one"])
      await Promise.all([store!.close(), other!.close(), empty!.close()])
    } finally {
      await old.client.end()
      await fresh.client.end()
    }
  })

  it("of a newer version is refused, and stays as it is", async () => {
    const newer = await database("newer")
    try {
      await (await openPostgresStore({ url: newer.url })).close()
      await newer.client.query("INSERT INTO weir.migrations (number, name) VALUES (999, '0999-of-tomorrow')")
      await expect(openPostgresStore({ url: newer.url })).rejects.toMatchObject({ code: "store-newer" })
    } finally {
      await newer.client.end()
    }
  })

  it("is kept for every version that the change log names", () => {
    const log = readFileSync(join(import.meta.dirname, "../../CHANGELOG.md"), "utf8")
    const versions = [...log.matchAll(/^## \[(\d+\.\d+\.\d+)\]/gm)].map(([, version]) => `${version}.sql`)
    expect(released).toEqual(expect.arrayContaining(versions))
  })
})
