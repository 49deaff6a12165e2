import type { Logger } from "../context.ts"
import type { WeirError } from "../errors.ts"
import type { PartitionState } from "./counters.ts"

/** A probe that is sooner is over before others would have read of it. */
const toldMs = 5000

/** Whether one partition gets on: shown in its counters, written where other processes look with the next probe, and one
 * line of the log on each change. */
export class Standing {
  readonly #name: string
  readonly #state: PartitionState
  readonly #logger: Logger
  readonly #now: () => number
  readonly #changed: () => void
  /** Whether what an earlier owner may have left is looked at. */
  #looked = false

  /** @param changed called when the standing changed, or may differ from what an earlier owner wrote down; never waits */
  constructor(name: string, state: PartitionState, logger: Logger, now: () => number, changed: () => void) {
    this.#name = name
    this.#state = state
    this.#logger = logger
    this.#now = now
    this.#changed = changed
  }

  /** It failed, and is tried again in `waitMs`. */
  paused(error: WeirError, waitMs: number): void {
    const before = this.#state.paused
    const now = this.#now()
    this.#state.paused = { code: error.code, since: before?.since ?? now, nextProbe: now + waitMs }
    if (before?.code === error.code) {
      if (waitMs >= toldMs) this.#changed()
      return
    }
    this.#logger.warn("paused", { ...this.#where, code: error.code, message: error.message })
    this.#changed()
  }

  /** What it had claimed counts no more: another owner came, or nobody can tell what became of its last step. */
  dropped(error: WeirError): void {
    this.#logger.info("dropped", { ...this.#where, code: error.code, message: error.message })
  }

  /** It came further, or found that there is nothing to do; costs nothing when it had not stood still. */
  progress(): void {
    const { paused } = this.#state
    if (paused === undefined && this.#looked) return
    this.#looked = true
    this.#state.paused = undefined
    if (paused !== undefined)
      this.#logger.info("resumed", { ...this.#where, code: paused.code, ms: this.#now() - paused.since })
    this.#changed()
  }

  get #where() {
    const { topic, partition } = this.#state
    return { stage: this.#name, partition, ...(topic === undefined ? {} : { topic }) }
  }
}
