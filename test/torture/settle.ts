import type { Missing, Verdict } from "./judge.ts"
import { TimedOut } from "./service.ts"
import type { World } from "./world.ts"

/** Within this time of the last fault something must have come through. */
export const progressMs = 30_000
/** Within this time all of it. */
const wholeMs = 120_000

/** Waits until everything that was promised is where it has to be.
 * @throws TimedOut with the last verdict's words */
export async function whole(world: World): Promise<void> {
  const { verdict, stuck } = await settle(world)
  if (stuck || verdict.missing.length > 0 || verdict.doubled.length > 0)
    throw new TimedOut([...verdict.doubled, ...textsOf(verdict.missing)].slice(0, 10).join("; "))
}

/** The words of the first few. */
export const textsOf = (missing: readonly Missing[]): readonly string[] => missing.slice(0, 20).map(({ text }) => text)

const noLook = (text: string): Missing => ({ place: "everywhere", id: -1, text })

/** How waiting ended. */
export interface Settled {
  readonly verdict: Verdict
  readonly stuck: boolean
  /** What came last; undefined where nothing had to be waited for. */
  readonly last: string | undefined
}

/** Looks whether anything comes through after a fault. */
export interface Progress {
  /** When it was seen, since the end of the fault, ms; undefined while it was not. */
  readonly ms: number | undefined
  /** Ends looking. */
  stop(): void
}

/** @param began when the last fault was over, on the monotonic clock */
export function watchProgress(world: World, began: number): Progress {
  let ms: number | undefined
  const stopping = new AbortController()
  const watch = async () => {
    const before = await world.judge.progress()
    while (!stopping.signal.aborted && ms === undefined) {
      if ((await world.judge.progress()) > before) ms = performance.now() - began
      else await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
  void watch()
  return {
    get ms() {
      return ms
    },
    stop: () => stopping.abort(),
  }
}

/** Waits until everything is whole, something is wrong for good, or it takes too long.
 * @param began when the last fault was over, on the monotonic clock
 * @param progress begun then, where something must come through soon */
export async function settle(world: World, began = performance.now(), progress?: Progress): Promise<Settled> {
  let last: string | undefined
  try {
    for (;;) {
      const verdict = await world.judge.look(world.release.factor).catch((error: unknown) => ({
        missing: [noLook(`cannot look: ${(error as Error).message}`)],
        doubled: [],
      }))
      const took = performance.now() - began
      const whole = verdict.missing.length === 0
      const idle = progress === undefined ? 0 : (progress.ms ?? took)
      if (verdict.doubled.length > 0 || world.died.length > 0) return { verdict, stuck: false, last }
      if (took > wholeMs || idle > progressMs) return { verdict, stuck: true, last }
      if (whole) return { verdict, stuck: false, last }
      last = `${verdict.missing.length}: ${verdict.missing[0]!.text}`
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
  } finally {
    progress?.stop()
  }
}
