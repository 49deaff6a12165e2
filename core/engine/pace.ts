import { setImmediate as turn } from "node:timers/promises"

/** How long a plugin should hold the event loop at most, ms: heartbeats, and all other partitions, wait as long. */
const holdMs = 100
/** Few enough that a slow plugin's first records do not take a session. */
const first = 32

/** How many records a plugin is given at once, from how long it held the event loop before. Its batches are cut where it computes;
 * where it waits for others, they stay whole. A single record that takes longer than a session is beyond it. */
export class Pace {
  readonly #now: () => number
  #size = first

  /** @param now a monotonic clock, ms */
  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#size
  }

  /** Runs a call over so many records; others have had their turn when it resolves. */
  async timed<T>(records: number, call: () => Promise<T>): Promise<T> {
    let turned = false
    const began = this.#now()
    const running = call()
    const held = this.#now() - began
    const immediate = setImmediate(() => (turned = true))
    try {
      const result = await running
      // Nothing else had a turn while it went on: all of the time was its own.
      this.#resize(records, turned ? held : this.#now() - began)
      return result
    } finally {
      clearImmediate(immediate)
    }
  }

  /** Lets others have their turn. */
  pause = (): Promise<void> => turn()

  #resize(records: number, held: number): void {
    if (held > holdMs) this.#size = Math.max(1, Math.floor((records * holdMs) / held))
    else if (held < holdMs / 2 && records >= this.#size) this.#size = Math.min(1 << 20, this.#size * 2)
  }
}
