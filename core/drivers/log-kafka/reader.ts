import { retryable } from "../../errors.ts"
import type { Batch, Fetched, Reader } from "../../ports/log.ts"
import type { Fetcher } from "./fetcher.ts"
import type { Found } from "./lane.ts"

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
  /** What comes after what is kept, fetched while its last part is worked on. */
  #ahead: Promise<Found> | undefined
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
    const fresh = this.#at < this.#kept.length ? false : await this.#fill(limit)
    const batch = this.#serve(limit)
    // What was fetched before may have reached an end that has moved since.
    if (!fresh && batch.next >= this.#head) {
      await this.#fetch(limit.maxBytes, 0)
      return { ...batch, next: this.#at < this.#kept.length ? batch.next : this.#next, head: this.#head }
    }
    if (this.#at === this.#kept.length && this.#next < this.#head && limit.maxMessages > 1)
      this.#ahead = this.#ask(limit.maxBytes, 0)
    return { ...batch, head: this.#head }
  }

  /** Fetches until there is a message, the end was reached and the wait is over. Markers and aborted records are passed.
   * Resolves to whether the end is that of now. */
  async #fill({ maxBytes, waitMs }: Limit): Promise<boolean> {
    const until = performance.now() + waitMs
    for (let wait = waitMs; ; wait = Math.max(0, until - performance.now())) {
      const before = this.#next
      const fresh = await this.#fetch(maxBytes, wait)
      if (this.#kept.length > 0) return fresh
      const moved = this.#next > before && this.#next < this.#head
      if (fresh && !moved && performance.now() >= until) return true
    }
  }

  /** Resolves to whether it was asked for now, not before. */
  async #fetch(maxBytes: number, waitMs: number): Promise<boolean> {
    const ahead = this.#ahead
    this.#ahead = undefined
    // What kept the broker from answering then may be over.
    const before = await ahead?.catch(() => undefined)
    this.#end.signal.throwIfAborted()
    const found = before ?? (await this.#ask(maxBytes, waitMs))
    this.#kept = found.messages
    this.#at = 0
    this.#next = found.next
    this.#head = found.head > found.next ? found.head : found.next
    return before === undefined
  }

  #ask(maxBytes: number, waitMs: number): Promise<Found> {
    const part = {
      topic: this.#topic,
      partition: this.#partition,
      from: this.#next,
      maxBytes: Math.max(1, Math.min(maxBytes, MOST_BYTES)),
    }
    const found = this.#fetcher.fetch(part, waitMs, this.#end.signal)
    // Of a look ahead nobody may ask for the answer any more.
    found.catch(() => {})
    return found
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
