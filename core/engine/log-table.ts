import type { Append, Log, Reader } from "../ports/log.ts"

/** A compacted topic of one partition, read as a table: text keys, JSON values. Rows are written with a transaction of whoever
 * changes them; reading brings the table up to the end of what is committed. */
export class LogTable {
  readonly topic: string
  readonly #log: Log
  readonly #rows = new Map<string, unknown>()
  #reader: Reader | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(log: Log, topic: string) {
    this.#log = log
    this.topic = topic
  }

  /** What to append to set a row; undefined deletes it. */
  append(rows: Iterable<readonly [key: string, value: unknown]>): Append {
    const messages = [...rows].map(([key, value]) => ({
      key: Buffer.from(key),
      value: value === undefined ? null : Buffer.from(JSON.stringify(value)),
      timestamp: 0,
    }))
    return { topic: this.topic, partition: 0, messages }
  }

  /** Reads to the end; then `get` and `entries` tell what is committed. */
  refresh(): Promise<void> {
    const turn = this.#turn.then(() => this.#read())
    this.#turn = turn.catch(() => {})
    return turn
  }

  get<T>(key: string): T | undefined {
    return this.#rows.get(key) as T | undefined
  }

  entries<T>(prefix: string): (readonly [key: string, value: T])[] {
    return [...this.#rows].filter(([key]) => key.startsWith(prefix)) as [string, T][]
  }

  async #read(): Promise<void> {
    if (this.#reader === undefined) {
      const [bounds] = await this.#log.bounds(this.topic)
      this.#reader = await this.#log.reader(this.topic, 0, bounds?.start ?? 0n)
    }
    // What is committed lies hidden behind a transaction that somebody else has open before it, as a process that was killed may
    // have for a while. The head of the first read is past both.
    let end: bigint | undefined
    for (;;) {
      const waitMs = end === undefined ? 0 : 100
      const { messages, next, head } = await this.#reader.read({ maxBytes: 4 << 20, maxMessages: 10_000, waitMs })
      end ??= head
      for (const { key, value } of messages) {
        if (key === null) continue
        const name = Buffer.from(key).toString()
        if (value === null) this.#rows.delete(name)
        else this.#rows.set(name, JSON.parse(Buffer.from(value).toString()))
      }
      if (next >= end) return
    }
  }

  async close(): Promise<void> {
    await this.#reader?.close()
  }
}
