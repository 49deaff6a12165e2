/** Bytes that may be in memory at the same time: whoever needs room waits for it in turn. One that needs more than there is goes
 * alone, so that a sum of bytes is bounded by the room or by one object. */
export class Room {
  readonly #size: number
  #free: number
  readonly #waiting: { readonly need: number; readonly enter: () => void }[] = []

  /** @param size bytes */
  constructor(size: number) {
    this.#size = size
    this.#free = size
  }

  /** Does work that holds up to so many bytes. */
  async use<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const need = Math.min(bytes, this.#size)
    await this.#take(need)
    try {
      return await work()
    } finally {
      this.#free += need
      this.#next()
    }
  }

  async #take(need: number): Promise<void> {
    if (this.#waiting.length === 0 && need <= this.#free) {
      this.#free -= need
      return
    }
    await new Promise<void>((enter) => this.#waiting.push({ need, enter }))
  }

  /** The first in turn enters when there is room for it; nobody overtakes, or a large one would wait for ever. */
  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && first.need <= this.#free; first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= first.need
      first.enter()
    }
  }
}

/** Bytes of originals that are in memory at once. */
export const roomBytes = 256 << 20
