import { parentPort, workerData } from "node:worker_threads"
import { plantedBugs } from "./bugs.ts"
import type { BugName } from "./bugs.ts"
import { runSeed } from "./run.ts"

/** What a worker is given at its start. */
export interface WorkerData {
  readonly bug: BugName | undefined
}

const { bug } = workerData as WorkerData

/** Runs each seed that it is sent, and answers with its outcome. */
parentPort!.on("message", (seed: number) => {
  runSeed(seed, bug === undefined ? {} : plantedBugs[bug]).then(
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port, not a window
    (outcome) => parentPort!.postMessage({ ...outcome, trace: [] }),
    (error: unknown) => {
      throw error
    },
  )
})
