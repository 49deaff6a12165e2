import { fatal, retryable, systemic } from "../../core/errors.ts"
import type {
  Append,
  Batch,
  Fetched,
  GroupOffsets,
  GroupSpec,
  Log,
  Member,
  Message,
  Reader,
  TopicSpec,
  Writer,
} from "../../core/ports/log.ts"
import type { SimProcess, SimWorld } from "./world.ts"

interface Partition {
  readonly messages: Fetched[]
  next: bigint
  /** Offsets that belong to transactions whose outcome is not settled: readers stop before the first. */
  readonly open: Set<bigint>
}
interface Topic {
  readonly spec: TopicSpec
  readonly partitions: readonly Partition[]
}
/** A transaction that the broker has taken and not settled yet. */
interface Limbo {
  readonly commit: () => void
  readonly abort: () => void
}
interface GroupMember {
  readonly id: number
  readonly process: SimProcess
  readonly spec: GroupSpec
  /** What the coordinator gave it. */
  assigned: readonly number[]
  /** What it knows of. */
  known: readonly number[]
  generation: number
  knownGeneration: number
  beat: number
  /** It said good-bye: it does not come back. */
  left: boolean
}
interface Group {
  generation: number
  members: GroupMember[]
  readonly offsets: Map<string, bigint>
}

/** What the engine is known to do wrong, for showing that the seeds find it. */
export interface LogBugs {
  /** A writer is kept and never fenced. */
  readonly keptWriter?: boolean
  readonly noFencing?: boolean
}

const sessionMs = 6000

/** The brokers: what outlives every process. Shows the traps of the real ones: a commit whose outcome is not known, offsets read
 * while a transaction is still completing, writers and members that were thought dead. */
export class SimBroker {
  readonly world: SimWorld
  readonly topics = new Map<string, Topic>()
  readonly groups = new Map<string, Group>()
  readonly epochs = new Map<string, number>()
  readonly limbo = new Map<string, Limbo>()
  readonly bugs: LogBugs
  #members = 0
  #waiters: (() => void)[] = []

  constructor(world: SimWorld, bugs: LogBugs = {}) {
    this.world = world
    this.bugs = bugs
  }

  connect(process: SimProcess): Log {
    return new SimLog(this, process)
  }

  group(name: string): Group {
    let group = this.groups.get(name)
    if (group === undefined) this.groups.set(name, (group = { generation: 0, members: [], offsets: new Map() }))
    return group
  }

  partition(topic: string, partition: number): Partition {
    const found = this.topics.get(topic)?.partitions[partition]
    if (found === undefined) throw fatal("no-topic", `no ${topic}[${partition}]`)
    return found
  }

  /** End of what readers may see. */
  head(partition: Partition): bigint {
    let first = partition.next
    for (const offset of partition.open) if (offset < first) first = offset
    return first
  }

  /** Appends invisibly; gives how to settle it. */
  take(appends: readonly Append[], offsets: readonly GroupOffsets[]): Limbo {
    const places = appends
      .filter(({ messages }) => messages.length > 0)
      .map(({ topic, partition, messages }) => {
        const place = this.partition(topic, partition)
        const from = place.next
        place.next += BigInt(messages.length)
        for (let offset = from; offset < place.next; offset++) place.open.add(offset)
        return { place, from, messages }
      })
    const close = (keep: boolean) => {
      for (const { place, from, messages } of places) {
        for (const [at, message] of messages.entries()) {
          place.open.delete(from + BigInt(at))
          if (keep) insert(place.messages, message, from + BigInt(at))
        }
        // The marker takes an offset.
        place.next++
      }
      if (keep)
        for (const { group, next } of offsets)
          for (const { topic, partition, offset } of next)
            this.group(group).offsets.set(`${topic}[${partition}]`, offset)
      this.wake()
    }
    return { commit: () => close(true), abort: () => close(false) }
  }

  settle(id: string): void {
    const open = this.limbo.get(id)
    if (open === undefined) return
    this.limbo.delete(id)
    if (this.world.dice.chance(0.5)) open.commit()
    else open.abort()
  }

  wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const each of waiters) each()
  }

  /** Resolves when something was written, or the time is over. */
  change(process: SimProcess, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.world.alarm(process, this.world.now + ms, resolve)
      this.#waiters.push(() => (cancel(), resolve()))
    })
  }

  join(process: SimProcess, spec: GroupSpec): GroupMember {
    const member: GroupMember = {
      id: ++this.#members,
      process,
      spec,
      assigned: [],
      known: [],
      generation: 0,
      knownGeneration: 0,
      beat: this.world.now,
      left: false,
    }
    const group = this.group(spec.group)
    group.members.push(member)
    process.onDeath.push(() => this.world.alarm(undefined, this.world.now + sessionMs, () => this.leave(member)))
    this.#watch(group, member)
    this.rebalance(group)
    return member
  }

  leave(member: GroupMember): void {
    const group = this.group(member.spec.group)
    if (!group.members.includes(member)) return
    group.members = group.members.filter((each) => each !== member)
    this.rebalance(group)
  }

  /** The coordinator's side of heartbeats: a process that stands still for a session is out. */
  #watch(group: Group, member: GroupMember): void {
    this.world.alarm(undefined, this.world.now + sessionMs / 3, () => {
      if (member.left || member.process.state === "dead") return
      if (member.process.state === "running") this.beat(member)
      else if (group.members.includes(member) && this.world.now - member.beat > sessionMs) {
        group.members = group.members.filter((each) => each !== member)
        this.rebalance(group)
      }
      this.#watch(group, member)
    })
  }

  /** A heartbeat that was answered: the member learns what it has; one that is out joins again. */
  beat(member: GroupMember): void {
    const group = this.group(member.spec.group)
    member.beat = this.world.now
    if (!group.members.includes(member)) {
      group.members.push(member)
      this.rebalance(group)
    }
    if (member.knownGeneration === member.generation) return
    member.known = member.assigned
    member.knownGeneration = member.generation
    member.spec.onAssigned(member.assigned)
  }

  rebalance(group: Group): void {
    group.generation++
    const { members } = group
    for (const [at, member] of members.entries()) {
      member.generation = group.generation
      member.assigned = Array.from({ length: member.spec.partitions }, (_, partition) => partition).filter(
        (partition) => (partition + group.generation) % members.length === at,
      )
      // Members hear of it one by one, each with its next heartbeat.
      this.world.alarm(undefined, this.world.now + this.world.dice.below(50), () => {
        if (member.process.state === "running" && members.includes(member)) this.beat(member)
      })
    }
  }
}

function insert(messages: Fetched[], message: Message, offset: bigint): void {
  const fetched = { ...message, offset }
  let at = messages.length
  while (at > 0 && messages[at - 1]!.offset > offset) at--
  messages.splice(at, 0, fetched)
}

const lost = () => retryable("unreachable", "the connection to the broker broke")
const unknown = () => retryable("unknown-outcome", "the answer to the commit was lost")

/** One process's client. */
class SimLog implements Log {
  readonly driver = "sim"
  readonly #broker: SimBroker
  readonly #process: SimProcess
  readonly #kept = new Map<string, Writer>()

  constructor(broker: SimBroker, process: SimProcess) {
    this.#broker = broker
    this.#process = process
  }

