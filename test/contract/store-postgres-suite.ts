import { inspect } from "node:util"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Store } from "../../core/ports/store.ts"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"

/** Runs statements on a server, on a connection of their own. */
export async function onServer(url: string, ...statements: readonly string[]): Promise<unknown[][]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    let rows: unknown[][] = []
    for (const text of statements) rows = (await client.query<unknown[]>({ text, rowMode: "array" } as never)).rows
    return rows
  } finally {
    await client.end()
  }
}

let databases = 0

/** Makes an empty database on the server of a url, in UTF8 and a collation that is not by bytes, so that what relies on the
 * database's own is seen. */
export async function freshDatabase(url: string): Promise<string> {
  const name = `weir_test_${process.pid}_${Date.now()}_${++databases}`
  await onServer(
    url,
    `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'`,
  )
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}

/** Removes what freshDatabase made. */
export async function dropDatabase(url: string): Promise<void> {
  const { pathname, href } = new URL(url)
  const server = new URL(href)
  server.pathname = "/postgres"
  await onServer(server.href, `DROP DATABASE ${pathname.slice(1)} WITH (FORCE)`)
}

/** What PostgreSQL has to do for the Store beyond the port's contract. `server` is the url of a superuser. */
export function postgresSuite(name: string, server: () => string): void {
  describe(`${name} holds the Store`, () => {
    const made: string[] = []
    const fresh = async () => {
      const url = await freshDatabase(server())
      made.push(url)
      return url
    }
    let url: string
    let store: Store
    beforeAll(async () => {
      url = await fresh()
      store = await openPostgresStore({ url })
    })
    afterAll(async () => {
      await store?.close()
      for (const each of made) await dropDatabase(each)
    })

    it("is made once, however many processes start at the same time, and found again", async () => {
      const empty = await fresh()
      const stores = await Promise.all(Array.from({ length: 6 }, () => openPostgresStore({ url: empty })))
      await stores[0]!.claim("p", "s", 0)
      await Promise.all(stores.map((each) => each.close()))
      const again = await openPostgresStore({ url: empty })
      expect((await again.claim("p", "s", 0)).epoch).toBe(2n)
      expect(await onServer(empty, "SELECT number, name FROM weir.migrations")).toEqual([
        [1, "0001-store"],
        [2, "0002-waiting"],
        [3, "0003-vault"],
        [4, "0004-counted"],
        [5, "0005-reviews"],
        [6, "0006-keys"],
      ])
      await again.close()
    })

    it("is made on two databases of a server at the same time", async () => {
      const urls = [await fresh(), await fresh(), await fresh()]
      const stores = await Promise.all(urls.map((each) => openPostgresStore({ url: each })))
      for (const each of stores) {
        expect((await each.query("SELECT 1", "clean")).rows).toEqual([[1]])
        await each.close()
      }
    })

    it("is not touched when a newer Weir wrote it", async () => {
      const newer = await fresh()
      await (await openPostgresStore({ url: newer })).close()
      await onServer(newer, "INSERT INTO weir.migrations (number, name) VALUES (99, 'of tomorrow')")
      await expect(openPostgresStore({ url: newer })).rejects.toMatchObject({ meaning: "fatal", code: "store-newer" })
    })

    it("is not made where text is not UTF8", async () => {
      await onServer(
        url,
        "DROP DATABASE IF EXISTS weir_test_latin",
        "CREATE DATABASE weir_test_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
      )
      const latin = new URL(url)
      latin.pathname = "/weir_test_latin"
      await expect(openPostgresStore({ url: latin.href })).rejects.toMatchObject({ code: "server-encoding" })
      await onServer(url, "DROP DATABASE weir_test_latin")
    })

    it("says what is wrong with an address, and never a password", async () => {
      const wrong = (change: (url: URL) => void) => {
        const other = new URL(url)
        change(other)
        return other.href
      }
      const faults: readonly (readonly [string, object])[] = [
        [wrong((each) => (each.password = "canary")), { meaning: "systemic", code: "login-refused" }],
        [wrong((each) => (each.password = "")), { meaning: "systemic", code: "login-refused" }],
        [
          wrong((each) => ([each.username, each.password] = ["nobody", "canary"])),
          { meaning: "systemic", code: "login-refused" },
        ],
        [
          wrong((each) => ([each.pathname, each.search] = ["/none", "?application_name=canary"])),
          { meaning: "fatal", code: "no-database" },
        ],
        [
          wrong((each) => ([each.port, each.password] = ["1", "canary"])),
          { meaning: "retryable", code: "unreachable" },
        ],
        ["postgres://user:canary@host:port:1/x", { meaning: "fatal", code: "store-url" }],
        ["user:canary@host", { meaning: "fatal", code: "store-url" }],
      ]
      for (const [address, fault] of faults) {
        const error = await openPostgresStore({ url: address }).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        expect(error, address).toMatchObject(fault)
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("canary")
      }
    })

    it("adds to the audit only, also for its owner", async () => {
      await store.audit("sql", "x")
      for (const sql of ["UPDATE weir.audit SET detail = ''", "DELETE FROM weir.audit", "TRUNCATE weir.audit"])
        await expect(onServer(url, sql)).rejects.toThrow("only ever added")
    })

    it("reads ranges by the index, also when the plan was made for an empty table", async () => {
      const task = await store.claim("plans", "s", 0)
      const nothing = { deletes: [], sharedPuts: [], sharedDeletes: [], timers: [], cancels: [], positions: [] }
      const scan = async () => {
        const tx = await task.begin()
        const rows = await tx.scan([
          { key: "k", from: "000100", to: "000110" },
          { key: "k", from: "029990" },
        ])
        await tx.rollback()
        return rows.map(({ length }) => length)
      }
      expect(await scan()).toEqual([0, 0])
      const puts = Array.from({ length: 30_000 }, (_, at) => ["k", `${at}`.padStart(6, "0"), "1"] as const)
      await (await task.begin()).commit({ ...nothing, puts })
      const read = async () => {
        const sql = `SELECT pg_stat_get_tuples_returned('weir.state'::regclass), pg_stat_get_tuples_returned('weir.state_pkey'::regclass)`
        await onServer(url, "SELECT pg_stat_force_next_flush()")
        return (await onServer(url, sql))[0]!.map(Number)
      }
      const [tableBefore, indexBefore] = await read()
      for (let i = 0; i < 20; i++) expect(await scan()).toEqual([10, 10])
      await store.close()
      store = await openPostgresStore({ url })
      await expect.poll(async () => (await read())[1]! - indexBefore!).toBeGreaterThanOrEqual(400)
      const [tableAfter, indexAfter] = await read()
      expect(tableAfter! - tableBefore!).toBe(0)
      expect(indexAfter! - indexBefore!).toBeLessThan(4000)
    })

    it("finds and deletes rows and timers by the index, also when the plan was made for empty tables", async () => {
      const own = await fresh()
      const session = await openPostgresStore({ url: own })
      const nothing = { deletes: [], sharedPuts: [], sharedDeletes: [], timers: [], cancels: [], positions: [] }
      const task = await session.claim("plans", "s", 0)
      const keys = Array.from({ length: 20_000 }, (_, at) => [`k${at % 100}`, `${at}`.padStart(6, "0")] as const)
      const some = keys.filter((_, at) => at % 10 === 0)
      const take = async () => {
        const step = await task.begin()
        const found = await step.get(some)
        await step.commit({ ...nothing, puts: [], deletes: some, cancels: some })
        return found
      }
      expect((await take()).every((value) => value === undefined)).toBe(true)
      const origin = { topic: "t", partition: 0, offset: 0n }
      const timers = keys.map(([key, name]) => ({ key, name, due: 1, clock: "quiet" as const, origin }))
      const puts = keys.map((key) => [...key, "1"] as const)
      await (await task.begin()).commit({ ...nothing, puts, timers })
      expect((await take()).every((value) => value === "1")).toBe(true)
      const left = await task.begin()
      expect(await left.due("quiet", 1, keys.length)).toHaveLength(keys.length - some.length)
      await left.rollback()
      await session.close()
      // What a session counted it tells when it ends.
      const tables = ["state", "timers"].flatMap((table) => [table, `${table}_pkey`])
      const counts = tables.map((table) => `pg_stat_get_tuples_returned('weir.${table}'::regclass)`)
      const read = async () => Number((await onServer(own, `SELECT ${counts.join(" + ")}`))[0]![0])
      await expect.poll(read).toBeGreaterThanOrEqual(3 * some.length)
      expect(await read()).toBeLessThan(4 * some.length)
    })

    describe("queries", () => {
      beforeAll(async () => {
        for (const zone of ["phi", "limited", "clean"])
          await onServer(
            url,
            `CREATE TABLE ${zone}.things (what text)`,
            `INSERT INTO ${zone}.things VALUES ('${zone}-row')`,
          )
      })

      const seen = { phi: ["phi", "limited", "clean"], limited: ["limited", "clean"], clean: ["clean"] } as const

      it.each(["phi", "limited", "clean"] as const)(
        "in %s see the tables of the zone and below, no other",
        async (zone) => {
          for (const schema of ["phi", "limited", "clean"] as const) {
            const answer = store.query(`SELECT what FROM ${schema}.things`, zone)
            if (seen[zone].includes(schema as never)) expect((await answer).rows).toEqual([[`${schema}-row`]])
            else await expect(answer).rejects.toMatchObject({ code: "access-refused" })
          }
          expect((await store.query("SELECT what FROM things", zone)).rows).toEqual([[`${zone}-row`]])
        },
      )

      it.each([
        "RESET ROLE",
        "SET ROLE weir_phi",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SELECT 1; SELECT what FROM phi.things",
        "COMMIT; SET ROLE weir_phi; SELECT what FROM phi.things",
        "SELECT set_config('role', 'weir_phi', false)",
        "SELECT set_config('role', 'none', false), query_to_xml('SELECT what FROM phi.things', true, true, '')",
        "SELECT set_config('session_authorization', 'postgres', false), query_to_xml('SELECT * FROM phi.things', true, true, '')",
        "WITH r AS MATERIALIZED (SELECT set_config('role', 'weir_phi', true)) SELECT * FROM r, phi.things",
        "DO $$ BEGIN SET ROLE weir_phi; PERFORM * FROM phi.things; END $$",
        "SELECT * FROM pg_read_file('postgresql.conf')",
        "COPY phi.things TO STDOUT",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "INSERT INTO clean.things VALUES ('x')",
        "CREATE TABLE clean.mine (a int)",
        "CREATE TEMP TABLE mine (a int)",
        "GRANT weir_phi TO weir_clean",
        "ALTER ROLE weir_clean SUPERUSER",
        "SELECT lo_create(0)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir' AND pid <> pg_backend_pid()",
      ])("let nobody out of the zone by: %s", async (sql) => {
        const answer = await store.query(sql, "clean").then(
          ({ rows }) => inspect(rows),
          (error: Error) => inspect(error),
        )
        expect(answer).not.toContain("phi-row")
        expect(await onServer(url, "SELECT count(*)::int FROM clean.things")).toEqual([[1]])
        expect((await store.query("SELECT what FROM clean.things", "clean")).rows).toEqual([["clean-row"]])
      })

      it("leave no login behind", async () => {
        const logins =
          "SELECT rolname FROM pg_roles WHERE rolname LIKE 'weir_query%' AND rolvaliduntil < now() + interval '1 hour' ORDER BY 1"
        // What others left on a server that is not the test's own is not looked at.
        const before = await onServer(url, logins)
        await store.query("SELECT 1", "limited")
        await expect(store.query("SELECT nonsense", "limited")).rejects.toThrow()
        await Promise.all([1, 2, 3].map(() => store.query("SELECT 1", "limited")))
        await expect.poll(() => onServer(url, logins)).toEqual(before)
      })

      it("give times as the server prints them, in UTC", async () => {
        const sql = "SELECT DATE '0044-03-15 BC', TIMESTAMPTZ '2020-01-01 00:00:00.123456+02', 1.10::numeric"
        expect((await store.query(sql, "clean")).rows).toEqual([
          ["0044-03-15 BC", "2019-12-31 22:00:00.123456+00", "1.10"],
        ])
      })
    })

    it("works for a user who may not make roles, but for queries, which say why", async () => {
      const poor = `weir_test_poor_${process.pid}_${Date.now()}`
      const own = new URL(await fresh())
      await onServer(
        url,
        `CREATE ROLE ${poor} LOGIN PASSWORD 'poor'`,
        `ALTER DATABASE ${own.pathname.slice(1)} OWNER TO ${poor}`,
      )
      ;[own.username, own.password] = [poor, "poor"]
      const limited = await openPostgresStore({ url: own.href })
      expect((await limited.claim("p", "s", 0)).epoch).toBe(1n)
      await expect(limited.query("SELECT 1", "clean")).rejects.toMatchObject({ meaning: "fatal", code: "query-login" })
      await limited.close()
      const admin = new URL(own.href)
      ;[admin.username, admin.password] = [new URL(url).username, new URL(url).password]
      await dropDatabase(admin.href)
      made.splice(
        made.findIndex((each) => new URL(each).pathname === own.pathname),
        1,
      )
      await onServer(url, `DROP ROLE ${poor}`)
    })
  })
}
