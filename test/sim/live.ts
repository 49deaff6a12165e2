import { Dice } from "./dice.ts"
import type { SimProcess, World } from "./world.ts"

/** A world of real time and without faults: for the contract suites, which wait and measure. */
export class LiveWorld implements World {
  readonly dice = new Dice(1)
  #parked: { readonly process: SimProcess; readonly resume: () => void }[] = []

  get now(): number {
    return performance.now()
  }
  befalls(): undefined {
    return undefined
  }
  step(process: SimProcess): Promise<void> {
    return new Promise((resume) => {
      const turn = () => {
        if (process.state === "running") resume()
        else if (process.state === "stopped") this.#parked.push({ process, resume })
      }
      setImmediate(turn)
    })
  }
  alarm(_process: SimProcess | undefined, at: number, ring: () => void): () => void {
    const timer = setTimeout(ring, Math.max(0, at - this.now))
    timer.unref()
    return () => clearTimeout(timer)
  }
  hit(): void {}
  note(): void {}

  /** Stops a process, or lets it go on. */
  freeze(process: SimProcess, on: boolean): void {
    process.state = on ? "stopped" : "running"
    if (on) {
      process.stops++
      for (const each of process.onStop) each()
      return
    }
    for (const { resume } of this.#parked.filter((each) => each.process === process)) resume()
    this.#parked = this.#parked.filter((each) => each.process !== process)
  }
}
