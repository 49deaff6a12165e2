import { badRecord, fatal, retryable, systemic } from "../../core/errors.ts"
import type {
  Append,
  Batch,
  GroupOffsets,
  GroupSpec,
  Log,
  Member,
  Message,
  Reader,
  Writer,
} from "../../core/ports/log.ts"
import type { SimBroker } from "./broker.ts"
import type { GroupMember } from "./groups.ts"
import type { Operation } from "./operations.ts"
import { perform, turnBefore } from "./world.ts"
import type { SimProcess, World } from "./world.ts"

const largest = 8 << 20
const transactionMs = 10_000

const lost = () => retryable("unreachable", "the connection to the broker broke")
const unknown = () => retryable("unknown-outcome", "the answer to the commit was lost")
const closed = () => retryable("closed", "this was closed")
const revoked = (topic: string, partition: number) =>
  retryable("revoked", `${topic}[${partition}] went to another member`)

/** What of a transaction the schedule can be told. */
function kindOf(
  id: string,
  appends: readonly Append[],
  offsets: readonly GroupOffsets[],
): "dead letters" | "end marks" | "offsets" | "records" | "source" {
  const letters = appends.some(({ topic, messages }) => topic.endsWith(".dead-letters") && messages.length > 0)
  if (letters) return "dead letters"
  // The id of an end mark begins with a tilde, after the empty key (codec.ts).
  const end = ({ key }: Message) => key !== null && key[0] === 0 && key[2] === 0x7e && key[3] === 0x65
  if (appends.some(({ messages }) => messages.some(end))) return "end marks"
  if (appends.length === 0 && offsets.length > 0) return "offsets"
  return id.includes(".source.") ? "source" : "records"
}

/** One process's client of the simulated brokers. */
export class SimLog implements Log {
  readonly driver = "sim"
  readonly #broker: SimBroker
  readonly #process: SimProcess
  readonly #world: World
  readonly #kept = new Map<string, Writer>()
  readonly #members = new Set<GroupMember>()
  /** What this process was told is committed, for the planted bug. */
  readonly #acked = new Map<string, ReadonlyMap<number, bigint>>()

  constructor(broker: SimBroker, process: SimProcess) {
    this.#broker = broker
    this.#process = process
    this.#world = broker.world
  }

  #do<A>(operation: Operation, what: string, work: () => A | Promise<A>): Promise<A> {
    return perform(this.#world, this.#process, operation, what, lost, work)
  }

  ensureTopics(specs: Parameters<Log["ensureTopics"]>[0]): Promise<void> {
    return this.#do("log.ensureTopics", "", () => {
      for (const spec of specs) this.#broker.ensure(spec)
    })
  }

  async topics() {
    return [...this.#broker.topics.values()].map(({ spec }) => spec).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  bounds(topic: string) {
    return this.#do("log.bounds", topic, () => {
      const known = this.#broker.topics.get(topic)
      if (known === undefined) throw systemic("topic-missing", `there is no topic ${topic}`)
      return known.partitions.map((partition) => ({ start: 0n, end: partition.stable }))
    })
  }

  writer(id: string): Promise<Writer> {
    return this.#do("log.writer", id, () => {
      const kept = this.#kept.get(id)
      if (kept !== undefined && this.#broker.bugs.keptWriter === true) return kept
      const writer = new SimWriter(this.#broker, this.#process, id, this.#acked)
      this.#kept.set(id, writer)
      return writer
    })
  }

  committed(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    return this.#do("log.committed", group, () => {
      if (this.#broker.bugs.noAppendNumber === true && this.#acked.has(group)) return this.#acked.get(group)!
      return this.#broker.committed(group, topic)
    })
  }

  async join(spec: GroupSpec): Promise<Member> {
    const { groups, topics } = this.#broker
    const member = await this.#do("log.join", spec.group, () => {
      for (const topic of spec.topics)
        if (topics.get(topic)?.partitions.length !== spec.partitions)
          throw fatal("topic-mismatch", `topic ${topic} has not the ${spec.partitions} partitions of its group`)
      const joined = groups.join(this.#process, spec)
      this.#members.add(joined)
      groups.beat(joined)
      return joined
    })
    return {
      assigned: () => member.known,
      owns: (partition) => member.known.includes(partition) && this.#world.now - member.beat < groups.sessionMs / 2,
      confirm: (partition) =>
        this.#do("member.confirm", spec.group, () => {
          groups.beat(member)
          return groups.holds(member, partition)
        }),
      reader: (topic, partition, from) =>
        this.#do("member.reader", topic, () => {
          if (!member.known.includes(partition)) throw revoked(topic, partition)
          return new SimReader(this.#broker, this.#process, topic, partition, from, member)
        }),
      leave: async () => {
        if (member.left) return
        await this.#do("member.leave", spec.group, () => {
          this.#members.delete(member)
          groups.leave(member)
        })
      },
    }
  }

  async members(group: string): Promise<number> {
    return this.#broker.groups.size(group)
  }

  reader(topic: string, partition: number, from: bigint): Promise<Reader> {
    return this.#do(
      "log.reader",
      topic,
      () => new SimReader(this.#broker, this.#process, topic, partition, from, undefined),
    )
  }

  close(): Promise<void> {
    return this.#do("log.close", "", () => {
      for (const member of this.#members) this.#broker.groups.leave(member)
      this.#members.clear()
    })
  }
}

