/** Promises that are awaited together, so that appends in flight share transactions while memory stays bounded. */
export class InFlight {
  readonly #most: number
  readonly #open = new Set<Promise<void>>()
  #weight = 0
  #failed: { readonly error: unknown } | undefined

  /** @param most weight in flight above which `add` waits */
  constructor(most: number) {
    this.#most = most
  }

  /** Waits until there is room; rejects with the first failure of any promise. */
  async add(promise: Promise<void>, weight: number): Promise<void> {
    this.#weight += weight
    const watched = promise
      .catch((error: unknown) => {
        this.#failed ??= { error }
      })
      .finally(() => {
        this.#weight -= weight
        this.#open.delete(watched)
      })
    this.#open.add(watched)
    while (this.#weight > this.#most && this.#open.size > 0) await Promise.race(this.#open)
    if (this.#failed !== undefined) throw this.#failed.error
  }

  /** Waits for all. */
  async settle(): Promise<void> {
    await Promise.all(this.#open)
    if (this.#failed !== undefined) throw this.#failed.error
  }
}
