import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { WeirError, classify } from "../errors.ts"
import type { Standing } from "./standing.ts"

const firstMs = 100
const capMs = 15_000
/** How often a task is begun again, without coming further, for what no waiting mends. A batch is halved to one record in fewer. */
const budget = 20

/** How long to wait before an attempt, ms: exponential from 100 ms, at most 15 s, jittered by half. There is no last attempt: an
 * outage is waited out, and shown. */
export const backOffMs = (attempt: number): Effect.Effect<number> =>
  Effect.map(Random.next, (random) =>
    Math.round(Math.min(capMs, firstMs * 2 ** Math.min(attempt, 10)) * (0.5 + random)),
  )

/** Runs a promise that stops by its signal. Interrupting it aborts the signal and waits until the promise has settled, so that
 * what it holds is closed before anybody goes on. */
export const stoppable = (start: (signal: AbortSignal) => Promise<void>): Effect.Effect<void, WeirError> =>
  Effect.suspend(() => {
    const stop = new AbortController()
    const running = start(stop.signal)
    const settled = running.then(
      () => {},
      () => {},
    )
    return Effect.tryPromise({ try: () => running, catch: classify }).pipe(
      Effect.onInterrupt(() =>
        Effect.promise(() => {
          stop.abort()
          return settled
        }),
      ),
    )
  })

/** What supervision needs to know of a task. */
export interface Supervised {
  /** As the log names it: the stage or sink, and the partition. */
  readonly name: string
  readonly partition: number
  readonly standing: Standing
  run(signal: AbortSignal, progress: () => void): Promise<void>
  /** Asks the Log whether the work is still this process's. */
  owned(): Promise<boolean>
}

/** Runs a task for as long as it is owned. One way back from every error: claim again. Fatal errors, and what nobody
 * classified, end it with the error; so does a record that cannot be written, when the budget of restarts is used up. An outage has no
 * last attempt. A lost partition ends it in silence. */
export const supervise = (task: Supervised): Effect.Effect<void, WeirError> =>
  Effect.gen(function* () {
    let attempt = 0
    let futile = 0
    for (;;) {
      const progress = () => {
        attempt = 0
        futile = 0
        task.standing.progress()
      }
      const outcome = yield* Effect.result(stoppable((signal) => task.run(signal, progress)))
      if (outcome._tag === "Success") return
      const error = outcome.failure
      if (error.code === "fenced" || error.code === "revoked" || error.code === "unknown-outcome") {
        task.standing.dropped(error)
        if (!(yield* stillOwned(task))) return
      } else if (error.meaning === "fatal" || error.meaning === "partial") {
        return yield* Effect.fail(located(task, error))
      }
      // A bad record that threw is being searched for by halving the batch: no reason to wait.
      if (error.meaning === "bad-record") {
        if (++futile > budget) return yield* Effect.fail(located(task, error, `tried ${futile} times: `))
        continue
      }
      const waitMs = yield* backOffMs(attempt++)
      task.standing.paused(error, waitMs)
      yield* Effect.sleep(waitMs)
    }
  })

/** Asks until it is answered: who took silence for a no would leave a partition to nobody that the Log still counts as its own. */
const stillOwned = (task: Supervised): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let attempt = 0; ; attempt++) {
      const answer = yield* Effect.result(Effect.tryPromise({ try: () => task.owned(), catch: classify }))
      if (answer._tag === "Success") return answer.success
      const waitMs = yield* backOffMs(attempt)
      task.standing.paused(answer.failure, waitMs)
      yield* Effect.sleep(waitMs)
    }
  })

const located = (task: Supervised, error: WeirError, tried = ""): WeirError => {
  const detail = {
    cause: error.cause ?? error,
    ...(error.path === undefined ? {} : { path: error.path }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  }
  return new WeirError(
    "fatal",
    error.code,
    error.message.includes(task.name)
      ? `${tried}${error.message}`
      : `${task.name}/${task.partition}: ${tried}${error.message}`,
    detail,
  )
}
