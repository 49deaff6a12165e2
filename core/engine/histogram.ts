/** Upper bounds of the buckets of durations, seconds. */
export const durationBounds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200,
] as const

/** Durations by how long they were, in seconds; observing one is two additions. */
export class Histogram {
  /** How many fell into each bucket and into none before it; the last is for those above every bound. */
  readonly counts = new Float64Array(durationBounds.length + 1)
  sum = 0

  /** @param ms milliseconds; a clock that went back counts as 0 */
  observe(ms: number): void {
    const seconds = Math.max(0, ms) / 1000
    let at = 0
    while (at < durationBounds.length && seconds > durationBounds[at]!) at++
    this.counts[at]!++
    this.sum += seconds
  }

  get count(): number {
    return this.counts.reduce((sum, one) => sum + one, 0)
  }
}
