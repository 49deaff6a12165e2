import { randomBytes } from "node:crypto"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import type { Store } from "../../core/ports/store.ts"
import { Custodian } from "../../core/vault/custodian.ts"
import { openVault, projectOf } from "../../core/vault/vault.ts"
import type { CodeRequest } from "../../core/vault/vault.ts"
import { codeShapes } from "../../core/index.ts"

const act = (reason = "a reason") => ({ actor: "someone", reason, now: Date.UTC(2026, 0, 2) })
const random = () => codeShapes.identifier(randomBytes(32))

/** What the vault promises on a Store, with the keys that open it. */
export function vaultSuite(name: string, url: () => string): void {
  describe(`the vault on ${name}`, () => {
    let store: Store
    let other: Store
    let client: Client
    beforeAll(async () => {
      store = await openPostgresStore({ url: url() })
      other = await openPostgresStore({ url: url() })
      client = new Client({ connectionString: url() })
      await client.connect()
    })
    afterAll(async () => {
      await client?.end()
      await store?.close()
      await other?.close()
    })

    /** A project of its own, opened by two processes. */
    const project = async (codes: "keyed" | "random" = "random") => {
      const keys = { projectKey: randomBytes(32), envelopeKey: randomBytes(32) }
      const [one, two] = await Promise.all([store, other].map((each) => openVault(each.vault!, keys, codes)))
      return { keys, one: one!, two: two!, custodian: await Custodian.open(store.vault!, keys) }
    }
    const request = (value: string, person = "p1", more: Partial<CodeRequest> = {}): CodeRequest => ({
      owner: { key: person, code: random() },
      kind: "identifier",
      namespace: "Observation",
      value,
      code: random(),
      ...more,
    })
    const dump = async (keys: { projectKey: Uint8Array }) => {
      const told: string[] = []
      for (const table of ["projects", "persons", "entries", "audit"]) {
        const sql = `SELECT t::text AS row FROM vault.${table} t WHERE project = $1`
        const { rows } = await client.query<{ row: string }>(sql, [projectOf(keys.projectKey)])
        told.push(...rows.map(({ row }) => row))
      }
      return told.join("\n")
    }

    it("gives one original one code, whoever asks and however often", async () => {
      const { one, two } = await project()
      const [first] = await one.settle([request("o1")])
      expect(await two.settle([request("o1"), request("o2"), request("o1")])).toMatchObject({ 0: first, 2: first })
      expect(await one.settle([request("o1", "p2")])).toEqual([first])
      expect(await one.settle([])).toEqual([])
    })

    it("lets the first of concurrent writers win, and tells all of them the same", async () => {
      const { one, two } = await project()
      const values = Array.from({ length: 300 }, (_, at) => `value ${at}`)
      const asked = Array.from({ length: 12 }, (_, at) => {
        const shuffled = at % 2 ? values : values.toReversed()
        const requests = shuffled.map((value) => request(value, `person ${value.length}`))
        return (at % 3 ? one : two).settle(requests).then((codes) => new Map(shuffled.map((v, i) => [v, codes[i]!])))
      })
      const told = await Promise.all(asked)
      for (const each of told) for (const value of values) expect(each.get(value)).toBe(told[0]!.get(value))
      expect(new Set(told[0]!.values()).size).toBe(values.length)
      const persons = await Promise.all([one, two, one].map((v) => v.persons([{ key: "someone", code: random() }])))
      expect(new Set(persons.flat()).size).toBe(1)
    })

    it("maps a code back to the original, and the person's pseudonym to every identifier of the person", async () => {
      const { one, custodian } = await project()
      const owner = { key: "person key", code: random() }
      const members = ["100", "200"].map((value) => request(value, "", { owner, kind: "member", namespace: "mrn" }))
      const [uid] = await one.settle([request("1.2.3", "", { owner, kind: "uid", namespace: "" }), ...members])
      expect(await custodian.reveal(uid!, act())).toEqual([
        { kind: "uid", namespace: "", value: "1.2.3", person: owner.code },
      ])
      const known = await custodian.reveal(owner.code, act())
      expect(known.toSorted((a, b) => (a.value < b.value ? -1 : 1))).toEqual([
        { kind: "member", namespace: "mrn", value: "100", person: owner.code },
        { kind: "member", namespace: "mrn", value: "200", person: owner.code },
        { kind: "person", namespace: "", value: "person key", person: owner.code },
      ])
      expect(await custodian.reveal("nobody", act())).toEqual([])
    })

    it("keeps nothing that can be read without the key, and opens with no other one", async () => {
      const { keys, one } = await project()
      await one.settle([request("ORIGINAL-ID-77", "PERSON-KEY-77", { kind: "member", namespace: "mrn-77" })])
      const all = await dump(keys)
      for (const secret of ["ORIGINAL-ID-77", "PERSON-KEY-77", "mrn-77"]) {
        expect(all).not.toContain(secret)
        expect(all).not.toContain(Buffer.from(secret).toString("hex"))
      }
      const wrong = { ...keys, envelopeKey: randomBytes(32) }
      await expect(openVault(store.vault!, wrong, "random")).rejects.toMatchObject({ code: "vault-key" })
      await expect(Custodian.open(store.vault!, wrong)).rejects.toMatchObject({ code: "vault-key" })
      const short = { projectKey: randomBytes(32), envelopeKey: randomBytes(16) }
      await expect(openVault(store.vault!, short, "random")).rejects.toMatchObject({ code: "key-too-short" })
    })

    it("is not seen by who may query phi", async () => {
      await expect(store.query("SELECT * FROM vault.persons", "phi")).rejects.toMatchObject({ code: "access-refused" })
      await expect(store.query("SELECT * FROM vault.audit", "phi")).rejects.toMatchObject({ code: "access-refused" })
    })

    it("does not mix keyed and random codes in one project", async () => {
      const { keys } = await project("keyed")
      await expect(openVault(store.vault!, keys, "random")).rejects.toMatchObject({ code: "vault-codes" })
    })

    it("does not open a value in another row", async () => {
      const { keys, one, custodian } = await project()
      const [a, b] = await one.settle([request("a"), request("b")])
      await client.query(
        `UPDATE vault.entries SET sealed = (SELECT sealed FROM vault.entries WHERE project = $1 AND code = $2)
         WHERE project = $1 AND code = $3`,
        [projectOf(keys.projectKey), a, b],
      )
      await expect(custodian.reveal(b!, act())).rejects.toMatchObject({ code: "vault-seal" })
    })

    it("writes down each look before it answers, in a chain that shows what was changed", async () => {
      const { keys, one, custodian } = await project()
      const [code] = await one.settle([request("o1")])
      await custodian.reveal(code!, act("incidental finding"))
      const noted = (await custodian.audit()).place
      await Promise.all([1, 2, 3].map((n) => custodian.reveal("nobody", act(`look ${n}`))))
      const { lines, broken } = await custodian.audit(noted)
      expect(broken).toBeUndefined()
      expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4])
      expect(lines[0]).toMatchObject({ at: "2026-01-02T00:00:00.000Z", action: "reveal" })
      expect(lines[0]!.actor).toMatch(/^someone as \w+/)
      expect(JSON.parse(lines[0]!.detail)).toEqual({ code, reason: "incidental finding" })

      const name = projectOf(keys.projectKey)
      const change = (sql: string) => client.query(sql, [name])
      await expect(change("DELETE FROM vault.audit WHERE project = $1")).rejects.toThrow(/only ever added/)
      await expect(change("UPDATE vault.audit SET detail = '' WHERE project = $1")).rejects.toThrow(/only ever added/)
      await client.query("ALTER TABLE vault.audit DISABLE TRIGGER append_only")
      try {
        await change("UPDATE vault.audit SET detail = replace(detail, 'look 1', 'look 9') WHERE project = $1")
        expect((await custodian.audit()).broken).toBeGreaterThan(1)
        await change("UPDATE vault.audit SET detail = replace(detail, 'look 9', 'look 1') WHERE project = $1")
        expect((await custodian.audit()).broken).toBeUndefined()
        const end = (await custodian.audit()).place
        await change("DELETE FROM vault.audit WHERE project = $1 AND number = 4")
        expect((await custodian.audit(noted)).broken).toBeUndefined()
        expect((await custodian.audit(end)).broken).toBe(4)
        await change("DELETE FROM vault.audit WHERE project = $1 AND number = 2")
        expect((await custodian.audit()).broken).toBe(2)
      } finally {
        await client.query("ALTER TABLE vault.audit ENABLE TRIGGER append_only")
      }
    })

    it("rotates by wrapping its key anew: what is sealed stays, the old envelope key opens nothing", async () => {
      const { keys, one, custodian } = await project()
      const [code] = await one.settle([request("o1")])
      const before = await client.query("SELECT sealed FROM vault.entries WHERE project = $1", [
        projectOf(keys.projectKey),
      ])
      const envelopeKey = randomBytes(32)
      await custodian.rotate(envelopeKey, act())
      const after = await client.query("SELECT sealed FROM vault.entries WHERE project = $1", [
        projectOf(keys.projectKey),
      ])
      expect(after.rows).toEqual(before.rows)
      await expect(Custodian.open(store.vault!, keys)).rejects.toMatchObject({ code: "vault-key" })
      const rotated = await Custodian.open(store.vault!, { ...keys, envelopeKey })
      expect(await rotated.reveal(code!, act())).toMatchObject([{ value: "o1" }])
      expect((await rotated.audit()).broken).toBeUndefined()
      // The other process goes on; who would rotate by what it knew before does not.
      expect(await one.settle([request("o1")])).toEqual([code])
      await expect(custodian.rotate(randomBytes(32), act())).rejects.toMatchObject({ code: "vault-changed" })
      expect((await rotated.audit()).lines.map(({ action }) => action)).toEqual(["rotate", "reveal"])
    })

    it("erases a person with every original, and tells the next time another code", async () => {
      const { keys, one, custodian } = await project()
      const [gone, kept] = await one.settle([request("o1", "p1"), request("o2", "p2")])
      const [person] = await one.persons([{ key: "p1", code: random() }])
      expect(await custodian.erase(["p1", "never seen"], act("asked for"))).toBe(1)
      expect(await custodian.reveal(gone!, act())).toEqual([])
      expect(await custodian.reveal(person!, act())).toEqual([])
      expect(await custodian.reveal(kept!, act())).toHaveLength(1)
      expect((await one.settle([request("o1", "p1")]))[0]).not.toBe(gone)
      expect((await custodian.audit()).broken).toBeUndefined()
      expect(await dump(keys)).not.toContain("p1")
    })

    it("keeps no lock of a key of shared state whose rows are gone", async () => {
      const pipeline = `locks-${random()}`
      const [task, rival] = [await store.claim(pipeline, "s", 0), await other.claim(pipeline, "s", 1)]
      const nothing = {
        puts: [],
        deletes: [],
        sharedPuts: [],
        sharedDeletes: [],
        timers: [],
        cancels: [],
        positions: [],
      }
      const tx = await task.begin()
      await tx.shared.lock(["a-person", "another"])
      await tx.commit({
        ...nothing,
        sharedPuts: [
          ["a-person", "", "1"],
          ["another", "", "1"],
        ],
      })
      const gone = await task.begin()
      await gone.shared.lock(["a-person", "another"])
      const waiting = await rival.begin()
      const locked = waiting.shared.lock(["a-person"])
      await gone.commit({ ...nothing, sharedDeletes: [["a-person", ""]] })
      await locked
      expect(
        await waiting.shared.get([
          ["a-person", ""],
          ["another", ""],
        ]),
      ).toEqual([undefined, "1"])
      await waiting.rollback()
      const { rows } = await client.query(
        `SELECT l.key FROM weir.shared_locks l JOIN weir.stages s ON s.id = l.stage WHERE s.pipeline = $1`,
        [pipeline],
      )
      expect(rows).toEqual([{ key: "another" }])
    })

    it("says that there is none", async () => {
      const keys = { projectKey: randomBytes(32), envelopeKey: randomBytes(32) }
      await expect(Custodian.open(store.vault!, keys)).rejects.toMatchObject({ code: "vault-missing" })
    })
  })
}
