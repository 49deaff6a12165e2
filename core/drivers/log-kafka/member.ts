import { setTimeout as sleep } from "node:timers/promises"
import { deferred } from "../../deferred.ts"
import { fatal, retryable, type WeirError } from "../../errors.ts"
import type { GroupSpec, Member, Reader } from "../../ports/log.ts"
import { assign, decodeAssignment, decodeClaim, encodeAssignment, encodeClaim, PROTOCOL } from "./assigner.ts"
import type { Client } from "./client.ts"
import { faultOf, kafkaError } from "./errors.ts"
import type { KafkaBroker } from "./kafkajs.ts"
import type { KafkaReader } from "./reader.ts"

/** Ms after which a member that does not beat has left. */
export const SESSION = 6000
const HEARTBEAT = 500
const REBALANCE = 5000

/** What a member needs of its Log. */
export interface MemberParts {
  /** A connection of its own: a rebalance holds it for seconds. */
  readonly own: Client
  /** The Log's connection, by which it can leave while its own is held. */
  readonly shared: Client
  reader(topic: string, partition: number, from: bigint): KafkaReader
}

/** Joins a group, and resolves with the first assignment. */
export async function joinGroup(spec: GroupSpec, parts: MemberParts): Promise<Member> {
  await checkPartitions(spec, parts.shared)
  const member = new KafkaMember(spec, parts)
  await member.start()
  return member
}

async function checkPartitions({ topics, partitions }: GroupSpec, client: Client): Promise<void> {
  const counts = await client.use("joining a group", topics, async (cluster) =>
    topics.map((topic) => cluster.findTopicPartitionMetadata(topic).length),
  )
  topics.forEach((topic, i) => {
    if (counts[i] !== partitions)
      throw fatal("topic-mismatch", `topic ${topic} has ${counts[i]} partitions, not ${partitions} as its neighbours`)
  })
}

/** A member by the classic group protocol (eager). It joins and beats by itself, so that neither depends on how long the
 * engine takes with a batch. kafkajs's consumer is not used: it tells no generation, skips what it deems out of range, and
 * reads all partitions at the pace of the slowest. */
class KafkaMember implements Member {
  readonly #spec: GroupSpec
  readonly #parts: MemberParts
  readonly #session: number
  readonly #left = new AbortController()
  readonly #readers = new Map<KafkaReader, number>()
  readonly #first = deferred<void>()
  #settled = deferred<void>()
  #memberId = ""
  #generation = -1
  #assigned: readonly number[] = []
  /** The monotonic time at which the last heartbeat that was answered had been sent; undefined while joining. */
  #beatAt: number | undefined
  #loop: Promise<void> = Promise.resolve()

  constructor(spec: GroupSpec, parts: MemberParts) {
    this.#spec = spec
    this.#parts = parts
    this.#session = spec.sessionTimeoutMs ?? SESSION
  }

  async start(): Promise<void> {
    this.#loop = this.#run()
    await this.#first.promise
  }

  assigned(): readonly number[] {
    return this.#assigned
  }

  owns(partition: number): boolean {
    const fresh = this.#beatAt !== undefined && performance.now() - this.#beatAt < this.#session / 2
    return fresh && this.#assigned.includes(partition)
  }

