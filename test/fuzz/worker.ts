import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { parentPort, workerData } from "node:worker_threads"
import { filesOf } from "./base.ts"
import { trial } from "./trial.ts"

/** What a worker is asked for: the files [from, to) of a seed. `at` counts them as they begin, so that one that never ends is known. */
export interface Asked {
  readonly seed: number
  readonly from: number
  readonly to: number
  readonly folder: string
  readonly at: SharedArrayBuffer
}

/** What a worker tells now and then, of the files since it told last. */
export interface Told {
  readonly done: number
  readonly verdicts: Readonly<Record<string, number>>
  readonly faults: readonly { readonly number: number; readonly fault: string }[]
  /** The longest time of the processor for one file, ms. */
  readonly slowest: number
  /** Bytes that are held after a collection; undefined unless one was made. */
  readonly held?: number
}

const each = 500
const perCollection = 10

async function work({ seed, from, to, folder, at }: Asked): Promise<void> {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  const bases = filesOf(folder)
  const counter = new Int32Array(at)
  let number = from
  for (let round = 1; number < to; round++) {
    const verdicts: Record<string, number> = {}
    const faults: { number: number; fault: string }[] = []
    let [done, slowest] = [0, 0]
    for (; done < each && number < to; done++, number++) {
      Atomics.store(counter, 0, number)
      const begun = process.cpuUsage()
      const { verdict, fault } = trial(bases, seed, number)
      slowest = Math.max(slowest, process.cpuUsage(begun).user / 1000)
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
      if (fault !== undefined) faults.push({ number, fault })
    }
    if (round % perCollection === 0) collect()
    const { heapUsed, external } = process.memoryUsage()
    const held = round % perCollection === 0 ? { held: heapUsed + external } : {}
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of worker_threads has no origin
    parentPort!.postMessage({ done, verdicts, faults, slowest, ...held } satisfies Told)
    // The channel to the main thread is emptied between rounds.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

await work(workerData as Asked)
