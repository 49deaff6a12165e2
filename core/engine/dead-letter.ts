import { place } from "../codec.ts"
import { versionOf } from "../package-version.ts"
import type { CompiledStep } from "../pipeline/model.ts"
import type { Message } from "../ports/log.ts"
import type { Failed } from "./chain.ts"
import type { Outbound } from "./outbound.ts"
import { markOf } from "./replay.ts"
import { deadLetterTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** A dead letter holds where and why, never what: no payload value. It is one by (stage, input, ordinal). */
export interface DeadLetter {
  /** The source, stage or sink that failed. */
  readonly stage: string
  readonly plugin: string
  /** Of the plugin's package. */
  readonly version: string
  /** Where the record's chain began. */
  readonly origin: string
  /** Where the stage read it, `topic[partition]@offset`; of a source, what it read. */
  readonly input: string
  /** Counts what failed of the same input in the same step, from 0. */
  readonly ordinal: number
  readonly code: string
  readonly path: string | undefined
  readonly message: string
  /** 1, and one more each time that it is replayed. */
  readonly attempt: number
  /** ms since 1970, UTC. */
  readonly time: number
  /** The key of the dead letter whose replay failed here. */
  readonly replayOf?: string
}

/** The name of a dead letter. */
export const deadLetterKey = ({ stage, input, ordinal }: Pick<DeadLetter, "stage" | "input" | "ordinal">): string =>
  `${stage}|${input}|${ordinal}`

/** One dead letter as a message. */
export const deadLetterMessage = (letter: DeadLetter): Message => ({
  key: Buffer.from(deadLetterKey(letter)),
  value: Buffer.from(JSON.stringify(letter)),
  timestamp: letter.time,
})

/** The version of the plugin of a dead letter, as far as the stage still knows it. */
const versionIn = (steps: readonly CompiledStep[], name: string): string => {
  const step = steps.find(({ plugin }) => plugin.name === name)
  return step === undefined ? "" : versionOf(step.plugin)
}

/** Adds the dead letters of a step to what it publishes. */
export function deadLetters(
  runtime: Pick<Runtime, "pipeline" | "now">,
  out: Outbound,
  stage: { readonly name: string; readonly steps: readonly CompiledStep[] },
  failed: readonly Failed[],
): void {
  if (failed.length === 0) return
  const ordinals = new Map<string, number>()
  const messages = failed.map(({ root, step, error }) => {
    const input = place(root.at)
    const ordinal = ordinals.get(input) ?? 0
    ordinals.set(input, ordinal + 1)
    const mark = markOf(root)
    return deadLetterMessage({
      stage: stage.name,
      plugin: step,
      version: versionIn(stage.steps, step),
      origin: place(root.origin),
      input,
      ordinal,
      code: error.code,
      path: error.path,
      message: error.message,
      attempt: mark === undefined ? 1 : mark.attempt + 1,
      time: runtime.now(),
      ...(mark === undefined ? {} : { replayOf: mark.replayed }),
    })
  })
  out.append({ topic: deadLetterTopic(runtime.pipeline.name), partition: 0, messages })
}
