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
}

/** Waits until everything is whole, something is wrong for good, or it takes too long.
 * @param began when the last fault was over, on the monotonic clock */
export async function settle(world: World, began = performance.now(), limitMs = wholeMs): Promise<Settled> {
  const atFirst = (await world.judge.progress()) ?? 0
  let moved = false
  let verdict: Verdict = { missing: [noLook("nothing was looked at")], doubled: [] }
  for (;;) {
    verdict = await world.judge.look(world.release.factor).catch((error: unknown) => ({
      missing: [noLook(`cannot look: ${(error as Error).message}`)],
      doubled: [],
    }))
    if (verdict.missing.length === 0 || verdict.doubled.length > 0 || world.died.length > 0)
      return { verdict, stuck: false }
    const took = performance.now() - began
    moved ||= ((await world.judge.progress()) ?? 0) > atFirst
    if ((!moved && took > progressMs) || took > limitMs) return { verdict, stuck: true }
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
}
