import { deserialize, serialize } from "node:v8"
import { fatal } from "../errors.ts"
import type { CompiledStage } from "../pipeline/model.ts"
import type { Append, GroupOffsets, Member, Writer } from "../ports/log.ts"
import type { InputPosition, StepTransaction, TaskStore } from "../ports/store.ts"
import type { Timer } from "../plugin.ts"
import type { Position } from "../record.ts"
import { bisect } from "./bisect.ts"
import type { ChainResult, ChainStep } from "./chain.ts"
import { readFacts } from "./facts.ts"
import type { Facts } from "./facts.ts"
import { IdleGate } from "./idle.ts"
import { Inputs, watchOf } from "./inputs.ts"
import type { Pass } from "./inputs.ts"
import { observeStep } from "./observe.ts"
import type { Outbound } from "./outbound.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { boundsOf, firstPositions, foldPassedOver } from "./start.ts"
import { setPositions } from "./positions.ts"
import { StepState } from "./step-state.ts"
import { StageWork, checkOwned, inputSpecs, makeSteps, topicsRead } from "./task.ts"

/** ENGINE.md: the cost is per step, so steps are large; but one record may touch a thousand rows, so their time decides. */
const batchRecords = 2000
const longStepMs = 1500
const shortStepMs = 500
const timersAtOnce = 2000

interface StepWork {
  readonly pass: Pick<Pass, "records" | "controls" | "positions">
  readonly fired: readonly Timer[]
  /** Of the first step of a claim. */
  readonly claimed?: Position
}
const nothing = { records: [], controls: [], positions: [] }

/** One partition of a stage with state: state, outbox, timers and input positions in one database transaction; the outbox is
 * published by the task's owner alone, one publication at a time, while the next step runs. */
export class StatefulTask {
  readonly gate = new IdleGate()
  readonly #work: StageWork
  readonly #member: Member
  readonly #runtime: Runtime
  readonly #group: string
  #limit = batchRecords

  constructor(runtime: Runtime, stage: CompiledStage, partition: number, member: Member) {
    this.#runtime = runtime
    this.#work = new StageWork(runtime, stage, partition)
    this.#member = member
    this.#group = groupOf(runtime.pipeline.name, stage.name)
  }

