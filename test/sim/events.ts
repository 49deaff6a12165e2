import { Dice } from "./dice.ts"
import type { Target } from "./faults.ts"
import { cells } from "./operations.ts"

/** An arrival of the torture pipeline; every one carries an id, so that each can be asked after. */
export interface Event {
  readonly id: number
  /** The row that it changes. */
  readonly slot: number
  /** What it arrives under; the rows of one slot arrive under several, so that they overtake each other. */
  readonly person: string
  /** What it is joined by. */
  readonly account: string
  readonly fate: "pass" | "drop" | "fail" | "poison" | "refuse"
  readonly op: "upsert" | "retract"
  readonly amount: number
  /** The content of an object that belongs to it, or -1. */
  readonly blob: number
}

/** What the two sources have to give, by channel. */
export interface Histories {
  readonly feed: readonly (readonly Event[])[]
  readonly push: readonly (readonly Event[])[]
}

/** How the world of a seed is made. */
export interface Plan {
  readonly events: number
  readonly partitions: number
  readonly waves: number
  /** --as-of, or undefined for the clock. */
  readonly asOf: number | undefined
  readonly budget: number
  readonly rate: number
  readonly slow: boolean
  readonly coarse: number
  readonly targets: readonly Target[]
  readonly sinks: "table" | "map" | "both"
  /** Whether the run is over with the first process that has come to its end, or with the last. */
  readonly until: "first" | "last"
  /** Processes at first. */
  readonly processes: number
}

/** Where a record is lost or doubled, if anywhere. */
const writes = cells.filter(([operation]) => /commit |commit$|transact|sink\.write|map\.write/.test(operation))
/** Where it matters most that who was thought dead is kept out. */
const writesOfZombies = cells
  .filter(([operation, mishap]) => mishap === "zombie" && /commit|transact|sink\.write|refresh|count/.test(operation))
  // Timers fire seldom.
  .flatMap((cell) => (cell[0] === "step.commit timers" ? [cell, cell, cell] : [cell]))

/** The plan of a seed: mostly small histories, some larger. */
export function planOf(seed: number): Plan {
  const dice = new Dice(Math.imul(seed, 0x9e3779b1))
  const size = dice.next()
  const target = (): Target => {
    const kind = dice.next()
    const [operation, mishap] = dice.pick(kind < 0.25 ? writesOfZombies : kind < 0.5 ? writes : cells)
    return { operation, mishap, call: 1 + dice.below(dice.pick([2, 8, 40])) }
  }
  const events = size < 0.82 ? 5 + dice.below(8) : size < 0.98 ? 14 + dice.below(16) : 40 + dice.below(40)
  const spread = dice.next()
  return {
    events,
    partitions: spread < 0.55 ? 1 : spread < 0.97 ? 2 : 3,
    waves: dice.chance(0.2) ? 2 : 1,
    asOf: dice.chance(0.5) ? 2 * 10 ** 9 : undefined,
    budget: dice.below(8),
    rate: dice.pick([0.006, 0.012, 0.03]),
    slow: dice.chance(0.25),
    coarse: dice.pick([0, 0.5, 0.8]),
    targets: Array.from({ length: dice.below(5) }, target),
    sinks: dice.pick(["table", "map", "both"] as const),
    until: dice.chance(0.2) ? "last" : "first",
    processes: dice.chance(0.5) ? 2 : 1,
  }
}

/** How many objects there are, told apart by their content. */
export const blobs = 8

/** When the calendar reaches a slot's window: before the world begins, only as of the given time, or never. */
export const windowOf = (slot: number): number => [500_000, 10 ** 9, 10 ** 12][slot % 3]!

/** Makes the events of one wave. Ids go on from `from`. */
export function historiesOf(seed: number, from: number, count: number): Histories {
  const dice = new Dice(Math.imul(seed + from, 0x85ebca6b))
  const feed: Event[][] = [[], []]
  const push: Event[][] = [[]]
  const slots = 2 + Math.ceil(count / 3)
  for (let id = from; id < from + count; id++) {
    const slot = dice.below(slots)
    const right = dice.chance(0.4)
    const event: Event = {
      id,
      slot,
      person: `p${dice.below(4)}`,
      account: `a${slot % 4}`,
      fate: right || !dice.chance(0.25) ? "pass" : dice.pick(["drop", "fail", "poison", "refuse"] as const),
      op: dice.chance(0.2) ? "retract" : "upsert",
      amount: dice.below(100),
      blob: !right && dice.chance(0.3) ? dice.below(blobs) : -1,
    }
    if (right) push[0]!.push(event)
    else feed[dice.below(2)]!.push(event)
  }
  return { feed, push }
}

/** A row of the join as it should stand at last. */
export interface Pair {
  readonly slot: number
  readonly sum: number
  /** The slot's window is over. */
  readonly late: boolean
}

/** What should stand at last, by a plain evaluation of all events in order: nothing of streams. */
export function evaluate({ feed, push }: Histories, asOf: number | undefined): ReadonlyMap<number, Pair> {
  const newest = (events: readonly Event[]) => {
    const rows = new Map<number, Event>()
    for (const event of [...events].sort((a, b) => a.id - b.id)) rows.set(event.slot, event)
    return rows
  }
  const left = newest(feed.flat().filter(({ fate }) => fate === "pass"))
  const right = newest(push.flat())
  const pairs = new Map<number, Pair>()
  for (const [slot, one] of left) {
    const two = right.get(slot)
    if (two === undefined || one.op === "retract" || two.op === "retract") continue
    pairs.set(slot, { slot, sum: one.amount + two.amount, late: windowOf(slot) <= (asOf ?? 1_000_000) })
  }
  return pairs
}
