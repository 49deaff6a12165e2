import { Client } from "pg"
import type { Label } from "./events.ts"
import { within } from "./service.ts"

/** What is in the tables above an event's id. */
export interface TablesSeen {
  /** Ids in the table of the `postgres` sink. */
  readonly table: ReadonlySet<number>
  /** How often each id stands in the table that is only inserted into. */
  readonly inserts: ReadonlyMap<number, number>
  readonly labels: ReadonlyMap<number, Pick<Label, "sum" | "factor">>
}

/** Runs something on the database of the Store, as its owner and not through a proxy. */
export async function onDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 30_000 })
  client.on("error", () => {})
  try {
    return await within(
      "PostgreSQL",
      20_000,
      client.connect().then(() => work(client)),
    )
  } finally {
    // Of a connection that was lost it never resolves.
    void client.end().catch(() => {})
  }
}

/** @param from events with lower ids are passed over */
export const lookAtTables = (url: string, from: number): Promise<TablesSeen> =>
  onDatabase(url, async (client) => {
    const rows = async <R extends object>(sql: string, ...values: unknown[]) =>
      (await client.query<R>(sql, values)).rows
    const table = await rows<{ id: string }>("SELECT id FROM limited.counted WHERE id >= $1", from)
    const inserts = await rows<{ id: string; times: string }>(
      "SELECT id, count(*) AS times FROM insert_only.rows WHERE id::bigint >= $1 GROUP BY id",
      from,
    )
    const labels = await rows<{ slot: string; sum: string; factor: string }>(
      "SELECT slot, sum, factor FROM limited.labels",
    )
    return {
      table: new Set(table.map(({ id }) => Number(id))),
      inserts: new Map(inserts.map(({ id, times }) => [Number(id), Number(times)])),
      labels: new Map(
        labels.map(({ slot, sum, factor }) => [Number(slot), { sum: Number(sum), factor: Number(factor) }]),
      ),
    }
  })

/** How many rows the insert-only sink has written; undefined while nobody answers. */
export const insertedRows = (url: string): Promise<number | undefined> =>
  onDatabase(url, async (client) => {
    const { rows } = await client.query<{ count: string }>("SELECT count(*) FROM insert_only.rows")
    return Number(rows[0]!.count)
  }).catch(() => undefined)
