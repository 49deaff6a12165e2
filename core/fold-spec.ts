import type { In, Ports } from "./plugin.ts"

/** Rows of one key with from <= sort < to, among the facts that `fact` stored. */
export interface Range {
  readonly from: string
  readonly to: string
}

/** All rows whose sort starts with `prefix`. */
export const prefixed = (prefix: string): Range => ({ from: prefix, to: `${prefix}\u{10ffff}` })

/** A stored row of a fact: where it sorts under its key, and what it says, as JSON. */
export type Row = readonly [sort: string, value: unknown]

/** What to remember of one record: its identity under the key, and the rows to store; several when it is found in several
 * ways (a resource with two codes). Values are JSON. No two facts of a key may store the same sort. */
export interface Fact {
  readonly id: string
  readonly rows: readonly Row[]
  /** Sorts of rows that facts share; the value is how many facts name it. It counts as changed when it appears or goes, so
   * that "is there any later event" costs a few rows to read instead of one an event. */
  readonly counts?: readonly string[]
}

/** Something to derive for a key (a study, a resource), with the ranges of facts that deriving it reads. */
export interface Unit {
  readonly id: string
  readonly reads: readonly Range[]
}

/** A row that should stand in the output now. `id` is the whole row id under the key. */
export interface Derived<V> {
  readonly id: string
  readonly value: V
  readonly time: number
}

/** What deriving one unit gives: the rows that should stand, and when to derive it again. */
export interface Derivation<V> {
  readonly rows: readonly Derived<V>[]
  /** Derive again when the calendar reaches this time (ms): then `reached` is at least this. */
  readonly wakeAt?: number
  /** Derive again when a feed's completeness moves. */
  readonly waitsForFeeds?: boolean
}

/** What deriving may know besides the facts. All of it is stored, so that derivation reads no clock. */
export interface Known {
  /** The latest of the unit's wake times that the calendar has reached, ms. */
  readonly reached: number | undefined
  readonly completeThrough: ReadonlyMap<string, number>
}

/** What `foldDeriveDiff` is told of a join: which facts a record is, which units a change touches, what stands of a unit. */
export interface FoldSpec<I extends Ports, V, U extends Unit = Unit> {
  /** undefined: the record is of a kind that is not read (dropped, `not-read`). */
  fact(record: In<I>): Fact | undefined
  /** The ranges that tell which units a change touches; read once per touched key. */
  index(key: string): readonly Range[]
  /** The units that changed rows (as they were and as they are) touch; with `changed` undefined, all units of the key. */
  units(key: string, changed: readonly Row[] | undefined, index: readonly (readonly Row[])[]): readonly U[]
  /** From facts alone. `rows` has one entry for each of the unit's ranges. */
  derive(key: string, unit: U, rows: readonly (readonly Row[])[], known: Known): Derivation<V>
  /** A text that changes when deriving does (a hash of the definitions): then every key is derived again, in slices. */
  readonly definition?: string
}
