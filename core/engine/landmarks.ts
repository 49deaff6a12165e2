import { mismatch } from "./inputs.ts"
import type { InputPosition } from "../ports/store.ts"
import type { Runtime } from "./runtime.ts"

type Last = NonNullable<InputPosition["last"]>
type Row = readonly [key: string, value: unknown]

const keyOf = (name: string, topic: string, partition: number): string => `last/${name}/${topic}/${partition}`

/** How often one is written, ms. */
const everyMs = 60_000

/** What makes a reader's landmark void: its position is set by hand, which accepts the topic as it is now. */
export const forgotten = (name: string, topic: string, partition: number): Row => [
  keyOf(name, topic, partition),
  undefined,
]

/** Records that were read, by offset and checksum, of those whose offsets alone are kept in the Log: a topic that was recreated has
 * another record there. An older one is as good as a newer, so few are written. */
export class Landmarks {
  readonly #runtime: Pick<Runtime, "table" | "elapsed">
  readonly #name: string
  readonly #partition: number
  readonly #written = new Map<string, number>()

  /** @param name of the stage or sink */
  constructor(runtime: Pick<Runtime, "table" | "elapsed">, name: string, partition: number) {
    this.#runtime = runtime
    this.#name = name
    this.#partition = partition
  }

  /** A position with the landmark of its input, as of the table's last refresh.
   * @param next what the Log has committed
   * @returns undefined where nothing was ever read
   * @throws systemic `position-mismatch` where something was, and the Log has forgotten how far */
  at(topic: string, next: bigint | undefined): InputPosition | undefined {
    const row = this.#runtime.table.get<{ readonly offset: string; readonly checksum: number }>(this.#key(topic))
    if (next !== undefined && row === undefined) return { topic, next }
    if (row === undefined) return undefined
    // Kafka deletes positions with their topic, and those of a group that nobody joined for a week.
    if (next === undefined)
      throw mismatch(`${topic}[${this.#partition}] was read past ${row.offset}, and the position is gone`)
    return { topic, next, last: { offset: BigInt(row.offset), checksum: row.checksum } }
  }

  /** The positions of these inputs, each with its landmark. */
  all(topics: Iterable<string>, positions: ReadonlyMap<string, InputPosition>): Map<string, InputPosition> {
    const found = [...topics].flatMap((topic) => this.at(topic, positions.get(topic)?.next) ?? [])
    return new Map(found.map((position) => [position.topic, position]))
  }

  /** Rows to be written with the step that moves these positions: the first of each input, then one a minute. */
  due(positions: readonly InputPosition[]): readonly Row[] {
    const now = this.#runtime.elapsed()
    return positions.flatMap(({ topic, last }) => {
      if (last === undefined || now - (this.#written.get(topic) ?? Number.NEGATIVE_INFINITY) < everyMs) return []
      this.#written.set(topic, now)
      return [[this.#key(topic), rowOf(last)] as const]
    })
  }

  #key(topic: string): string {
    return keyOf(this.#name, topic, this.#partition)
  }
}

const rowOf = ({ offset, checksum }: Last) => ({ offset: `${offset}`, checksum })
