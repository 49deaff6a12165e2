import { classify, fatal } from "../errors.ts"
import type { ChainResult } from "./chain.ts"

/** Runs a batch; where a record that can never pass makes it throw, halves it until that record alone is a dead letter. All others
 * go on in their order.
 * @param attempt runs a part of the batch; after it threw, nothing that it did may stand
 * @param renew makes the plugins' instances anew, for one that threw is not used again
 * @param step the name of the plugin that dead letters tell */
export async function bisect<R extends ChainResult["failed"][number]["root"]>(
  batch: readonly R[],
  attempt: (part: readonly R[]) => Promise<ChainResult>,
  renew: () => Promise<void>,
  step: string,
): Promise<ChainResult> {
  try {
    return await attempt(batch)
  } catch (thrown) {
    const error = classify(thrown)
    if (error.meaning !== "bad-record") throw error
    if (batch.length === 0)
      throw fatal(error.code, `a bad record was thrown where there was none: ${error.message}`, { cause: error })
    await renew()
    if (batch.length === 1) return { emitted: [], held: [], dropped: [], failed: [{ root: batch[0]!, step, error }] }
    const middle = batch.length >> 1
    const first = await bisect(batch.slice(0, middle), attempt, renew, step)
    return joined(first, await bisect(batch.slice(middle), attempt, renew, step))
  }
}

const joined = (a: ChainResult, b: ChainResult): ChainResult => ({
  emitted: a.emitted.concat(b.emitted),
  held: a.held.concat(b.held),
  dropped: a.dropped.concat(b.dropped),
  failed: a.failed.concat(b.failed),
})
