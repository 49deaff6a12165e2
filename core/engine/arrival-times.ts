import type { Position } from "../record.ts"

/** How many reads of a partition are remembered. */
const most = 2048

interface Ring {
  /** Where the first read began. */
  readonly start: number
  readonly next: Float64Array
  readonly at: Float64Array
  from: number
  size: number
}

/** When this process read what arrived, by place: a ring of the last reads of each partition, so memory is flat. */
export class ArrivalTimes {
  readonly #topics: ReadonlySet<string>
  readonly #rings = new Map<string, Ring>()

  /** @param topics those that sources write: where chains of records begin */
  constructor(topics: Iterable<string>) {
    this.#topics = new Set(topics)
  }

  /** What stands from `from` on and before `next` was read by `at`, ms. */
  read(topic: string, partition: number, from: bigint, next: bigint, at: number): void {
    if (!this.#topics.has(topic)) return
    const name = `${topic}/${partition}`
    let ring = this.#rings.get(name)
    if (ring === undefined) this.#rings.set(name, (ring = newRing(Number(from))))
    const last = ring.size === 0 ? -1 : ring.next[(ring.from + ring.size - 1) % most]!
    // Read again, after a failure: what was known of it stands.
    if (Number(next) <= last) return
    const slot = (ring.from + ring.size) % most
    ring.next[slot] = Number(next)
    ring.at[slot] = at
    if (ring.size < most) ring.size++
    else ring.from = (ring.from + 1) % most
  }

  /** When the record at a place was first read, ms; undefined when it was elsewhere, or too long ago to be remembered. */
  at({ topic, partition, offset }: Position): number | undefined {
    const ring = this.#rings.get(`${topic}/${partition}`)
    if (ring === undefined) return undefined
    if (Number(offset) < ring.start) return undefined
    const nextOf = (index: number) => ring.next[(ring.from + index) % most]!
    let [low, high] = [0, ring.size]
    while (low < high) {
      const middle = (low + high) >> 1
      if (nextOf(middle) > Number(offset)) high = middle
      else low = middle + 1
    }
    // The oldest read that is remembered may have followed one that had the record.
    if (low === ring.size || (low === 0 && ring.size === most)) return undefined
    return ring.at[(ring.from + low) % most]
  }
}

const newRing = (start: number): Ring => ({
  start,
  next: new Float64Array(most),
  at: new Float64Array(most),
  from: 0,
  size: 0,
})
