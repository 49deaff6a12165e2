import type { WeirError } from "../errors.ts"
import { classify } from "../errors.ts"
import type { SinkInstance } from "../plugin.ts"
import type { CompiledSink } from "../pipeline/model.ts"
import type { Member, Writer } from "../ports/log.ts"
import type { InputPosition } from "../ports/store.ts"
import { bump } from "./counters.ts"
import type { Counts } from "./counters.ts"
import { allEnded, fold, markOfInputs, readFacts } from "./facts.ts"
import type { Facts } from "./facts.ts"
import { IdleGate } from "./idle.ts"
import { Inputs, codecOf, watchOf } from "./inputs.ts"
import type { Pass } from "./inputs.ts"
import { observeStep } from "./observe.ts"
import { Outbound } from "./outbound.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { startsOf } from "./stateless-task.ts"
import { deadLetters, endKey, inputTopics } from "./task.ts"
import type { Rec } from "../record.ts"

const batchRecords = 5000

/** One partition of one topic of a sink. A transactional sink keeps the position beside its rows; for others the offset is
 * committed in the Log after they wrote. */
export class SinkTask {
  readonly gate = new IdleGate()
  readonly #runtime: Runtime
  readonly #sink: CompiledSink
  readonly #instance: SinkInstance
  readonly #topic: string
  readonly #partition: number
  readonly #member: Member
  readonly #group: string

  constructor(
    runtime: Runtime,
    sink: CompiledSink,
    instance: SinkInstance,
    topic: string,
    partition: number,
    member: Member,
  ) {
    this.#runtime = runtime
    this.#sink = sink
    this.#instance = instance
    this.#topic = topic
    this.#partition = partition
    this.#member = member
    this.#group = groupOf(runtime.pipeline.name, `${sink.name}.${topic}`)
  }

  async run(signal: AbortSignal, progress: () => void): Promise<void> {
    const { log, table } = this.#runtime
    const writer = await log.writer(`${this.#group}.${this.#partition}`)
    let inputs: Inputs | undefined
    try {
      const claim = await this.#claim()
      await table.refresh()
      const facts = readFacts(table.get(this.#factsKey))
      const positions = new Map<string, InputPosition>()
      if (claim.next !== undefined) positions.set(this.#topic, { topic: this.#topic, next: claim.next })
      const starts = await startsOf(this.#runtime, [this.#topic], this.#partition)
      const spec = { topic: this.#topic, port: "in", codec: codecOf(this.#runtime.codecs, this.#topic) }
      const watch = watchOf(this.#runtime, this.#sink.name, this.#partition, this.#topic)
      inputs = await Inputs.open(this.#member, this.#partition, [spec], positions, starts, watch)
      let next = claim.next ?? starts.get(this.#topic) ?? 0n
      while (!signal.aborted) {
        const waiters = this.gate.begin()
        const pass = await inputs.next(batchRecords)
        if (pass.positions.length > 0) {
          const at = { from: next, epoch: claim.epoch }
          const step = { kind: "sink", name: this.#sink.name, partition: this.#partition } as const
          next = await observeStep(this.#runtime, step, pass, () => this.#step(writer, pass, at, facts))
          progress()
        } else if (pass.atHead) {
          const ended = this.#ended(facts)
          if (ended) await this.#close(writer, facts)
          progress()
          if (ended) this.gate.idle(waiters)
        }
      }
    } finally {
      await inputs?.close()
      await writer.close()
    }
  }

  get #factsKey(): string {
    return `sink/${this.#sink.name}/${this.#topic}/${this.#partition}`
  }

  #ended(facts: Facts): boolean {
    return allEnded(facts, inputTopics(this.#runtime, [this.#topic]), this.#runtime.pipeline)
  }

  /** Everything that came is written: says so, where other processes look. */
  async #close(writer: Writer, facts: Facts): Promise<void> {
    const { pipeline, asOf, table } = this.#runtime
    const topics = inputTopics(this.#runtime, [this.#topic])
    const mark = markOfInputs(topics, pipeline, asOf, (topic, from) => facts.ended[`${topic}|${from}`] ?? "")
    if (facts.closed === mark) return
    await this.#instance.flush?.(this.#topic, this.#partition)
    const closed = { ...facts, closed: mark }
    await writer.transact([
      table.append([
        [this.#factsKey, closed],
        [endKey(this.#factsKey), mark],
      ]),
    ])
    facts.closed = mark
  }

  async #claim(): Promise<{ readonly next: bigint | undefined; readonly epoch: bigint }> {
    if (this.#instance.delivery === "transactional") return this.#instance.claim(this.#topic, this.#partition)
    const next = (await this.#runtime.log.committed(this.#group, this.#topic)).get(this.#partition)
    return { next, epoch: 0n }
  }

  async #step(
    writer: Writer,
    pass: Pass,
    at: { readonly from: bigint; readonly epoch: bigint },
    facts: Facts,
  ): Promise<bigint> {
    const { next } = pass.positions[0]!
    const changed = pass.controls.map((control) => fold(facts, control)).includes(true)
    if (pass.records.length > 0) facts.closed = ""
    // Marks are written before the position moves: a mark that is read twice does no harm, one that is lost does.
    if (changed) await writer.transact([this.#runtime.table.append([[this.#factsKey, facts]])])
    const span = { topic: this.#topic, partition: this.#partition, from: at.from, next, epoch: at.epoch }
    const written = await this.#write(writer, pass.records, span)
    if (this.#instance.delivery !== "transactional")
      await writer.transact(
        [],
        [{ group: this.#group, next: [{ topic: this.#topic, partition: this.#partition, offset: next }] }],
      )
    const counts = this.#runtime.counters.of(this.#sink.name)
    counts.in += pass.records.length
    counts.out += written
    this.#delays(pass, counts)
    return next
  }

  /** How long the batch was under way; one of its records stands for all. */
  #delays({ records, readAt }: Pass, { written, fromArrival }: Counts): void {
    const [first] = records
    if (first === undefined) return
    const now = this.#runtime.elapsed()
    written.observe(now - readAt)
    const arrived = this.#runtime.arrivals.at(first.origin)
    if (arrived !== undefined) fromArrival.observe(now - arrived)
  }

  /** Rows that can never be written become dead letters, durable before the position moves; the others are written. */
  async #write(writer: Writer, records: readonly Rec[], span: Parameters<SinkInstance["write"]>[1]): Promise<number> {
    try {
      await this.#instance.write(records, span)
      return records.length
    } catch (thrown) {
      const error = classify(thrown)
      const failed = failedRows(error, records.length)
      if (failed === undefined) throw error
      const out = new Outbound()
      const step = this.#sink.plugin.name
      deadLetters(
        this.#runtime,
        out,
        this.#sink.name,
        [...failed].map(([at, reason]) => ({ root: records[at]!, step, error: reason })),
      )
      await writer.transact(await out.appends())
      for (const reason of failed.values()) bump(this.#runtime.counters.of(this.#sink.name).dead, reason.code)
      return this.#write(
        writer,
        records.filter((_, at) => !failed.has(at)),
        span,
      )
    }
  }
}

/** The rows that an error dead-letters, if it is of that kind. */
function failedRows(error: WeirError, rows: number): ReadonlyMap<number, WeirError> | undefined {
  if (error.meaning === "bad-record" && rows === 1) return new Map([[0, error]])
  if (error.meaning !== "partial" || error.rows === undefined || error.rows.size === 0) return undefined
  return [...error.rows.values()].every(({ meaning }) => meaning === "bad-record") ? error.rows : undefined
}
