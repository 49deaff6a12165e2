import { createHash } from "node:crypto"
import { weirVersion } from "../package-version.ts"
import type { Made } from "../plugin.ts"
import type { MadeOf } from "./chain.ts"
import type { Outbound } from "./outbound.ts"
import { madeTopic } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** What de-identification did to one record, as the topic of it holds it: the newest row of a key counts, and of several those of the
 * greatest version. No key, id or value of a record is in it. */
export interface MadeRow {
  readonly stage: string
  /** Of the record that was read; a decimal number. */
  readonly version: string
  /** Version of Weir. */
  readonly tool: string
  /** Absent once the record was taken back. */
  readonly made?: Made
}

/** Names a record of a stage's input without telling it. */
const keyOf = (stage: string, { key, id }: MadeOf["from"]): string =>
  `${stage}|${createHash("sha256")
    .update(JSON.stringify([key, id]))
    .digest("base64url")
    .slice(0, 22)}`

/** Adds what de-identification said of records to what their step publishes, so that it is there exactly when they are. */
export function madeRows(
  { pipeline, now }: Pick<Runtime, "pipeline" | "now">,
  out: Outbound,
  stage: string,
  told: readonly MadeOf[],
): void {
  if (told.length === 0) return
  const timestamp = now()
  const tool = weirVersion()
  const messages = told.map(({ from, made }) => {
    const row: MadeRow = { stage, version: String(from.version), tool, ...(from.op === "upsert" ? { made } : {}) }
    return { key: Buffer.from(keyOf(stage, from)), value: Buffer.from(JSON.stringify(row)), timestamp }
  })
  out.append({ topic: madeTopic(pipeline.name), partition: 0, messages })
}
