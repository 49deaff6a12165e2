import type { Draft, SourceRun, WeirError } from "../../core/index.ts"
import { classify, retryable } from "../../core/index.ts"

/** What a source said, in order, and its checkpoints as a restart would find them. */
export interface SourceHarness {
  // oxlint-disable-next-line typescript/no-explicit-any -- stands for the run of a source of any outputs
  readonly run: SourceRun<any>
  readonly appended: { readonly to: string; readonly record: Draft }[]
  /** Records of each call of `append`. */
  readonly batches: number[]
  readonly dropped: string[]
  readonly failed: { readonly place: string; readonly error: WeirError }[]
  readonly completed: { readonly feed: string; readonly through: number }[]
  readonly checkpoint: Map<string, string>
  /** Times that the source said it has nothing in hand. */
  caughtUp: number
  /** Called whenever anything arrives. */
  onChange: () => void
  stop(): void
}

/** A run of a source for tests.
 * @param checkpoint what an earlier run left
 * @param dieAfter the process "dies" at this append or failure: it and all later ones are rejected and leave no trace */
export function sourceRun(checkpoint = new Map<string, string>(), dieAfter = Infinity): SourceHarness {
  const abort = new AbortController()
  const kept = new Map(checkpoint)
  let calls = 0
  const durable = async (marks: Readonly<Record<string, string | null>> | undefined): Promise<void> => {
    for (const [channel, mark] of Object.entries(marks ?? {}))
      if (mark === null) kept.delete(channel)
      else kept.set(channel, mark)
    harness.onChange()
  }
  const alive = (): void => {
    if (++calls > dieAfter) throw retryable("stopped", "the test stopped the source")
  }
  const harness: SourceHarness = {
    appended: [],
    batches: [],
    dropped: [],
    failed: [],
    completed: [],
    checkpoint: kept,
    caughtUp: 0,
    onChange: () => {},
    stop: () => abort.abort(),
    run: {
      async append(to: string, records: readonly Draft[], marks?: Readonly<Record<string, string | null>>) {
        alive()
        harness.batches.push(records.length)
        for (const record of records) harness.appended.push({ to, record })
        await durable(marks)
      },
      drop(reason: string) {
        harness.dropped.push(reason)
        harness.onChange()
      },
      async fail(place: string, error: Error, marks?: Readonly<Record<string, string | null>>) {
        alive()
        harness.failed.push({ place, error: classify(error) })
        await durable(marks)
      },
      checkpoint: new Map(checkpoint),
      async complete(feed: string, through: number) {
        harness.completed.push({ feed, through })
      },
      caughtUp() {
        harness.caughtUp++
        harness.onChange()
      },
      signal: abort.signal,
    },
  }
  return harness
}
