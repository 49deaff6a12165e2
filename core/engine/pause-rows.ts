import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Scope } from "effect/Scope"
import type { PartitionState } from "./counters.ts"
import { partitionSlot } from "./counters.ts"
import type { LogTable } from "./log-table.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"
import { Standing } from "./standing.ts"

/** What is written of a partition that stands still. */
export interface PauseRow {
  readonly code: string
  /** ms since 1970, UTC. */
  readonly since: number
}

const prefix = "paused/"
const rowKey = (name: string, slot: string): string => `${prefix}${name}/${slot}`

/** A partition that stands still, of a sink by topic. */
export interface PausedPartition extends PauseRow {
  readonly name: string
  readonly topic: string | undefined
  readonly partition: number
}

/** The partitions that are written down as standing still, as of the table's last refresh; the last word of a process that died
 * stays until the partition's next owner gets on. */
export function pauseRows(table: LogTable): readonly PausedPartition[] {
  return table.entries<PauseRow>(prefix).map(([key, row]) => {
    const [, name, topic, partition] = /^paused\/(.*?)\/(.*)\/(\d+)$/.exec(key) ?? []
    return { ...row, name: name ?? "", topic: topic === "" ? undefined : topic, partition: Number(partition) }
  })
}

/** Changes that follow each other within this time are one write. */
const gatherMs = 1000
const againMs = 5000

type PauseRuntime = Pick<Runtime, "pipeline" | "log" | "logger" | "now">

/** Writes pauses to a topic of their own while the run goes on: one small transaction on a change, none a record. A Log that cannot be
 * written is tried again later; nothing waits for it. */
export class PauseRows {
  readonly #changed = new Map<string, { readonly name: string; readonly state: PartitionState }>()
  readonly #wake: Queue.Queue<void>
  readonly #runtime: PauseRuntime
  readonly #table: LogTable

  private constructor(runtime: PauseRuntime, table: LogTable, wake: Queue.Queue<void>) {
    this.#runtime = runtime
    this.#table = table
    this.#wake = wake
  }

  /** @param table of the pauses topic */
  static start(runtime: PauseRuntime, table: LogTable): Effect.Effect<PauseRows, never, Scope> {
    return Effect.gen(function* () {
      const rows = new PauseRows(runtime, table, yield* Queue.unbounded<void>())
      yield* Effect.forkScoped(rows.#loop)
      return rows
    })
  }

  /** The standing of a partition of a source, stage or sink. */
  standing(name: string, state: PartitionState): Standing {
    const { logger, now } = this.#runtime
    const slot = partitionSlot(state.partition, state.topic)
    const key = rowKey(name, slot)
    return new Standing(name, state, logger, now, () => {
      this.#changed.set(key, { name, state })
      Queue.offerUnsafe(this.#wake, undefined)
    })
  }

  get #loop(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        yield* Queue.take(this.#wake)
        yield* Effect.sleep(gatherMs)
        while (!(yield* Effect.uninterruptible(Effect.promise(() => this.#write())))) yield* Effect.sleep(againMs)
      }
    })
  }

  /** Writes what differs from what is written; false when some of it could not be. */
  async #write(): Promise<boolean> {
    const changes = [...this.#changed]
    this.#changed.clear()
    try {
      await this.#table.refresh()
      for (const [key, change] of changes) {
        const { paused } = change.state
        if (this.#table.get<PauseRow>(key)?.code !== paused?.code) await this.#writeOne(key, change)
      }
      return true
    } catch {
      for (const [key, change] of changes) this.#changed.set(key, change)
      return false
    }
  }

  /** The writer's id is the partition's own, so that of two owners the later one's word stands. */
  async #writeOne(
    key: string,
    { name, state }: { readonly name: string; readonly state: PartitionState },
  ): Promise<void> {
    const { log, pipeline } = this.#runtime
    const { paused, topic, partition } = state
    const row: PauseRow | undefined = paused === undefined ? undefined : { code: paused.code, since: paused.since }
    const part = topic === undefined ? `${partition}` : `${topic}.${partition}`
    const writer = await log.writer(`${groupOf(pipeline.name, name)}.paused.${part}`)
    try {
      await writer.transact([this.#table.append([[key, row]])])
    } finally {
      await writer.close()
    }
  }
}
