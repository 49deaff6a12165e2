import { deferred } from "../../deferred.ts"
import { fatal, type WeirError } from "../../errors.ts"
import { assign } from "./assign.ts"
import { moved } from "./errors.ts"
import type { State } from "./state.ts"

/** A request to take part in a group. */
export interface JoinRequest {
  readonly group: string
  readonly member: string
  readonly topics: readonly string[]
  readonly partitions: number
  readonly session: number
  readonly had: readonly number[]
  readonly generation: number
}

/** What a member is given. */
export interface Assignment {
  readonly generation: number
  readonly partitions: readonly number[]
}

interface Seat {
  request: JoinRequest
  readonly connection: object
  beatAt: number
  /** Waits for the assignment that is being made. */
  joining: { resolve(assignment: Assignment): void; reject(error: WeirError): void } | undefined
  /** Told when the group changes. */
  watching: (() => void) | undefined
}

interface Group {
  readonly name: string
  readonly seats: Map<string, Seat>
  generation: number
  isStable: boolean
}

const TICK = 250

/** The coordinator of consumer groups: as Kafka's eager protocol, a new assignment begins once every member that is alive gave
 * back the one before. It lives with the owner of the log; the next owner's members join again. */
export class Groups {
  readonly #state: State
  readonly #groups = new Map<string, Group>()
  readonly #timer: NodeJS.Timeout
  #ticked = performance.now()
  /** Until then members of the owner before may come, and no assignment is made without them. */
  readonly #settled: number

  constructor(state: State, settleMs: number) {
    this.#state = state
    this.#settled = performance.now() + settleMs
    this.#timer = setInterval(() => this.#tick(), TICK)
    this.#timer.unref()
    if (settleMs > 0) setTimeout(() => this.#tick(), settleMs + 1).unref()
  }

  /** Resolves with the assignment. Rejects: `topic-mismatch`, `topic-missing` (fatal). */
  join(request: JoinRequest, connection: object): Promise<Assignment> {
    for (const name of request.topics) {
      const { partitions } = this.#state.topic(name).row
      if (partitions !== request.partitions)
        throw fatal("topic-mismatch", `topic ${name} has ${partitions} partitions, the group ${request.partitions}`)
    }
    const group = this.#group(request.group)
    const before = group.seats.get(request.member)
    const { promise, resolve, reject } = deferred<Assignment>()
    const seat: Seat = {
      request,
      connection,
      beatAt: performance.now(),
      joining: { resolve, reject },
      watching: undefined,
    }
    before?.watching?.()
    group.seats.set(request.member, seat)
    this.#change(group)
    return promise
  }

  /** True when the member has to join again. */
  beat(name: string, member: string, generation: number): boolean {
    const group = this.#groups.get(name)
    const seat = group?.seats.get(member)
    if (group === undefined || seat === undefined) return true
    seat.beatAt = performance.now()
    return !group.isStable || group.generation !== generation
  }

  /** Resolves when the member has to join again. */
  async watch(name: string, member: string, generation: number, signal: AbortSignal): Promise<void> {
    if (this.beat(name, member, generation)) return
    const seat = this.#groups.get(name)!.seats.get(member)!
    await new Promise<void>((resolve) => {
      seat.watching = resolve
      signal.addEventListener("abort", () => resolve(), { once: true })
    })
  }

  leave(name: string, member: string): void {
    const group = this.#groups.get(name)
    const seat = group?.seats.get(member)
    if (group !== undefined && seat !== undefined) this.#remove(group, member, seat)
  }

  members(name: string): number {
    return this.#groups.get(name)?.seats.size ?? 0
  }

  /** The members of a process that is gone leave. */
  disconnect(connection: object): void {
    for (const group of this.#groups.values())
      for (const [member, seat] of group.seats) if (seat.connection === connection) this.#remove(group, member, seat)
  }

  close(): void {
    clearInterval(this.#timer)
    for (const group of this.#groups.values())
      for (const seat of group.seats.values()) {
        seat.watching?.()
        seat.joining?.reject(moved())
      }
  }

  #group(name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, (group = { name, seats: new Map(), generation: 0, isStable: true }))
    return group
  }

  #remove(group: Group, member: string, seat: Seat): void {
    group.seats.delete(member)
    seat.watching?.()
    seat.joining?.reject(fatal("left", `left group ${group.name}`))
    this.#change(group)
  }

  #change(group: Group): void {
    group.isStable = false
    for (const seat of group.seats.values()) {
      seat.watching?.()
      seat.watching = undefined
    }
    this.#settle(group)
  }

  #settle(group: Group): void {
    if (group.isStable || performance.now() < this.#settled) return
    const seats = [...group.seats]
    if (seats.some(([, { joining }]) => joining === undefined)) return
    const [first] = seats
    const partitions = first?.[1].request.partitions ?? 0
    const claims = seats.map(([member, { request }]) => ({ member, had: request.had, generation: request.generation }))
    const latest = Math.max(group.generation, ...claims.map(({ generation }) => generation))
    group.generation = latest + 1
    group.isStable = true
    const shares = seats.length === 0 ? new Map<string, number[]>() : assign(claims, partitions)
    for (const [member, seat] of seats) {
      seat.beatAt = performance.now()
      seat.joining!.resolve({ generation: group.generation, partitions: shares.get(member) ?? [] })
      seat.joining = undefined
    }
  }

  #tick(): void {
    const now = performance.now()
    // Beats that came while this process was busy have not been read yet.
    const late = now - this.#ticked > TICK * 3
    this.#ticked = now
    for (const group of this.#groups.values()) {
      for (const [member, seat] of group.seats)
        if (late) seat.beatAt = Math.max(seat.beatAt, now - seat.request.session / 2)
        else if (now - seat.beatAt > seat.request.session && seat.joining === undefined)
          this.#remove(group, member, seat)
      this.#settle(group)
    }
  }
}
