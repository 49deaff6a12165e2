/** A million small records from a source through a stateless stage into a topic, in a process of its own: prints, as JSON, its peak
 * resident memory once 200,000 records were through, and at the end.
 *
 *     node test/bench/memory-child.ts DIR */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { loadPipeline } from "../../cli/load.ts"
import type { Counters } from "../../core/engine/counters.ts"
import { runPipeline } from "../../core/engine/run.ts"
import { Schema, defineSource, defineTransform, keep, long, port, recordType, string } from "../../core/index.ts"
import { drivers } from "../../main.ts"
import { peakMegabytes } from "./resident.ts"

const records = 1_000_000
const early = 200_000
const atOnce = 1000
const inFlight = 4

const reading = recordType({
  name: "reading",
  doc: "A small record",
  id: ["number"],
  fields: { number: keep(long, "its number"), unit: keep(string, "its unit") },
})
const out = port(reading, "person", "phi")

const readings = defineSource({
  name: "readings",
  summary: "Makes a million small records",
  runs: "once",
  options: Schema.Struct({}),
  outputs: { out },
  create: async () => ({
    async run({ append }) {
      const open = new Set<Promise<void>>()
      for (let from = 0; from < records; from += atOnce) {
        const batch = Array.from({ length: atOnce }, (_, at) => {
          const number = from + at
          const value = { number, unit: "mg/dL" }
          return { key: `p${number % 997}`, id: `${number}`, op: "upsert", version: 1n, time: number, value } as const
        })
        const appended = append("out", batch).finally(() => open.delete(appended))
        open.add(appended)
        if (open.size >= inFlight) await Promise.race(open)
      }
      await Promise.all(open)
    },
  }),
})

const passOn = defineTransform({
  name: "pass-on",
  summary: "Passes each record on",
  options: Schema.Struct({}),
  inputs: { in: out },
  outputs: { out },
  create: async () => ({
    apply(batch, { emit }) {
      for (const record of batch) emit("out", record, record)
    },
  }),
})

const pipelineText = `name: memory
log: { driver: embedded, dir: log }
store: { driver: embedded, dir: store }
objects: { driver: folder, dir: objects }
sources:
  made: { use: readings, to: made }
stages:
  pass: { from: made, through: [{ use: pass-on }], to: passed }
`

const file = join(process.argv[2]!, "pipeline.yaml")
writeFileSync(file, pipelineText)
const { pipeline } = await loadPipeline(file, { builtIns: [readings, passOn] }, { environment: {} })
let counters: Counters | undefined
let peakEarly: number | undefined
const watch = setInterval(() => {
  if (counters !== undefined && counters.of("pass").out >= early) peakEarly ??= peakMegabytes("self")
}, 20)
const logger = { info: () => {}, warn: () => {}, error: () => {} }
const onStart = (started: Counters) => void (counters = started)
await Effect.runPromise(runPipeline(pipeline, { drivers, environment: {}, logger, untilIdle: true, onStart }))
clearInterval(watch)
console.log(JSON.stringify({ passed: counters!.of("pass").out, early: peakEarly, end: peakMegabytes("self") }))
