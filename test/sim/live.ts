import { Dice } from "./dice.ts"
import type { SimProcess, World } from "./world.ts"

/** A world of real time and without faults: for the contract suites, which wait and measure. */
export class LiveWorld implements World {
  readonly dice = new Dice(1)

  get now(): number {
    return performance.now()
  }
  step(process: SimProcess): Promise<void> {
    return new Promise((resolve) => void setImmediate(() => process.state === "running" && resolve()))
  }
  befalls(): undefined {
    return undefined
  }
  alarm(_process: SimProcess | undefined, at: number, ring: () => void): () => void {
    const timer = setTimeout(ring, Math.max(0, at - this.now))
    timer.unref()
    return () => clearTimeout(timer)
  }
  hit(): void {}
  note(): void {}
}
