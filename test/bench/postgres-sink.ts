import { once } from "node:events"
import { Client } from "pg"
import { from as copyFrom } from "pg-copy-streams"
import { label } from "../../core/index.ts"
import type { Label, Rec, SinkDelivery, SinkInstance } from "../../core/index.ts"
import { postgres } from "../../sinks/postgres/index.ts"
import { testContext } from "../kit/index.ts"
import type { Figure } from "./figure.ts"
import { timed } from "./measure.ts"

const topic = "bench.labels"
const batchRecords = 5000
const batches = 20

const value = (at: number): Label => ({
  phenotype: "pulmonary-nodule-then-cancer",
  ruleVersion: "3-9f2c1b7e",
  studyInstanceUid: `2.25.${100_000_000_000_000_000_000n + BigInt(at)}`,
  value: at % 3 === 0 ? "positive" : "unknown",
  reason: at % 3 === 0 ? "evidence" : "window-open",
  rung: "accession",
  ambiguous: false,
  candidates: 1,
  clinicalTime: 1_600_000_000_000 + at,
  knownTime: null,
  grade: "pathology",
  evidence: [
    { resourceType: "DiagnosticReport", resourceId: `r${at}`, revision: 1, time: 1_600_000_000_000, role: "supports" },
  ],
})

/** The records that stand at offsets [offset, offset + 5000): rows of a batch's number in a version. */
const batch = (number: number, version: bigint, offset: number): Rec[] =>
  Array.from({ length: batchRecords }, (_, index) => {
    const at = number * batchRecords + index
    const position = { topic, partition: 0, offset: BigInt(offset + index) }
    return {
      key: `p${(at * 7919) % 20_011}`,
      id: `pulmonary-nodule-then-cancer/${at}`,
      op: "upsert",
      version,
      value: value(at),
      time: 1_600_000_000_000 + at,
      at: position,
      origin: position,
      zone: "limited",
      type: label.name,
    }
  })

type Work = (records: readonly Rec[]) => Promise<void>

const secondsOf = async (work: Work, records: readonly Rec[]): Promise<number> =>
  (await timed(() => work(records))).seconds

const rate = (spent: number): number => Math.round((batches * batchRecords) / spent)

const copyText = (item: unknown): string =>
  item === null
    ? "\\N"
    : (typeof item === "object" ? JSON.stringify(item) : String(item)).replace(/[\\\t\n\r]/g, "\\$&")

/** Bare COPY, one transaction for each batch. */
const copyWith =
  (client: Client): Work =>
  async (records) => {
    const stream = client.query(copyFrom("COPY limited.bench_copy FROM STDIN"))
    const lines = records.map(({ key, id, version, time, value: fields }) =>
      [key, id, version, new Date(time).toISOString(), false, ...Object.values(fields as Label)]
        .map(copyText)
        .join("\t"),
    )
    stream.end(`${lines.join("\n")}\n`)
    await once(stream, "finish")
  }

/** Batch by batch in turn, so that what else the machine does falls on all of them. */
async function alternate(copy: Work, write: Work): Promise<readonly Figure[]> {
  const spent = { copy: 0, fresh: 0, newer: 0 }
  for (let number = 0; number < batches; number++) {
    const offset = 2 * number * batchRecords
    const fresh = batch(number, 1n, offset)
    const newer = batch(number, 2n, offset + batchRecords)
    spent.copy += await secondsOf(copy, fresh)
    spent.fresh += await secondsOf(write, fresh)
    spent.newer += await secondsOf(write, newer)
  }
  const of = (name: string, took: number, target: number): Figure => ({
    name: `postgres sink, ${name} rows`,
    measured: rate(took),
    floor: rate(spent.copy),
    unit: "rows/s",
    target,
  })
  return [of("new", spent.fresh, 0.4), of("newer", spent.newer, 0.3)]
}

/** Rows a second through the sink, new ones and newer versions of them, against bare COPY of the same rows into a table of the
 * same columns and key on the same server. Uses and empties table `bench_labels` of zone `limited`. */
export async function benchPostgresSink(url: string): Promise<readonly Figure[]> {
  const context = testContext({ storeUrl: url, pipeline: "bench", name: "bench" })
  const client = new Client({ connectionString: url })
  await client.connect()
  const sink = (await postgres.create({}, context, [{ topic, zone: "limited", type: label }])) as SinkInstance &
    Extract<SinkDelivery, { delivery: "transactional" }>
  try {
    await client.query("TRUNCATE limited.bench_labels__all; DELETE FROM weir_sink.positions WHERE sink = 'bench/bench'")
    await client.query("DROP TABLE IF EXISTS limited.bench_copy")
    await client.query("CREATE TABLE limited.bench_copy (LIKE limited.bench_labels__all INCLUDING INDEXES)")
    const { epoch } = await sink.claim(topic, 0)
    return await alternate(copyWith(client), (records) => {
      const from = records[0]!.at.offset
      return sink.write(records, { topic, partition: 0, from, next: from + BigInt(records.length), epoch })
    })
  } finally {
    await sink.close()
    await client.end()
  }
}
