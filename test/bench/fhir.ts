import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { Client } from "pg"
import { loadPipeline } from "../../cli/load.ts"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import { runPipeline } from "../../core/engine/run.ts"
import type { Drivers } from "../../core/engine/run.ts"
import type { Append } from "../../core/ports/log.ts"
import { builtIns, drivers } from "../../main.ts"
import { bare } from "./fhir-floor.ts"
import type { Table, Writes } from "./fhir-floor.ts"
import { mrnSystem, writeExport } from "./fhir-resources.ts"
import type { Bench } from "./figure.ts"
import { alternate, timed } from "./measure.ts"
import { recordingLog } from "./recording-log.ts"

const patients = 200
const rounds = 3
const environment = { BENCH_PROJECT: "p".repeat(32), BENCH_IDENTITY: "i".repeat(32) }
const hops = ["arrivals", "facts", "curated"] as const

/** Batches of the engine: records of a stateful step, records that a sink is given. */
const [stepRecords, sinkRecords] = [2000, 5000]

/** Each round has a pipeline of its own, so topics, state and tables of its own, in one Store. */
const pipelineText = (round: number) => `name: bench-${round}
log: { driver: embedded, dir: log-${round} }
store: { driver: embedded, dir: store }
objects: { driver: folder, dir: objects-${round} }
secrets: { project-key: { env: BENCH_PROJECT }, identity-key: { env: BENCH_IDENTITY } }
identity: [{ namespace: mrn, dicom-issuer: [HOSP], fhir-system: ["${mrnSystem}"] }]
topics:
  curated-${round}: { zone: limited, schema: curated-resource }
sources:
  ehr: { use: fhir-ndjson, with: { path: ehr }, to: arrivals-${round} }
stages:
  identify: { from: { fhir: arrivals-${round} }, through: [{ use: resolve-patient }], to: facts-${round} }
  release:
    from: facts-${round}
    through: [{ use: deidentify-fhir, with: { key: project-key } }]
    to: curated-${round}
sinks:
  warehouse: { use: postgres, from: [curated-${round}] }
`

type Tell = (topic: string, bytes: Buffer) => void

/** The drivers of main.ts, with the bytes of each transaction on the hops' topics told. */
function recording(tell: Tell): Drivers {
  const told = ({ topic, messages }: Append) => {
    const hop = hops.find((name) => topic.startsWith(`${name}-`))
    if (hop === undefined) return
    tell(hop, Buffer.concat(messages.flatMap(({ key, value }) => [key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)])))
  }
  return {
    ...drivers,
    log: async (settings, folder) =>
      recordingLog(await drivers.log(settings, folder), (appends) => appends.forEach((append) => told(append))),
  }
}

async function run(dir: string, round: number, given: Drivers): Promise<void> {
  const file = join(dir, `bench-${round}.yaml`)
  const { pipeline } = await loadPipeline(file, { builtIns }, { environment })
  const logger = { info: () => {}, warn: () => {}, error: () => {} }
  await Effect.runPromise(runPipeline(pipeline, { drivers: given, environment, logger, untilIdle: true }))
}

/** The rows of a table that the pipeline filled, and an empty table like it for the floor. */
async function tableLike(client: Client, source: string, name: string, where: string, batch: number) {
  await client.query(`CREATE TABLE ${name} (LIKE ${source} INCLUDING INDEXES)`)
  const { fields } = await client.query({ text: `SELECT * FROM ${name}`, rowMode: "array" })
  const columns = fields.map((field) => `"${field.name}"`)
  const text = `SELECT ${columns.map((column) => `${column}::text`).join(", ")} FROM ${source} WHERE ${where}`
  const { rows } = await client.query<(string | null)[]>({ text, rowMode: "array" })
  return { name, columns, rows, batch } satisfies Table
}

async function writesOf(client: Client, topics: Writes["topics"], resources: number): Promise<Writes> {
  const stage = "stage = (SELECT id FROM weir.stages WHERE pipeline = 'bench-0' AND name = 'identify')"
  const state = await tableLike(client, "weir.shared_state", "public.bench_state", stage, stepRecords)
  const table = await tableLike(client, "limited.curated_0__all", "public.bench_curated", "true", sinkRecords)
  if (table.rows.length !== resources) throw new Error(`${table.rows.length} of ${resources} resources were released`)
  // A step of so many records writes this many rows of state.
  const batch = Math.ceil((state.rows.length / resources) * stepRecords)
  return { topics, tables: [{ ...state, batch }, table] }
}

/** FHIR NDJSON -> topics -> de-identified -> Postgres, on the embedded ports, against the same writes with nothing between them. The
 * data are made: 200 patients, 20,000 resources, in files that are read in the order of their names, Patient last. Measured is
 * `runPipeline` from its opening of the ports (on a server that is up) to its end. */
export const benchFhir: Bench = async (tell) => {
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-fhir-"))
  const { resources, bytes } = await writeExport(join(dir, "ehr"), patients)
  tell(`${resources} resources, ${(bytes / resources / 1000).toFixed(2)} kB each`)
  const store = await openEmbeddedStore({ dir: join(dir, "store") })
  const client = new Client({ connectionString: store.url })
  await client.connect()
  try {
    const recorded = new Map<string, Buffer[]>(hops.map((hop) => [hop, []]))
    let writes: Writes | undefined
    let round = 0
    const measured = async () => {
      await writeFile(join(dir, `bench-${round}.yaml`), pipelineText(round))
      const given = round === 0 ? recording((hop, batch) => recorded.get(hop)!.push(batch)) : drivers
      const taken = await timed(() => run(dir, round, given))
      writes ??= await writesOf(client, recorded, resources)
      tell(`round ${round} of ${rounds}: ${taken.seconds.toFixed(1)} s, ${taken.cpu.toFixed(1)} s of CPU`)
      return taken
    }
    const floor = async () => {
      await client.query(`TRUNCATE ${writes!.tables.map(({ name }) => name).join(", ")}`)
      const out = join(dir, `bare-${round++}`)
      await mkdir(out)
      const taken = await timed(() => bare(join(dir, "ehr"), out, writes!, client))
      tell(`bare writes: ${taken.seconds.toFixed(1)} s, ${taken.cpu.toFixed(1)} s of CPU`)
      return taken
    }
    const taken = await alternate(rounds, measured, floor)
    return [
      {
        name: "FHIR NDJSON -> topics -> de-identified -> Postgres, against parse, append + fsync a hop, COPY",
        measured: resources / taken.measured.seconds,
        floor: resources / taken.floor.seconds,
        unit: "resources/s",
        target: 0.25,
        cpu: { measured: taken.measured.cpu, floor: taken.floor.cpu },
      },
    ]
  } finally {
    await client.end()
    await store.close()
    await rm(dir, { recursive: true, force: true })
  }
}