class SimWriter implements Writer {
  readonly #broker: SimBroker
  readonly #process: SimProcess
  readonly #id: string
  readonly #epoch: number
  readonly #acked: Map<string, ReadonlyMap<number, bigint>>
  #failed: Error | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(broker: SimBroker, process: SimProcess, id: string, acked: Map<string, ReadonlyMap<number, bigint>>) {
    this.#acked = acked
    this.#broker = broker
    this.#process = process
    this.#id = id
    this.#epoch = broker.fence(id)
  }

  transact(appends: readonly Append[], offsets: readonly GroupOffsets[] = []): Promise<void> {
    const result = this.#turn.then(async () => {
      if (this.#failed !== undefined && this.#broker.bugs.keptWriter !== true) throw this.#failed
      try {
        await this.#transact(appends, offsets)
      } catch (error) {
        this.#failed = error as Error
        throw error
      }
    })
    this.#turn = result.catch(() => {})
    return result
  }

  close(): Promise<void> {
    return perform(this.#broker.world, this.#process, "writer.close", this.#id, closed, () => {
      this.#failed ??= closed()
    })
  }

  #fenced(): Error {
    if (this.#process.zombie) this.#broker.world.hit("zombie fenced: writer")
    return fatal("fenced", `writer ${this.#id} was fenced`)
  }

  async #transact(appends: readonly Append[], offsets: readonly GroupOffsets[]): Promise<void> {
    const broker = this.#broker
    const { world, bugs } = broker
    const [id, process] = [this.#id, this.#process]
    for (const { messages } of appends)
      for (const { value } of messages)
        if ((value?.length ?? 0) > largest) throw badRecord("message-too-large", "a message is larger than 8 MiB")
    const kind = kindOf(id, appends, offsets)
    if (kind === "end marks" && bugs.endMarkEarly === true) appends = endedForAll(appends)
    const mishap = world.befalls(`writer.transact ${kind}`)
    // It may stand still at any of three places.
    const stops = mishap === "zombie" ? world.dice.below(3) : -1
    const turn = (at: number) => (stops === at ? "stop" : undefined)
    await world.step(process, `writer.transact ${kind}`, id, turn(0) ?? (stops < 0 ? turnBefore(mishap) : undefined))
    if (broker.epochs.get(id) !== this.#epoch && bugs.noFencing !== true) throw this.#fenced()
    if (mishap === "refused") throw unknown()
    if (kind === "dead letters" && bugs.offsetBeforeDeadLetter === true && offsets.length > 0) {
      const first = broker.begin(id, [], offsets)
      broker.commit(id, first)
      await world.step(process, "transact: between", id, mishap === "torn" ? "crash" : undefined)
    }
    const open = broker.begin(id, appends.map(clamped), offsets)
    // Whoever opens the id next settles it; else it runs out of time.
    const expire = () => void world.alarm(undefined, world.now + transactionMs, () => broker.expire(id, open))
    process.onDeath.add(expire)
    const torn = mishap === "torn" ? world.dice.below(2) : -1
    await world.step(process, `committing ${kind}`, id, torn === 0 ? "crash" : turn(1))
    if (torn === 1) {
      process.onDeath.delete(expire)
      expire()
      throw unknown()
    }
    if (!broker.isOpen(id, open)) throw this.#fenced()
    process.onDeath.delete(expire)
    broker.commit(id, open)
    await world.step(process, `committed ${kind}`, id, mishap === "crash after" ? "crash" : turn(2))
    if (mishap === "answer lost") throw unknown()
    broker.visible(open)
    if (bugs.noAppendNumber === true)
      for (const { group, next } of offsets)
        if (group.includes(".source."))
          this.#acked.set(group, new Map(next.map(({ partition, offset }) => [partition, offset])))
  }
}

/** The planted bug: a stage's first partition says of the second, too, that it ended. */
function endedForAll(appends: readonly Append[]): Append[] {
  const forged = ({ key, value, timestamp }: Message): Message => {
    const swap = (bytes: Uint8Array | null) =>
      bytes === null
        ? null
        : Buffer.from(
            Buffer.from(bytes)
              .toString("latin1")
              .replaceAll(/(stage\/\w+)\/0/g, "$1/1"),
            "latin1",
          )
    return { key: swap(key), value: swap(value), timestamp }
  }
  const names = ({ key }: Message) => /end\/stage\/\w+\/0$/.test(Buffer.from(key ?? []).toString("latin1"))
  return appends.map((append) => ({
    ...append,
    messages: append.messages.flatMap((message) => (names(message) ? [message, forged(message)] : [message])),
  }))
}