  async run(signal: AbortSignal, progress: () => void): Promise<void> {
    const { stage, partition } = this.#work
    await checkOwned(this.#member, partition, stage.name)
    const claimed = await Claimed.open(this.#runtime, this.#work, this.#group, this.#member, signal)
    try {
      if (claimed.asks) await this.#step(claimed, { pass: nothing, fired: [], claimed: claimed.at })
      while (!signal.aborted) {
        const waiters = this.gate.begin()
        const pass = await claimed.inputs.next(this.#limit)
        await checkOwned(this.#member, partition, stage.name)
        if (pass.positions.length > 0) {
          await this.#timed(() => this.#step(claimed, { pass, fired: [] }))
          progress()
        } else if (pass.atHead) {
          const settled = await this.#settled(claimed)
          progress()
          if (settled) this.gate.idle(waiters)
        }
      }
      await claimed.publisher.drained()
    } finally {
      await claimed.close()
    }
  }

  /** Sizes the next batch by how long this one took, and smaller where it failed: locks and answers have their time. */
  async #timed(step: () => Promise<void>): Promise<void> {
    const begun = this.#runtime.now()
    try {
      await step()
    } catch (error) {
      this.#limit = Math.max(1, this.#limit >> 1)
      throw error
    }
    const took = this.#runtime.now() - begun
    if (took > longStepMs) this.#limit = Math.max(1, Math.floor((this.#limit * longStepMs) / took))
    else if (took < shortStepMs) this.#limit = Math.min(batchRecords, this.#limit * 2)
  }

  #step(claimed: Claimed, work: StepWork): Promise<void> {
    return observeStep(this.#runtime, this.#work.step, work.pass, () => this.#commit(claimed, work))
  }

  async #commit(claimed: Claimed, work: StepWork): Promise<void> {
    const { store, publisher } = claimed
    await publisher.room()
    const tx = await store.begin()
    let done: {
      readonly result: ChainResult
      readonly out: Outbound
      readonly facts: Facts
      readonly state: StepState
      readonly appends: Append[]
      readonly number: bigint
    }
    try {
      const facts = structuredClone(claimed.facts)
      const { moved, at } = this.#work.foldControls(facts, work.pass.controls)
      const state = new StepState(tx, this.#runtime.now(), this.#work.completeThrough(facts))
      const result = await this.#apply(claimed, work, state, moved.size > 0 ? at : undefined)
      state.fired(work.fired)
      const out = this.#work.outbound(result, facts, moved)
      const appends = await out.appends()
      // Before the Store has them, not first when they are published: what is in the outbox is to be published.
      this.#runtime.canaries?.appends(appends)
      const keys = (await this.#runtime.sealing?.forOwners(state.owned)) ?? []
      const recordKeys = (await this.#runtime.sealing?.forRecordOwners(state.ownedRecords)) ?? []
      const number = await tx.commit({
        ...state.change,
        keys,
        recordKeys,
        positions: work.pass.positions,
        facts: facts as unknown as Record<string, unknown>,
        ...(appends.length === 0 ? {} : { outbox: serialize(appends) }),
        published: publisher.published,
      })
      done = { result, out, facts, state, appends, number }
    } catch (error) {
      await tx.rollback().catch(() => {})
      throw error
    }
    claimed.facts = done.facts
    claimed.armed(done.state.change.timers)
    this.#work.count(work.pass, done.result, done.out)
    if (done.appends.length > 0) publisher.publish(done.number, done.appends)
    this.#work.alarm(done.result)
  }

  /** Each part that is tried has state of its own, which stands only if the part passed. */
  #apply(
    claimed: Claimed,
    { pass, fired, claimed: at }: StepWork,
    state: StepState,
    complete: Position | undefined,
  ): Promise<ChainResult> {
    const { stage } = this.#work
    let rest = {
      fired,
      ...(complete === undefined ? {} : { complete }),
      ...(at === undefined ? {} : { claimed: at }),
    }
    return bisect(
      pass.records,
      async (batch) => {
        const part = state.part()
        const result = await this.#work.chain(claimed.steps, { batch, ...rest }, part)
        state.absorb(part)
        rest = { fired: [] }
        return result
      },
      async () => {
        claimed.steps = await makeSteps(this.#runtime, this.#work, claimed.signal)
      },
      stage.steps[0]!.plugin.name,
      this.#work.pace,
    )
  }

  /** Nothing to read: fires what is due, forwards the end if the inputs ended. True when there is nothing more to do. */
  async #settled(claimed: Claimed): Promise<boolean> {
    const ended = this.#work.ended(claimed.facts)
    const quiet = ended ? Number.MAX_SAFE_INTEGER : this.#runtime.now()
    if (await this.#fire(claimed, "quiet", quiet)) return false
    if (await this.#fire(claimed, "calendar", this.#runtime.calendar())) return false
    await claimed.publisher.drained()
    if (!ended) return false
    if (claimed.facts.closed === this.#work.mark(claimed.facts)) return true
    const facts = structuredClone(claimed.facts)
    const appends = await this.#work.endMarks(facts).appends()
    const tx = await claimed.store.begin()
    const number = await commitOrRollback(tx, { facts, appends, published: claimed.publisher.published })
    claimed.facts = facts
    claimed.publisher.publish(number, appends)
    await claimed.publisher.drained()
    return true
  }

  async #fire(claimed: Claimed, clock: Timer["clock"], until: number): Promise<boolean> {
    if (claimed.due[clock] > until) return false
    const tx = await claimed.store.begin()
    const fired = await tx.due(clock, until, timersAtOnce).finally(() => tx.rollback())
    if (fired.length < timersAtOnce) claimed.due[clock] = await this.#nextDue(claimed, clock, until)
    if (fired.length === 0) return false
    await this.#step(claimed, { pass: nothing, fired })
    return true
  }

  /** The earliest timer after `until`. */
  async #nextDue(claimed: Claimed, clock: Timer["clock"], until: number): Promise<number> {
    const tx = await claimed.store.begin()
    const rest = await tx.due(clock, Number.MAX_SAFE_INTEGER, timersAtOnce + 1).finally(() => tx.rollback())
    return rest.find(({ due }) => due > until)?.due ?? Number.POSITIVE_INFINITY
  }
}

async function commitOrRollback(
  tx: StepTransaction,
  change: { readonly facts: Facts; readonly appends: Append[]; readonly published: bigint },
): Promise<bigint> {
  try {
    return await tx.commit({
      puts: [],
      deletes: [],
      sharedPuts: [],
      sharedDeletes: [],
      timers: [],
      cancels: [],
      positions: [],
      facts: change.facts as unknown as Record<string, unknown>,
      outbox: serialize(change.appends),
      published: change.published,
    })
  } catch (error) {
    await tx.rollback().catch(() => {})
    throw error
  }
}

/** What a claim holds, from the fence to the first failed step. */
class Claimed {
  readonly store: TaskStore
  readonly inputs: Inputs
  steps: readonly ChainStep[]
  readonly signal: AbortSignal
  readonly publisher: Publisher
  readonly due: { quiet: number; calendar: number }
  facts: Facts

  private constructor(
    store: TaskStore,
    facts: Facts,
    inputs: Inputs,
    steps: readonly ChainStep[],
    publisher: Publisher,
    signal: AbortSignal,
  ) {
    this.signal = signal
    this.store = store
    this.inputs = inputs
    this.steps = steps
    this.publisher = publisher
    this.facts = facts
    this.due = {
      quiet: store.dueQuiet ?? Number.POSITIVE_INFINITY,
      calendar: store.dueCalendar ?? Number.POSITIVE_INFINITY,
    }
  }

  /** Fence in the Store and in the Log, read the committed number, publish what is above it, then read on. Of the fences either may
   * come first: the Store's counter is read with its epoch, and nothing is published that it did not count before. */
  static async open(
    runtime: Runtime,
    work: StageWork,
    group: string,
    member: Member,
    signal: AbortSignal,
  ): Promise<Claimed> {
    const { stage, partition } = work
    const [claim, opening] = await Promise.allSettled([
      runtime.store.claim(runtime.pipeline.name, stage.name, partition),
      runtime.log.writer(`${group}.${partition}`),
    ])
    if (claim.status === "rejected" || opening.status === "rejected") {
      if (claim.status === "fulfilled") await claim.value.release()
      if (opening.status === "fulfilled") await opening.value.close()
      throw claim.status === "rejected" ? claim.reason : (opening as PromiseRejectedResult).reason
    }
    const store = claim.value
    let publisher: Publisher | undefined
    let inputs: Inputs | undefined
    try {
      const first = [...stage.inputs.keys()][0]!
      publisher = await Publisher.open(runtime, store, opening.value, group, first, partition)
      const positions = new Map(store.positions.map((position: InputPosition) => [position.topic, position]))
      const bounds = await boundsOf(runtime, topicsRead(runtime.pipeline.name, stage), partition)
      const begun = firstPositions(stage.start, [...stage.inputs.keys()], positions, bounds)
      const facts = readFacts(store.facts)
      if (begun !== undefined) {
        await foldPassedOver(runtime, facts, partition, begun, bounds)
        await setPositions(store, begun, facts)
      }
      for (const position of begun ?? []) positions.set(position.topic, position)
      inputs = await Inputs.open(
        member,
        partition,
        inputSpecs(runtime, stage),
        positions,
        bounds,
        watchOf(runtime, stage.name, partition),
      )
      work.uncounted.length = 0
      return new Claimed(store, facts, inputs, await makeSteps(runtime, work, signal), publisher, signal)
    } catch (error) {
      await inputs?.close()
      await publisher?.close()
      await store.release()
      throw error
    }
  }

  /** Whether a transform asks to be called before anything else. */
  get asks(): boolean {
    return this.steps.some(({ instance }) => "onClaim" in instance)
  }

  /** Where the first input stands. */
  get at(): Position {
    const { topic, partition, next } = this.inputs.first
    return { topic, partition, offset: next }
  }

  armed(timers: readonly Timer[]): void {
    for (const { clock, due } of timers) this.due[clock] = Math.min(this.due[clock], due)
  }

  async close(): Promise<void> {
    await this.inputs.close()
    await this.publisher.close()
    await this.store.release()
  }
}

/** Publishes a task's outbox rows in order, each in one Log transaction whose committed offset is the row's number. */
class Publisher {
  published: bigint
  readonly #writer: Writer
  readonly #offsets: (number: bigint) => GroupOffsets
  #tail: Promise<void> = Promise.resolve()
  #waiting = 0
  #failed: unknown

  private constructor(writer: Writer, published: bigint, offsets: (number: bigint) => GroupOffsets) {
    this.#writer = writer
    this.published = published
    this.#offsets = offsets
  }

  /** @param writer is closed if it fails */
  static async open(
    runtime: Runtime,
    store: TaskStore,
    writer: Writer,
    group: string,
    topic: string,
    partition: number,
  ): Promise<Publisher> {
    const outbox = `${group}.outbox`
    try {
      const inLog = (await runtime.log.committed(outbox, topic)).get(partition) ?? 0n
      if (inLog > store.outbox) {
        // A claim that was overtaken knows an old count; it is told so here.
        await (await store.begin()).rollback()
        throw fatal(
          "store-behind-log",
          `task ${group}/${partition}: the Log holds publication ${inLog}, the Store only counts to ${store.outbox}: the Store is older than the Log`,
          {
            hint: "the Store was restored from a backup: restore the Log to the same time, or start new topics and a new Store",
          },
        )
      }
      const above = inLog > store.published ? inLog : store.published
      const publisher = new Publisher(writer, above, (offset) => ({
        group: outbox,
        next: [{ topic, partition, offset }],
      }))
      for (const { number, payload } of store.pending)
        if (number > above) publisher.publish(number, deserialize(payload) as Append[])
      await publisher.drained()
      return publisher
    } catch (error) {
      await writer.close()
      throw error
    }
  }

  publish(number: bigint, appends: readonly Append[]): void {
    this.#waiting++
    this.#tail = this.#tail.then(async () => {
      if (this.#failed !== undefined) return
      try {
        await this.#writer.transact(appends, [this.#offsets(number)])
        this.published = number
      } catch (error) {
        this.#failed = error
      }
      this.#waiting--
    })
  }

  /** Waits while more than one publication is under way; rejects if one failed. */
  async room(): Promise<void> {
    while (this.#waiting > 1 && this.#failed === undefined) await this.#tail
    if (this.#failed !== undefined) throw this.#failed
  }

  async drained(): Promise<void> {
    await this.#tail
    if (this.#failed !== undefined) throw this.#failed
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#writer.close()
  }
}
