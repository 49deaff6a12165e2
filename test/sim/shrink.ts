import { runSeed } from "./run.ts"
import type { Bugs, Outcome, Seed } from "./run.ts"

/** A failing seed made smaller. */
export interface Shrunk {
  /** Runs it again. */
  readonly seed: Seed
  readonly outcome: Outcome
  /** Faults that came about. */
  readonly faults: number
  /** Runs that it took. */
  readonly runs: number
}

/** Makes a failing seed smaller while it still fails: fewer waves and events, then without faults, by halves and one by one. */
export async function shrink(seed: number, bugs: Bugs = {}, mostRuns = 300): Promise<Shrunk> {
  let runs = 0
  let best: Seed = { seed }
  let outcome = await runSeed(best, bugs)
  const attempt = async (smaller: Seed): Promise<boolean> => {
    if (runs >= mostRuns) return false
    runs++
    const tried = await runSeed(smaller, bugs)
    if (tried.broken.length === 0) return false
    best = smaller
    outcome = tried
    return true
  }
  await fewerEvents(outcome.events, () => best, attempt)
  // Faults that come later than those that were passed over are others than before: so it is tried again.
  for (let before = -1; before !== outcome.faults;) {
    before = outcome.faults
    await withoutFaults(
      () => outcome.drawn,
      () => best,
      attempt,
    )
  }
  return { seed: best, outcome, faults: outcome.faults, runs }
}

type Attempt = (smaller: Seed) => Promise<boolean>

async function fewerEvents(events: number, best: () => Seed, attempt: Attempt): Promise<void> {
  await attempt({ ...best(), waves: 1 })
  for (let count = events, step = count >> 1; step > 0;)
    if (count > step && (await attempt({ ...best(), events: count - step }))) count -= step
    else step >>= 1
}

async function withoutFaults(drawn: () => number, best: () => Seed, attempt: Attempt): Promise<void> {
  for (let size = drawn(); size > 0; size >>= 1)
    for (let from = 0; from < drawn(); from += size) {
      const known = new Set(best().skip)
      const more = Array.from({ length: size }, (_, at) => from + at).filter((at) => at < drawn() && !known.has(at))
      if (more.length > 0) await attempt({ ...best(), skip: [...known, ...more] })
    }
}
