import { randomBytes } from "node:crypto"
import type { RecordKeyRewrap, RecordKeyRow, RecordKeyTables } from "../ports/record-keys.ts"
import type { KeyRing, Owner } from "../vault/ring.ts"

/** Keys of records that are remembered: those that were written or read lately. */
const mostRemembered = 20_000

/** A record that is to be written, by the hex id of its key. */
export interface NamedRecord {
  readonly id: string
  readonly topic: string
}

/** A record that is known to be about somebody. */
export interface OwnedRecord {
  /** Hex id of its key. */
  readonly id: string
  /** Name of the owner. */
  readonly owner: string
}

const bytesOf = (id: string): Uint8Array => Buffer.from(id, "hex")

/** Keys of records: each lies in the Store, wrapped by the ring until it is known whose the record is. */
export class RecordKeys {
  readonly #tables: RecordKeyTables
  readonly #ring: KeyRing
  readonly #known = new Map<string, Uint8Array>()

  constructor(tables: RecordKeyTables, ring: KeyRing) {
    this.#tables = tables
    this.#ring = ring
  }

  /** The keys of records that are about to be written, by id; durable, and made where there is none. */
  async forWriting(records: readonly NamedRecord[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const fresh = records.map(({ id, topic }) => ({
      id: bytesOf(id),
      topic,
      wrapped: this.#ring.wrap(randomBytes(32), contextOf(id)),
    }))
    const rows = await this.#tables.make(fresh)
    const opened = await this.#open(rows)
    const dead = fresh.filter(({ id }) => !opened.has(hexOf(id)))
    if (dead.length === 0) return opened
    // Of somebody who is erased: what comes of them later has another key.
    const before = new Map(rows.map((row) => [hexOf(row.id), row]))
    await this.#tables.rewrap(
      dead.map(({ id, wrapped }) => ({ from: before.get(hexOf(id))!.wrapped, to: { id, wrapped } })),
    )
    return this.forWriting(records)
  }

  /** The keys of records that were read, by id; those that are gone are missing.
   * @param isAnew whether what is remembered is asked for again */
  async forReading(ids: readonly string[], isAnew = false): Promise<ReadonlyMap<string, Uint8Array>> {
    const known = new Map<string, Uint8Array>()
    const asked: string[] = []
    for (const id of new Set(ids)) {
      const one = this.#known.get(id)
      if (one === undefined || isAnew) asked.push(id)
      else known.set(id, one)
    }
    const rows = await this.#tables.find(asked.map(bytesOf))
    const found = await this.#open(rows.filter((row) => row !== undefined))
    return new Map([...known, ...found])
  }

  /** The keys of records wrapped for their owners, as far as they are not yet. */
  async forOwners(records: readonly OwnedRecord[]): Promise<readonly RecordKeyRewrap[]> {
    const byId = new Map(records.map((record) => [record.id, record]))
    const rows = await this.#tables.find([...byId.keys()].map(bytesOf))
    const there = rows.filter((row) => row !== undefined)
    const keys = await this.#open(there)
    const owners = await this.#ring.owners(records.map(({ owner }) => owner))
    return there.flatMap((row) => {
      const id = hexOf(row.id)
      const owner = owners.get(byId.get(id)!.owner)!
      const dataKey = keys.get(id)
      const isOwn = row.owner !== undefined && Buffer.compare(row.owner, owner.id) === 0
      if (dataKey === undefined || isOwn) return []
      const wrapped = this.#ring.wrap(dataKey, contextOf(id), owner)
      return [{ from: row.wrapped, to: { id: row.id, wrapped, owner: owner.id } }]
    })
  }

  async #open(rows: readonly RecordKeyRow[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const ids = [...new Map(rows.flatMap(({ owner }) => (owner === undefined ? [] : [[hexOf(owner), owner]]))).values()]
    const owners = new Map<string, Owner | undefined>()
    for (const [at, owner] of (await this.#ring.known(ids)).entries()) owners.set(hexOf(ids[at]!), owner)
    const opened = new Map<string, Uint8Array>()
    for (const row of rows) {
      const owner = row.owner === undefined ? undefined : owners.get(hexOf(row.owner))
      if (row.owner !== undefined && owner === undefined) continue
      const id = hexOf(row.id)
      const dataKey = this.#ring.unwrap(row.wrapped, contextOf(id), owner)
      opened.set(id, dataKey)
      if (this.#known.size >= mostRemembered) this.#known.delete(this.#known.keys().next().value!)
      this.#known.set(id, dataKey)
    }
    return opened
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const contextOf = (id: string): string => `record ${id}`
