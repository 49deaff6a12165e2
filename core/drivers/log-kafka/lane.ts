import { systemic, type WeirError } from "../../errors.ts"
import type { Fetched } from "../../ports/log.ts"
import { kafkaError } from "./errors.ts"
import type { FetchAnswer, FetchPart } from "./fetch.ts"
import { decodeBatches } from "./record-batch.ts"

/** What one fetch found of a partition. */
export interface Found {
  readonly messages: readonly Fetched[]
  /** Where to fetch on. */
  readonly next: bigint
  /** The end of the partition: of what is committed, and of what may yet be while a transaction is open. */
  readonly head: bigint
}

/** A fetch that somebody waits for. */
export interface Want extends FetchPart {
  readonly resolve: (found: Found) => void
  readonly reject: (error: WeirError) => void
  readonly signal: AbortSignal
  /** When to answer with nothing, on the monotonic clock. */
  readonly waitUntil: number
  /** When to give up on errors that may pass. */
  readonly giveUpAt: number
  /** When a broker first called the offset out of range. */
  doubtedAt?: number
}

/** Whether fetches of a lane wait for data. */
export type Kind = "now" | "wait"

const OFFSET_OUT_OF_RANGE = 1
const TRANSIENT = new Map([
  [3, "UNKNOWN_TOPIC_OR_PARTITION"],
  [5, "LEADER_NOT_AVAILABLE"],
  [6, "NOT_LEADER_FOR_PARTITION"],
  [9, "REPLICA_NOT_AVAILABLE"],
  [56, "KAFKA_STORAGE_ERROR"],
  [74, "FENCED_LEADER_EPOCH"],
  [76, "UNKNOWN_LEADER_EPOCH"],
  [78, "OFFSET_NOT_AVAILABLE"],
  [100, "UNKNOWN_TOPIC_ID"],
])
const REFUSED = new Map([[29, "TOPIC_AUTHORIZATION_FAILED"]])

/** Sends a fetch that waits so many ms to a broker. */
export type Send = (parts: readonly FetchPart[], waitMs: number) => Promise<readonly FetchAnswer[]>

/** One fetch at a time over one connection, for all who want something of that broker. */
export class Lane {
  readonly #kind: Kind
  readonly #send: Send
  readonly #on: { empty(want: Want): void; failed(want: Want, error: unknown): void }
  #queue: Want[] = []
  #running = false

  constructor(kind: Kind, send: Send, on: { empty(want: Want): void; failed(want: Want, error: unknown): void }) {
    this.#kind = kind
    this.#send = send
    this.#on = on
  }

  add(want: Want, first = false): void {
    if (first) this.#queue.unshift(want)
    else this.#queue.push(want)
    if (this.#running) return
    this.#running = true
    // Whoever asks in the same turn shares the fetch.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const wants = this.#take()
      if (wants.length === 0) continue
      try {
        const answers = await this.#send(wants, this.#waitFor(wants))
        const found = new Map(answers.map((answer) => [placeOf(answer), answer]))
        for (const want of wants) this.#answer(want, found.get(placeOf(want)))
      } catch (error) {
        for (const want of wants) this.#on.failed(want, error)
      }
    }
    this.#running = false
  }

  /** A partition can be asked for once in a fetch; another who wants it takes the next. */
  #take(): Want[] {
    const places = new Set<string>()
    const taken: Want[] = []
    const left: Want[] = []
    for (const want of this.#queue) {
      if (want.signal.aborted) continue
      if (places.has(placeOf(want))) left.push(want)
      else {
        places.add(placeOf(want))
        taken.push(want)
      }
    }
    this.#queue = left
    return taken
  }

  /** Short, for who comes while a fetch waits has to wait for it too. */
  #waitFor(wants: readonly Want[]): number {
    if (this.#kind === "now") return 0
    const soonest = Math.min(...wants.map(({ waitUntil }) => waitUntil)) - performance.now()
    return Math.max(1, Math.min(50, Math.ceil(soonest)))
  }

  #answer(want: Want, answer: FetchAnswer | undefined): void {
    if (want.signal.aborted) return
    const where = `${want.topic}[${want.partition}]`
    if (answer === undefined) return this.#on.failed(want, transient("REPLICA_NOT_AVAILABLE"))
    if (answer.error === OFFSET_OUT_OF_RANGE) return this.#doubt(want, where)
    if (answer.error !== 0) return this.#on.failed(want, errorOf(answer.error))
    const { lastStable, highWatermark } = answer
    try {
      const { messages, next } = decodeBatches(answer.records, want.from, answer.aborted)
      if (next > want.from) return want.resolve({ messages, next, head: max(lastStable, highWatermark) })
    } catch (error) {
      return want.reject(kafkaError(error, `reading ${where}`))
    }
    // Others took the room of the answer: it is this one's turn.
    if (want.from < lastStable) return this.add(want, true)
    // A leader that was just elected has not learnt yet how far its predecessor had come.
    if (want.from > highWatermark) return this.#on.failed(want, transient("OFFSET_NOT_AVAILABLE"))
    if (performance.now() >= want.waitUntil)
      return want.resolve({ messages: [], next: want.from, head: max(lastStable, highWatermark) })
    this.#on.empty(want)
  }

  /** Believed when it is still said a second later: it stops the reader until somebody sets the position. */
  #doubt(want: Want, where: string): void {
    const now = performance.now()
    want.doubtedAt ??= now
    if (now - want.doubtedAt > 1000) want.reject(outOfRange(where, want.from))
    else this.#on.failed(want, transient("OFFSET_NOT_AVAILABLE"))
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

const placeOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${partition}/${topic}`

const transient = (type: string): Error => Object.assign(new Error(type), { type, retriable: true })

const errorOf = (code: number): Error => {
  const type = TRANSIENT.get(code)
  if (type !== undefined) return transient(type)
  return Object.assign(new Error("fetch refused"), { type: REFUSED.get(code) ?? `ERROR_${code}`, retriable: false })
}

const outOfRange = (where: string, from: bigint): WeirError =>
  systemic("offset-out-of-range", `${where} holds no offset ${from}`, {
    hint: "records were removed or the topic was made anew: set the position by hand",
  })
