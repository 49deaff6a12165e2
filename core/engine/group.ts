import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type { Scope } from "effect/Scope"
import type { WeirError } from "../errors.ts"
import { deferred } from "../deferred.ts"
import { classify } from "../errors.ts"
import type { Member } from "../ports/log.ts"
import type { IdleGate } from "./idle.ts"
import { supervise } from "./supervise.ts"
import type { Runtime } from "./runtime.ts"

/** A task of a group, for one partition. */
export interface GroupTask {
  readonly gate: IdleGate
  run(signal: AbortSignal, progress: () => void): Promise<void>
}

export interface Group {
  /** Resolves when every task of this process was idle, each in a pass that began after this was called. */
  idle(): Promise<void>
  /** Ends when a task fails. */
  readonly done: Effect.Effect<never, WeirError>
}

interface Slot {
  readonly task: GroupTask
  /** Undefined until it is started. */
  fiber: Fiber.Fiber<void, never> | undefined
}

/** Joins a consumer group and keeps one task running for each partition that is assigned. Whatever is assigned anew, kept
 * partitions included, is stopped first and claimed again. */
export const runGroup = (
  runtime: Runtime,
  spec: {
    readonly name: string
    readonly group: string
    readonly topics: readonly string[]
    readonly partitions: number
    /** Of a sink: the topic among its own. */
    readonly topic?: string
  },
  make: (partition: number, member: Member) => GroupTask,
): Effect.Effect<Group, WeirError, Scope> =>
  Effect.gen(function* () {
    const assignments = yield* Queue.unbounded<readonly number[]>()
    const failures = yield* Queue.unbounded<WeirError>()
    const tasks = new Map<number, Slot>()
    let generation = 0
    let had: ReadonlySet<number> = new Set()
    const ready = deferred<void>()
    const member = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          runtime.log.join({
            group: spec.group,
            topics: spec.topics,
            partitions: spec.partitions,
            onAssigned: (partitions) => void Queue.offerUnsafe(assignments, partitions),
          }),
        catch: classify,
      }),
      (joined) => Effect.promise(() => joined.leave().catch(() => {})),
    )
    /** By partition: settles when the last run of a task of it has. */
    const runs = new Map<number, Promise<void>>()
    const stopAll = Effect.gen(function* () {
      yield* Fiber.interruptAll([...tasks.values()].flatMap(({ fiber }) => fiber ?? []))
      for (const { task } of tasks.values()) task.gate.close()
      tasks.clear()
      yield* Effect.promise(() => Promise.all(runs.values()))
    })
    const forget = (kept: readonly number[]) => {
      for (const partition of [...had].filter((one) => !kept.includes(one)))
        runtime.counters.forget(spec.name, partition, spec.topic)
      had = new Set(kept)
    }
    /** A partition waits for the end of its own last run, and for no neighbour's. */
    const runOf = (partition: number, task: GroupTask) => (signal: AbortSignal, progress: () => void) => {
      const last = runs.get(partition)
      const run = (async () => {
        await last
        if (!signal.aborted) await task.run(signal, progress)
      })()
      runs.set(
        partition,
        run.catch(() => {}),
      )
      return run
    }
    const start = (partition: number, slot: Slot) =>
      Effect.gen(function* () {
        const { task } = slot
        const supervised = supervise({
          name: spec.name,
          partition,
          standing: runtime.pauses.standing(spec.name, runtime.counters.partition(spec.name, partition, spec.topic)),
          run: runOf(partition, task),
          owned: () => member.confirm(partition),
        })
        slot.fiber = yield* Effect.forkScoped(
          supervised.pipe(
            Effect.catch((error) => Effect.asVoid(Queue.offer(failures, error))),
            // Whoever waits for a task that is gone would wait for ever.
            Effect.ensuring(Effect.sync(() => task.gate.close())),
          ),
        )
      })
    /** In one turn, so that nobody sees a group without tasks. */
    const replace = (partitions: readonly number[]) => {
      for (const { task, fiber } of tasks.values()) {
        fiber?.interruptUnsafe()
        task.gate.close()
      }
      tasks.clear()
      for (const partition of partitions) tasks.set(partition, { task: make(partition, member), fiber: undefined })
      generation++
    }
    yield* Effect.addFinalizer(() => stopAll)
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          const partitions = yield* Queue.take(assignments)
          forget(partitions)
          replace(partitions)
          for (const [partition, slot] of tasks) yield* start(partition, slot)
          ready.resolve()
        }),
      ),
    )
    return {
      done: Effect.flatMap(Queue.take(failures), (error) => Effect.fail(error)),
      async idle() {
        await ready.promise
        for (;;) {
          const before = generation
          await Promise.all([...tasks.values()].map(({ task }) => task.gate.wait()))
          if (before === generation) return
        }
      },
    }
  })
