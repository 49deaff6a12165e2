import { Dice } from "../sim/dice.ts"
import { faultKinds } from "./faults.ts"
import type { FaultKind, Plan } from "./faults.ts"
import { commitPoints, pointText } from "./points.ts"
import type { CommitPoint } from "./points.ts"
import type { RoundEnd } from "./round.ts"

/** How often a kind is drawn beside others; what takes long comes seldom. */
const weights: Readonly<Record<FaultKind, number>> = {
  "kill weir": 2,
  "kill at commit point": 0,
  "stop at commit point": 2,
  "stop weir": 1,
  "kill broker": 2,
  "kill postgres": 2,
  "cut connections": 2,
  "half-open connections": 2,
  "slow s3": 1,
  "failing s3": 1,
  "full disk: log": 1,
  "full disk: objects": 1,
  "full disk: postgres": 1,
  "clock jump": 1,
  "rolling restart": 1,
  upgrade: 1,
  "old store": 0.3,
}

/** Those of the items that were used least, for their weight. */
function leastUsed<T>(items: readonly T[], used: (item: T) => number): readonly T[] {
  const least = Math.min(...items.map(used))
  return items.filter((item) => used(item) === least)
}

/** The faults of a round, drawn from the seed, the round's number and what was done before: what came least comes next.
 * @param only that kind alone */
export function planRound(
  seed: number,
  round: number,
  before: readonly RoundEnd[],
  disks: boolean,
  only?: FaultKind,
): readonly Plan[] {
  const dice = new Dice(Math.imul(seed, 0x85ebca6b) + round)
  const struck = before.flatMap((each) => each.struck)
  const killed = (point: CommitPoint) =>
    struck.filter(({ killedAt }) => killedAt !== undefined && pointText(killedAt) === pointText(point)).length
  const tried = (point: CommitPoint) => struck.filter(({ what }) => what.endsWith(`to ${pointText(point)}`)).length
  const point = () => dice.pick(leastUsed(commitPoints, (each) => killed(each) + tried(each) / 2))
  const stoppable = commitPoints.filter(({ name }) => name !== "group leave")
  const planOf = (kind: FaultKind): Plan => {
    if (kind === "kill at commit point") return { kind, point: point() }
    if (kind === "stop at commit point") return { kind, point: dice.pick(stoppable) }
    return { kind }
  }
  if (only !== undefined) return [planOf(only)]
  const kinds = faultKinds.filter((kind) => weights[kind] > 0 && (disks || !kind.startsWith("full disk")))
  const kind = dice.pick(
    leastUsed(kinds, (each) => Math.floor(struck.filter((one) => one.kind === each).length / weights[each])),
  )
  const plans = [planOf(kind)]
  if (kind !== "old store" && dice.chance(0.75)) plans.unshift(planOf("kill at commit point"))
  return plans
}
