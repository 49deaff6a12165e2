import type { ReferenceChange } from "../ports/store.ts"
import type { Zone } from "../record.ts"

/** By how much a step changes the references to objects. */
export class ReferenceChanges {
  readonly #by = new Map<string, { readonly zone: Zone; readonly key: string; by: number }>()

  /** Of one row: the keys that it named before and names now, each counted once. */
  refer(zone: Zone, before: readonly string[], now: readonly string[]): void {
    for (const key of new Set(before)) if (!now.includes(key)) this.#add(zone, key, -1)
    for (const key of new Set(now)) if (!before.includes(key)) this.#add(zone, key, 1)
  }

  read(zone: Zone, keys: readonly string[]): void {
    for (const key of keys) this.#add(zone, key, 0)
  }

  absorb(other: ReferenceChanges): void {
    for (const { zone, key, by } of other.#by.values()) this.#add(zone, key, by)
  }

  get all(): readonly ReferenceChange[] {
    return [...this.#by.values()]
  }

  #add(zone: Zone, key: string, by: number): void {
    const slot = `${zone} ${key}`
    const known = this.#by.get(slot)
    if (known === undefined) this.#by.set(slot, { zone, key, by })
    else known.by += by
  }
}
