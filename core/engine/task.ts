import { runChain } from "./chain.ts"
import type { ChainResult, ChainStep, ChainWork, StepInstance } from "./chain.ts"
import { deadLetters } from "./dead-letter.ts"
import type { Facts } from "./facts.ts"
import { allEnded, completeThrough, fold, markOfInputs } from "./facts.ts"
import { codecOf } from "./inputs.ts"
import type { InputSpec, Pass } from "./inputs.ts"
import { madeRows } from "./made.ts"
import { Outbound } from "./outbound.ts"
import { Pace } from "./pace.ts"
import { replaySpec, replayTopic } from "./replay.ts"
import { contextFor, dropTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { canarySeen, marked } from "../canary/watch.ts"
import type { Context } from "../context.ts"
import type { Control } from "../codec.ts"
import { place } from "../codec.ts"
import { fatal, retryable } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { AnyPlugin, HeldInput, State, Timer } from "../plugin.ts"
import type { CompiledStage, CompiledTopic } from "../pipeline/model.ts"
import type { Member } from "../ports/log.ts"
import { zones } from "../record.ts"
import type { Draft, Position, Rec, Zone } from "../record.ts"
import { bump } from "./counters.ts"
import type { StepName } from "./tracing.ts"

/** What runs one partition of a source's, stage's or sink's work. */
export interface Task {
  /** Claims, then runs until the signal, a lost partition, or an error; every way on from an error is a new claim. */
  run(signal: AbortSignal): Promise<void>
}

/** Makes the instances of a stage's plugins for one claim. What they count is kept until the step that counted is committed. */
export async function makeSteps(runtime: Runtime, work: StageWork, signal: AbortSignal): Promise<ChainStep[]> {
  const { stage } = work
  const inputs = Object.fromEntries([...stage.inputs].map(([topic, port]) => [port, topic]))
  const steps: ChainStep[] = []
  for (const { plugin, options } of stage.steps) {
    const known = plugin as ChainStep["plugin"]
    const context: Context = {
      ...contextFor(runtime, stage.name, { inputs, outputs: stage.outputs }, signal),
      count: (counter, label, by = 1) => void work.uncounted.push([counter, label, by]),
    }
    steps.push({ plugin: known, instance: await create(stage.name, known, options, context) })
  }
  return steps
}

async function create(
  stage: string,
  plugin: ChainStep["plugin"],
  options: unknown,
  context: Context,
): Promise<StepInstance> {
  try {
    return (await plugin.create(options as never, context)) as StepInstance
  } catch (cause) {
    // A plugin that cannot be made stops the pipeline; for a privacy transform nothing else would be safe.
    const known = cause as WeirError
    if (known.meaning === "retryable" || known.meaning === "systemic") throw cause
    throw fatal(
      "plugin-failed",
      `stage ${stage}: plugin ${plugin.name} cannot start: ${known.name === "WeirError" ? known.message : "see the cause"}`,
      {
        cause,
        ...(known.hint === undefined ? {} : { hint: known.hint }),
      },
    )
  }
}

/** The inputs of a stage, as readers need them: its topics, and what comes again. */
export function inputSpecs(runtime: Runtime, stage: CompiledStage): InputSpec[] {
  const specs = [...stage.inputs].map(([topic, port]) => ({ topic, port, codec: codecOf(runtime.codecs, topic) }))
  return [...specs, replaySpec(replayTopic(runtime.pipeline.name, stage.name), specs)]
}

/** The topics that a stage's tasks read. */
export const topicsRead = (pipeline: string, stage: CompiledStage): string[] => [
  ...stage.inputs.keys(),
  replayTopic(pipeline, stage.name),
]

export const inputTopics = (runtime: Runtime, topics: Iterable<string>): CompiledTopic[] =>
  [...topics].map((topic) => runtime.pipeline.topics.get(topic)!)

/** The parts of a stage's step that do not depend on where its state is. */
export class StageWork {
  readonly runtime: Runtime
  readonly stage: CompiledStage
  readonly partition: number
  readonly writer: string
  readonly inputs: readonly CompiledTopic[]
  readonly pace: Pace
  /** What plugins counted in the step under way. */
  readonly uncounted: [counter: string, label: string, by: number][] = []

  constructor(runtime: Runtime, stage: CompiledStage, partition: number) {
    this.runtime = runtime
    this.stage = stage
    this.partition = partition
    this.writer = `stage/${stage.name}/${partition}`
    this.inputs = inputTopics(runtime, stage.inputs.keys())
    this.pace = new Pace(runtime.elapsed, runtime.turn)
  }

  /** As metrics and spans name what it does. */
  get step(): StepName {
    return { kind: "stage", name: this.stage.name, partition: this.partition }
  }

  /** The most private of its inputs. */
  get zone(): Zone {
    return zones.find((zone) => this.inputs.some((input) => input.zone === zone)) ?? "phi"
  }

  /** Runs the chain over a part of a step's batch; what plugins counted in one that threw is forgotten. */
  async chain(steps: readonly ChainStep[], part: Omit<ChainWork, "zone">, state?: State): Promise<ChainResult> {
    const mark = this.uncounted.length
    try {
      return await runChain(this.stage.name, steps, { ...part, zone: this.zone }, state)
    } catch (error) {
      this.uncounted.length = mark
      throw error
    }
  }

  ended(facts: Facts): boolean {
    return allEnded(facts, this.inputs, this.runtime.pipeline)
  }

  /** Folds the controls of a pass; tells whether any feed's completeness moved for this task. */
  foldControls(
    facts: Facts,
    controls: readonly Control[],
  ): { readonly changed: boolean; readonly moved: ReadonlyMap<string, number>; readonly at: Position | undefined } {
    let changed = false
    for (const control of controls) if (fold(facts, control)) changed = true
    const moved = new Map(
      [...completeThrough(facts, this.inputs, this.runtime.pipeline)].filter(
        ([feed, through]) => (facts.forwarded[feed] ?? Number.NEGATIVE_INFINITY) < through,
      ),
    )
    return { changed, moved, at: controls.at(-1)?.at }
  }

  completeThrough(facts: Facts): Map<string, number> {
    return completeThrough(facts, this.inputs, this.runtime.pipeline)
  }

  /** Everything a step publishes: outputs, dead letters, drops, and controls where they are due. Changes `facts`. */
  outbound(result: ChainResult, facts: Facts, moved: ReadonlyMap<string, number>): Outbound {
    const out = new Outbound()
    const topics = Object.values(this.stage.outputs)
    if (result.emitted.length > 0 && facts.closed !== "") {
      for (const topic of topics) this.#control(out, topic, { kind: "open", writer: this.writer })
      facts.closed = ""
    }
    for (const { to, root, draft } of result.emitted) {
      const topic = this.stage.outputs[to]
      // An output that the pipeline does not bind is not wanted.
      if (topic !== undefined)
        out.record(
          codecOf(this.runtime.codecs, topic),
          this.#partitions(topic),
          this.#canary(topic, draft, root),
          draft.origin ?? root.origin,
        )
    }
    deadLetters(this.runtime, out, this.stage, result.failed)
    drops(this.runtime, out, this.stage.name, result.dropped)
    madeRows(this.runtime, out, this.stage.name, result.made)
    for (const [feed, through] of moved) {
      facts.forwarded[feed] = through
      // Below `phi` nothing asks for it, and it is a true date.
      for (const topic of topics.filter((name) => this.runtime.pipeline.topics.get(name)!.zone === "phi"))
        this.#control(out, topic, { kind: "complete", writer: this.writer, feed, through })
    }
    return out
  }

  /** A record below `phi`, marked and counted if it is a canary's. */
  #canary(topic: string, draft: Draft, root: Rec | Timer): Draft {
    const { canaries, pipeline } = this.runtime
    if (canaries === undefined || pipeline.topics.get(topic)!.zone === "phi") return draft
    const canary = canaries.of(draft, this.stage.stateful || "due" in root ? undefined : root)
    if (canary === undefined) return draft
    this.uncounted.push([canarySeen, canary, 1])
    return marked(draft, canary)
  }

  /** Looks whether hits of the self-check repeat, once the dead letters are durable.
   * @throws fatal `self-check-alarm` where the pipeline is to stop then */
  alarm({ failed }: ChainResult): void {
    this.runtime.selfChecks.look(this.stage.name, failed)
  }

  /** The mark to end with, now that the inputs ended; it may be the one that this task ended with already. */
  mark(facts: Facts): string {
    const { pipeline, asOf } = this.runtime
    return markOfInputs(this.inputs, pipeline, asOf, (topic, writer) => facts.ended[`${topic}|${writer}`] ?? "")
  }

  /** The end marks, once everything that the inputs ask for is done; other processes look for them in the table. */
  endMarks(facts: Facts): Outbound {
    const out = new Outbound()
    const mark = this.mark(facts)
    for (const topic of Object.values(this.stage.outputs))
      this.#control(out, topic, { kind: "end", writer: this.writer, mark })
    out.append(this.runtime.table.append([[endKey(this.writer), mark]]))
    facts.closed = mark
    return out
  }

  #control(out: Outbound, topic: string, control: Omit<Control, "at">): void {
    out.control(codecOf(this.runtime.codecs, topic), this.#partitions(topic), control)
  }

  #partitions(topic: string): number {
    return this.runtime.pipeline.topics.get(topic)!.partitions
  }

  /** Counts a step once it is committed. */
  count(pass: Pick<Pass, "records">, result: ChainResult, out: Outbound): void {
    const counts = this.runtime.counters.of(this.stage.name)
    counts.in += pass.records.length
    counts.out += out.records
    counts.held += result.held.length
    for (const { reason } of result.dropped) bump(counts.dropped, reason)
    for (const { error } of result.failed) bump(counts.dead, error.code)
    for (const [counter, label, by] of this.uncounted.splice(0))
      this.runtime.counters.add(this.stage.name, counter, label, by)
  }
}

