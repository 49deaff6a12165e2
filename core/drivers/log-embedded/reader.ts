import { retryable } from "../../errors.ts"
import type { Batch, Fetched, Reader } from "../../ports/log.ts"
import { BlockCursor } from "./block.ts"
import { type Found, MOST_BYTES } from "./fetch.ts"
import type { Link } from "./link.ts"

interface Limit {
  readonly maxBytes: number
  readonly maxMessages: number
  readonly waitMs: number
}

/** Bytes of the first fetch: less than it takes where single messages are looked at. */
const FIRST_BYTES = 1 << 18

/** Reads one partition. What a fetch gave beyond the limit of a read is kept for the next; a fetch asks for about as much as reads
 * take, and where they take all, the one after it is on its way meanwhile. */
export class EmbeddedReader implements Reader {
  readonly #link: Link
  readonly #topic: string
  readonly #partition: number
  readonly #end = new AbortController()
  #reject: (error: unknown) => void = () => {}
  #cursors: BlockCursor[] = []
  /** Where the next fetch begins. */
  #from: number
  /** Messages before it are passed. */
  #next: number
  #head = 0
  #bytes = FIRST_BYTES
  #takesAll = false
  #ahead: Promise<Found> | undefined

  constructor(link: Link, topic: string, partition: number, from: bigint) {
    this.#link = link
    this.#topic = topic
    this.#partition = partition
    this.#from = this.#next = Number(from)
  }

  async read(limit: Limit): Promise<Batch> {
    this.#end.signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      this.#reject = reject
      this.#read(limit).then(resolve, reject)
    })
  }

  async close(): Promise<void> {
    this.fail(retryable("reader-closed", `the reader of ${this.#topic}[${this.#partition}] was closed`))
  }

  /** Ends the reader; the read that runs and all later ones reject with the error. */
  fail(error: Error): void {
    this.#end.abort(error)
    this.#reject(this.#end.signal.reason)
    this.#cursors = []
    this.#ahead = undefined
  }

  async #read(limit: Limit): Promise<Batch> {
    const wasKept = this.#pass()
    const until = performance.now() + limit.waitMs
    while (!this.#pass()) {
      await this.#fetch(limit.maxBytes, Math.max(0, until - performance.now()))
      this.#end.signal.throwIfAborted()
      if (!this.#pass() && this.#from === this.#head && performance.now() >= until) break
    }
    const messages = this.#serve(limit)
    if (!this.#pass()) this.#next = this.#from
    // What was fetched before may have reached an end that has moved since.
    if (wasKept && this.#next === this.#head) await this.#fetch(limit.maxBytes, 0)
    return { messages, next: BigInt(this.#next), head: BigInt(this.#head) }
  }

  /** Whether a message is at hand; those before the position are passed over. */
  #pass(): boolean {
    for (;;) {
      const [cursor] = this.#cursors
      if (cursor === undefined) return false
      while (!cursor.done && cursor.offset() < this.#next) cursor.skip()
      if (!cursor.done) return true
      this.#cursors.shift()
    }
  }

  #serve({ maxBytes, maxMessages }: Limit): Fetched[] {
    const messages: Fetched[] = []
    let bytes = 0
    while (messages.length < maxMessages) {
      const [cursor] = this.#cursors
      if (cursor === undefined) break
      if (cursor.done) {
        this.#cursors.shift()
        continue
      }
      bytes += cursor.size()
      if (bytes > maxBytes && messages.length > 0) break
      messages.push(cursor.next())
    }
    const last = messages.at(-1)
    if (last === undefined) return messages
    this.#next = Number(last.offset) + 1
    this.#takesAll = this.#cursors.every((cursor) => cursor.done)
    this.#bytes = Math.min(MOST_BYTES, Math.max(FIRST_BYTES, this.#takesAll ? this.#bytes * 2 : bytes * 2))
    return messages
  }

  async #fetch(maxBytes: number, waitMs: number): Promise<void> {
    const ahead = this.#ahead
    this.#ahead = undefined
    const found = await (ahead ?? this.#ask(Math.min(maxBytes, this.#bytes), waitMs))
    const where = `${this.#topic}[${this.#partition}] in ${found.file}`
    for (const each of found.blocks) this.#cursors.push(new BlockCursor(each, where))
    this.#from = found.next
    this.#head = found.head
    if (this.#takesAll && found.next < found.head) {
      this.#ahead = this.#ask(Math.min(maxBytes, this.#bytes), 0)
      this.#ahead.catch(() => {})
    }
  }

  #ask(maxBytes: number, waitMs: number): Promise<Found> {
    const until = performance.now() + waitMs
    return this.#link.use((owner) => {
      const limit = { maxBytes, waitMs: Math.max(0, until - performance.now()) }
      return owner.fetch(this.#topic, this.#partition, this.#from, limit, this.#end.signal)
    })
  }
}
