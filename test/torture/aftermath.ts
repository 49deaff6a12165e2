import type { Dice } from "../sim/dice.ts"
import type { Missing } from "./judge.ts"
import type { World } from "./world.ts"

/** What became of what was missing at the deadline. */
export interface Aftermath {
  /** Later events are in the same place, and these are not: they will never come. */
  readonly lost: readonly Missing[]
  /** Later events are not there either: the place is stuck. */
  readonly stuck: readonly Missing[]
  /** What is there and should not be. */
  readonly strange: readonly Missing[]
}

/** How long later events may take to come through, ms. */
const patienceMs = 60_000
/** So many looks in a row must agree before anything is called lost. */
const agreeing = 3

/** Tells the missing apart.
 * @param first the id of the first event made afterwards, so that a place with no such event missing has been passed */
export function sortOut(missing: readonly Missing[], first: number): Aftermath {
  const open = new Set(missing.filter(({ id }) => id >= first).map(({ place }) => place))
  const old = missing.filter(({ id }) => id < first)
  return {
    lost: old.filter(({ place, extra }) => extra !== true && !open.has(place)),
    stuck: missing.filter(({ place, extra }) => extra !== true && open.has(place)),
    strange: old.filter(({ extra }) => extra === true),
  }
}

/** After the deadline of a round: makes events of every account and waits until they are through, so that what is lost can be
 * told from what is late. Places keep the order of a partition, so what later events have passed does not come any more. */
export async function afterDeadline(world: World, dice: Dice): Promise<Aftermath> {
  const first = world.ledger.next
  for (let batch = 0; batch < 12; batch++) world.traffic.batch(dice, 8)
  const began = performance.now()
  let same = 0
  let before = ""
  let seen: Aftermath = { lost: [], stuck: [], strange: [] }
  while (performance.now() - began < patienceMs) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    const verdict = await world.judge.look(world.release.factor).catch(() => undefined)
    if (verdict === undefined) continue
    seen = sortOut(verdict.missing, first)
    if (verdict.missing.length === 0) break
    const now = seen.stuck.length === 0 ? verdict.missing.map(({ text }) => text).join("\n") : ""
    same = now !== "" && now === before ? same + 1 : 0
    before = now
    if (same >= agreeing) break
  }
  return seen
}

/** For people. */
export const tell = ({ lost, stuck, strange }: Aftermath): readonly string[] => [
  ...(lost.length + stuck.length + strange.length === 0 ? ["all of it came after the deadline: late, not lost"] : []),
  ...some("lost, as later events came through in the same place", lost),
  ...some("stuck, as later events do not come through either", stuck),
  ...some("there and should not be", strange),
]

/** Whether something is wrong with the pace: what came too late is as stuck as what does not come. */
export const isStuck = ({ lost, stuck, strange }: Aftermath): boolean =>
  stuck.length > 0 || lost.length + strange.length === 0

const some = (what: string, missing: readonly Missing[]): readonly string[] =>
  missing.length === 0 ? [] : [`${missing.length} are ${what}:`, ...missing.slice(0, 20).map(({ text }) => text)]
