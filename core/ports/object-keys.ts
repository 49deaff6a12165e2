/** The key of a sealed object, which itself is sealed (core/sealing). */
export interface ObjectKeyRow {
  readonly wrapped: Uint8Array
  /** Keyed hash of whose key wraps it; absent: nobody's yet. */
  readonly owner?: Uint8Array
}

/** Puts another wrapping of an object's key in the place of the one that is named. */
export interface KeyRewrap {
  readonly zone: string
  readonly key: string
  readonly from: Uint8Array
  readonly to: ObjectKeyRow
}

/** Keys of sealed objects on the Store, in the rows that count references to them: a key ends with its object. Errors are the Store's. */
export interface ObjectKeyTables {
  /** Refreshes the object as `Store.objects.refresh` does. The key that stands for it: `fresh`, nobody's, where there was none. */
  refresh(zone: string, key: string, fresh: Uint8Array): Promise<ObjectKeyRow>
  /** The keys that stand, in order of the objects. */
  find(zone: string, keys: readonly string[]): Promise<readonly (ObjectKeyRow | undefined)[]>
  /** Where another key than `from` stands nothing changes. */
  rewrap(rewraps: readonly KeyRewrap[]): Promise<void>
  /** Removes the keys of objects, and nothing else of them. */
  forget(zone: string, keys: readonly string[]): Promise<void>
}
