/** What the peers' bench runs in `weir run`: records as the peers' scripts make them, and a stage that hands them on. */
import {
  Schema,
  defineSource,
  defineTransform,
  identifier,
  int,
  keep,
  long,
  port,
  recordType,
  string,
  text,
  uid,
} from "../../../core/index.ts"

/** The columns of the peers' table (lib.mjs, sink.mjs). */
export const benchRow = recordType({
  name: "bench-row",
  doc: "About 1 KB: what the peers' scripts write as JSON.",
  id: ["id"],
  fields: {
    id: uid(string, "names the row"),
    patient: identifier(string, "a number of a person"),
    modality: keep(string, "CT, MR, US or CR"),
    ts: keep(long, "a time, ms"),
    seq: keep(int, "counts the records"),
    payload: text(string, "864 characters"),
  },
})

const filler = "ISO_IR 192|ORIGINAL|PRIMARY|AXIAL|".repeat(40).slice(0, 1024 - 160)

/** As record() of the peers' lib.mjs: record i of those that take turns on so many row names. */
const rowOf = (i: number, keys: number) => ({
  id: `1.2.840.113619.2.${String(i % keys).padStart(9, "0")}`,
  patient: `MRN${i % 9973}`,
  modality: ["CT", "MR", "US", "CR"][i & 3]!,
  ts: 1_790_000_000_000 + i,
  seq: i,
  payload: filler,
})

const rows = defineSource({
  name: "bench-rows",
  summary: "Makes rows of the peers' bench",
  runs: "once",
  options: Schema.Struct({ count: Schema.Int, keys: Schema.Int }),
  outputs: { out: port(benchRow, "row", "phi") },
  create: async ({ count, keys }) => ({
    async run(run) {
      for (let from = Number(run.checkpoint.get("row") ?? "0"); from < count && !run.signal.aborted;) {
        const next = Math.min(count, from + 5000)
        const drafts = Array.from({ length: next - from }, (_, index) => {
          const value = rowOf(from + index, keys)
          return { key: value.id, id: "row", op: "upsert", version: BigInt(from + index + 1), value, time: 0 } as const
        })
        await run.append("out", drafts, { row: String(next) })
        from = next
      }
    },
  }),
})

const relay = defineTransform({
  name: "bench-relay",
  summary: "Hands each record on",
  options: Schema.Struct({}),
  inputs: { in: port(benchRow, "row") },
  outputs: { out: port(benchRow, "row") },
  create: async () => ({
    apply: (batch, out) => {
      for (const record of batch) {
        const { key, id, op, version, value, time } = record
        out.emit("out", record, { key, id, op, version, value, time })
      }
    },
  }),
})

export default [rows, relay]
