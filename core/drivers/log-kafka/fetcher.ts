import { setTimeout as sleep } from "node:timers/promises"
import type { Kafka } from "kafkajs"
import { systemic, type WeirError } from "../../errors.ts"
import { Client, PATIENCE } from "./client.ts"
import { faultOf, kafkaError } from "./errors.ts"
import { type FetchAnswer, type FetchPart, fetchRequest } from "./fetch.ts"
import { decodeBatches } from "./record-batch.ts"
import type { Fetched } from "../../ports/log.ts"

/** What one fetch found of a partition. */
export interface Found {
  readonly messages: readonly Fetched[]
  /** Where to fetch on. */
  readonly next: bigint
  /** The end of the partition: of what is committed, and of what may yet be while a transaction is open. */
  readonly head: bigint
}

/** A fetch that somebody waits for. */
interface Want extends FetchPart {
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

type Kind = "now" | "wait"

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

/** A broker serves one fetch of a connection at a time, and holds it while it waits for data. So every fetch first goes over a
 * connection on which none waits; those that found nothing wait together on another. */
export class Fetcher {
  readonly #clients: Readonly<Record<Kind, Client>>
  readonly #lanes = new Map<string, Lane>()

  constructor(kafka: Kafka) {
    this.#clients = { now: new Client(kafka), wait: new Client(kafka) }
  }

  /** What stands at an offset; waits up to `waitMs` for it. Rejects: `offset-out-of-range`, `unreachable`, or with the reason
   * of the signal. */
  fetch(part: FetchPart, waitMs: number, signal: AbortSignal): Promise<Found> {
    const now = performance.now()
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason as WeirError)
      signal.addEventListener("abort", abort, { once: true })
      const settle = <T>(how: (value: T) => void) => {
        return (value: T) => {
          signal.removeEventListener("abort", abort)
          how(value)
        }
      }
      const want = { ...part, resolve: settle(resolve), reject: settle(reject), signal }
      this.#place({ ...want, waitUntil: now + waitMs, giveUpAt: now + PATIENCE }, "now")
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.#clients.now.close(), this.#clients.wait.close()])
  }

  #place(want: Want, kind: Kind): void {
    this.#clients[kind].leader(want.topic, want.partition).then(
      (node) => this.#lane(node, kind).add(want),
      (error: unknown) => void this.#again(want, kind, error),
    )
  }

  /** Errors that may pass are tried again, after a look at who leads now. */
  async #again(want: Want, kind: Kind, error: unknown): Promise<void> {
    if (want.signal.aborted) return
    const { retriable, type } = faultOf(error)
    const left = want.giveUpAt - performance.now()
    // A topic that was just made is not known to every broker at once; seconds later it is missing.
    if (!retriable || left < (type === "UNKNOWN_TOPIC_OR_PARTITION" ? PATIENCE - 3000 : 0))
      return want.reject(kafkaError(error, `reading ${want.topic}[${want.partition}]`))
    await sleep(50)
    try {
      await this.#clients[kind].recover(error)
    } catch (closed) {
      return want.reject(kafkaError(closed, `reading ${want.topic}[${want.partition}]`))
    }
    this.#place(want, "now")
  }

  #lane(node: number, kind: Kind): Lane {
    const name = `${kind}${node}`
    const known = this.#lanes.get(name)
    if (known !== undefined) return known
    const lane = new Lane(
      kind,
      async (parts, waitMs) => {
        const broker = await this.#clients[kind].broker(node)
        return broker.connectionPool.send(fetchRequest(parts, waitMs))
      },
      {
        empty: (want) => this.#place(want, "wait"),
        failed: (want, error) => void this.#again(want, kind, error),
      },
    )
    this.#lanes.set(name, lane)
    return lane
  }
}

type Send = (parts: readonly FetchPart[], waitMs: number) => Promise<readonly FetchAnswer[]>

/** One fetch at a time over one connection, for all who want something of that broker. */
class Lane {
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
