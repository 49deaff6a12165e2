import { systemic } from "../errors.ts"
import type { WeirError } from "../errors.ts"

/** From this many refused rows on, with no more that are taken beside them, something else is wrong than the rows. */
const many = 10
/** Fewer than that are tried again for this long, ms, before they are given up; twice as long each time that nothing was taken since. */
const holdMs = 60_000

/** Tells rows that can never be written from a sink that takes none just now: only rows that are taken together with refused ones
 * show that the sink works, for what it took a moment ago says nothing of now. One of each partition, over all attempts, so that small
 * batches are judged like large ones. */
export class Blame {
  readonly #elapsed: () => number
  /** When rows were first refused without as many being taken; undefined when the last that came were. */
  #since: number | undefined
  /** Rows given up since any were taken, and how often. */
  #givenUp = 0
  #times = 0

  /** @param elapsed ms on a clock that only goes forward */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  /** Rows were taken, and none refused. */
  taken(): void {
    this.#since = undefined
    this.#givenUp = 0
    this.#times = 0
  }

  /** Returns when the refused rows are to blame, and can be given up.
   * @param refused rows of this attempt that are refused, one or more
   * @param taken rows of this attempt that are written, or would be
   * @param before of `refused`, those that were given up already
   * @throws systemic most-failing while that is not known: the rows keep their place and are tried again, with those that came since */
  judge(refused: number, taken: number, before: number, cause: WeirError): void {
    if (taken >= refused) return this.taken()
    const now = this.#elapsed()
    this.#since ??= now
    const all = this.#givenUp + refused - before
    if (all >= many || now - this.#since < holdMs * 2 ** this.#times)
      throw systemic(
        "most-failing",
        `${refused} of ${refused + taken} rows were refused: perhaps no matter of the rows`,
        {
          hint: "look at the table and at what changed; the rows are tried again, and weir position set goes past them",
          cause,
        },
      )
    this.#since = undefined
    this.#givenUp = all
    this.#times++
  }
}
