import { gunzipSync } from "node:zlib"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { Store } from "../../core/ports/store.ts"
import { zones } from "../../core/record.ts"
import type { App } from "../app.ts"
import { withLog, withBucket, withStore } from "../ports.ts"
import { json } from "../table.ts"
import { readMessages, readRecords } from "../topics/read.ts"

/** Something below `phi`: where it is, and its texts. */
export interface Found {
  readonly kind: "message" | "row" | "object"
  readonly place: string
  readonly texts: Iterable<string>
}

const below = zones.filter((zone) => zone !== "phi")

/** Times as days too, so that a true date is found in whatever form. */
const day = (ms: number): string => (Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : "")

/** Every number of a value that could be a time, as one. */
function times(value: unknown): string[] {
  if (typeof value === "number") return Math.abs(value) > 1e10 ? [day(value)] : []
  if (typeof value === "bigint") return times(Number(value))
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(times) : []
}

/** Everything that a pipeline has below `phi`: messages (key, value, headers, timestamp), rows of tables, objects and their names. */
export async function everythingBelow(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers" | "dicomTexts">,
  act: (found: Found) => void,
): Promise<void> {
  await messages(pipeline, app, act)
  await rows(pipeline, app, act)
  await objects(pipeline, app, act)
}

async function messages(pipeline: CompiledPipeline, app: Pick<App, "drivers">, act: (found: Found) => void) {
  const topics = [...pipeline.topics.values()].filter(({ zone }) => zone !== "phi")
  await withLog(pipeline, app, async (log) => {
    for (const topic of topics)
      await withBucket(pipeline, topic.zone, app, async (bucket) => {
        for await (const { partition, message } of readMessages(log, topic.name, 0n)) {
          const parts = [message.key, message.value].map((bytes) => Buffer.from(bytes ?? []).toString("latin1"))
          const texts = [...parts, json(message.headers ?? {}), day(message.timestamp)]
          act({ kind: "message", place: `${topic.name}[${partition}]@${message.offset}`, texts })
        }
        for await (const record of readRecords(log, topic, bucket, { from: 0n, limit: Infinity })) {
          const { at, key, id, version, time, value } = record
          const told = { key, id, version, time, value }
          const texts = [json(told), ...times(told)]
          act({ kind: "message", place: `${topic.name}[${at.partition}]@${at.offset}`, texts })
        }
      })
  })
}

async function rows(pipeline: CompiledPipeline, app: Pick<App, "drivers">, act: (found: Found) => void) {
  await withStore(pipeline, app, async (store) => {
    for (const table of await tables(store)) {
      const { rows: all } = await store.query(`SELECT * FROM ${table}`, "limited")
      for (const [at, row] of all.entries())
        act({ kind: "row", place: `${table} row ${at + 1}`, texts: [json(row), ...times(row)] })
    }
  })
}

async function tables(store: Store): Promise<readonly string[]> {
  const { rows: found } = await store.query(
    `SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
     WHERE table_schema IN ('limited', 'clean') ORDER BY 1`,
    "limited",
  )
  return found.map(([name]) => String(name))
}

async function objects(
  pipeline: CompiledPipeline,
  app: Pick<App, "drivers" | "dicomTexts">,
  act: (found: Found) => void,
) {
  for (const zone of below)
    await withBucket(pipeline, zone, app, async (bucket) => {
      for await (const { key } of bucket.list("")) {
        const bytes = await bucket.bytes(key)
        act({ kind: "object", place: `${zone}: ${key}`, texts: [key, ...textsOf(key, bytes, app)] })
      }
    })
}

function textsOf(key: string, bytes: Uint8Array, app: Pick<App, "dicomTexts">): string[] {
  const content = key.endsWith(".gz") ? gunzipSync(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return [content.toString("latin1"), ...(app.dicomTexts(content) ?? [])]
}
