import { subKey } from "../vault/seal.ts"
import type { KeyRing, Owner } from "../vault/ring.ts"
import type { NamedRecord, RecordKeys } from "./record-keys.ts"
import type { ValueKeys } from "./sealed-log.ts"

/** Owners that are remembered. */
const mostRemembered = 20_000

/** What a message of a record is about, which has a key of its own. */
export const aboutRecord = (id: string, topic: string): string => `r:${id} ${topic}`
/** What a message is about that is a person's from the beginning. */
export const aboutPerson = (person: string): string => `p:${person}`
/** What a copy of a message that was read is about. */
export const aboutAgain = (about: string, topic: string): string =>
  about.startsWith("r:") ? `${about} ${topic}` : about

/** Name of the owner that a person is. */
export const personOwner = (person: string): string => `person/${person}`

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** Keys of messages' values: of records, and of their owners where they are known from the beginning. */
export class StoredValueKeys implements ValueKeys {
  readonly #records: RecordKeys
  readonly #ring: KeyRing
  /** By hex id. */
  readonly #owners = new Map<string, Uint8Array>()
  /** Hex ids by what messages name. */
  readonly #ids = new Map<string, string>()

  constructor(records: RecordKeys, ring: KeyRing) {
    this.#records = records
    this.#ring = ring
  }

  async forWriting(names: readonly string[]) {
    const records = names.flatMap((name): NamedRecord[] => {
      const [, id, topic] = /^r:(\S+) (.+)$/s.exec(name) ?? []
      return id === undefined ? [] : [{ id, topic: topic! }]
    })
    const keys = await this.#records.forWriting(records)
    const again = await this.forReading(names.filter((name) => name.startsWith("o:")))
    const persons = await this.#forPersons(names.filter((name) => name.startsWith("p:")))
    const found = new Map<string, { readonly header: string; readonly key: Uint8Array }>()
    for (const { id, topic } of records) found.set(aboutRecord(id, topic), { header: `r:${id}`, key: keys.get(id)! })
    for (const [header, key] of again) found.set(header, { header, key })
    for (const [name, one] of persons) found.set(name, one)
    return found
  }

  async forReading(headers: readonly string[], isAnew = false): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>()
    const ofRecords = headers.filter((header) => header.startsWith("r:"))
    const records = await this.#records.forReading(
      ofRecords.map((header) => header.slice(2)),
      isAnew,
    )
    for (const [id, key] of records) found.set(`r:${id}`, key)
    const owners = headers.filter((header) => header.startsWith("o:")).map((header) => header.slice(2))
    if (isAnew) for (const id of owners) this.#owners.delete(id)
    const unknown = owners.filter((id) => !this.#owners.has(id))
    for (const id of owners) if (this.#owners.has(id)) found.set(`o:${id}`, this.#owners.get(id)!)
    for (const owner of await this.#ring.known(unknown.map((id) => Buffer.from(id, "hex"))))
      if (owner !== undefined) found.set(`o:${hexOf(owner.id)}`, this.#remember(owner))
    return found
  }

  async #forPersons(names: readonly string[]) {
    const found = new Map<string, { readonly header: string; readonly key: Uint8Array }>()
    for (const name of names) {
      const id = this.#ids.get(name)
      const key = id === undefined ? undefined : this.#owners.get(id)
      if (key !== undefined) found.set(name, { header: `o:${id}`, key })
    }
    const unknown = names.filter((name) => !found.has(name))
    if (unknown.length === 0) return found
    const owners = await this.#ring.owners(unknown.map((name) => personOwner(name.slice(2))))
    for (const name of unknown) {
      const owner = owners.get(personOwner(name.slice(2)))!
      found.set(name, { header: `o:${hexOf(owner.id)}`, key: this.#remember(owner) })
      this.#ids.set(name, hexOf(owner.id))
    }
    return found
  }

  #makeRoom(count: number): void {
    if (this.#owners.size + count <= mostRemembered) return
    this.#owners.clear()
    this.#ids.clear()
  }

  #remember({ id, key }: Owner): Uint8Array {
    this.#makeRoom(1)
    const own = subKey(key, "values")
    this.#owners.set(hexOf(id), own)
    return own
  }
}
