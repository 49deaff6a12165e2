/** What an object store says of an object. */
export interface ObjectInfo {
  readonly key: string
  /** Bytes. */
  readonly size: number
}

/** Bytes to store: whole, or in pieces as they come (memory stays flat). */
export type Body = Uint8Array | AsyncIterable<Uint8Array>

/** The Objects port: one bucket or folder, of one zone. Keys are relative paths of [A-Za-z0-9._=-] segments joined by `/`; no
 * segment is `.` or `..`, and no key is a prefix folder of another. An object is there whole or not at all. */
export interface Objects {
  readonly driver: string
  /** Durable when it resolves. Replaces what was there. Rejects: `disk-full` (systemic), `unreachable` (retryable). */
  put(key: string, body: Body): Promise<ObjectInfo>
  /** Like put, but resolves false, and changes nothing, if the key exists; one winner among many. */
  putIfAbsent(key: string, body: Body): Promise<boolean>
  /** Rejects with a bad-record error, code `object-missing`, when there is none. `range` is [from, to) in bytes. */
  get(key: string, range?: { readonly from: number; readonly to: number }): Promise<AsyncIterable<Uint8Array>>
  /** The whole object in one piece; for objects that are known to fit. */
  bytes(key: string): Promise<Uint8Array>
  head(key: string): Promise<ObjectInfo | undefined>
  /** In key order; a listing that runs while others write shows each object that was there throughout. */
  list(prefix: string): AsyncIterable<ObjectInfo>
  delete(keys: readonly string[]): Promise<void>
  close(): Promise<void>
}
