import type { Logger } from "../context.ts"
import { fatal } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { SelfCheckPolicy } from "../pipeline/model.ts"

/** Codes of dead letters that say: the result still told who it is of. */
export const selfCheckCodes: ReadonlySet<string> = new Set(["refused.identifier-left", "refused.self-check"])

/** How a stage stands. */
export interface SelfCheckState {
  /** Hits within the window. */
  readonly hits: number
  readonly alarm: boolean
}

/** Whether so many hits lie within the window that ends now; `times` in ms since 1970, UTC, in any order. */
export function selfCheckState(
  times: Iterable<number>,
  { hits, within }: SelfCheckPolicy,
  now: number,
): SelfCheckState {
  let count = 0
  for (const time of times) if (time > now - within) count++
  return { hits: count, alarm: count >= hits }
}

/** One hit of the self-check is a record that was refused; hits that repeat say that the de-identification, or what comes in, has
 * changed. Of each stage of this process: an alarm from when so many lie within the window until fewer do; one line of the log on
 * each change. */
export class SelfCheckAlarms {
  readonly #policy: SelfCheckPolicy
  readonly #logger: Logger
  readonly #now: () => number
  /** The times of each stage's last hits, no more than the alarm asks for. */
  readonly #times = new Map<string, number[]>()
  readonly #raised = new Set<string>()

  constructor(policy: SelfCheckPolicy, logger: Logger, now: () => number) {
    this.#policy = policy
    this.#logger = logger
    this.#now = now
  }

  /** What failed in a committed step of a stage.
   * @throws fatal `self-check-alarm` when this raises the alarm, where the pipeline is to stop then */
  look(stage: string, failed: readonly { readonly error: WeirError }[]): void {
    const count = failed.filter(({ error }) => selfCheckCodes.has(error.code)).length
    if (count === 0 && !this.#raised.has(stage)) return
    const { hits, onRepeat } = this.#policy
    const times = this.#times.get(stage) ?? []
    const now = this.#now()
    this.#times.set(stage, [...times, ...Array.from({ length: count }, () => now)].slice(-hits))
    const before = this.#raised.has(stage)
    if (!this.state(stage).alarm || before || onRepeat !== "stop") return
    throw fatal("self-check-alarm", `stage ${stage}: the self-check refused ${hits} records in short time`, {
      hint: "look at the dead letters, mend what lets identifiers through, then start again: see docs/guides/operate.md, Canaries",
    })
  }

  /** How a stage stands now; says so in the log where that is another than when it was last looked at. */
  state(stage: string): SelfCheckState {
    const state = selfCheckState(this.#times.get(stage) ?? [], this.#policy, this.#now())
    if (state.alarm === this.#raised.has(stage)) return state
    const fields = { stage, count: state.hits, ms: this.#policy.within }
    if (state.alarm) {
      this.#raised.add(stage)
      this.#logger.error("self-check-alarm", fields)
    } else {
      this.#raised.delete(stage)
      this.#logger.error("self-check-alarm-over", fields)
    }
    return state
  }
}
