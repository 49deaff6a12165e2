import { existsSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import type { Bench, Figure } from "./figure.ts"
import { median } from "./measure.ts"
import type { Taken } from "./measure.ts"
import { type Ground, bringConnect, openGround, peersFolder } from "./peers/ground.ts"
import { type Load, weirRun } from "./peers/pipelines.ts"
import { type Command, timedProcess } from "./peers/process.ts"

const rows = Number(process.env["WEIR_BENCH_PEER_ROWS"] ?? 500_000)
const rounds = Number(process.env["WEIR_BENCH_PEER_ROUNDS"] ?? 3)
const load: Load = { rows, keys: rows / 2, partitions: 4 }
/** The topics of the load: Weir's in Avro, the peers' in JSON. */
const topics = { weir: "bench.rows", peers: "load" }
const columns = "id text primary key, patient text, modality text, ts bigint, seq int, payload text"

type Runners = Readonly<Record<string, (round: number) => Promise<Taken>>>

/** Weir against the peers on the same load, each a process of its own that is timed from its start, in turn. */
export const benchPeers: Bench = async (tell) => {
  if (!existsSync(join(peersFolder, "sink-kafkajs.mjs"))) {
    tell("SKIPPED, NOTHING WAS MEASURED: the peers' scripts are not at ../shared/peers")
    return []
  }
  let ground: Ground
  try {
    ground = await openGround()
  } catch (error) {
    tell(`SKIPPED, NOTHING WAS MEASURED: Kafka or PostgreSQL cannot be had here: ${(error as Error).message}`)
    return []
  }
  try {
    const connect = await bringConnect(ground.peers).then(
      () => true,
      (error: Error) => {
        tell(`KAFKA CONNECT IS LEFT OUT, its jars cannot be had: ${error.message}`)
        return false
      },
    )
    await fill(ground)
    tell(`${rows} rows are in both topics`)
    return [...(await sinks(ground, connect, tell)), ...(await relays(ground, tell))]
  } finally {
    await ground.close()
  }
}

/** A script of the peers. */
const script = (ground: Ground, name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Command => ({
  name,
  command: name.endsWith(".sh") ? join(ground.peers, name) : process.execPath,
  args: name.endsWith(".sh") ? args : ["--no-warnings", join(ground.peers, name), ...args],
  cwd: ground.peers,
  env: { ...ground.env, N: String(rows), KEYS: String(load.keys), PARTS: String(load.partitions), ...env },
})

async function fill(ground: Ground): Promise<void> {
  await timedProcess(weirRun(ground, "peers-load", { kind: "load", topic: topics.weir }, load))
  await timedProcess(script(ground, "produce.mjs", ["plain", topics.peers, String(rows), "500", "4"]))
}

/** Runs each in turn, round by round; the medians. */
async function inTurn(runners: Runners, tell: (what: string) => void): Promise<ReadonlyMap<string, Taken>> {
  const taken = new Map<string, Taken[]>(Object.keys(runners).map((name) => [name, []]))
  for (let round = 1; round <= rounds; round++)
    for (const [name, runner] of Object.entries(runners)) {
      const { seconds, cpu } = await runner(round)
      taken.get(name)!.push({ seconds, cpu })
      tell(`round ${round}, ${name}: ${Math.round(rows / seconds)} rows/s, ${cpu.toFixed(1)} CPU seconds`)
    }
  return new Map(
    [...taken].map(([name, all]) => [
      name,
      { seconds: median(all.map(({ seconds }) => seconds)), cpu: median(all.map(({ cpu }) => cpu)) },
    ]),
  )
}

const figure = (name: string, measured: Taken, floor: Taken, target: number): Figure => ({
  name,
  measured: rows / measured.seconds,
  floor: rows / floor.seconds,
  unit: "rows/s",
  target,
  cpu: { measured: measured.cpu, floor: floor.cpu },
})

async function sinks(ground: Ground, connect: boolean, tell: (what: string) => void): Promise<Figure[]> {
  const client = new Client({ connectionString: ground.postgres })
  await client.connect()
  // The tables are never analysed, and whoever is measured would pay for looks that read the whole of one: the planner knows that a
  // key names one row where it alone is the primary key, and not of the first of two columns.
  await client.query("SET enable_seqscan = off")
  try {
    const peer = (name: string, env: NodeJS.ProcessEnv) => async (round: number) => {
      const table = `sink_${round}_${name.replace(/\W/g, "_")}`
      await client.query(`CREATE TABLE ${table} (${columns})`)
      await client.query("CHECKPOINT")
      const command = script(ground, name, [], { ...env, TOPIC: topics.peers, TABLE: table })
      const taken = await timedProcess(command, () => complete(client, table))
      await client.query(`DROP TABLE ${table}`)
      return taken
    }
    const medians = await inTurn(
      {
        weir: async (round) => {
          const table = `sink_${round}`
          await client.query("CHECKPOINT")
          const work = { kind: "sink", topic: topics.weir, table } as const
          const taken = await timedProcess(weirRun(ground, `peers-sink-${round}`, work, load), () =>
            complete(client, `phi.${table}`),
          )
          await client.query(`DROP TABLE phi.${table}__all CASCADE`)
          return taken
        },
        kafkajs: peer("sink-kafkajs.mjs", { CONC: "4" }),
        ...(connect ? { connect: peer("run-connect.sh", { BATCH: "3000", TASKS: "2" }) } : {}),
      },
      tell,
    )
    const [ours, bare, theirs] = [medians.get("weir")!, medians.get("kafkajs")!, medians.get("connect")]
    return [
      figure("topic to PostgreSQL effectively once, against a bare kafkajs loop", ours, bare, 0.75),
      ...(theirs === undefined
        ? []
        : [figure("topic to PostgreSQL effectively once, against Kafka Connect", ours, theirs, 1)]),
    ]
  } finally {
    await client.end()
  }
}

/** As the peers' sink.mjs: the last 400 records, which end every partition, then all rows. */
async function complete(client: Client, table: string): Promise<boolean> {
  const schema = table.startsWith("phi.") ? "phi" : "public"
  const { rowCount } = await client.query("SELECT FROM pg_tables WHERE schemaname = $1 AND tablename LIKE $2", [
    schema,
    `${table.replace(/^phi\./, "")}%`,
  ])
  if (rowCount === 0) return false
  const last = await count(client, table, rows - 400)
  return last === 400 && (await count(client, table, rows - load.keys)) === load.keys
}

async function count(client: Client, table: string, from: number): Promise<number> {
  const names = Array.from({ length: Math.min(400, rows - from) }, (_, at) => nameOf(rows - 1 - at))
  const key = table.startsWith("phi.") ? "_key" : "id"
  const where = rows - from === 400 ? `${key} = ANY ($2) AND` : "$2::text[] IS NOT NULL AND"
  const { rows: found } = await client.query<{ n: string }>(
    `SELECT count(*) AS n FROM ${table} WHERE ${where} seq >= $1`,
    [from, names],
  )
  return Number(found[0]!.n)
}

const nameOf = (i: number): string => `1.2.840.113619.2.${String(i % load.keys).padStart(9, "0")}`

async function relays(ground: Ground, tell: (what: string) => void): Promise<Figure[]> {
  const medians = await inTurn(
    {
      weir: async (round) => {
        const to = `bench.relayed-${round}`
        const work = { kind: "stage", topic: topics.weir, to } as const
        const taken = await timedProcess(weirRun(ground, `peers-stage-${round}`, work, load))
        await expectRows(ground, to)
        return taken
      },
      plain: async (round) => timedProcess(script(ground, "produce.mjs", ["plain", `plain-${round}`])),
    },
    tell,
  )
  const [ours, plain] = [medians.get("weir")!, medians.get("plain")!]
  return [figure("topic to topic exactly once, against bare plain produce", ours, plain, 0.5)]
}

/** Throws when a topic does not hold the rows: reading what is committed. */
async function expectRows(ground: Ground, topic: string): Promise<void> {
  const log = await openKafkaLog({ brokers: [ground.kafka] })
  try {
    let found = 0
    for (const [partition, { start, end }] of (await log.bounds(topic)).entries()) {
      const reader = await log.reader(topic, partition, start)
      for (let next = start; next < end;) {
        const batch = await reader.read({ maxBytes: 8 << 20, maxMessages: 100_000, waitMs: 100 })
        found += batch.messages.filter(({ timestamp, key }) => timestamp === 0 && key !== null && key[0] !== 0).length
        next = batch.next
      }
      await reader.close()
    }
    if (found !== rows) throw new Error(`${topic} holds ${found} rows, not ${rows}`)
  } finally {
    await log.close()
  }
}
