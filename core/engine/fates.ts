import type { TopicCodec } from "../codec.ts"
import type { CompiledTopic } from "../pipeline/model.ts"
import type { Fetched } from "../ports/log.ts"
import { bump } from "./counters.ts"
import { codecOf } from "./inputs.ts"
import { readAll } from "./read-all.ts"
import { deadLetterTopic, dropTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import type { DeadLetter } from "./dead-letter.ts"

/** What became of everything that ever arrived in one topic: each arrival has one fate, the first that applies. */
export interface Fates {
  /** The sources that write the topic. */
  readonly sources: readonly string[]
  /** Everything that came, also what became no record. */
  readonly arrived: number
  /** Something below `phi` stems from it. */
  readonly released: number
  /** By code. */
  readonly dead: ReadonlyMap<string, number>
  /** By reason. */
  readonly dropped: ReadonlyMap<string, number>
  /** Held until something else comes. */
  readonly waiting: number
}

const own = 1
const aggregate = 2

/** One partition of an arrivals topic: what is known of each offset. Reasons are numbers into a list. */
class Arrivals {
  readonly #start: number
  readonly #came: Uint8Array
  readonly #released: Uint8Array
  readonly #dead: Uint16Array
  readonly #dropped: Uint16Array

  constructor(start: bigint, end: bigint) {
    this.#start = Number(start)
    const size = Number(end - start)
    this.#came = new Uint8Array(size)
    this.#released = new Uint8Array(size)
    this.#dead = new Uint16Array(size)
    this.#dropped = new Uint16Array(size)
  }

  came(offset: bigint): void {
    this.#came[this.#at(offset)] = 1
  }
  release(offset: bigint, how: typeof own | typeof aggregate): void {
    const at = this.#at(offset)
    if (at in this.#released) this.#released[at]! |= how
  }
  die(offset: bigint, reason: number): void {
    this.#dead[this.#at(offset)] ||= reason
  }
  drop(offset: bigint, reason: number): void {
    this.#dropped[this.#at(offset)] ||= reason
  }

  sum(tally: Tally, reasons: readonly string[]): void {
    for (const [at, came] of this.#came.entries()) {
      if (came === 0) continue
      tally.arrived++
      // A row made of many arrivals stems from one of them by chance; that one's own end counts first.
      if ((this.#released[at]! & own) !== 0) tally.released++
      else if (this.#dead[at] !== 0) bump(tally.dead, reasons[this.#dead[at]!]!)
      else if (this.#dropped[at] !== 0) bump(tally.dropped, reasons[this.#dropped[at]!]!)
      else if (this.#released[at] !== 0) tally.released++
      else tally.waiting++
    }
  }

  #at(offset: bigint): number {
    return Number(offset) - this.#start
  }
}

interface Tally {
  readonly sources: readonly string[]
  arrived: number
  released: number
  readonly dead: Map<string, number>
  readonly dropped: Map<string, number>
  waiting: number
}

/** Reads the arrivals, the dead letters, the drops and every topic below `phi`, and tells what became of each arrival. Memory: 6
 * bytes an arrival. */
export async function fates(runtime: Runtime): Promise<ReadonlyMap<string, Fates>> {
  return new Reckoning(runtime).run()
}

class Reckoning {
  readonly #runtime: Runtime
  readonly #arrivals = new Map<string, Arrivals>()
  readonly #tallies = new Map<string, Tally>()
  readonly #reasons = [""]
  readonly #numbers = new Map<string, number>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  async run(): Promise<ReadonlyMap<string, Fates>> {
    const topics = [...this.#runtime.pipeline.topics.values()]
    const sources = topics.filter(({ writers }) => writers.some(({ kind }) => kind === "source"))
    for (const topic of sources) await this.#arrived(topic)
    for (const topic of topics) if (topic.zone !== "phi") await this.#released(topic)
    await this.#dead(sources)
    await this.#dropped(sources)
    for (const { name } of sources)
      for (const [place, arrivals] of this.#arrivals)
        if (place.startsWith(`${name}[`)) arrivals.sum(this.#tallies.get(name)!, this.#reasons)
    return this.#tallies
  }

  async #arrived(topic: CompiledTopic): Promise<void> {
    const names = topic.writers.filter(({ kind }) => kind === "source").map(({ name }) => name)
    this.#tallies.set(topic.name, {
      sources: names,
      arrived: 0,
      released: 0,
      dead: new Map(),
      dropped: new Map(),
      waiting: 0,
    })
    const codec = codecOf(this.#runtime.codecs, topic.name)
    for (const [partition, { start, end }] of (await this.#runtime.log.bounds(topic.name)).entries()) {
      const arrivals = new Arrivals(start, end)
      this.#arrivals.set(`${topic.name}[${partition}]`, arrivals)
      await readAll(this.#runtime.log, topic.name, partition, { start, end }, (message) => {
        if (codec.originOf(message, partition) !== undefined) arrivals.came(message.offset)
      })
    }
  }

  async #released({ name, type }: CompiledTopic): Promise<void> {
    const codec: TopicCodec = codecOf(this.#runtime.codecs, name)
    const how = type.aggregate === true ? aggregate : own
    for (const [partition, bounds] of (await this.#runtime.log.bounds(name)).entries())
      await readAll(this.#runtime.log, name, partition, bounds, (message) => {
        const origin = codec.originOf(message, partition)
        if (origin === undefined) return
        this.#arrivals.get(`${origin.topic}[${origin.partition}]`)?.release(origin.offset, how)
      })
  }

  async #dead(sources: readonly CompiledTopic[]): Promise<void> {
    const seen = new Set<string>()
    await this.#each(deadLetterTopic, ({ key, value }) => {
      const letter = JSON.parse(text(value)) as DeadLetter
      const name = key === null ? "" : text(key)
      if (seen.has(name)) return
      if (this.#mark(letter.origin, (arrivals, offset) => arrivals.die(offset, this.#number(letter.code)))) return
      seen.add(name)
      const tally = this.#tallyOf(letter.stage, sources)
      if (tally === undefined) return
      tally.arrived++
      bump(tally.dead, letter.code)
    })
  }

  async #dropped(sources: readonly CompiledTopic[]): Promise<void> {
    await this.#each(dropTopic, ({ value }) => {
      const { stage, drops } = JSON.parse(text(value)) as { stage: string; drops: [place: string, reason: string][] }
      for (const [origin, reason] of drops) {
        if (this.#mark(origin, (arrivals, offset) => arrivals.drop(offset, this.#number(reason)))) continue
        const tally = this.#tallyOf(stage, sources)
        if (tally === undefined) continue
        tally.arrived++
        bump(tally.dropped, reason)
      }
    })
  }

  /** True when the place is one of an arrivals topic. */
  #mark(origin: string, mark: (arrivals: Arrivals, offset: bigint) => void): boolean {
    const at = /^(.*\[\d+\])@(\d+)$/.exec(origin)
    const arrivals = at === null ? undefined : this.#arrivals.get(at[1]!)
    if (at === null || arrivals === undefined) return false
    mark(arrivals, BigInt(at[2]!))
    return true
  }

  #tallyOf(source: string, topics: readonly CompiledTopic[]): Tally | undefined {
    const topic = topics.find(({ writers }) => writers.some(({ kind, name }) => kind === "source" && name === source))
    return topic === undefined ? undefined : this.#tallies.get(topic.name)
  }

  #number(reason: string): number {
    const known = this.#numbers.get(reason)
    if (known !== undefined) return known
    this.#numbers.set(reason, this.#reasons.length)
    return this.#reasons.push(reason) - 1
  }

  async #each(topicOf: (pipeline: string) => string, each: (message: Fetched) => void): Promise<void> {
    const topic = topicOf(this.#runtime.pipeline.name)
    for (const [partition, bounds] of (await this.#runtime.log.bounds(topic)).entries())
      await readAll(this.#runtime.log, topic, partition, bounds, each)
  }
}

const text = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? new Uint8Array()).toString()
