import type { TopicSpec } from "../../ports/log.ts"
import type { BlockAppend, Broker, FetchLimit, OffsetRow } from "./broker.ts"
import type { Found } from "./fetch.ts"
import type { Assignment, JoinRequest } from "./groups.ts"

/** What the owner of the log does for a process: itself, or another one over the socket. */
export interface Owner {
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>
  topics(): Promise<readonly TopicSpec[]>
  bounds(topic: string): Promise<readonly (readonly [start: number, end: number])[]>
  openWriter(id: string): Promise<number>
  transact(id: string, epoch: number, appends: readonly BlockAppend[], offsets: readonly OffsetRow[]): Promise<void>
  committed(group: string, topic: string): Promise<readonly (readonly [partition: number, offset: number])[]>
  fetch(topic: string, partition: number, from: number, limit: FetchLimit, signal: AbortSignal): Promise<Found>
  join(request: JoinRequest): Promise<Assignment>
  /** True when the member has to join again. */
  beat(group: string, member: string, generation: number): Promise<boolean>
  /** Resolves when the member has to join again. */
  watch(group: string, member: string, generation: number, signal: AbortSignal): Promise<void>
  leave(group: string, member: string): Promise<void>
  members(group: string): Promise<number>
}

/** The owner as it serves one process, which `connection` stands for. */
export function ownerOf(broker: Broker, connection: object): Owner {
  const { groups } = broker
  const open =
    <A extends unknown[], R>(call: (...args: A) => R | Promise<R>) =>
    async (...args: A): Promise<R> => {
      broker.checkOpen()
      return call(...args)
    }
  return {
    ensureTopics: open((specs) => broker.ensureTopics(specs)),
    topics: open(() => broker.topics()),
    bounds: open((topic) => broker.bounds(topic)),
    openWriter: open((id) => broker.openWriter(id)),
    transact: open((id, epoch, appends, offsets) => broker.transact(id, epoch, appends, offsets)),
    committed: open((group, topic) => [...broker.committed(group, topic)]),
    fetch: open((topic, partition, from, limit, signal) => broker.fetch(topic, partition, from, limit, signal)),
    join: open((request) => groups.join(request, connection)),
    beat: open((group, member, generation) => groups.beat(group, member, generation)),
    watch: open((group, member, generation, signal) => groups.watch(group, member, generation, signal)),
    leave: open((group, member) => groups.leave(group, member)),
    members: open((group) => groups.members(group)),
  }
}
