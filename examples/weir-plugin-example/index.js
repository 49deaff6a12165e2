import { createHash } from "node:crypto"
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import {
  Schema,
  badRecord,
  date,
  defineSink,
  defineSource,
  defineTransform,
  fatal,
  identifier,
  int,
  keep,
  port,
  recordType,
  rowId,
  string,
} from "weir"

/** What a step counter says of one day of one person. */
export const stepCount = recordType({
  name: "step-count",
  doc: "Steps of one person on one day",
  id: ["patient", "day"],
  fields: {
    patient: identifier(string, "the person's number at the clinic"),
    day: date(string, "YYYY-MM-DD"),
    steps: keep(int, "steps counted"),
  },
})

/** How active a day was. */
export const activity = recordType({
  name: "activity",
  doc: "How active one person was on one day",
  id: ["patient", "day"],
  fields: {
    patient: identifier(string, "the person's number at the clinic"),
    day: date(string, "YYYY-MM-DD"),
    band: keep(string, "low | moderate | high"),
  },
})

/** Lines that are appended at once. */
const batchSize = 500

/** @typedef {import("weir").ValueOf<typeof stepCount>} StepCount */

/** @param {string} line @param {number} number @returns {import("weir").Draft<StepCount>} */
function draftOf(line, number) {
  const match = /^([^,]+),(\d{4}-\d{2}-\d{2}),(\d{1,6})$/.exec(line)
  const time = Date.parse(match?.[2] ?? "")
  // The message says what is wrong and where; never what the line says.
  if (match === null || Number.isNaN(time)) throw badRecord("not-a-step-count", "a line is not patient,day,steps")
  const [, patient = "", day = "", steps = ""] = match
  const value = { patient, day, steps: Number(steps) }
  return { key: patient, id: rowId([patient, day]), op: "upsert", version: BigInt(number), value, time }
}

const stepsCsv = defineSource({
  name: "steps-csv",
  summary: "Reads step counts from a CSV file of patient,day,steps",
  runs: "once",
  options: Schema.Struct({ path: Schema.String.annotate({ description: "the CSV file, without a header line" }) }),
  outputs: { out: port(stepCount, "patient", "phi") },
  async create({ path }, context) {
    const file = context.resolve(path)
    if ((await stat(file).catch(() => undefined)) === undefined)
      throw fatal("path-missing", "there is no file at path", { path: "path" })
    return {
      async run(run) {
        const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "")
        // The checkpoint is the number of lines that are durable: a restart goes on behind them.
        for (let at = Number(run.checkpoint.get("line") ?? "0"); at < lines.length && !run.signal.aborted;) {
          const drafts = []
          let failed
          while (at < lines.length && drafts.length < batchSize && failed === undefined) {
            try {
              drafts.push(draftOf(/** @type {string} */ (lines[at]), at + 1))
            } catch (error) {
              failed = /** @type {Error} */ (error)
            }
            at++
          }
          const done = failed === undefined ? at : at - 1
          if (drafts.length > 0) await run.append("out", drafts, { line: String(done) })
          if (failed !== undefined) await run.fail(`line ${at}`, failed, { line: String(at) })
        }
      },
    }
  },
})

const activityBand = defineTransform({
  name: "activity-band",
  summary: "Says how active a day was, from its steps",
  options: Schema.Struct({
    moderate: Schema.optionalKey(
      Schema.Int.annotate({ description: "steps from which a day is moderate (default 5000)" }),
    ),
    high: Schema.optionalKey(Schema.Int.annotate({ description: "steps from which a day is high (default 10000)" })),
  }),
  inputs: { in: port(stepCount, "patient") },
  outputs: { out: port(activity, "patient") },
  async create({ moderate = 5000, high = 10_000 }) {
    return {
      apply(batch, out) {
        for (const record of batch) {
          const { key, id, op, version, time, value } = record
          if (value === null) {
            out.emit("out", record, { key, id, op, version, time, value: null })
            continue
          }
          const { patient, day, steps } = value
          if (steps === 0) {
            out.drop(record, "not-worn")
            continue
          }
          const band = steps >= high ? "high" : steps >= moderate ? "moderate" : "low"
          out.emit("out", record, { key, id, op, version, time, value: { patient, day, band } })
        }
      },
    }
  },
})

/** @param {string} path @returns {Promise<bigint>} the version that stands there, -1 when there is none */
async function versionAt(path) {
  const text = await readFile(path, "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  return text === undefined ? -1n : BigInt(JSON.parse(text).version)
}

const rowFiles = defineSink({
  name: "row-files",
  summary: "Keeps one JSON file for each row in a folder, with its newest version",
  delivery: "idempotent",
  options: Schema.Struct({ path: Schema.String.annotate({ description: "the folder; made when it is not there" }) }),
  async create({ path }, context, inputs) {
    const folder = context.resolve(path)
    for (const { topic } of inputs) await mkdir(join(folder, topic), { recursive: true })
    return {
      // The same record always goes to the same file, and an older version never replaces a newer one.
      delivery: "idempotent",
      async write(batch, at) {
        for (const { key, id, op, version, time, value } of batch) {
          // A hash, because file names are seen by more people than files.
          const name = createHash("sha256")
            .update(JSON.stringify([key, id]))
            .digest("hex")
          const file = join(folder, at.topic, `${name}.json`)
          if ((await versionAt(file)) >= version) continue
          await writeFile(
            `${file}.new`,
            `${JSON.stringify({ key, id, op, version: String(version), time, value })}\n`,
            {
              flush: true,
            },
          )
          await rename(`${file}.new`, file)
        }
      },
      async close() {},
    }
  },
})

/** What Weir loads: a pipeline file names this package under `plugins:`. */
export default [stepsCsv, activityBand, rowFiles]
export { activityBand, rowFiles, stepsCsv }
