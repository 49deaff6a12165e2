import { once } from "node:events"
import { open, readFile, readdir } from "node:fs/promises"
import { join } from "node:path"
import type { Client } from "pg"
import { from as copyFrom } from "pg-copy-streams"

/** Everything that a pipeline wrote, for the floor to write it again. */
export interface Writes {
  /** The bytes of each transaction of each topic, in order. */
  readonly topics: ReadonlyMap<string, readonly Buffer[]>
  /** Rows of each table, as texts of their cells. */
  readonly tables: readonly Table[]
}

export interface Table {
  /** Of the floor's own; empty. */
  readonly name: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
  /** Rows of a transaction. */
  readonly batch: number
}

const special = /[\\\t\n\r]/
const copyText = (cell: string | null): string =>
  cell === null
    ? "\\N"
    : special.test(cell)
      ? cell.replace(/[\\\t\n\r]/g, (found) => ({ "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" })[found]!)
      : cell

/** The same writes with nothing between them: each line read and parsed, each topic's transactions appended to a file with a sync
 * each, each table's rows copied, a transaction a batch. */
export async function bare(folder: string, out: string, writes: Writes, client: Client): Promise<number> {
  let parsed = 0
  for (const name of await readdir(folder)) parsed += await parseLines(join(folder, name))
  for (const [topic, batches] of writes.topics) {
    const file = await open(join(out, topic), "w")
    for (const batch of batches) {
      await file.write(batch)
      await file.datasync()
    }
    await file.close()
  }
  for (const table of writes.tables) await copy(client, table)
  return parsed
}

async function parseLines(path: string): Promise<number> {
  const bytes = await readFile(path)
  let lines = 0
  for (let from = 0, end = bytes.indexOf(10); end !== -1; from = end + 1, end = bytes.indexOf(10, from)) {
    JSON.parse(bytes.toString("utf8", from, end))
    lines++
  }
  return lines
}

async function copy(client: Client, { name, columns, rows, batch }: Table): Promise<void> {
  for (let from = 0; from < rows.length; from += batch) {
    const stream = client.query(copyFrom(`COPY ${name} (${columns.join(", ")}) FROM STDIN`))
    const lines = rows.slice(from, from + batch).map((cells) => cells.map(copyText).join("\t"))
    stream.end(`${lines.join("\n")}\n`)
    await once(stream, "finish")
  }
}
