import { pausedPartitions } from "./counters.ts"
import type { Counters } from "./counters.ts"

/** Whether a run does its work. */
export interface Readiness {
  readonly ready: boolean
  /** Why not. */
  readonly reasons: readonly string[]
}

/** A run is ready when its ports are open, its groups joined, and none of its partitions stands still. */
export class RunState {
  readonly #counters: Counters
  #phase: "starting" | "running" | "draining" = "starting"

  constructor(counters: Counters) {
    this.#counters = counters
  }

  /** All groups are joined. */
  running(): void {
    this.#phase = "running"
  }

  /** The run was told to end, or failed. */
  draining(): void {
    this.#phase = "draining"
  }

  get readiness(): Readiness {
    const phase = { starting: ["groups are being joined"], running: [], draining: ["the run is ending"] }[this.#phase]
    const paused = [...this.#counters.all].flatMap(([name, counts]) =>
      pausedPartitions(counts).map(
        ({ topic, partition, paused: { code } }) =>
          `${name}${topic === undefined ? "" : ` ${topic}`}[${partition}] is paused: ${code}`,
      ),
    )
    const reasons = [...phase, ...paused]
    return { ready: reasons.length === 0, reasons }
  }
}
