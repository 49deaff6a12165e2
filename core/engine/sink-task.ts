import { canarySeen } from "../canary/watch.ts"
import type { SinkClaim, SinkInstance } from "../plugin.ts"
import type { CompiledSink } from "../pipeline/model.ts"
import type { Member, Writer } from "../ports/log.ts"
import type { InputPosition } from "../ports/store.ts"
import { Blame } from "./blame.ts"
import type { Counts } from "./counters.ts"
import { allEnded, fold, markOfInputs, readFacts } from "./facts.ts"
import type { Facts } from "./facts.ts"
import { IdleGate } from "./idle.ts"
import { Inputs, codecOf, watchOf } from "./inputs.ts"
import type { Pass } from "./inputs.ts"
import { Landmarks } from "./landmarks.ts"
import { observeStep } from "./observe.ts"
import { replaySpec, sinkReplayTopic } from "./replay.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { boundsOf, firstPositions, foldPassedOver } from "./start.ts"
import type { Bounds } from "./start.ts"
import { SinkWriter } from "./sink-write.ts"
import { checkOwned, endKey, inputTopics } from "./task.ts"

/** Larger batches hold more memory; against 5000 one trial end to end showed no clear difference. */
const batchRecords = 2000

/** Where the task stands in one of the topics that it reads. */
interface Lane {
  readonly epoch: bigint
  readonly rows: SinkWriter
  next: bigint
  /** Something was written since the task was claimed. */
  touched: boolean
}

