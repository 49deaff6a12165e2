import type { State } from "../../core/index.ts"
import { pulseRow } from "./dicom-rows.ts"

/** Objects that are read or written at the same time. */
const width = 4
/** A step's transaction that says nothing for ten seconds is ended by the database. */
const pulseMs = 2000

/** Does work on objects a few at a time, while the step's transaction stays alive. */
export class Pool {
  readonly #now: () => number

  /** @param now the clock, ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Does `work` on each; rejects with the first failure once what was begun has ended. */
  async each<T>(items: readonly T[], state: State, work: (item: T) => Promise<void>): Promise<void> {
    let next = 0
    let said = this.#now()
    let failed: { readonly error: unknown } | undefined
    let pulse = Promise.resolve()
    const beat = (): Promise<void> => {
      if (this.#now() - said < pulseMs) return pulse
      said = this.#now()
      pulse = pulse.then(async () => void (await state.get([pulseRow])))
      return pulse
    }
    const worker = async (): Promise<void> => {
      while (next < items.length && failed === undefined) {
        const item = items[next++]!
        try {
          await work(item)
          await beat()
        } catch (error) {
          failed ??= { error }
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
    if (failed !== undefined) throw failed.error
  }
}
