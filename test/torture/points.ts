/** Where something is committed, as it is seen from outside of the process. */
export const pointNames = [
  "source append",
  "stateless step",
  "dead-letter append",
  "task claim",
  "stateful step",
  "outbox publication",
  "postgres sink",
  "insert sink",
  "chunk put",
  "manifest commit",
  "object sink offset",
  "group leave",
] as const
export type PointName = (typeof pointNames)[number]

/** before: the request is not passed on. lost: it is, and its answer is not. after: the answer was passed on. */
export const moments = ["before", "lost", "after"] as const
export type Moment = (typeof moments)[number]

/** What a report counts. */
export interface CommitPoint {
  readonly name: PointName
  readonly moment: Moment
}

export const commitPoints: readonly CommitPoint[] = pointNames.flatMap((name) =>
  moments.map((moment) => ({ name, moment })),
)

export const pointText = ({ name, moment }: CommitPoint): string => `${name}, ${moment}`

/** What a trap caught: who was at the point, and the way on for the request. */
export interface Caught {
  readonly process: number
  /** Passes on what is held back at `before`; what came after it too. */
  release(): void
}

interface Trap {
  readonly point: CommitPoint
  readonly process: number | undefined
  /** Called in the same turn as the point is met. */
  readonly act: (process: number) => void
  readonly caught: (caught: Caught) => void
}

/** Waits for processes at commit points. One trap at a time. */
export class Gate {
  #trap: Trap | undefined
  /** How often each point was passed. */
  readonly passed = new Map<PointName, number>()

  /** @param act done at once to the process that is there: a kill, a stop
   * @returns resolves once somebody is caught */
  arm(point: CommitPoint, process: number | undefined, act: (process: number) => void): Promise<Caught> {
    return new Promise((caught) => {
      this.#trap = { point, process, act, caught }
    })
  }

  disarm(): void {
    this.#trap = undefined
  }

  /** Takes the trap if it is set for this. */
  meet(process: number, name: PointName): Trap | undefined {
    this.passed.set(name, (this.passed.get(name) ?? 0) + 1)
    const trap = this.#trap
    if (trap === undefined || trap.point.name !== name) return undefined
    if (trap.process !== undefined && trap.process !== process) return undefined
    this.#trap = undefined
    return trap
  }
}