  async confirm(partition: number): Promise<boolean> {
    const until = performance.now() + this.#session + REBALANCE
    while (!this.#left.signal.aborted && performance.now() < until) {
      if (this.#beatAt === undefined) {
        await Promise.race([this.#settled.promise, sleep(this.#session)])
        continue
      }
      if (!this.#assigned.includes(partition)) return false
      try {
        await this.#beat()
        return this.owns(partition)
      } catch (error) {
        if (isEvicting(error)) await sleep(HEARTBEAT / 10)
        else await this.#parts.own.recover(error).catch(() => {})
        await sleep(HEARTBEAT / 10)
      }
    }
    return false
  }

  async reader(topic: string, partition: number, from: bigint): Promise<Reader> {
    if (!this.#assigned.includes(partition)) throw this.#revoked(partition)
    const reader = this.#parts.reader(topic, partition, from)
    this.#readers.set(reader, partition)
    const forget = () => this.#readers.delete(reader)
    return {
      read: (limit) => reader.read(limit),
      close: () => {
        forget()
        return reader.close()
      },
    }
  }

  async leave(): Promise<void> {
    if (this.#left.signal.aborted) return
    this.#left.abort()
    this.#revoke(() => true)
    this.#assigned = []
    this.#beatAt = undefined
    this.#settled.resolve()
    // Without an id the join that runs has to end first, or the group would wait for a member that is gone.
    if (this.#memberId === "") await this.#loop
    await this.#leaveGroup().catch(() => {})
    await this.#parts.own.close()
    await this.#loop
  }

  async #leaveGroup(): Promise<void> {
    if (this.#memberId === "") return
    const coordinator = await this.#parts.shared.coordinator(this.#spec.group)
    await coordinator.leaveGroup({ groupId: this.#spec.group, memberId: this.#memberId })
  }

  async #run(): Promise<void> {
    for (let pause = 20; !this.#left.signal.aborted;) {
      try {
        await this.#join()
        this.#first.resolve()
        pause = 20
        await this.#beatOn()
      } catch (error) {
        if (this.#left.signal.aborted) break
        this.#lost(error)
        if (isEvicting(error)) continue
        pause = Math.min(1000, pause * 2)
        await sleep(pause)
        await this.#parts.own.recover(error).catch(() => {})
      }
    }
    this.#first.reject(retryable("left", `left group ${this.#spec.group}`))
    this.#first.promise.catch(() => {})
  }

  /** A member that the group no longer knows may have lost what it had, and got it back, unseen. */
  #lost(error: unknown): void {
    this.#startJoining()
    const { type, retriable } = faultOf(error)
    if (type === "REBALANCE_IN_PROGRESS") return
    if (type === "UNKNOWN_MEMBER_ID") this.#memberId = ""
    if (type === "UNKNOWN_MEMBER_ID" || type === "ILLEGAL_GENERATION") this.#revoke(() => true)
    else if (!retriable) this.#first.reject(kafkaError(error, `group ${this.#spec.group}`))
  }

  #startJoining(): void {
    if (this.#beatAt === undefined) return
    this.#beatAt = undefined
    this.#settled = deferred<void>()
  }

  async #join(): Promise<void> {
    this.#startJoining()
    const { group: groupId, topics, partitions } = this.#spec
    const coordinator = await this.#parts.own.coordinator(groupId)
    const claim = { topics, had: this.#assigned, generation: this.#generation }
    const joined = await coordinator.joinGroup({
      groupId,
      sessionTimeout: this.#session,
      rebalanceTimeout: Math.max(REBALANCE, this.#session),
      memberId: this.#memberId,
      groupProtocols: [{ name: PROTOCOL, metadata: encodeClaim(claim) }],
    })
    this.#memberId = joined.memberId
    const claims = joined.members.map(({ memberId, memberMetadata }) => decodeClaim(memberId, memberMetadata))
    const shares = joined.leaderId === joined.memberId ? assign(claims, partitions) : new Map<string, number[]>()
    const sent = performance.now()
    const { memberAssignment } = await coordinator.syncGroup({
      groupId,
      generationId: joined.generationId,
      memberId: joined.memberId,
      groupAssignment: claims
        .filter(({ memberId }) => shares.has(memberId))
        .map((each) => ({ ...each, memberAssignment: encodeAssignment(each.topics, shares.get(each.memberId)!) })),
    })
    if (!this.#left.signal.aborted) this.#take(joined.generationId, decodeAssignment(memberAssignment), sent)
  }

  #take(generation: number, assigned: readonly number[], at: number): void {
    this.#generation = generation
    this.#assigned = assigned
    this.#revoke((partition) => !assigned.includes(partition))
    this.#beatAt = at
    this.#spec.onAssigned(assigned)
    this.#settled.resolve()
  }

  /** Beats until the group changes, or until the coordinator did not answer for a session. */
  async #beatOn(): Promise<void> {
    for (;;) {
      await sleep(HEARTBEAT, undefined, { signal: this.#left.signal })
      try {
        await this.#beat()
      } catch (error) {
        const silent = performance.now() - (this.#beatAt ?? 0)
        if (isEvicting(error) || !faultOf(error).retriable || silent > this.#session) throw error
        await this.#parts.own.recover(error).catch(() => {})
      }
    }
  }

  async #beat(): Promise<void> {
    const { group: groupId } = this.#spec
    const generation = this.#generation
    const sent = performance.now()
    const coordinator: KafkaBroker = await this.#parts.own.coordinator(groupId)
    await coordinator.heartbeat({ groupId, groupGenerationId: generation, memberId: this.#memberId })
    if (generation === this.#generation && this.#beatAt !== undefined) this.#beatAt = Math.max(this.#beatAt, sent)
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

/** The coordinator answered that the member has to join again. */
function isEvicting(error: unknown): boolean {
  const { type } = faultOf(error)
  return type === "REBALANCE_IN_PROGRESS" || type === "ILLEGAL_GENERATION" || type === "UNKNOWN_MEMBER_ID"
}
