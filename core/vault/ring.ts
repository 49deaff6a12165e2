import { randomBytes } from "node:crypto"
import type { VaultPerson, VaultTables } from "../ports/vault.ts"
import { codeShapes } from "../privacy.ts"
import { seal, subKey, unseal } from "./seal.ts"
import { VaultCipher, projectOf, unwrapped, wrapped } from "./vault.ts"
import type { VaultKeys } from "./vault.ts"

/** Somebody whose key wraps others. */
export interface Owner {
  /** Keyed hash of the name. */
  readonly id: Uint8Array
  readonly key: Uint8Array
}

/** The keys of a deployment's key ring. It is kept as a vault of its own that holds no codes, so that it is rotated, erased from and
 * audited like one. */
export const ringKeys = (identityKey: Uint8Array, envelopeKey: Uint8Array): VaultKeys => ({
  projectKey: subKey(identityKey, "ring"),
  envelopeKey,
})

/** The key ring of a deployment: one key that wraps what is nobody's yet, and one for each owner. Whose key is removed, what it wraps
 * opens no more. */
export class KeyRing {
  readonly #tables: VaultTables
  readonly #project: string
  readonly #cipher: VaultCipher
  readonly #own: Uint8Array

  private constructor(tables: VaultTables, project: string, dataKey: Uint8Array) {
    this.#tables = tables
    this.#project = project
    this.#cipher = new VaultCipher(project, dataKey)
    this.#own = subKey(dataKey, "unowned")
  }

  /** Opens it, and makes it if there is none. Throws fatal `vault-key`, `key-too-short`. */
  static async open(tables: VaultTables, keys: VaultKeys): Promise<KeyRing> {
    const project = projectOf(keys.projectKey)
    const fresh = wrapped(project, randomBytes(32), keys.envelopeKey)
    const row = await tables.open(project, { codes: "random", wrapped: fresh })
    return new KeyRing(tables, project, unwrapped(project, row, keys.envelopeKey))
  }

  /** Whether there is one. */
  static async isThere(tables: VaultTables, identityKey: Uint8Array): Promise<boolean> {
    return (await tables.project(projectOf(subKey(identityKey, "ring")))) !== undefined
  }

  /** Owners by their names; those that are new are made. */
  async owners(names: readonly string[]): Promise<ReadonlyMap<string, Owner>> {
    const distinct = [...new Set(names)]
    const rows = distinct.map((key) =>
      this.#cipher.newPerson({ key, code: codeShapes.identifier(this.#cipher.lookup("person", key)) }),
    )
    const standing = await this.#tables.persons(this.#project, rows)
    return new Map(distinct.map((name, at) => [name, this.#ownerOf(standing[at]!)]))
  }

  /** A keyed hash of what names something. */
  hashOf(...parts: readonly string[]): Uint8Array {
    return this.#cipher.lookup("named", ...parts)
  }

  /** Owners by their ids, in their order; undefined for who was removed. */
  async known(ids: readonly Uint8Array[]): Promise<readonly (Owner | undefined)[]> {
    if (ids.length === 0) return []
    const rows = await this.#tables.known(this.#project, ids)
    return rows.map((row) => (row === undefined ? undefined : this.#ownerOf(row)))
  }

  /** @param owner undefined: nobody yet
   * @param context what the key is of, bound to it */
  wrap(dataKey: Uint8Array, context: string, owner?: Owner): Uint8Array {
    return seal(owner?.key ?? this.#own, dataKey, context)
  }

  /** Throws fatal `vault-seal` when it is under another key. */
  unwrap(bytes: Uint8Array, context: string, owner?: Owner): Uint8Array {
    return unseal(owner?.key ?? this.#own, bytes, context)
  }

  #ownerOf(row: VaultPerson): Owner {
    return { id: row.person, key: this.#cipher.ownKey(row) }
  }
}
