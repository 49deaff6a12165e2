import { setTimeout as sleep } from "node:timers/promises"
import type { Kafka } from "kafkajs"
import type { WeirError } from "../../errors.ts"
import { Client, PATIENCE } from "./client.ts"
import { faultOf, kafkaError } from "./errors.ts"
import { type FetchPart, fetchRequest } from "./fetch.ts"
import { type Found, type Kind, Lane, type Want } from "./lane.ts"

/** How long a fetch is tried, ms beyond its wait: when one was never answered, which shows after PATIENCE, there is time for another. */
const FETCH_PATIENCE = 2 * PATIENCE

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
      this.#place({ ...want, waitUntil: now + waitMs, giveUpAt: now + waitMs + FETCH_PATIENCE }, "now")
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
    if (!retriable || left < (type === "UNKNOWN_TOPIC_OR_PARTITION" ? FETCH_PATIENCE - 3000 : 0))
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
