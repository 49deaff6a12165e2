import { classify, fatal } from "../errors.ts"
import type { ChainResult } from "./chain.ts"
import type { Pace } from "./pace.ts"

/** Runs a batch, in parts of the size that `pace` allows; where a record that can never pass makes it throw, halves it until that
 * record alone is a dead letter. All others go on in their order.
 * @param attempt runs a part of the batch; after it threw, nothing that it did may stand
 * @param renew makes the plugins' instances anew, for one that threw is not used again
 * @param step the name of the plugin that dead letters tell
 * @param pace of the plugins */
export async function bisect<R extends ChainResult["failed"][number]["root"]>(
  batch: readonly R[],
  attempt: (part: readonly R[]) => Promise<ChainResult>,
  renew: () => Promise<void>,
  step: string,
  pace: Pace,
): Promise<ChainResult> {
  const all: ChainResult = { emitted: [], held: [], dropped: [], failed: [], made: [] }
  // Parts still to be tried, the first one last.
  const parts = [batch]
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const { size } = pace
    if (part.length > size) {
      parts.push(part.slice(size))
      part = part.slice(0, size)
    }
    const now = part
    try {
      const result = await pace.timed(now.length, () => attempt(now))
      if (now === batch) return result
      join(all, result)
      if (parts.length > 0) await pace.pause()
    } catch (thrown) {
      const error = classify(thrown)
      if (error.meaning !== "bad-record") throw error
      if (part.length === 0)
        throw fatal(error.code, `a bad record was thrown where there was none: ${error.message}`, { cause: error })
      await renew()
      const middle = part.length >> 1
      if (middle === 0) all.failed.push({ root: part[0]!, step, error })
      else parts.push(part.slice(middle), part.slice(0, middle))
    }
  }
  return all
}

function join(all: ChainResult, { emitted, held, dropped, failed, made }: ChainResult): void {
  for (const each of emitted) all.emitted.push(each)
  for (const each of held) all.held.push(each)
  for (const each of dropped) all.dropped.push(each)
  for (const each of failed) all.failed.push(each)
  for (const each of made) all.made.push(each)
}