const clamped = ({ topic, partition, messages }: Append): Append => ({
  topic,
  partition,
  messages: messages.map(({ key, value, timestamp, headers }) => ({
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    timestamp: Math.max(0, timestamp),
    ...(headers === undefined ? {} : { headers }),
  })),
})

class SimReader implements Reader {
  readonly #broker: SimBroker
  readonly #process: SimProcess
  readonly #topic: string
  readonly #partition: number
  readonly #place: string
  readonly #member: GroupMember | undefined
  #next: bigint
  /** The end of what was fetched last: up to there it is given from what was kept. */
  #kept = 0n
  #closed = false
  /** How often in a row there was nothing: a world that stands still is asked less and less often. */
  #idle = 0
  #end: (() => void) | undefined

  constructor(
    broker: SimBroker,
    process: SimProcess,
    topic: string,
    partition: number,
    from: bigint,
    member: GroupMember | undefined,
  ) {
    this.#broker = broker
    this.#process = process
    this.#topic = topic
    this.#partition = partition
    this.#place = `${topic}[${partition}]`
    this.#next = from
    this.#member = member
  }

  async read(limit: Parameters<Reader["read"]>[0]): Promise<Batch> {
    const { world } = this.#broker
    const until = world.now + (limit.waitMs > 0 ? this.#patience(limit.waitMs) : 0)
    // That nothing is there is nothing that could be ordered.
    if (this.#something()) await perform(world, this.#process, "reader.read", this.#place, lost, () => {})
    for (;;) {
      this.#check()
      const batch = this.#fetch(limit)
      if (batch.next !== this.#next || world.now >= until) {
        this.#idle = batch.next === this.#next ? this.#idle + 1 : 0
        this.#next = batch.next
        return batch
      }
      await this.#change(until)
    }
  }

  close(): Promise<void> {
    return perform(this.#broker.world, this.#process, "reader.close", this.#place, closed, () => {
      this.#closed = true
      this.#end?.()
    })
  }

  /** A read that waits is woken by what comes: that it otherwise gives up late saves many that would be in vain. Who looks whether
   * everything is through is asked less and less often. */
  #patience(waitMs: number): number {
    if (this.#broker.live) return waitMs
    return waitMs * (this.#process.looksAgain ? Math.min(200, 8 << this.#idle) : 8)
  }

  #something(): boolean {
    const place = this.#broker.topics.get(this.#topic)?.partitions[this.#partition]
    return place === undefined || this.#next !== place.stable
  }

  #check(): void {
    if (this.#closed) throw closed()
    if (this.#member === undefined || this.#broker.groups.holds(this.#member, this.#partition)) return
    if (this.#process.zombie) this.#broker.world.hit("zombie fenced: reader")
    throw revoked(this.#topic, this.#partition)
  }

  #fetch({ maxMessages, maxBytes }: Parameters<Reader["read"]>[0]): Batch {
    const { world, live } = this.#broker
    const place = this.#broker.partition(this.#topic, this.#partition)
    if (this.#next >= this.#kept) this.#kept = place.stable
    const stable = this.#kept
    if (this.#next > place.next) throw systemic("offset-out-of-range", `${this.#place} ends before ${this.#next}`)
    const most = live ? maxMessages : Math.max(1, Math.min(maxMessages, 1 + world.dice.below(12)))
    const messages = []
    let bytes = 0
    let at = place.indexOf(this.#next)
    for (; at < place.messages.length && messages.length < most; at++) {
      const message = place.messages[at]!
      bytes += (message.key?.length ?? 0) + (message.value?.length ?? 0)
      if (message.offset >= stable || (messages.length > 0 && bytes > maxBytes)) break
      messages.push(message)
    }
    const following = place.messages[at]
    const more = following !== undefined && following.offset < stable
    // As Kafka has it: what is under way counts as something that is still to come.
    return { messages, next: more ? messages.at(-1)!.offset + 1n : stable, head: place.next }
  }

  #change(until: number): Promise<void> {
    const { world } = this.#broker
    const place = this.#broker.partition(this.#topic, this.#partition)
    return new Promise((resolve) => {
      const done = () => {
        cancel()
        forget()
        this.#member?.reading.delete(done)
        this.#end = undefined
        resolve()
      }
      const cancel = world.alarm(this.#process, until, done)
      const forget = place.onChange(done)
      this.#member?.reading.add(done)
      this.#end = done
    })
  }
}
