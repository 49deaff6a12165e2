import { spawnSync } from "node:child_process"

/** What a piece of work took. */
export interface Taken {
  /** Wall time, seconds. */
  readonly seconds: number
  /** CPU time of this process, all threads, seconds. */
  readonly cpu: number
}

/** Does work and tells what it took. */
export async function timed(work: () => Promise<unknown>): Promise<Taken> {
  const before = process.cpuUsage()
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(before)
  return { seconds, cpu: (user + system) / 1e6 }
}

/** The middle one. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Does two things in turn, so that what else the machine does falls on both, and gives the medians of each. The first round
 * warms caches and the compiler, and does not count. */
export async function alternate(
  rounds: number,
  measured: () => Promise<Taken>,
  floor: () => Promise<Taken>,
): Promise<{ readonly measured: Taken; readonly floor: Taken }> {
  const [ours, bare]: [Taken[], Taken[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const [one, other] = [await measured(), await floor()]
    if (round === 0) continue
    ours.push(one)
    bare.push(other)
  }
  return { measured: middle(ours), floor: middle(bare) }
}

const middle = (taken: readonly Taken[]): Taken => ({
  seconds: median(taken.map(({ seconds }) => seconds)),
  cpu: median(taken.map(({ cpu }) => cpu)),
})

/** Does work with all threads of this process on one core of those it may use (Linux), so that a rate is that of a core. Where cores
 * cannot be chosen it says so, and shares of CPU time have to be read instead. */
export async function onOneCore<T>(work: () => Promise<T>, tell: (what: string) => void): Promise<T> {
  const [all] = /[\d,-]+$/.exec(taskset([]) ?? "") ?? []
  const last = all === undefined ? undefined : /\d+$/.exec(all)?.[0]
  if (all === undefined || last === undefined || taskset([last]) === undefined) {
    tell("NOT ON ONE CORE: taskset cannot be had")
    return work()
  }
  try {
    return await work()
  } finally {
    taskset([all])
  }
}

/** What taskset says of all threads of this process; undefined when it fails.
 * @param cores a list of cores to stay on, or none to ask for them */
function taskset(cores: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync("taskset", ["-acp", ...cores, String(process.pid)], { encoding: "utf8" })
  return status === 0 ? stdout.trim() : undefined
}
