import type { Fetched, Message } from "../../core/ports/log.ts"

/** One partition as its broker has it. */
export class SimPartition {
  /** Committed messages, by offset. */
  readonly messages: Fetched[] = []
  /** Ids of the writers that wrote them. */
  readonly writers: string[] = []
  next = 0n
  /** Offsets of transactions that are not settled here: readers stop before the first. */
  readonly #open = new Set<bigint>()
  readonly #waiters = new Set<() => void>()

  /** End of what readers may see. */
  get stable(): bigint {
    let first = this.next
    for (const offset of this.#open) if (offset < first) first = offset
    return first
  }

  /** Takes messages that nobody sees yet; gives how to settle them. */
  take(messages: readonly Message[], by: string): (keep: boolean) => void {
    const from = this.next
    this.next += BigInt(messages.length)
    for (let offset = from; offset < this.next; offset++) this.#open.add(offset)
    return (keep) => {
      for (const [at, message] of messages.entries()) {
        const offset = from + BigInt(at)
        this.#open.delete(offset)
        if (keep) this.#insert({ ...message, offset }, by)
      }
      // The marker takes an offset.
      this.next++
      // Who is woken may wait again at once.
      for (const wake of Array.from(this.#waiters)) wake()
    }
  }

  /** Index of the first message at or after an offset. */
  indexOf(offset: bigint): number {
    let [low, high] = [0, this.messages.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.messages[middle]!.offset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Calls back at the next change; returns how to take it back. */
  onChange(wake: () => void): () => void {
    this.#waiters.add(wake)
    return () => void this.#waiters.delete(wake)
  }

  #insert(message: Fetched, by: string): void {
    let at = this.messages.length
    while (at > 0 && this.messages[at - 1]!.offset > message.offset) at--
    this.messages.splice(at, 0, message)
    this.writers.splice(at, 0, by)
  }
}
