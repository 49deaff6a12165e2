import { retryable } from "../../errors.ts"
import type { Batch, Fetched, Reader } from "../../ports/log.ts"
import type { Fetcher } from "./fetcher.ts"

interface Limit {
  readonly maxBytes: number
  readonly maxMessages: number
  readonly waitMs: number
}

/** Bytes of a fetch: larger ones bring no more a second, and are kept longer. */
const MOST_BYTES = 4 << 20

/** Reads one partition by fetches of its own, so that no neighbour's pace is felt. What a fetch gave beyond the limit of a
 * read is kept for the next. */
export class KafkaReader implements Reader {
  readonly #fetcher: Fetcher
  readonly #topic: string
  readonly #partition: number
  readonly #end = new AbortController()
  #kept: readonly Fetched[] = []
  #at = 0
  #next: bigint
  #head = 0n

  constructor(fetcher: Fetcher, topic: string, partition: number, from: bigint) {
    this.#fetcher = fetcher
    this.#topic = topic
    this.#partition = partition
    this.#next = from
  }

  async read(limit: Limit): Promise<Batch> {
    this.#end.signal.throwIfAborted()
    return this.#read(limit)
  }

  async close(): Promise<void> {
    this.fail(retryable("reader-closed", `the reader of ${this.#topic}[${this.#partition}] was closed`))
  }

  /** Ends the reader; the read that runs and all later ones reject with the error. */
  fail(error: Error): void {
    this.#end.abort(error)
    this.#kept = []
  }

  async #read(limit: Limit): Promise<Batch> {
    const wasKept = this.#at < this.#kept.length
    if (!wasKept) await this.#fill(limit)
    const batch = this.#serve(limit)
    // What was fetched before may have reached an end that has moved since.
    if (!wasKept || batch.next < this.#head) return { ...batch, head: this.#head }
    await this.#fetch(limit.maxBytes, 0)
    return { ...batch, next: this.#at < this.#kept.length ? batch.next : this.#next, head: this.#head }
  }

  /** Fetches until there is a message, the end was reached and the wait is over. Markers and aborted records are passed. */
  async #fill({ maxBytes, waitMs }: Limit): Promise<void> {
    const until = performance.now() + waitMs
    for (let wait = waitMs; ; wait = Math.max(0, until - performance.now())) {
      const before = this.#next
      await this.#fetch(maxBytes, wait)
      if (this.#kept.length > 0) return
      const moved = this.#next > before && this.#next < this.#head
      if (!moved && performance.now() >= until) return
    }
  }

  async #fetch(maxBytes: number, waitMs: number): Promise<void> {
    const part = {
      topic: this.#topic,
      partition: this.#partition,
      from: this.#next,
      maxBytes: Math.max(1, Math.min(maxBytes, MOST_BYTES)),
    }
    const found = await this.#fetcher.fetch(part, waitMs, this.#end.signal)
    this.#kept = found.messages
    this.#at = 0
    this.#next = found.next
    this.#head = found.head > found.next ? found.head : found.next
  }

  #serve({ maxBytes, maxMessages }: Limit): { messages: readonly Fetched[]; next: bigint } {
    const from = this.#at
    for (let bytes = 0; this.#at < this.#kept.length && this.#at - from < maxMessages; this.#at++) {
      const { key, value } = this.#kept[this.#at]!
      bytes += (key?.length ?? 0) + (value?.length ?? 0)
      if (bytes > maxBytes && this.#at > from) break
    }
    const messages = this.#kept.slice(from, this.#at)
    return { messages, next: this.#at < this.#kept.length ? messages.at(-1)!.offset + 1n : this.#next }
  }
}
