/** How long a plugin should hold the event loop at most, ms: heartbeats, and all other partitions, wait as long. */
const holdMs = 100
/** Few enough that a slow plugin's first records do not take a session. */
const first = 32

/** How many records a plugin is given at once, from how long it held the event loop before. Its batches are cut where it computes;
 * where it waits for others, they stay whole. A single record that takes longer than a session is beyond it. */
export class Pace {
  readonly #now: () => number
  readonly #turn: () => Promise<void>
  #size = first
  /** How long calls held it since others had their turn, ms. */
  #held = 0

  /** @param now a monotonic clock, ms
   * @param turn resolves when everything else in the process had its turn */
  constructor(now: () => number, turn: () => Promise<void>) {
    this.#now = now
    this.#turn = turn
  }

  get size(): number {
    return this.#size
  }

  /** Runs a call over so many records. */
  async timed<T>(records: number, call: () => Promise<T>): Promise<T> {
    let turned = false
    const began = this.#now()
    const running = call()
    const held = this.#now() - began
    void this.#turn().then(() => (turned = true))
    const result = await running
    // Nothing else had a turn while it went on: all of the time was its own.
    this.#resize(records, turned ? held : this.#now() - began)
    return result
  }

  /** Between two calls: lets others have their turn where it is time. */
  async pause(): Promise<void> {
    if (this.#held < holdMs / 2) return
    this.#held = 0
    await this.#turn()
  }

  #resize(records: number, held: number): void {
    this.#held += held
    if (held > holdMs) this.#size = Math.max(1, Math.floor((records * holdMs) / held))
    else if (held < holdMs / 2 && records >= this.#size) this.#size = Math.min(1 << 20, this.#size * 2)
  }
}
