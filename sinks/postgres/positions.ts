import type { Pool, PoolClient } from "pg"
import { fatal, retryable } from "../../core/index.ts"
import type { SinkClaim, Span } from "../../core/index.ts"
import { sqlState } from "./errors.ts"
import { transaction } from "./session.ts"

interface Row {
  readonly epoch: string
  readonly next: string | null
  readonly last_offset: string | null
  readonly last_checksum: string | null
}

/** How long a claim waits for the lock of an older owner before it ends that owner's session, ms; and how often it does so. */
const patienceMs = 500
const patience = 5

/** Ends the session that has the row locked or changed it: an owner that was overtaken, and may be stopped in the middle. */
const endHolder = `SELECT pg_terminate_backend(a.pid) FROM weir_sink.positions p JOIN pg_stat_activity a ON a.backend_xid = p.xmax
  WHERE p.sink = $1 AND p.topic = $2 AND p.partition = $3`

const raiseEpoch = `INSERT INTO weir_sink.positions AS held (sink, topic, partition, epoch) VALUES ($1, $2, $3, 1)
  ON CONFLICT (sink, topic, partition) DO UPDATE SET epoch = held.epoch + 1 RETURNING epoch, next, last_offset, last_checksum`

/** Raises the epoch of a partition, so that writes of older claims are refused; one that has the position locked is ended.
 * @param sink pipeline and name of the sink
 * @returns the offset to read next; undefined when nothing was written yet */
export async function claim(pool: Pool, sink: string, topic: string, partition: number): Promise<SinkClaim> {
  const name = [sink, topic, partition]
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction(pool, async (client) => {
        await client.query(`SET LOCAL lock_timeout = ${patienceMs}`)
        const { rows } = await client.query<Row>(raiseEpoch, name)
        const { epoch, next, last_offset: offset, last_checksum: checksum } = rows[0]!
        const last = offset === null ? {} : { last: { offset: BigInt(offset), checksum: Number(checksum) } }
        return { epoch: BigInt(epoch), next: next === null ? undefined : BigInt(next), ...last }
      })
    } catch (thrown) {
      if (sqlState(thrown) !== "55P03" || attempt === patience) throw thrown
      await pool.query(endHolder, name)
    }
  }
}

/** Where a partition stands; undefined when nothing was written yet. */
export async function position(
  pool: Pool,
  sink: string,
  topic: string,
  partition: number,
): Promise<bigint | undefined> {
  const { rows } = await pool.query<{ next: string | null }>(
    "SELECT next FROM weir_sink.positions WHERE sink = $1 AND topic = $2 AND partition = $3",
    [sink, topic, partition],
  )
  const next = rows[0]?.next ?? null
  return next === null ? undefined : BigInt(next)
}

/** Sets a partition's position, and raises its epoch. */
export async function setPosition(
  pool: Pool,
  sink: string,
  topic: string,
  partition: number,
  next: bigint,
): Promise<void> {
  await pool.query(
    `INSERT INTO weir_sink.positions AS held (sink, topic, partition, epoch, next) VALUES ($1, $2, $3, 1, $4)
     ON CONFLICT (sink, topic, partition) DO UPDATE SET epoch = held.epoch + 1, next = $4,
       last_offset = NULL, last_checksum = NULL`,
    [sink, topic, partition, next],
  )
}

/** Locks a partition's position to the end of the transaction and tells the offset from which records are new.
 * @throws retryable `fenced` when another claim came after; fatal `position-gap` when records between would be lost */
export async function lockPosition(client: PoolClient, sink: string, at: Span): Promise<bigint> {
  const { rows } = await client.query<{ epoch: string; next: string | null }>(
    "SELECT epoch, next FROM weir_sink.positions WHERE sink = $1 AND topic = $2 AND partition = $3 FOR UPDATE",
    [sink, at.topic, at.partition],
  )
  const where = `${at.topic}/${at.partition}`
  if (rows[0] === undefined || BigInt(rows[0].epoch) !== at.epoch)
    throw retryable("fenced", `another owner has claimed ${where}`)
  const next = rows[0].next === null ? at.from : BigInt(rows[0].next)
  if (at.from > next)
    throw fatal("position-gap", `${where} was written to ${next}, and the next records begin at ${at.from}`, {
      hint: "claim the partition again and read from the position that it tells",
    })
  return next
}

/** Moves the position in the transaction that wrote the records below it. */
export async function movePosition(client: PoolClient, sink: string, at: Span): Promise<void> {
  await client.query(
    `UPDATE weir_sink.positions SET next = $4, last_offset = coalesce($5, last_offset),
       last_checksum = coalesce($6, last_checksum) WHERE sink = $1 AND topic = $2 AND partition = $3`,
    [sink, at.topic, at.partition, at.next, at.last?.offset, at.last?.checksum],
  )
}
