import type { Dice } from "./dice.ts"
import { operations } from "./operations.ts"
import type { Mishap, Operation } from "./operations.ts"

/** A mishap that is meant for one operation: rare ones would hardly ever meet one by chance. */
export interface Target {
  readonly operation: Operation
  readonly mishap: Mishap
  /** Which of the operation's calls, from 1. */
  readonly call: number
}

/** What a world may do to its processes. */
export interface FaultPlan {
  /** How many faults there are by chance. */
  readonly budget: number
  /** Chance of one at each operation. */
  readonly rate: number
  /** Chance that an operation comes at once, after the one before it, and is no place for others. */
  readonly coarse: number
  readonly targets: readonly Target[]
  /** Faults that are passed over, by their number from 0: how a failing seed shrinks. */
  readonly skip: ReadonlySet<number>
}

/** Draws faults. Errors are cheap, and many; who dies or stands still takes others along. */
export class Faults {
  readonly plan: FaultPlan
  /** How many faults were drawn, those that were passed over included. */
  drawn = 0
  /** How many came about. */
  stood = 0
  /** By `operation|mishap`, how often it came about. */
  readonly coverage = new Map<string, number>()
  readonly #dice: Dice
  readonly #told: (fault: string) => void
  readonly #calls = new Map<Operation, number>()
  readonly #targets = new Map<Operation, Target>()
  #budget: number

  constructor(plan: FaultPlan, dice: Dice, told: (fault: string) => void) {
    this.plan = plan
    this.#dice = dice
    this.#told = told
    this.#budget = plan.budget
    for (const target of plan.targets) this.#targets.set(target.operation, target)
  }

  /** What befalls a call of an operation. */
  befalls(operation: Operation): Mishap | undefined {
    const target = this.#targets.get(operation)
    let mishap: Mishap | undefined
    if (target !== undefined) {
      const call = (this.#calls.get(operation) ?? 0) + 1
      this.#calls.set(operation, call)
      if (call === target.call) mishap = target.mishap
    }
    if (mishap === undefined && this.#byChance(1)) {
      const some: readonly Mishap[] = operations[operation]
      mishap = this.#dice.pick(some)
      if ((mishap === "zombie" || mishap.startsWith("crash")) && this.#dice.chance(0.5)) mishap = this.#dice.pick(some)
    }
    if (mishap === undefined || !this.#stands(`${operation}: ${mishap}`)) return undefined
    this.count(operation, mishap)
    return mishap
  }

  /** A fault by chance, of something that is no operation. */
  due(what: string, chance: number): boolean {
    return this.#byChance(chance) && this.#stands(what)
  }

  /** Counts that something befell an operation. */
  count(operation: string, mishap: Mishap): void {
    if (!(operation in operations)) return
    const cell = `${operation}|${mishap}`
    this.coverage.set(cell, (this.coverage.get(cell) ?? 0) + 1)
  }

  #byChance(chance: number): boolean {
    if (this.#budget <= 0 || !this.#dice.chance(this.plan.rate * chance)) return false
    this.#budget--
    return true
  }

  #stands(what: string): boolean {
    if (this.plan.skip.has(this.drawn++)) return false
    this.stood++
    this.#told(what)
    return true
  }
}
