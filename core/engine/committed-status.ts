import { classify } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { ReviewCount } from "../ports/reviews.ts"
import type { TaskState } from "../ports/store.ts"
import { readFacts } from "./facts.ts"
import { LogTable } from "./log-table.ts"
import { pauseRows } from "./pause-rows.ts"
import type { PauseRow, PausedPartition } from "./pause-rows.ts"
import { Positions, readings } from "./positions.ts"
import type { Reading } from "./positions.ts"
import { readDeadLetters } from "./replays.ts"
import { groupOf, pauseTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { selfCheckCodes, selfCheckState } from "./self-check-alarm.ts"
import type { SelfCheckState } from "./self-check-alarm.ts"
import { sourceRow } from "./source-task.ts"

/** Where one partition of an input is read to. */
export interface PartitionStatus {
  readonly topic: string
  readonly partition: number
  /** The next offset to read; undefined where there is no position yet. */
  readonly position: bigint | undefined
  /** The end of what is committed in the topic. */
  readonly head: bigint
  /** Offsets between the two; markers count too. */
  readonly lag: bigint
  /** The task has passed on the end of its inputs, and nothing came since. */
  readonly ended: boolean
  /** Why it stands still, if its last owner said so. */
  readonly paused: PauseRow | undefined
}

/** What a stage with state holds in the Store. */
export type HeldStatus = Pick<TaskState, "partition" | "epoch" | "pending" | "timers" | "waiting">

/** What is committed of a stage or sink. */
export interface NodeStatus {
  readonly kind: "stage" | "sink"
  readonly name: string
  /** How many processes are in its groups now. */
  readonly processes: number
  readonly partitions: readonly PartitionStatus[]
  /** Of stages with state. */
  readonly held: readonly HeldStatus[]
}

/** What is committed of a source. */
export interface SourceStatus {
  readonly name: string
  /** It came to its end, and appended nothing since. */
  readonly ended: boolean
  /** How often it came to its end. */
  readonly runs: number
  /** Files, upstream partitions and the like that have a checkpoint. */
  readonly checkpoints: number
  readonly paused: PartitionStatus["paused"]
}

/** What Log and Store know of a pipeline, whether it runs or not. */
export interface CommittedStatus {
  readonly sources: readonly SourceStatus[]
  readonly nodes: readonly NodeStatus[]
  /** Stage or source or sink, to code, to how many ever. */
  readonly deadLetters: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Of stages whose self-check refused something ever: hits within the alarm's window, of all processes. */
  readonly selfChecks: ReadonlyMap<string, SelfCheckState>
  /** What is or was held for a person to decide on, by stage and state. */
  readonly reviews: readonly ReviewCount[]
  /** What could not be asked, the Store or a sink's database, and why: its positions and state are not told. */
  readonly unread: ReadonlyMap<string, WeirError>
}

/** Reads what is committed of a pipeline; claims and fences nothing, so that a run beside it does not notice. */
export async function committedStatus(runtime: Runtime): Promise<CommittedStatus> {
  const { log, table, pipeline } = runtime
  const pauses = new LogTable(log, pauseTopic(pipeline.name))
  const positions = new Positions(runtime)
  try {
    await Promise.all([table.refresh(), pauses.refresh()])
    const unread = new Unread()
    const tasks = await unread.unless("store", async () => (await runtime.store.tasks?.(pipeline.name)) ?? [], [])
    const reviews = await unread.unless(
      "store",
      async () => (await runtime.store.reviews?.counts(pipeline.name)) ?? [],
      [],
    )
    const look = new Look(runtime, positions, pauseRows(pauses), tasks, unread)
    return {
      sources: pipeline.sources.map(({ name }) => look.source(name)),
      nodes: await look.nodes(),
      ...(await letters(runtime)),
      reviews,
      unread: unread.errors,
    }
  } finally {
    await positions.close()
    await pauses.close()
  }
}

/** Whoever looks while a database is in trouble wants to see what the Log knows of it. */
class Unread {
  readonly errors = new Map<string, WeirError>()

  /** What is asked; `otherwise` when it cannot be asked now, and never again then, for each try may take its timeout. */
  async unless<T>(what: string, ask: () => Promise<T>, otherwise: T): Promise<T> {
    if (this.errors.has(what)) return otherwise
    try {
      return await ask()
    } catch (thrown) {
      const error = classify(thrown)
      if (error.meaning !== "retryable" && error.meaning !== "systemic") throw error
      this.errors.set(what, error)
      return otherwise
    }
  }
}

class Look {
  readonly #runtime: Runtime
  readonly #positions: Positions
  readonly #paused: readonly PausedPartition[]
  readonly #tasks: readonly TaskState[]
  readonly #unread: Unread

  constructor(
    runtime: Runtime,
    positions: Positions,
    paused: readonly PausedPartition[],
    tasks: readonly TaskState[],
    unread: Unread,
  ) {
    this.#unread = unread
    this.#runtime = runtime
    this.#positions = positions
    this.#paused = paused
    this.#tasks = tasks
  }

  source(name: string): SourceStatus {
    const { table } = this.#runtime
    const { closed, runs } = sourceRow(table, name)
    const checkpoints = table.entries(`checkpoint/${name}/`).length
    return { name, ended: closed !== "", runs, checkpoints, paused: this.#pausedAt(name, 0) }
  }

  async nodes(): Promise<readonly NodeStatus[]> {
    const nodes: NodeStatus[] = []
    const byName = new Map<string, Reading[]>()
    for (const reading of readings(this.#runtime.pipeline))
      byName.set(reading.name, [...(byName.get(reading.name) ?? []), reading])
    for (const [name, own] of byName) nodes.push(await this.#node(name, own))
    return nodes
  }

  async #node(name: string, own: readonly Reading[]): Promise<NodeStatus> {
    const partitions: PartitionStatus[] = []
    for (const reading of own) partitions.push(...(await this.#partitions(reading)))
    const members = await Promise.all([...new Set(own.map(({ group }) => group))].map((group) => this.#members(group)))
    return {
      kind: "stage" in own[0]! ? "stage" : "sink",
      name,
      processes: Math.max(...members),
      partitions,
      held: this.#tasks.filter(({ stage }) => stage === name),
    }
  }

  #members(group: string): Promise<number> {
    return this.#runtime.log.members(group)
  }

  async #partitions(reading: Reading): Promise<readonly PartitionStatus[]> {
    const { name, topic } = reading
    const held = await this.#held(reading)
    const bounds = await this.#runtime.log.bounds(topic)
    return bounds.map(({ start, end }, partition) => {
      const position = held.get(partition)
      const lag = end - (position ?? start)
      const paused = this.#pausedAt(name, partition, "sink" in reading ? inputOf(this.#runtime, reading) : undefined)
      return { topic, partition, position, head: end, lag, ended: this.#ended(reading, partition), paused }
    })
  }

  #held(reading: Reading): Promise<ReadonlyMap<number, bigint>> {
    const ask = () => this.#positions.of(reading)
    if ("stage" in reading && !reading.stage.stateful) return ask()
    return this.#unread.unless("stage" in reading ? "store" : reading.name, ask, new Map<number, bigint>())
  }

  #ended(reading: Reading, partition: number): boolean {
    const { table } = this.#runtime
    const { name } = reading
    if ("sink" in reading)
      return readFacts(table.get(`sink/${name}/${inputOf(this.#runtime, reading)}/${partition}`)).closed !== ""
    if (!reading.stage.stateful) return readFacts(table.get(`stage/${name}/${partition}`)).closed !== ""
    const task = this.#tasks.find((each) => each.stage === name && each.partition === partition)
    return readFacts(task?.facts).closed !== ""
  }

  #pausedAt(name: string, partition: number, topic?: string): PartitionStatus["paused"] {
    return this.#paused.find(
      (each) => each.name === name && each.partition === partition && (topic === undefined || each.topic === topic),
    )
  }
}

/** The input topic of a sink to which a reading belongs: that of what comes again is the input's. */
const inputOf = ({ pipeline }: Runtime, { name, group }: Reading): string =>
  group.slice(groupOf(pipeline.name, name).length + 1)

async function letters({ log, pipeline, now }: Runtime): Promise<Pick<CommittedStatus, "deadLetters" | "selfChecks">> {
  const found = new Map<string, Map<string, number>>()
  const hits = new Map<string, number[]>()
  for (const { stage, code, time } of (await readDeadLetters(log, pipeline.name)).values()) {
    const codes = found.get(stage) ?? new Map<string, number>()
    found.set(stage, codes.set(code, (codes.get(code) ?? 0) + 1))
    if (selfCheckCodes.has(code)) hits.set(stage, [...(hits.get(stage) ?? []), time])
  }
  const states = [...hits].map(([stage, times]) => [stage, selfCheckState(times, pipeline.selfCheck, now())] as const)
  return { deadLetters: found, selfChecks: new Map(states) }
}
