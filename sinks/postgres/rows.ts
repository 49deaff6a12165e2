import { WeirError } from "../../core/index.ts"
import type { Rec } from "../../core/index.ts"
import type { Cell } from "./arrays.ts"
import { textCell } from "./columns.ts"
import type { Column } from "./columns.ts"

/** A record as cells: key, id, version, time (ms), retracted, then the record type's columns. */
export interface Row {
  /** Index of the record in its batch. */
  readonly index: number
  readonly cells: readonly Cell[]
}

export interface Prepared {
  /** The newest record of each (key, id), in the order of the batch. */
  readonly rows: readonly Row[]
  /** Records that no row can hold, by their index in the batch. */
  readonly failed: ReadonlyMap<number, WeirError>
}

type Columns = readonly (readonly [field: string, column: Column])[]

/** Where a row's version is among its cells. */
const versionAt = 2

function cellsOf(record: Rec, columns: Columns): Cell[] {
  const retracted = record.op === "retract"
  const cells: Cell[] = [
    textCell(record.key, "key"),
    textCell(record.id, "id"),
    record.version,
    Number.isFinite(record.time) ? record.time : null,
    retracted,
  ]
  // What was taken back leaves no values behind: a tombstone is the row's name and version.
  const value = (record.value ?? {}) as Readonly<Record<string, unknown>>
  for (const [field, column] of columns) cells.push(retracted ? null : column.cell(value[field]))
  return cells
}

/** Rows of the records at or above an offset. Each record is looked at, also when a newer one of its row follows, so that what
 * is a bad record does not depend on where batches are cut.
 * @param from offset below which records are passed over */
export function prepare(batch: readonly Rec[], columns: Columns, from: bigint): Prepared {
  const newest = new Map<string, Row>()
  const failed = new Map<number, WeirError>()
  for (const [index, record] of batch.entries()) {
    if (record.at.offset < from) continue
    try {
      const cells = cellsOf(record, columns)
      const name = `${record.key}\0${record.id}`
      const known = newest.get(name)
      if (known === undefined || record.version > (known.cells[versionAt] as bigint)) newest.set(name, { index, cells })
    } catch (thrown) {
      if (!(thrown instanceof WeirError && thrown.meaning === "bad-record")) throw thrown
      failed.set(index, thrown)
    }
  }
  return { rows: [...newest.values()], failed }
}

const sliceChars = 8_000_000

/** Rows in groups of about 8 million characters, so that large values make more statements, not larger ones. */
export function* slices(rows: readonly Row[]): Generator<readonly Row[]> {
  let from = 0
  let chars = 0
  for (const [at, { cells }] of rows.entries()) {
    for (const cell of cells) chars += typeof cell === "string" ? cell.length : 8
    if (chars < sliceChars) continue
    yield rows.slice(from, at + 1)
    from = at + 1
    chars = 0
  }
  if (from < rows.length) yield rows.slice(from)
}
