/** Ordered: phi > limited > clean. A property of topics, object buckets and tables. */
export type Zone = "phi" | "limited" | "clean"

/** From the most to the least private. */
export const zones: readonly Zone[] = ["phi", "limited", "clean"]

/** True when `to` is a step down the zones from `from`, which only a privacy transform may take. */
export const isBelow = (to: Zone, from: Zone): boolean => zones.indexOf(to) > zones.indexOf(from)

/** What happens to a row: it is there with this value, or it is taken back. */
export type Op = "upsert" | "retract"

/** A place in the Log. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** What a plugin makes. `key` picks the partition (a person); `id` names the row under it. A row's identity is (key, id)
 * everywhere. `version` orders the row's states: see core/version.ts for sources; stateful stages number them 1, 2, 3 ... */
export interface Draft<V = unknown> {
  readonly key: string
  readonly id: string
  readonly op: Op
  readonly version: bigint
  readonly value: V | null
  /** Event time, milliseconds since 1970, UTC. */
  readonly time: number
  readonly headers?: Readonly<Record<string, string>>
  /** Where the chain of what this row tells began, when that is not the origin of the record that caused the change (a resource
   * that waited for its Patient). Sources leave it out. */
  readonly origin?: Position
}

/** What a plugin is given: `at` is where it was read, `origin` where its chain began. */
export interface Rec<V = unknown> extends Draft<V> {
  readonly at: Position
  readonly origin: Position
  readonly zone: Zone
  /** The topic's record type. */
  readonly type: string
}
