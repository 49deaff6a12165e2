/** The key of a sealed record, which itself is sealed (core/sealing). */
export interface RecordKeyRow {
  /** A keyed hash of what names the record. */
  readonly id: Uint8Array
  readonly wrapped: Uint8Array
  /** Keyed hash of whose key wraps it; absent: nobody's yet. */
  readonly owner?: Uint8Array
}

/** Puts another wrapping of a record's key in the place of the one that is named. */
export interface RecordKeyRewrap {
  readonly from: Uint8Array
  readonly to: RecordKeyRow
}

/** Keys of sealed records on the Store. Errors are the Store's. */
export interface RecordKeyTables {
  /** The keys that stand, in order of the rows; those that are new are made, nobody's, and all count as made now. */
  make(rows: readonly (RecordKeyRow & { readonly topic: string })[]): Promise<readonly RecordKeyRow[]>
  /** The keys that stand, in order of the ids. */
  find(ids: readonly Uint8Array[]): Promise<readonly (RecordKeyRow | undefined)[]>
  /** Where another key than `from` stands nothing changes. */
  rewrap(rewraps: readonly RecordKeyRewrap[]): Promise<void>
  /** Removes the keys of a topic that were made longer ago. Gives how many there were. */
  sweep(topic: string, olderThanMs: number): Promise<number>
}
