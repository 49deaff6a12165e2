import { labelsOf } from "./events.ts"
import type { Event } from "./events.ts"
import { TopicsSeen } from "./judge-topics.ts"
import { insertedRows, lookAtTables } from "./judge-tables.ts"
import { ObjectsSeen } from "./judge-objects.ts"
import type { Ledger } from "./ledger.ts"
import { within } from "./service.ts"
import { TopicWatch } from "./topic-watch.ts"

/** Something that is not as it has to become. */
export interface Missing {
  /** Where it is looked for; each keeps the order of a partition. */
  readonly place: string
  /** The newest event that has to do with it. */
  readonly id: number
  readonly text: string
  /** It is there, and should not be. */
  readonly extra?: true
}

/** What a look at all the places gave: ids and names, never what they hold. */
export interface Verdict {
  /** Not there yet, by place. */
  readonly missing: readonly Missing[]
  /** There twice, or where nothing should be; never right again. */
  readonly doubled: readonly string[]
}

/** Where everything that was promised has to be. */
export interface Places {
  readonly brokers: readonly string[]
  readonly postgres: string
  readonly s3: string
}

/** How long one look at one place may take, ms. */
const lookMs = 30_000

/** Compares what was promised with what is there. Events that were found whole in all places are not looked for again, until
 * `forget`. */
export class Judge {
  readonly #ledger: Ledger
  readonly #places: Places
  #watch: TopicWatch
  #topics: TopicsSeen
  readonly #objects: ObjectsSeen
  /** All lower ids are in their places, or were pushed without an answer. */
  #from = 0
  #inserted = 0
  #reading: Promise<void> | undefined

  constructor(ledger: Ledger, places: Places) {
    this.#ledger = ledger
    this.#places = places
    this.#watch = new TopicWatch(places.brokers)
    this.#topics = new TopicsSeen(this.#watch)
    this.#objects = new ObjectsSeen(places.s3)
  }

  get watch(): TopicWatch {
    return this.#watch
  }

  /** Reads everything anew from now on. */
  async forget(): Promise<void> {
    await this.#reading?.catch(() => {})
    await this.#watch.close()
    this.#watch = new TopicWatch(this.#places.brokers)
    this.#topics = new TopicsSeen(this.#watch)
    this.#objects.forget()
    this.#from = 0
  }

  close(): Promise<unknown> {
    return Promise.all([this.#watch.close(), this.#objects.close()])
  }

  /** How much has come through: grows with every record that reached the table that is only inserted into. While nobody answers, as
   * much as was known last. */
  async progress(): Promise<number> {
    this.#inserted = (await insertedRows(this.#places.postgres)) ?? this.#inserted
    return this.#inserted
  }

  /** @param factor of the labels' definition */
  async look(factor: number): Promise<Verdict> {
    const topics = this.#topics
    // A look that took too long goes on, and keeps its place in each topic: another beside it would read the same again.
    this.#reading ??= topics.look().finally(() => (this.#reading = undefined))
    await within("reading topics", lookMs, this.#reading)
    const due = [...this.#ledger.events.values()].filter(
      (event) => this.#ledger.promised(event) || topics.pushed.has(event.id),
    )
    const missing: Missing[] = due
      .filter((event) => !topics.has(event))
      .map(({ id }) => ({ place: "topics", id, text: `event ${id} is not in the topics` }))
    if (missing.length > 0) return { missing, doubled: topics.doubled }
    const passed = due.filter(({ fate }) => fate === "pass")
    missing.push(...counters(passed, topics.numbers), ...this.#foreign(due))
    missing.push(...(await this.#inTables(passed, factor)), ...(await this.#inObjects(passed)))
    const doubled = [...topics.doubled, ...this.#doubled]
    if (missing.length === 0 && doubled.length === 0) this.#from = Math.max(0, ...due.map(({ id }) => id + 1))
    return { missing, doubled }
  }

  #doubled: string[] = []

  /** What is in a topic that nobody made. */
  #foreign(due: readonly Event[]): Missing[] {
    const topics = this.#topics
    const ids = new Set(due.map(({ id }) => id))
    const strange = [...topics.counted, ...topics.arrivals.keys(), ...topics.failed].filter((id) => !ids.has(id))
    return [
      ...strange.map((id) => extra("topics", id, `event ${id} is in a topic, and was never made`)),
      ...topics.strays.map((place) => extra("topics", -1, `a dead letter of ${place}, which is no event`)),
    ]
  }

  async #inTables(passed: readonly Event[], factor: number): Promise<readonly Missing[]> {
    const { table, inserts, labels } = await lookAtTables(this.#places.postgres, this.#from)
    const due = passed.filter(({ id }) => id >= this.#from)
    this.#doubled = [...inserts]
      .filter(([, times]) => times > 1)
      .map(([id, times]) => `inserts: event ${id} ${times} times`)
    const missing = due.flatMap(({ id }): Missing[] => [
      ...(table.has(id) ? [] : [{ place: "table", id, text: `event ${id} is not in the table` }]),
      ...(inserts.has(id) ? [] : [{ place: "inserts", id, text: `event ${id} is not among the inserts` }]),
    ])
    const wanted = labelsOf(passed, factor)
    for (const [where, found] of [["table", labels] as const, ["topic", this.#topics.labels] as const]) {
      const place = `labels in the ${where}`
      for (const [slot, { sum, id }] of wanted) {
        if (found.get(slot)?.sum === sum && found.get(slot)?.factor === factor) continue
        const how = found.has(slot) ? "another" : "missing"
        missing.push({ place, id, text: `the label of slot ${slot} is ${how} in the ${where}` })
      }
      for (const slot of found.keys())
        if (!wanted.has(slot))
          missing.push(extra(place, -1, `the label of slot ${slot} is in the ${where}, and should not be`))
    }
    return missing
  }

  async #inObjects(passed: readonly Event[]): Promise<readonly Missing[]> {
    const times = await within("reading objects", lookMs, this.#objects.look())
    this.#doubled.push(
      ...[...times].filter(([, count]) => count > 1).map(([id, count]) => `objects: event ${id} ${count} times`),
    )
    return passed
      .filter(({ id }) => !times.has(id))
      .map(({ id }) => ({ place: "objects", id, text: `event ${id} is not in the objects` }))
  }
}

const extra = (place: string, id: number, text: string): Missing => ({ place, id, text, extra: true })

/** The counter of each account counts its events. */
function counters(passed: readonly Event[], numbers: ReadonlyMap<string, number>): Missing[] {
  const wanted = new Map<string, { count: number; id: number }>()
  for (const { account, id } of passed) wanted.set(account, { count: (wanted.get(account)?.count ?? 0) + 1, id })
  return [...wanted]
    .filter(([account, { count }]) => numbers.get(account) !== count)
    .map(([account, { count, id }]) => {
      const text = `${account} counts ${numbers.get(account) ?? 0}, not ${count}`
      return { place: "counters", id, text }
    })
}