/** One partition of one topic of a sink, and of the topic through which rows of it come again. A transactional sink keeps the position beside its rows; for others the offset is
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
  readonly #replay: string
  readonly #landmarks: Landmarks
  readonly #blame: Blame

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
    this.#replay = sinkReplayTopic(runtime.pipeline.name, sink.name, topic)
    this.#landmarks = new Landmarks(runtime, sink.name, partition)
    this.#blame = new Blame(runtime.elapsed)
  }

  async run(signal: AbortSignal, progress: () => void): Promise<void> {
    const { log, table } = this.#runtime
    await checkOwned(this.#member, this.#partition, this.#sink.name)
    const writer = await log.writer(`${this.#group}.${this.#partition}`)
    let inputs: Inputs | undefined
    try {
      const topics = [this.#topic, this.#replay]
      const positions = new Map<string, InputPosition>()
      const lanes = new Map<string, Lane>()
      const claims = new Map<string, SinkClaim>()
      await Promise.all(topics.map(async (topic) => claims.set(topic, await this.#claim(topic))))
      // Only after the claims, for until then others write; what they read of the table is older, and no landmark is taken from it.
      const [bounds] = await Promise.all([boundsOf(this.#runtime, topics, this.#partition), table.refresh()])
      for (const [topic, claim] of claims) claims.set(topic, this.#marked(topic, claim))
      const facts = readFacts(table.get(this.#factsKey))
      claims.set(this.#topic, await this.#begin(claims.get(this.#topic)!, writer, bounds, facts))
      for (const [topic, { next, epoch, last }] of claims) {
        if (next !== undefined) positions.set(topic, last === undefined ? { topic, next } : { topic, next, last })
        const blame = topic === this.#replay ? undefined : this.#blame
        const rows = new SinkWriter(this.#runtime, this.#sink, this.#instance, writer, blame)
        lanes.set(topic, { epoch, rows, next: next ?? bounds.get(topic)!.start, touched: false })
      }
      const spec = { topic: this.#topic, port: "in", codec: codecOf(this.#runtime.codecs, this.#topic) }
      const specs = [spec, replaySpec(this.#replay, [spec])]
      const watch = watchOf(this.#runtime, this.#sink.name, this.#partition, this.#topic)
      inputs = await Inputs.open(this.#member, this.#partition, specs, positions, bounds, watch)
      while (!signal.aborted) {
        const waiters = this.gate.begin()
        const pass = await inputs.next(batchRecords)
        await checkOwned(this.#member, this.#partition, this.#sink.name)
        if (pass.positions.length > 0) {
          const step = { kind: "sink", name: this.#sink.name, partition: this.#partition } as const
          await observeStep(this.#runtime, step, pass, () => this.#step(writer, pass, lanes, facts))
          progress()
        } else if (pass.atHead) {
          const ended = this.#ended(facts)
          if (ended) await this.#close(writer, lanes, facts)
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
  async #close(writer: Writer, lanes: ReadonlyMap<string, Lane>, facts: Facts): Promise<void> {
    const { pipeline, asOf, table } = this.#runtime
    const topics = inputTopics(this.#runtime, [this.#topic])
    const mark = markOfInputs(topics, pipeline, asOf, (topic, from) => facts.ended[`${topic}|${from}`] ?? "")
    if (facts.closed === mark) return
    await this.#instance.flush?.(this.#topic, this.#partition)
    if (lanes.get(this.#replay)!.touched) await this.#instance.flush?.(this.#replay, this.#partition)
    const closed = { ...facts, closed: mark }
    await writer.transact([
      table.append([
        [this.#factsKey, closed],
        [endKey(this.#factsKey), mark],
      ]),
    ])
    facts.closed = mark
  }

  /** Where the sink says `start:` and it has no position, one is written down first. */
  async #begin(
    claim: SinkClaim,
    writer: Writer,
    bounds: ReadonlyMap<string, Bounds>,
    facts: Facts,
  ): Promise<SinkClaim> {
    const topic = this.#topic
    const held = new Map(claim.next === undefined ? [] : [[topic, claim.next]])
    const first = firstPositions(this.#sink.start, [topic], held, bounds)?.[0]
    if (first === undefined) return claim
    const { next } = first
    await foldPassedOver(this.#runtime, facts, this.#partition, [first], bounds)
    await writer.transact([this.#runtime.table.append([[this.#factsKey, facts]])])
    if (this.#instance.delivery === "transactional") {
      await this.#instance.setPosition?.(topic, this.#partition, next)
      return { epoch: (await this.#claim(topic)).epoch, next }
    }
    await writer.transact([], [{ group: this.#group, next: [{ topic, partition: this.#partition, offset: next }] }])
    return { ...claim, next }
  }

  async #claim(topic: string): Promise<SinkClaim> {
    if (this.#instance.delivery === "transactional") return this.#instance.claim(topic, this.#partition)
    const next = (await this.#runtime.log.committed(this.#group, topic)).get(this.#partition)
    return { next, epoch: 0n }
  }

  /** With the record that was read last, of a sink whose position is in the Log. */
  #marked(topic: string, claim: SinkClaim): SinkClaim {
    if (this.#instance.delivery === "transactional") return claim
    if (claim.next === undefined && topic === this.#topic && this.#sink.start !== undefined) return claim
    return { ...claim, ...this.#landmarks.at(topic, claim.next) }
  }

  async #step(writer: Writer, pass: Pass, lanes: ReadonlyMap<string, Lane>, facts: Facts): Promise<void> {
    const changed = pass.controls.map((control) => fold(facts, control)).includes(true)
    if (pass.records.length > 0) facts.closed = ""
    // Marks are written before the position moves: a mark that is read twice does no harm, one that is lost does.
    if (changed) await writer.transact([this.#runtime.table.append([[this.#factsKey, facts]])])
    const counts = this.#runtime.counters.of(this.#sink.name)
    for (const { topic, next, last } of pass.positions) {
      const lane = lanes.get(topic)!
      const records = pass.positions.length === 1 ? pass.records : pass.records.filter(({ at }) => at.topic === topic)
      const to = last === undefined ? { next } : { next, last }
      const span = { topic, partition: this.#partition, from: lane.next, epoch: lane.epoch, ...to }
      // Those of canaries are searched like all others, and go into no data set.
      const { kept, canaries } = this.#runtime.canaries?.rows(this.#sink.name, records) ?? {
        kept: records,
        canaries: [],
      }
      const written = await lane.rows.write(kept, span)
      if (this.#instance.delivery !== "transactional") await this.#commit(writer, { topic, ...to })
      lane.next = next
      lane.touched ||= records.length > 0
      counts.in += records.length
      counts.out += written
      for (const canary of canaries) this.#runtime.counters.add(this.#sink.name, canarySeen, canary, 1)
    }
    this.#delays(pass, counts)
  }

  async #commit(writer: Writer, position: InputPosition): Promise<void> {
    const rows = this.#landmarks.due([position])
    const next = [{ topic: position.topic, partition: this.#partition, offset: position.next }]
    await writer.transact(rows.length === 0 ? [] : [this.#runtime.table.append(rows)], [{ group: this.#group, next }])
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
}
