/** What happened in one source, stage or sink since the run began. */
export interface Counts {
  in: number
  out: number
  held: number
  readonly dropped: Map<string, number>
  readonly dead: Map<string, number>
  /** What plugins count, `name` to label to number. */
  readonly other: Map<string, Map<string, number>>
  /** Why it stands still, if it does. */
  paused: string | undefined
}

/** The counters of a run, by source, stage or sink. */
export class Counters {
  readonly #all = new Map<string, Counts>()

  of(name: string): Counts {
    let counts = this.#all.get(name)
    if (counts === undefined) {
      counts = { in: 0, out: 0, held: 0, dropped: new Map(), dead: new Map(), other: new Map(), paused: undefined }
      this.#all.set(name, counts)
    }
    return counts
  }

  /** Adds to what a plugin counts. */
  add(name: string, counter: string, label: string, by: number): void {
    const { other } = this.of(name)
    if (!other.has(counter)) other.set(counter, new Map())
    bump(other.get(counter)!, label, by)
  }

  get all(): ReadonlyMap<string, Counts> {
    return this.#all
  }
}

export const bump = (map: Map<string, number>, label: string, by = 1): void =>
  void map.set(label, (map.get(label) ?? 0) + by)
