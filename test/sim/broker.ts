import { fatal, systemic } from "../../core/errors.ts"
import type { Append, GroupOffsets, TopicSpec } from "../../core/ports/log.ts"
import { SimGroups } from "./groups.ts"
import { SimPartition } from "./partition.ts"
import type { World } from "./world.ts"

/** Ways in which a Log could be wrong, for showing that the seeds find them. */
export interface LogBugs {
  /** A process gives out the writer that it has instead of a new one. */
  readonly keptWriter?: boolean
  readonly noFencing?: boolean
  /** Offsets are committed before the dead letters of the same transaction. */
  readonly offsetBeforeDeadLetter?: boolean
  /** A source's append number is taken for one less after each failure, as by one that just tries again. */
  readonly noAppendNumber?: boolean
  /** A stage's end is forwarded when the first of its partitions has ended. */
  readonly endMarkEarly?: boolean
}

/** A transaction that the coordinator knows of and that is not visible everywhere yet. */
interface Transaction {
  /** undefined: neither commit nor abort was decided. */
  decided: boolean | undefined
  /** What has to be written still: a marker in each partition, then the offsets. */
  readonly markers: ((keep: boolean) => void)[]
  readonly offsets: readonly GroupOffsets[]
}

/** The brokers: what outlives every process. Shows the traps of the real ones: a commit whose outcome is not known, partitions and
 * offsets that show a committed transaction one after another, writers and members that were thought dead. */
export class SimBroker {
  readonly world: World
  readonly bugs: LogBugs
  readonly topics = new Map<string, { readonly spec: TopicSpec; readonly partitions: readonly SimPartition[] }>()
  readonly groups: SimGroups
  readonly offsets = new Map<string, Map<string, bigint>>()
  readonly epochs = new Map<string, number>()
  /** In a world of real time and without faults, answers are as full as they were asked for. */
  readonly live: boolean
  /** Numbers of the outbox rows that were published, by group and partition, in order. */
  readonly publications = new Map<string, bigint[]>()
  readonly #transactions = new Map<string, Transaction>()

  constructor(world: World, sessionMs: number, bugs: LogBugs = {}, live = false) {
    this.world = world
    this.live = live
    this.bugs = bugs
    this.groups = new SimGroups(world, sessionMs)
  }

  ensure(spec: TopicSpec): void {
    const { name, partitions } = spec
    if (!/^[\w.-]{1,249}$/.test(name)) throw fatal("topic-name", `${name} is no name of a topic`)
    const known = this.topics.get(name)
    if (known !== undefined && known.partitions.length !== partitions)
      throw fatal("topic-mismatch", `topic ${name} has ${known.partitions.length} partitions, not ${partitions}`)
    if (known !== undefined) return
    this.topics.set(name, { spec, partitions: Array.from({ length: partitions }, () => new SimPartition()) })
  }

  partition(topic: string, partition: number): SimPartition {
    const found = this.topics.get(topic)?.partitions[partition]
    if (found === undefined) throw systemic("topic-missing", `there is no ${topic}[${partition}]`)
    return found
  }

  /** Gives out an id anew: whoever had it is fenced, and what it had under way is settled. */
  fence(id: string): number {
    this.settle(id)
    const epoch = (this.epochs.get(id) ?? 0) + 1
    this.epochs.set(id, epoch)
    return epoch
  }

  /** Takes a transaction's messages; nobody sees them, nothing is decided. */
  begin(id: string, appends: readonly Append[], offsets: readonly GroupOffsets[]): Transaction {
    this.settle(id)
    const markers = appends
      .filter(({ messages }) => messages.length > 0)
      .map(({ topic, partition, messages }) => this.partition(topic, partition).take(messages, id))
    if (offsets.length > 0) markers.push((keep) => void (keep && this.#moveOffsets(offsets)))
    const transaction = { decided: undefined, markers, offsets }
    this.#transactions.set(id, transaction)
    return transaction
  }

  isOpen(id: string, transaction: Transaction): boolean {
    return this.#transactions.get(id) === transaction && transaction.decided === undefined
  }

  /** Decides to commit. The partitions show it one after another, the offsets last: also after the writer was answered. */
  commit(id: string, transaction: Transaction): void {
    transaction.decided = true
    const { world } = this
    const late = transaction.markers.length > 1 && world.dice.chance(0.25)
    const wait = late ? 1 + world.dice.below(transaction.markers.length - 1) : transaction.markers.length
    this.#write(transaction, wait)
    if (!late) this.#transactions.delete(id)
    else world.alarm(undefined, world.now + 1 + world.dice.below(20), () => this.#write(transaction, Infinity))
  }

  /** Resolves when what was committed under an id can be read. The offsets may come later still. */
  visible(transaction: Transaction): void {
    this.#write(transaction, Math.max(0, transaction.markers.length - (transaction.offsets.length > 0 ? 1 : 0)))
  }

  /** What an expired or fenced transaction comes to: its end may have been asked for in time, or not. */
  settle(id: string): void {
    const transaction = this.#transactions.get(id)
    if (transaction === undefined) return
    this.#transactions.delete(id)
    if (transaction.decided === undefined) {
      transaction.decided = this.world.dice.chance(0.5)
      this.world.hit(transaction.decided ? "unknown outcome: committed" : "unknown outcome: aborted")
    } else if (transaction.markers.length > 0) this.world.hit("torn commit completed by the next writer")
    this.#write(transaction, Infinity)
  }

  /** Shows all of what was decided: a run may end before the last offsets of a commit are there. */
  complete(): void {
    for (const transaction of this.#transactions.values())
      if (transaction.decided !== undefined) this.#write(transaction, Infinity)
  }

  expire(id: string, transaction: Transaction): void {
    if (this.#transactions.get(id) === transaction) this.settle(id)
  }

  committed(group: string, topic: string): Map<number, bigint> {
    const found = new Map<number, bigint>()
    for (const { markers, offsets } of this.#transactions.values())
      if (markers.length > 0 && offsets.some((each) => each.group === group))
        this.world.hit("stale offsets were fetched")
    for (const [place, offset] of this.offsets.get(group) ?? []) {
      const at = place.lastIndexOf("[")
      if (place.slice(0, at) === topic) found.set(Number(place.slice(at + 1, -1)), offset)
    }
    return found
  }

  #write({ decided, markers }: Transaction, count: number): void {
    for (const marker of markers.splice(0, count)) marker(decided === true)
  }

  #moveOffsets(offsets: readonly GroupOffsets[]): void {
    for (const { group, next } of offsets) {
      const known = this.offsets.get(group) ?? new Map<string, bigint>()
      this.offsets.set(group, known)
      for (const { topic, partition, offset } of next) {
        known.set(`${topic}[${partition}]`, offset)
        if (group.endsWith(".outbox")) this.#published(`${group}/${partition}`, offset)
      }
    }
  }

  #published(task: string, number: bigint): void {
    const known = this.publications.get(task)
    if (known === undefined) this.publications.set(task, [number])
    else known.push(number)
  }
}
