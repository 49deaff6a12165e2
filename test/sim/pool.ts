import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import type { BugName } from "./bugs.ts"
import type { Outcome } from "./run.ts"
import type { WorkerData } from "./worker.ts"

/** Which seeds are run, and how. */
export interface Batch {
  readonly from: number
  readonly seeds: number
  readonly bug?: BugName
  /** Threads; as many as there are cores, if it is not said. */
  readonly workers?: number
  /** Told of each outcome, in no order. No more seeds are begun once it says true. */
  readonly onOutcome: (outcome: Outcome) => boolean | void
}

/** Runs seeds on all cores; each worker takes the next seed when it is done with one. */
export async function runSeeds({
  from,
  seeds,
  bug,
  workers = availableParallelism(),
  onOutcome,
}: Batch): Promise<void> {
  let next = from
  let enough = false
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("worker.ts", import.meta.url), {
        workerData: { bug } satisfies WorkerData,
        execArgv: [],
        // Nearly all of it is garbage soon: a larger nursery is cheaper.
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      })
      const give = () => {
        if (enough || next >= from + seeds) void worker.terminate().then(() => resolve(), reject)
        else worker.postMessage(next++, [])
      }
      worker.on("error", reject)
      worker.on("message", (outcome: Outcome) => {
        if (onOutcome(outcome) === true) enough = true
        give()
      })
      give()
    })
  await Promise.all(Array.from({ length: Math.min(workers, seeds) }, one))
}

/** The first of these seeds, in the order in which they are done, that finds a bug. */
export async function firstThatFinds(bug: BugName, seeds: number): Promise<Outcome | undefined> {
  let found: Outcome | undefined
  const onOutcome = (outcome: Outcome) => {
    if (outcome.broken.length > 0 && (found === undefined || outcome.seed < found.seed)) found = outcome
    return found !== undefined
  }
  await runSeeds({ from: 1, seeds, bug, onOutcome })
  return found
}
