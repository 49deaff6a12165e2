import type { Event } from "./events.ts"
import { pipelineName, partitions } from "./pipeline.ts"
import { arrival, counted, label } from "./plugins.ts"
import type { TopicWatch } from "./topic-watch.ts"

/** What is in the topics, read to where it was read last. */
export class TopicsSeen {
  readonly #watch: TopicWatch
  /** Places of left events, by id and by place. */
  readonly arrivals = new Map<number, string>()
  readonly #idAt = new Map<string, number>()
  readonly pushed = new Set<number>()
  readonly counted = new Set<number>()
  /** Events whose dead letter is there. */
  readonly failed = new Set<number>()
  readonly #letters = new Set<string>()
  readonly #lettersAhead: string[] = []
  readonly #numbers = new Map<string, number>()
  readonly #revisions = new Map<string, bigint>()
  readonly labels = new Map<number, { readonly sum: number; readonly factor: number }>()
  /** What stands there twice, or out of its order. */
  readonly doubled: string[] = []

  constructor(watch: TopicWatch) {
    this.#watch = watch
  }

  async look(): Promise<void> {
    await this.#arrivals()
    for (const { envelope } of await this.#watch.records("pushed", partitions, arrival))
      this.#once("pushed", this.pushed, Number(envelope.id))
    await this.#counted()
    await this.#labels()
    await this.#deadLetters()
  }

  #once(where: string, seen: Set<number>, id: number): void {
    if (seen.has(id)) this.doubled.push(`${where}: event ${id} twice`)
    seen.add(id)
  }

  async #arrivals(): Promise<void> {
    for (const { partition, offset, envelope } of await this.#watch.records("arrivals", partitions, arrival)) {
      const id = Number(envelope.id)
      const place = `arrivals[${partition}]@${offset}`
      if (this.arrivals.has(id)) this.doubled.push(`arrivals: event ${id} twice`)
      this.arrivals.set(id, place)
      this.#idAt.set(place, id)
    }
  }

  async #counted(): Promise<void> {
    for (const { envelope } of await this.#watch.records("counted", partitions, counted)) {
      const { id, number } = envelope.value as { id: number; number: number }
      this.#once("counted", this.counted, id)
      const before = this.#numbers.get(envelope.key) ?? 0
      if (number !== before + 1) this.doubled.push(`counted: ${envelope.key} goes from ${before} to ${number}`)
      this.#numbers.set(envelope.key, number)
    }
  }

  async #labels(): Promise<void> {
    for (const { envelope } of await this.#watch.records("labels", partitions, label)) {
      const slot = Number(envelope.id)
      const before = this.#revisions.get(envelope.id) ?? 0n
      if (envelope.version !== before + 1n)
        this.doubled.push(`labels: slot ${slot} goes from revision ${before} to ${envelope.version}`)
      this.#revisions.set(envelope.id, envelope.version)
      if (envelope.op === "retract") this.labels.delete(slot)
      else this.labels.set(slot, envelope.value as { sum: number; factor: number })
    }
  }

  async #deadLetters(): Promise<void> {
    for (const { message } of await this.#watch.messages(`${pipelineName}.dead-letters`, 1)) {
      const key = Buffer.from(message.key ?? []).toString()
      if (this.#letters.has(key)) this.doubled.push(`dead letter ${key} twice`)
      this.#letters.add(key)
      this.#lettersAhead.push(key.split("|")[1] ?? "")
    }
    for (const place of this.#lettersAhead.splice(0)) {
      const id = this.#idAt.get(place)
      if (id === undefined) this.#lettersAhead.push(place)
      else this.failed.add(id)
    }
  }

  /** Dead letters of no event. */
  get strays(): readonly string[] {
    return this.#lettersAhead
  }

  /** How many events of an account were counted. */
  get numbers(): ReadonlyMap<string, number> {
    return this.#numbers
  }

  /** Whether an event is in the place where it has to come to. */
  has({ id, fate }: Event): boolean {
    return fate === "fail" ? this.failed.has(id) : this.counted.has(id)
  }
}
