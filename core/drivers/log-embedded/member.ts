import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { deferred } from "../../deferred.ts"
import { classify, retryable, type WeirError } from "../../errors.ts"
import type { GroupSpec, Member, Reader } from "../../ports/log.ts"
import type { Assignment } from "./groups.ts"
import type { Link } from "./link.ts"
import { EmbeddedReader } from "./reader.ts"

const SESSION = 10_000

/** A member of a group. It joins again whenever the group or the owner of the log changes, and beats by itself. */
export class EmbeddedMember implements Member {
  readonly #link: Link
  readonly #spec: GroupSpec
  readonly #id = randomUUID()
  readonly #session: number
  readonly #left = new AbortController()
  readonly #readers = new Map<EmbeddedReader, number>()
  readonly #first = deferred<void>()
  #settled = deferred<void>()
  #generation = -1
  #assigned: readonly number[] = []
  /** The monotonic time at which the last beat that was answered had been sent; undefined while joining. */
  #beatAt: number | undefined
  #loop: Promise<void> = Promise.resolve()

  private constructor(link: Link, spec: GroupSpec) {
    this.#link = link
    this.#spec = spec
    this.#session = spec.sessionTimeoutMs ?? SESSION
  }

  /** Resolves with the first assignment. Rejects: `topic-mismatch`, `topic-missing` (fatal). */
  static async join(link: Link, spec: GroupSpec): Promise<EmbeddedMember> {
    const member = new EmbeddedMember(link, spec)
    member.#loop = member.#run()
    await member.#first.promise
    return member
  }

  assigned(): readonly number[] {
    return this.#assigned
  }

  owns(partition: number): boolean {
    const isFresh = this.#beatAt !== undefined && performance.now() - this.#beatAt < this.#session / 2
    return isFresh && this.#assigned.includes(partition)
  }

  async confirm(partition: number): Promise<boolean> {
    for (const end = performance.now() + this.#session * 2; !this.#left.signal.aborted && performance.now() < end;) {
      if (this.#beatAt === undefined) await Promise.race([this.#settled.promise, sleep(this.#session)])
      else if (!this.#assigned.includes(partition)) return false
      else if (await this.#beat().catch(() => true)) await sleep(10)
      else return this.owns(partition)
    }
    return false
  }

  async reader(topic: string, partition: number, from: bigint): Promise<Reader> {
    if (!this.#assigned.includes(partition)) throw this.#revoked(partition)
    const reader = new EmbeddedReader(this.#link, topic, partition, from)
    this.#readers.set(reader, partition)
    return {
      read: (limit) => reader.read(limit),
      close: () => {
        this.#readers.delete(reader)
        return reader.close()
      },
    }
  }

  async leave(): Promise<void> {
    if (this.#left.signal.aborted) return this.#loop
    this.#left.abort()
    this.#revoke(() => true)
    this.#assigned = []
    this.#beatAt = undefined
    this.#settled.resolve()
    await this.#link.use((owner) => owner.leave(this.#spec.group, this.#id)).catch(() => {})
    await this.#loop
  }

  async #run(): Promise<void> {
    for (let pause = 5; !this.#left.signal.aborted;) {
      try {
        if (!(await this.#join())) continue
        pause = 5
        this.#first.resolve()
        await this.#stay()
      } catch (thrown) {
        const error = classify(thrown)
        if (error.meaning === "fatal") this.#first.reject(error)
        await sleep((pause = Math.min(1000, pause * 2)), undefined, { signal: this.#left.signal }).catch(() => {})
      }
    }
    this.#first.reject(retryable("left", `left group ${this.#spec.group}`))
    this.#first.promise.catch(() => {})
  }

  /** False when the group changed again meanwhile. */
  async #join(): Promise<boolean> {
    if (this.#beatAt !== undefined) this.#settled = deferred<void>()
    this.#beatAt = undefined
    const { group, topics, partitions } = this.#spec
    const claim = { had: this.#assigned, generation: this.#generation }
    const request = { group, member: this.#id, topics, partitions, session: this.#session, ...claim }
    const assignment = await this.#link.use((owner) => owner.join(request))
    // The answer may have been long on its way: a lease begins when a beat is sent.
    const sent = performance.now()
    const isStale = await this.#link.use((owner) => owner.beat(group, this.#id, assignment.generation))
    // It may have left while it was joining.
    if (this.#left.signal.aborted) await this.#link.use((owner) => owner.leave(group, this.#id))
    else if (!isStale) this.#take(assignment, sent)
    return !isStale
  }

  #take({ generation, partitions }: Assignment, sent: number): void {
    this.#generation = generation
    this.#assigned = partitions
    this.#revoke((partition) => !partitions.includes(partition))
    this.#beatAt = sent
    this.#spec.onAssigned(partitions)
    this.#settled.resolve()
  }

  /** Beats until the group changes or the owner of the log does. */
  async #stay(): Promise<void> {
    const stop = new AbortController()
    const { signal } = stop
    const beating = this.#beatOn(signal)
    beating.catch(() => {})
    try {
      const { group } = this.#spec
      const watching = this.#link.use((owner) => owner.watch(group, this.#id, this.#generation, signal))
      await Promise.race([watching, beating])
    } finally {
      stop.abort()
    }
  }

  async #beatOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#session / 8, undefined, { signal })
      if (await this.#beat()) return
    }
  }

  /** True when it has to join again. */
  async #beat(): Promise<boolean> {
    const sent = performance.now()
    const generation = this.#generation
    const isStale = await this.#link.use((owner) => owner.beat(this.#spec.group, this.#id, generation))
    if (!isStale && generation === this.#generation && this.#beatAt !== undefined)
      this.#beatAt = Math.max(this.#beatAt, sent)
    return isStale
  }

  #revoke(which: (partition: number) => boolean): void {
    for (const [reader, partition] of this.#readers) {
      if (!which(partition)) continue
      this.#readers.delete(reader)
      reader.fail(this.#revoked(partition))
    }
  }

  #revoked(partition: number): WeirError {
    return retryable("revoked", `partition ${partition} of group ${this.#spec.group} is not this member's`)
  }
}
