import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Standing } from "../../core/engine/standing.ts"
import { backOffMs, supervise } from "../../core/engine/supervise.ts"
import { badRecord, fatal, retryable, systemic } from "../../core/index.ts"
import type { WeirError } from "../../core/index.ts"

/** What a run of a task comes to: it got on, or not, and then failed; or it ended. */
interface Turn {
  readonly progress?: boolean
  readonly error?: Error
}

/** Supervises a task whose runs go as told; time passes only by its waiting. */
async function supervised(turns: (run: number) => Turn, owned: () => boolean = () => true) {
  const waits: number[] = []
  const lines: string[] = []
  let now = 0
  const state = { partition: 0, topic: undefined, paused: undefined, inputs: new Map() }
  const note = (event: string) => void lines.push(event)
  const log = { info: note, warn: note, error: note }
  const standing = new Standing(
    "work",
    state as never,
    log,
    () => now,
    () => {},
  )
  let runs = 0
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(now) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep: (duration) =>
      Effect.sync(() => {
        const ms = Duration.toMillis(duration)
        waits.push(ms)
        now += ms
      }),
  }
  const task = {
    name: "work",
    partition: 3,
    standing,
    owned: async () => owned(),
    async run(_: AbortSignal, progress: () => void) {
      const { progress: moved, error } = turns(runs++)
      if (moved === true) progress()
      if (error !== undefined) throw error
    },
  }
  const ended = await Effect.runPromise(Effect.result(supervise(task)).pipe(Effect.provideService(Clock.Clock, clock)))
  return { waits, lines, runs, error: ended._tag === "Failure" ? (ended.failure as WeirError) : undefined }
}

const outage = retryable("unreachable", "the server is away")

describe("a task that fails", () => {
  it("is begun again later each time, up to a quarter of a minute or so, and never for the last time", async () => {
    const { waits, runs, error } = await supervised((run) => (run < 200 ? { error: outage } : {}))
    expect({ runs, error }).toEqual({ runs: 201, error: undefined })
    for (const [at, ms] of waits.entries()) {
      const middle = Math.min(15_000, 100 * 2 ** Math.min(at, 10))
      expect(ms).toBeGreaterThanOrEqual(middle / 2)
      expect(ms).toBeLessThanOrEqual(middle * 1.5)
    }
    expect(new Set(waits.slice(20)).size).toBeGreaterThan(100)
  })

  it("begins with short waits again once it came further", async () => {
    const { waits } = await supervised((run) => (run < 20 ? { error: outage, progress: run === 10 } : {}))
    expect(waits[10]).toBeLessThanOrEqual(150)
    expect(waits[9]).toBeGreaterThan(5000)
  })

  it("tells once that it stands still, and once that it goes on", async () => {
    const { lines } = await supervised((run) => (run < 50 ? { error: outage } : { progress: true }))
    expect(lines).toEqual(["paused", "resumed"])
  })

  it("by a record that cannot be written is begun again without a wait, and not for ever", async () => {
    const { waits, runs, error } = await supervised(() => ({
      error: badRecord("message-too-large", "a message is too large"),
    }))
    expect({ waits, runs }).toEqual({ waits: [], runs: 21 })
    expect(error).toMatchObject({
      meaning: "fatal",
      code: "message-too-large",
      message: "work/3: tried 21 times: a message is too large",
    })
  })

  it("by such a record once in a while goes on", async () => {
    const { error, runs } = await supervised((run) =>
      run < 200 ? { error: badRecord("b", "bad"), progress: run % 10 === 0 } : {},
    )
    expect({ error, runs }).toEqual({ error: undefined, runs: 201 })
  })

  it("by what nobody can mend ends with where it was, at once", async () => {
    const { error, runs } = await supervised(() => ({ error: fatal("broken", "it is broken", { hint: "mend it" }) }))
    expect(runs).toBe(1)
    expect(error).toMatchObject({ meaning: "fatal", code: "broken", message: "work/3: it is broken", hint: "mend it" })
  })

  it("since another owns its partition ends without a word of failure, and tells that it dropped it", async () => {
    const { error, runs, lines } = await supervised(
      () => ({ error: fatal("fenced", "fenced") }),
      () => false,
    )
    expect({ error, runs, lines }).toEqual({ error: undefined, runs: 1, lines: ["dropped"] })
  })

  it("since it was fenced, and still owns its partition, claims it again", async () => {
    const { error, runs } = await supervised((run) => (run === 0 ? { error: fatal("fenced", "fenced") } : {}))
    expect({ error, runs }).toEqual({ error: undefined, runs: 2 })
  })

  it("by a full disk is shown as such until it is over", async () => {
    const { lines, error } = await supervised((run) =>
      run < 30 ? { error: systemic("disk-full", "full") } : { progress: true },
    )
    expect({ lines, error }).toEqual({ lines: ["paused", "resumed"], error: undefined })
  })
})

it("waits differ between tasks that fail together", async () => {
  const waits = await Effect.runPromise(Effect.all(Array.from({ length: 50 }, () => backOffMs(8))))
  expect(new Set(waits).size).toBeGreaterThan(30)
})