  async #step(label: string, fails = true): Promise<void> {
    await this.#broker.world.step(this.#process, label)
    if (fails && this.#broker.world.fault(label)) throw lost()
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.#step("ensure-topics", false)
    for (const spec of specs)
      if (!this.#broker.topics.has(spec.name))
        this.#broker.topics.set(spec.name, {
          spec,
          partitions: Array.from({ length: spec.partitions }, () => ({ messages: [], next: 0n, open: new Set() })),
        })
  }

  async topics(): Promise<readonly TopicSpec[]> {
    await this.#step("topics", false)
    return [...this.#broker.topics.values()].map(({ spec }) => spec)
  }

  async bounds(topic: string) {
    await this.#step(`bounds ${topic}`, false)
    return this.#broker.topics.get(topic)!.partitions.map((partition) => ({
      start: 0n,
      end: this.#broker.head(partition),
    }))
  }

  async writer(id: string): Promise<Writer> {
    await this.#step(`writer ${id}`)
    const { bugs } = this.#broker
    const kept = this.#kept.get(id)
    if (kept !== undefined && bugs.keptWriter === true) return kept
    this.#broker.settle(id)
    const epoch = (this.#broker.epochs.get(id) ?? 0) + 1
    this.#broker.epochs.set(id, epoch)
    const writer = this.#writer(id, epoch)
    this.#kept.set(id, writer)
    return writer
  }

  #writer(id: string, epoch: number): Writer {
    const broker = this.#broker
    const { world } = broker
    let usable = true
    let turn = Promise.resolve()
    const fenced = () => broker.epochs.get(id) !== epoch && broker.bugs.noFencing !== true
    const transact = async (appends: readonly Append[], offsets: readonly GroupOffsets[]) => {
      await world.step(this.#process, `transact ${id}`)
      if (!usable && broker.bugs.keptWriter !== true) throw fatal("closed", "the writer is closed")
      if (fenced()) throw ((usable = false), fatal("fenced", `writer ${id} was fenced`))
      if (world.fault(`transact ${id}: not sent`, 0.5)) throw ((usable = false), unknown())
      const open = broker.take(appends, offsets)
      broker.settle(id)
      broker.limbo.set(id, open)
      // Whoever opens the id next settles it; else it runs out of time.
      const expire = () =>
        void world.alarm(undefined, world.now + 10_000, () => broker.limbo.get(id) === open && broker.settle(id))
      if (world.fault(`transact ${id}: in limbo`)) {
        expire()
        usable = false
        throw unknown()
      }
      this.#process.onDeath.push(expire)
      await world.step(this.#process, `committing ${id}`)
      if (broker.limbo.get(id) !== open) throw ((usable = false), fatal("fenced", `writer ${id} was fenced`))
      broker.limbo.delete(id)
      open.commit()
      await world.step(this.#process, `committed ${id}`)
      if (world.fault(`transact ${id}: answer lost`)) throw ((usable = false), unknown())
    }
    return {
      transact(appends, offsets = []) {
        const result = turn.then(() => transact(appends, offsets))
        turn = result.catch(() => {})
        return result
      },
      close: async () => void (usable = false),
    }
  }

  async committed(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    await this.#step(`committed ${group} ${topic}`)
    const found = new Map<number, bigint>()
    for (const [place, offset] of this.#broker.group(group).offsets) {
      const at = /^(.*)\[(\d+)\]$/.exec(place)!
      if (at[1] === topic) found.set(Number(at[2]), offset)
    }
    return found
  }

  async join(spec: GroupSpec): Promise<Member> {
    await this.#step(`join ${spec.group}`, false)
    const broker = this.#broker
    const member = broker.join(this.#process, spec)
    const current = (partition: number) =>
      broker.group(spec.group).members.includes(member) &&
      member.knownGeneration === member.generation &&
      member.assigned.includes(partition)
    return {
      assigned: () => member.known,
      owns: (partition) => member.known.includes(partition) && broker.world.now - member.beat < sessionMs / 2,
      confirm: async (partition) => {
        await this.#step(`heartbeat ${spec.group}`, false)
        broker.beat(member)
        return current(partition)
      },
      reader: async (topic, partition, from) =>
        this.#reader(topic, partition, from, () => {
          if (!current(partition)) throw retryable("revoked", `${topic}[${partition}] went to another member`)
        }),
      leave: async () => {
        await this.#step(`leave ${spec.group}`, false)
        member.left = true
        broker.leave(member)
      },
    }
  }

  async members(group: string): Promise<number> {
    await this.#step(`members ${group}`)
    return this.#broker.group(group).members.length
  }

  async reader(topic: string, partition: number, from: bigint): Promise<Reader> {
    return this.#reader(topic, partition, from, () => {})
  }

  #reader(topic: string, partition: number, from: bigint, check: () => void): Reader {
    const broker = this.#broker
    let next = from
    return {
      read: async ({ maxMessages, waitMs }): Promise<Batch> => {
        await this.#step(`read ${topic}[${partition}]`, waitMs > 0)
        const until = broker.world.now + waitMs
        for (;;) {
          check()
          const place = broker.partition(topic, partition)
          const head = broker.head(place)
          if (next > place.next) throw systemic("offset-out-of-range", `${topic}[${partition}] ends before ${next}`)
          const there = place.messages.filter(({ offset }) => offset >= next && offset < head)
          if (there.length > 0 || next < head || broker.world.now >= until) {
            const some = there.slice(0, Math.max(1, Math.min(maxMessages, 1 + broker.world.dice.below(12))))
            next = some.length < there.length ? some.at(-1)!.offset + 1n : head
            return { messages: some, next, head }
          }
          await broker.change(this.#process, until - broker.world.now)
        }
      },
      close: async () => {},
    }
  }

  async close(): Promise<void> {}
}
