import type { CompiledStage } from "../pipeline/model.ts"
import type { Member, Writer } from "../ports/log.ts"
import type { InputPosition } from "../ports/store.ts"
import { bisect } from "./bisect.ts"
import type { ChainResult, ChainStep } from "./chain.ts"
import { readFacts } from "./facts.ts"
import type { Facts } from "./facts.ts"
import { IdleGate } from "./idle.ts"
import { Inputs, watchOf } from "./inputs.ts"
import type { Pass } from "./inputs.ts"
import { Landmarks } from "./landmarks.ts"
import { observeStep } from "./observe.ts"
import type { Outbound } from "./outbound.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { boundsOf, firstPositions, foldPassedOver } from "./start.ts"
import type { Bounds } from "./start.ts"
import { StageWork, checkOwned, inputSpecs, makeSteps, topicsRead } from "./task.ts"

const batchRecords = 1000
const none: ChainResult = { emitted: [], held: [], dropped: [], failed: [], made: [] }

/** One partition of a stage without state: outputs, dead letters and input offsets in one Log transaction. */
export class StatelessTask {
  readonly gate = new IdleGate()
  readonly #work: StageWork
  readonly #member: Member
  readonly #runtime: Runtime
  readonly #group: string
  readonly #landmarks: Landmarks
  #steps: readonly ChainStep[] = []
  #signal = new AbortController().signal

  constructor(runtime: Runtime, stage: CompiledStage, partition: number, member: Member) {
    this.#runtime = runtime
    this.#work = new StageWork(runtime, stage, partition)
    this.#member = member
    this.#group = groupOf(runtime.pipeline.name, stage.name)
    this.#landmarks = new Landmarks(runtime, stage.name, partition)
  }

  /** @param progress called after each committed step, and when there is nothing to do */
  async run(signal: AbortSignal, progress: () => void): Promise<void> {
    const { stage, partition } = this.#work
    const { log, table } = this.#runtime
    await checkOwned(this.#member, partition, stage.name)
    // Fence first: only then is the committed position final.
    const writer = await log.writer(`${this.#group}.${partition}`)
    let inputs: Inputs | undefined
    try {
      const [bounds] = await Promise.all([
        boundsOf(this.#runtime, topicsRead(this.#runtime.pipeline.name, stage), partition),
        table.refresh(),
      ])
      const facts = readFacts(table.get(this.#factsKey))
      inputs = await Inputs.open(
        this.#member,
        partition,
        inputSpecs(this.#runtime, stage),
        await this.#positions(writer, bounds, facts),
        bounds,
        watchOf(this.#runtime, stage.name, partition),
      )
      this.#signal = signal
      this.#work.uncounted.length = 0
      await this.#renew()
      while (!signal.aborted) {
        const waiters = this.gate.begin()
        const pass = await inputs.next(batchRecords)
        await checkOwned(this.#member, partition, stage.name)
        if (pass.positions.length > 0) {
          await observeStep(this.#runtime, this.#work.step, pass, () => this.#step(writer, pass, facts))
          progress()
        } else if (pass.atHead) {
          const settled = await this.#settled(writer, facts)
          progress()
          if (settled) this.gate.idle(waiters)
        }
      }
    } finally {
      await inputs?.close()
      await writer.close()
    }
  }

  get #factsKey(): string {
    return this.#work.writer
  }

  async #positions(writer: Writer, bounds: ReadonlyMap<string, Bounds>, facts: Facts) {
    const { stage, partition } = this.#work
    const positions = new Map<string, InputPosition>()
    const committed = [...bounds.keys()].map(async (topic) => {
      const next = (await this.#runtime.log.committed(this.#group, topic)).get(partition)
      if (next !== undefined) positions.set(topic, { topic, next })
    })
    await Promise.all(committed)
    const first = firstPositions(stage.start, [...stage.inputs.keys()], positions, bounds)
    if (first === undefined) return this.#landmarks.all(bounds.keys(), positions)
    const next = first.map((position) => ({ topic: position.topic, partition, offset: position.next }))
    await foldPassedOver(this.#runtime, facts, partition, first, bounds)
    await writer.transact([this.#runtime.table.append([[this.#factsKey, facts]])], [{ group: this.#group, next }])
    for (const position of first) positions.set(position.topic, position)
    return positions
  }

  async #step(writer: Writer, pass: Pass, facts: Facts): Promise<void> {
    const result = pass.records.length === 0 ? none : await this.#apply(pass)
    const next = structuredClone(facts)
    const { changed, moved } = this.#work.foldControls(next, pass.controls)
    const out = this.#work.outbound(result, next, moved)
    await this.#commit(writer, out, pass, changed || moved.size > 0 || next.closed !== facts.closed ? next : undefined)
    Object.assign(facts, next)
    this.#work.count(pass, result, out)
    this.#work.alarm(result)
  }

  #apply(pass: Pass): Promise<ChainResult> {
    const { stage } = this.#work
    return bisect(
      pass.records,
      (batch) => this.#work.chain(this.#steps, { batch }),
      () => this.#renew(),
      stage.steps[0]!.plugin.name,
      this.#work.pace,
    )
  }

  async #renew(): Promise<void> {
    this.#steps = await makeSteps(this.#runtime, this.#work, this.#signal)
  }

  async #commit(writer: Writer, out: Outbound, pass: Pick<Pass, "positions">, facts: Facts | undefined): Promise<void> {
    const rows = this.#landmarks.due(pass.positions)
    if (facts !== undefined) out.append(this.#runtime.table.append([[this.#factsKey, facts], ...rows]))
    else if (rows.length > 0) out.append(this.#runtime.table.append(rows))
    const next = pass.positions.map(({ topic, next: offset }) => ({ topic, partition: this.#work.partition, offset }))
    await writer.transact(await out.appends(), next.length === 0 ? [] : [{ group: this.#group, next }])
  }

  /** Nothing to read: forward the end if the inputs ended. True when there is nothing more to do. */
  async #settled(writer: Writer, facts: Facts): Promise<boolean> {
    if (!this.#work.ended(facts)) return false
    if (facts.closed === this.#work.mark(facts)) return true
    const next = structuredClone(facts)
    await this.#commit(writer, this.#work.endMarks(next), { positions: [] }, next)
    Object.assign(facts, next)
    return true
  }
}