/** Where the mark is kept with which a stage's or a sink's task ended. */
export const endKey = (writer: string): string => `end/${writer}`

/** Writes down what was dropped: one message a step. Passing over a kind that a stage does not read is no fate of a record. */
export function drops(
  runtime: Runtime,
  out: Outbound,
  stage: string,
  dropped: readonly { readonly root: HeldInput; readonly reason: string }[],
): void {
  const told = dropped.filter(({ reason }) => reason !== "not-read")
  if (told.length === 0) return
  const value = Buffer.from(
    JSON.stringify({ stage, drops: told.map(({ root, reason }) => [place(root.origin), reason]) }),
  )
  out.append({
    topic: dropTopic(runtime.pipeline.name),
    partition: 0,
    messages: [{ key: null, value, timestamp: runtime.now() }],
  })
}

/** Ownership is a lease: where the last heartbeat is too old to tell (the process stood still), the coordinator is asked. Fencing
 * holds whatever this finds; it keeps a member that lost a partition from claiming it back, and from work that counts nothing.
 * @throws retryable `revoked` */
export async function checkOwned(member: Member, partition: number, name: string): Promise<void> {
  if (!member.owns(partition) && !(await member.confirm(partition)))
    throw retryable("revoked", `partition ${partition} of ${name} is another member's`)
}

export type { AnyPlugin }
