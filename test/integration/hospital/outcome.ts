import { gunzipSync } from "node:zlib"
import { Client } from "pg"
import { readRecords } from "../../../cli/topics/read.ts"
import { loadPipeline } from "../../../cli/load.ts"
import { canonicalJson } from "../../../core/canonical.ts"
import type { CompiledPipeline } from "../../../core/pipeline/model.ts"
import type { Zone } from "../../../core/index.ts"
import { builtIns, drivers } from "../../../main.ts"

/** A record as tests compare it. */
export interface Row {
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly id: string
  readonly op: string
  readonly version: bigint
  /** Canonical JSON. */
  readonly value: string
}

/** What a row is called: its key and id. */
export const rowName = ({ key, id }: Pick<Row, "key" | "id">): string => `${key} ${id}`

/** Reads what a run left in its Log, its Store and its buckets; no process may run it meanwhile. */
export class Outcome {
  readonly pipeline: CompiledPipeline

  private constructor(pipeline: CompiledPipeline) {
    this.pipeline = pipeline
  }

  static async of(file: string, environment: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return new Outcome((await loadPipeline(file, { builtIns }, { environment })).pipeline)
  }

  /** The records of topics, partition after partition in the order of their offsets. */
  async records(topics: readonly string[]): Promise<ReadonlyMap<string, readonly Row[]>> {
    const log = await drivers.log(this.pipeline.log, this.pipeline.folder)
    try {
      const found = new Map<string, Row[]>()
      for (const name of topics) {
        const topic = this.pipeline.topics.get(name)!
        const bucket = await drivers.objects(this.pipeline.objects, topic.zone, this.pipeline.folder)
        const rows: Row[] = []
        for await (const { at, key, id, op, version, value } of readRecords(log, topic, bucket, {
          from: 0n,
          limit: Number.POSITIVE_INFINITY,
        }))
          rows.push({ ...at, key, id, op, version, value: canonicalJson(value) })
        await bucket.close()
        found.set(name, rows)
      }
      return found
    } finally {
      await log.close()
    }
  }

  /** Runs something on the Store's database as its owner. */
  async database<T>(act: (client: Client) => Promise<T>): Promise<T> {
    const store = await drivers.store(this.pipeline.store, this.pipeline.folder)
    const client = new Client({ connectionString: store.url })
    try {
      await client.connect()
      return await act(client)
    } finally {
      await client.end()
      await store.close()
    }
  }

  /** Every row of every view in the schema `limited`, whole, as one line of JSON each, sorted, by the view's name. */
  tables(): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.database(async (client) => {
      const views = await client.query<{ name: string }>(
        "SELECT table_name AS name FROM information_schema.views WHERE table_schema IN ('limited', 'clean') ORDER BY 1",
      )
      const found = new Map<string, readonly string[]>()
      for (const { name } of views.rows) {
        const { rows } = await client.query<{ row: object }>(`SELECT to_jsonb(t) AS row FROM limited."${name}" AS t`)
        found.set(name, rows.map(({ row }) => canonicalJson(row)).toSorted())
      }
      return found
    })
  }

  /** Every object of a zone's bucket whose key `wanted` takes, with its bytes, by key. */
  async objects(zone: Zone, wanted: (key: string) => boolean = () => true): Promise<ReadonlyMap<string, Buffer>> {
    const bucket = await drivers.objects(this.pipeline.objects, zone, this.pipeline.folder)
    try {
      const found: [string, Buffer][] = []
      for await (const { key } of bucket.list(""))
        if (wanted(key)) found.push([key, Buffer.from(await bucket.bytes(key))])
      return new Map(found.toSorted(([a], [b]) => (a < b ? -1 : 1)))
    } finally {
      await bucket.close()
    }
  }
}

/** The newest state of each row, the retracted ones left out: value by name of the row. */
export function standing(rows: readonly Row[]): ReadonlyMap<string, string> {
  const newest = new Map<string, Row>()
  for (const row of rows) {
    const held = newest.get(rowName(row))
    if (held === undefined || row.version > held.version) newest.set(rowName(row), row)
  }
  const live = [...newest].filter(([, { op }]) => op === "upsert")
  return new Map(live.map(([name, { value }]) => [name, value] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Where the versions of a row are not 1, 2, 3 ..., each once. */
export function revisionFaults(rows: readonly Row[]): readonly string[] {
  return [...Map.groupBy(rows, rowName)].flatMap(([name, states]) => {
    const versions = states.map(({ version }) => version).toSorted((a, b) => Number(a - b))
    return versions.every((version, at) => version === BigInt(at + 1)) ? [] : [`${name}: ${versions.join(" ")}`]
  })
}

/** The lines of the chunks that a topic's manifests of the object-store sink count, partition after partition in order. */
export function chunkLines(objects: ReadonlyMap<string, Buffer>, topic: string): readonly string[] {
  const prefix = `manifests/${topic}/`
  const manifests = [...objects]
    .filter(([key]) => key.startsWith(prefix) && !key.endsWith("/layout.json"))
    .map(([key, bytes]) => ({ key, files: (JSON.parse(bytes.toString()) as { files: { key: string }[] }).files }))
  // Of several manifests of a chunk the last one, by key, holds.
  const last = new Map(manifests.map((manifest) => [manifest.key.replace(/-\d+\.json$/, ""), manifest]))
  return [...last.values()]
    .flatMap(({ files }) => files)
    .flatMap(({ key }) => gunzipSync(objects.get(key)!).toString().split("\n"))
    .filter((line) => line !== "")
}
