import type { ReferenceChange } from "../ports/store.ts"
import type { Zone } from "../record.ts"
import type { OwnedObject } from "../sealing/store-keys.ts"

/** By how much a step changes the references to objects. */
export class ReferenceChanges {
  readonly #by = new Map<string, { readonly zone: Zone; readonly key: string; by: number; owner?: string }>()

  /** Of one row: the keys that it named before and names now, each counted once. */
  refer(zone: Zone, before: readonly string[], now: readonly string[]): void {
    for (const key of new Set(before)) if (!now.includes(key)) this.#add(zone, key, -1)
    for (const key of new Set(now)) if (!before.includes(key)) this.#add(zone, key, 1)
  }

  read(zone: Zone, keys: readonly string[]): void {
    for (const key of keys) this.#add(zone, key, 0)
  }

  own(zone: Zone, owner: string, keys: readonly string[]): void {
    for (const key of keys) this.#add(zone, key, 0).owner = owner
  }

  absorb(other: ReferenceChanges): void {
    for (const { zone, key, by, owner } of other.#by.values()) {
      const change = this.#add(zone, key, by)
      if (owner !== undefined) change.owner = owner
    }
  }

  get all(): readonly ReferenceChange[] {
    return [...this.#by.values()].map(({ zone, key, by }) => ({ zone, key, by }))
  }

  /** Objects that are known to be about somebody; `all` names each of them too. */
  get owned(): readonly OwnedObject[] {
    return [...this.#by.values()].flatMap(({ zone, key, owner }) => (owner === undefined ? [] : [{ zone, key, owner }]))
  }

  #add(zone: Zone, key: string, by: number): { owner?: string } {
    const slot = `${zone} ${key}`
    const known = this.#by.get(slot) ?? { zone, key, by: 0 }
    known.by += by
    this.#by.set(slot, known)
    return known
  }
}
