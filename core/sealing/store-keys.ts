import { randomBytes } from "node:crypto"
import { fatal } from "../errors.ts"
import type { KeyRewrap, ObjectKeyRow, ObjectKeyTables } from "../ports/object-keys.ts"
import type { Owner, KeyRing } from "../vault/ring.ts"
import type { ObjectKeys } from "./sealed-objects.ts"

/** Data keys that are remembered, so that who reads many ranges of an object asks once. */
const mostRemembered = 4096

/** An object that is known to be about somebody. */
export interface OwnedObject {
  readonly zone: string
  readonly key: string
  /** Name of the owner. */
  readonly owner: string
}

/** Data keys of a zone's objects: each lies in the Store, wrapped by the ring until it is known whose the object is. */
export class StoreKeys implements ObjectKeys {
  readonly #tables: ObjectKeyTables
  readonly #ring: KeyRing
  readonly #zone: string
  readonly #known = new Map<string, { readonly dataKey: Uint8Array; readonly isOwned: boolean }>()

  constructor(tables: ObjectKeyTables, ring: KeyRing, zone: string) {
    this.#tables = tables
    this.#ring = ring
    this.#zone = zone
  }

  async forPut(key: string): Promise<Uint8Array> {
    for (;;) {
      const fresh = this.#ring.wrap(randomBytes(32), this.#context(key))
      const row = await this.#tables.refresh(this.#zone, key, fresh)
      const dataKey = await this.#dataKey(key, row)
      if (dataKey !== undefined) return this.#remember(key, { dataKey, isOwned: row.owner !== undefined }).dataKey
      // Of somebody who is erased: what comes of them later has another key, which goes with the object.
      await this.#tables.rewrap([{ zone: this.#zone, key, from: row.wrapped, to: { wrapped: fresh } }])
    }
  }

  async find(key: string, isRight: (dataKey: Uint8Array) => boolean = () => true) {
    const known = this.#known.get(key)
    if (known !== undefined && isRight(known.dataKey)) return known
    this.#known.delete(key)
    const [row] = await this.#tables.find(this.#zone, [key])
    const isOwned = row?.owner !== undefined
    const dataKey = row === undefined ? undefined : await this.#dataKey(key, row)
    return dataKey === undefined ? { dataKey, isOwned } : this.#remember(key, { dataKey, isOwned })
  }

  /** The keys of objects wrapped for their owners, as far as they are not yet. */
  async forOwners(objects: readonly OwnedObject[]): Promise<readonly KeyRewrap[]> {
    const rows = await this.#tables.find(
      this.#zone,
      objects.map(({ key }) => key),
    )
    const sealed = objects.flatMap((object, at) => (rows[at] === undefined ? [] : [{ ...object, row: rows[at] }]))
    if (sealed.length === 0) return []
    const owners = await this.#ring.owners(sealed.map(({ owner }) => owner))
    const made: KeyRewrap[] = []
    for (const { key, owner: name, row } of sealed) {
      const owner = owners.get(name)!
      if (row.owner !== undefined && Buffer.compare(row.owner, owner.id) === 0) continue
      const dataKey = await this.#dataKey(key, row)
      if (dataKey === undefined) continue
      const to = { wrapped: this.#ring.wrap(dataKey, this.#context(key), owner), owner: owner.id }
      made.push({ zone: this.#zone, key, from: row.wrapped, to })
    }
    return made
  }

  /** Wraps the keys of objects for their owners at once. */
  async give(objects: readonly OwnedObject[]): Promise<void> {
    await this.#tables.rewrap(await this.forOwners(objects))
  }

  #context(key: string): string {
    return `object ${this.#zone} ${key}`
  }

  async #dataKey(key: string, row: ObjectKeyRow): Promise<Uint8Array | undefined> {
    let owner: Owner | undefined
    if (row.owner !== undefined) {
      ;[owner] = await this.#ring.known([row.owner])
      if (owner === undefined) return undefined
    }
    try {
      return this.#ring.unwrap(row.wrapped, this.#context(key), owner)
    } catch {
      throw fatal("object-key-wrong", "the key of an object does not open: it was changed in the Store", {
        hint: "restore the Store from a backup of the time",
      })
    }
  }

  #remember<T extends { readonly dataKey: Uint8Array; readonly isOwned: boolean }>(key: string, known: T): T {
    if (this.#known.size >= mostRemembered) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(key, known)
    return known
  }
}
