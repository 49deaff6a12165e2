import { randomUUID } from "node:crypto"
import { WeirError, classify, retryable } from "../errors.ts"
import { versionOf } from "../package-version.ts"
import type { Ports, SourceDef, SourceRun } from "../plugin.ts"
import type { CompiledSource } from "../pipeline/model.ts"
import type { Append, Writer } from "../ports/log.ts"
import type { Draft } from "../record.ts"
import { noOrigin } from "../codec.ts"
import { bump } from "./counters.ts"
import { deadLetterMessage } from "./dead-letter.ts"
import type { DeadLetter } from "./dead-letter.ts"
import { codecOf } from "./inputs.ts"
import type { LogTable } from "./log-table.ts"
import { Outbound } from "./outbound.ts"
import { contextFor, deadLetterTopic, dropTopic, groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

interface Pending {
  readonly out: Outbound
  readonly rows: readonly (readonly [string, unknown])[]
  readonly records: number
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** What a source's task asks of who runs it. */
export interface SourceOwner {
  /** Whether the source is still this process's, as the Log says now. */
  owned(): Promise<boolean>
  /** Waits before another attempt, longer each time, and shows why. */
  pause(attempt: number, error: WeirError): Promise<void>
}

/** What the table keeps of a source. */
export interface SourceRow {
  readonly closed: string
  readonly runs: number
}
const sourceKey = (name: string): string => `source/${name}`

/** The row of a source, as of the table's last refresh. */
export const sourceRow = (table: LogTable, name: string): SourceRow =>
  table.get<SourceRow>(sourceKey(name)) ?? { closed: "", runs: 0 }

/** How many queued appends share one transaction at most. */
const together = 64

/** One run of one source: groups what it appends into Log transactions, with checkpoints and the append number. */
export class SourceTask {
  readonly #runtime: Runtime
  readonly #source: CompiledSource
  readonly #group: string
  readonly #queue: Pending[] = []
  #pump: Promise<void> | undefined
  #writer: Writer | undefined
  #number = 0n
  /** The mark it ended with, if nothing came since. */
  #closed = ""
  /** How often a run of it came to its end, by any process. */
  #runs = 0
  /** Drops that the next transaction writes down: with the checkpoint that covers them, so once. */
  #drops: [place: string, reason: string][] = []
  readonly #owner: SourceOwner
  #signal = new AbortController().signal
  #progress = () => {}

  constructor(runtime: Runtime, source: CompiledSource, owner: SourceOwner) {
    this.#runtime = runtime
    this.#source = source
    // A listener runs in each process, so each has a writer of its own.
    const everywhere = (source.plugin as SourceDef<unknown, never>).runs === "everywhere"
    this.#group = groupOf(runtime.pipeline.name, `source.${source.name}${everywhere ? `.${randomUUID()}` : ""}`)
    this.#owner = owner
  }

  /** Runs to the end of what the world has to give; then marks the end.
   * @param progress called when something was appended, and when the source has caught up */
  async run(signal: AbortSignal, progress: () => void): Promise<void> {
    this.#signal = signal
    this.#progress = progress
    const { table, counters } = this.#runtime
    const plugin = this.#source.plugin as SourceDef<unknown, Ports>
    await this.#claim()
    await table.refresh()
    const row = sourceRow(table, this.#source.name)
    this.#closed = row.closed
    this.#runs = row.runs
    const prefix = `checkpoint/${this.#source.name}/`
    const checkpoint = new Map(table.entries<string>(prefix).map(([key, value]) => [key.slice(prefix.length), value]))
    const idle = new AbortController()
    const stop = AbortSignal.any([signal, idle.signal])
    const context = contextFor(this.#runtime, this.#source.name, { inputs: {}, outputs: this.#source.outputs }, stop)
    const counts = counters.of(this.#source.name)
    try {
      const instance = await plugin.create(this.#source.options, context)
      const run: SourceRun<Ports> = {
        checkpoint,
        signal: stop,
        append: (to, records, marks) => {
          counts.in += records.length
          return this.#append(to, records as readonly Draft[], marks ?? {})
        },
        drop: (reason) => {
          counts.in++
          bump(counts.dropped, reason)
          this.#drops.push([`${this.#source.name}:${counts.in}`, reason])
        },
        fail: (where, error, marks) => {
          counts.in++
          return this.#fail(where, classify(error), marks ?? {})
        },
        complete: (feed, through) => this.#complete(feed, through),
        caughtUp: () => {
          progress()
          if (this.#runtime.untilIdle) idle.abort()
        },
      }
      // Who waits for the signal's event would wait for ever for one that was already given.
      if (!stop.aborted) await instance.run(run)
      if (this.#drops.length > 0) await this.#enqueue(new Outbound(), [], 0)
      await this.#pump
      if (!signal.aborted) await this.#end()
    } finally {
      await this.#writer?.close()
    }
  }

  get #stateKey(): string {
    return sourceKey(this.#source.name)
  }

  get #topics(): string[] {
    return [...new Set(Object.values(this.#source.outputs))]
  }

  #partitions(topic: string): number {
    return this.#runtime.pipeline.topics.get(topic)!.partitions
  }

  #append(to: string, records: readonly Draft[], marks: Readonly<Record<string, string | null>>): Promise<void> {
    const out = new Outbound()
    const topic = this.#source.outputs[to]
    if (topic !== undefined)
      for (const record of records)
        out.record(codecOf(this.#runtime.codecs, topic), this.#partitions(topic), record, noOrigin)
    return this.#enqueue(out, this.#marks(marks), records.length)
  }

  #fail(where: string, error: WeirError, marks: Readonly<Record<string, string | null>>): Promise<void> {
    const out = new Outbound()
    const { name, plugin } = this.#source
    const letter: DeadLetter = {
      stage: name,
      plugin: plugin.name,
      version: versionOf(plugin),
      origin: `${name}:${where}`,
      input: where,
      ordinal: 0,
      code: error.code,
      path: error.path,
      message: error.message,
      attempt: 1,
      time: this.#runtime.now(),
    }
    out.append({
      topic: deadLetterTopic(this.#runtime.pipeline.name),
      partition: 0,
      messages: [deadLetterMessage(letter)],
    })
    bump(this.#runtime.counters.of(name).dead, error.code)
    return this.#enqueue(out, this.#marks(marks), 0)
  }

  #complete(feed: string, through: number): Promise<void> {
    const out = new Outbound()
    for (const topic of this.#topics)
      out.control(codecOf(this.#runtime.codecs, topic), this.#partitions(topic), {
        kind: "complete",
        writer: this.#stateKey,
        feed,
        through,
      })
    return this.#enqueue(out, [], 0)
  }

  #marks(marks: Readonly<Record<string, string | null>>) {
    return Object.entries(marks).map(
      ([channel, mark]) => [`checkpoint/${this.#source.name}/${channel}`, mark ?? undefined] as const,
    )
  }

  async #end(): Promise<void> {
    const out = new Outbound()
    // The append number of the transaction that holds it: no two ends have the same.
    const mark = this.#closed === "" ? String(this.#number + 1n) : this.#closed
    if (this.#closed === "")
      for (const topic of this.#topics)
        out.control(codecOf(this.#runtime.codecs, topic), this.#partitions(topic), {
          kind: "end",
          writer: this.#stateKey,
          mark,
        })
    const row: SourceRow = { closed: mark, runs: this.#runs + 1 }
    await this.#enqueue(out, [[this.#stateKey, row]], 0)
    this.#closed = mark
  }

  #enqueue(out: Outbound, rows: Pending["rows"], records: number): Promise<void> {
    this.#writeDrops(out)
    return new Promise((done, failed) => {
      this.#queue.push({ out, rows, records, done, failed })
      this.#pump ??= this.#drain()
    })
  }

  #writeDrops(out: Outbound): void {
    if (this.#drops.length === 0) return
    const value = Buffer.from(JSON.stringify({ stage: this.#source.name, drops: this.#drops }))
    const topic = dropTopic(this.#runtime.pipeline.name)
    out.append({ topic, partition: 0, messages: [{ key: null, value, timestamp: this.#runtime.now() }] })
    this.#drops = []
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const turn = this.#queue.splice(0, together)
      try {
        const records = turn.reduce((sum, pending) => sum + pending.records, 0)
        await this.#observed(records, () => this.#commit(turn))
        this.#progress()
        this.#runtime.counters.of(this.#source.name).out += records
        for (const { done } of turn) done()
      } catch (error) {
        for (const { failed } of [...turn, ...this.#queue.splice(0)]) failed(error)
      }
    }
    // In the same turn of the loop as the look at the queue: who appends next must start a new drain.
    this.#pump = undefined
  }

  /** Counted as a step: the time that waiting out trouble takes included. */
  async #observed(records: number, commit: () => Promise<void>): Promise<void> {
    const { counters, tracing, elapsed } = this.#runtime
    const { name } = this.#source
    const began = elapsed()
    const ended = tracing?.begin({ kind: "source", name, partition: 0 }, { "weir.records": records })
    try {
      await commit()
      ended?.()
    } catch (error) {
      ended?.(error)
      throw error
    }
    const counts = counters.of(name)
    counts.batches++
    counts.steps.observe(elapsed() - began)
  }

  /** One transaction; waits out trouble. After an unknown outcome: fence, then read the number. */
  async #commit(turn: readonly Pending[]): Promise<void> {
    const appends: Append[] = []
    const records = turn.some((pending) => pending.records > 0)
    if (this.#closed !== "" && records) {
      const open = new Outbound()
      for (const topic of this.#topics)
        open.control(codecOf(this.#runtime.codecs, topic), this.#partitions(topic), {
          kind: "open",
          writer: this.#stateKey,
        })
      appends.push(
        ...(await open.appends()),
        this.#runtime.table.append([[this.#stateKey, { closed: "", runs: this.#runs }]]),
      )
    }
    for (const { out } of turn) appends.push(...(await out.appends()))
    const rows = turn.flatMap((pending) => pending.rows)
    if (rows.length > 0) appends.push(this.#runtime.table.append(rows))
    const number = this.#number + 1n
    for (let attempt = 0; ; attempt++) {
      if (this.#signal.aborted) throw retryable("stopped", `source ${this.#source.name} was stopped`)
      try {
        if (this.#writer === undefined) await this.#again(number)
        if (this.#number < number) {
          const [topic] = this.#topics
          await this.#writer!.transact(merge(appends), [
            { group: this.#group, next: [{ topic: topic!, partition: 0, offset: number }] },
          ])
        }
        this.#number = number
        if (records) this.#closed = ""
        return
      } catch (thrown) {
        const error = classify(thrown)
        if (error.meaning === "fatal" && error.code !== "fenced") throw error
        if (error.meaning === "bad-record" || error.code === "revoked") throw error
        await this.#writer?.close().catch(() => {})
        this.#writer = undefined
        await this.#owner.pause(attempt, error)
      }
    }
  }

  /** After a failure: still ours, then fence and read the number. It tells whether the transaction was committed; any other number
   * is another owner's, and what was read of the world since is not ours to append. */
  async #again(number: bigint): Promise<void> {
    if (!(await this.#owner.owned())) throw this.#lost()
    await this.#claim()
    if (this.#number !== number && this.#number !== number - 1n) throw this.#lost()
  }

  #lost(): WeirError {
    return retryable("revoked", `source ${this.#source.name} went to another process`)
  }

  /** Fences others, then asks whether the source is still ours: who stood still before it fenced may come after an owner that is done, and
   * nobody would fence it any more, nor end what it opens. */
  async #claim(): Promise<void> {
    await this.#fence()
    let isOurs = false
    try {
      isOurs = await this.#owner.owned()
    } finally {
      if (!isOurs) {
        await this.#writer?.close().catch(() => {})
        this.#writer = undefined
      }
    }
    if (!isOurs) throw this.#lost()
  }

  async #fence(): Promise<void> {
    this.#writer = await this.#runtime.log.writer(this.#group)
    const [topic] = this.#topics
    this.#number = (await this.#runtime.log.committed(this.#group, topic!)).get(0) ?? 0n
  }
}

/** Appends of the same partition as one, in order. */
function merge(appends: readonly Append[]): Append[] {
  const merged = new Map<string, { topic: string; partition: number; messages: Append["messages"][number][] }>()
  for (const { topic, partition, messages } of appends) {
    const place = `${topic}\u0000${partition}`
    const slot = merged.get(place)
    if (slot === undefined) merged.set(place, { topic, partition, messages: [...messages] })
    else slot.messages.push(...messages)
  }
  return [...merged.values()]
}
