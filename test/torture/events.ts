import type { Dice } from "../sim/dice.ts"

/** An event that the test makes; its id is an obligation once it is acknowledged. */
export interface Event {
  /** Counts up over both sides and all rounds; its version too. */
  readonly id: number
  /** left: by files; right: pushed. */
  readonly side: "left" | "right"
  /** What it is joined by. */
  readonly slot: number
  readonly account: string
  readonly amount: number
  /** What the first stage does with it; right ones always pass. */
  readonly fate: "pass" | "fail"
}

/** Accounts in use at a time; later slots have others, so that none grows without end. */
const accounts = 24
const slotsOfAccount = 25
/** Events join with others of about the same time. */
const reach = 30

/** Makes the next events; they depend on the dice and the first id alone. */
export function nextEvents(dice: Dice, from: number, count: number): readonly Event[] {
  return Array.from({ length: count }, (_, at) => {
    const id = from + at
    const slot = Math.floor(id / 3) + dice.below(reach)
    const side = dice.chance(0.5) ? "left" : "right"
    return {
      id,
      side,
      slot,
      account: `a${slot % accounts}-${Math.floor(slot / (accounts * slotsOfAccount))}`,
      amount: dice.below(1000),
      fate: side === "left" && dice.chance(0.04) ? "fail" : "pass",
    }
  })
}

/** A row that should stand in the labels. */
export interface Label {
  readonly slot: number
  readonly account: string
  readonly sum: number
  readonly factor: number
  /** The newest event of the slot. */
  readonly id: number
}

/** The labels of these events, by a plain look at all of them: of each slot the newest of both sides counts. */
export function labelsOf(events: Iterable<Event>, factor: number): ReadonlyMap<number, Label> {
  const newest = { left: new Map<number, Event>(), right: new Map<number, Event>() }
  for (const event of events) {
    const known = newest[event.side].get(event.slot)
    if (event.fate === "pass" && (known === undefined || known.id < event.id)) newest[event.side].set(event.slot, event)
  }
  const labels = new Map<number, Label>()
  for (const [slot, left] of newest.left) {
    const right = newest.right.get(slot)
    if (right === undefined) continue
    const sum = (left.amount + right.amount) * factor
    labels.set(slot, { slot, account: left.account, sum, factor, id: Math.max(left.id, right.id) })
  }
  return labels
}
