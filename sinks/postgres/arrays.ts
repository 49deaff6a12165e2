/** What a row holds in one column; jsonb as its text. */
export type Cell = string | number | bigint | boolean | null

/** The types of columns. */
export type ColumnType = "text" | "integer" | "bigint" | "double precision" | "boolean" | "jsonb"

/** How the elements of one type are sent. */
interface Wire {
  /** Oid of the element's type (PostgreSQL, pg_type.dat). */
  readonly oid: number
  size(cell: Cell): number
  /** Writes a cell and tells where it ends. */
  write(to: Buffer, at: number, cell: Cell): number
}

const wires: Readonly<Record<ColumnType, Wire>> = {
  text: {
    oid: 25,
    size: (cell) => Buffer.byteLength(cell as string),
    write: (to, at, cell) => at + to.write(cell as string, at),
  },
  jsonb: {
    oid: 3802,
    size: (cell) => 1 + Buffer.byteLength(cell as string),
    write(to, at, cell) {
      // The version of the format.
      to[at] = 1
      return at + 1 + to.write(cell as string, at + 1)
    },
  },
  integer: { oid: 23, size: () => 4, write: (to, at, cell) => to.writeInt32BE(cell as number, at) },
  bigint: {
    oid: 20,
    size: () => 8,
    write(to, at, cell) {
      if (typeof cell === "bigint") return to.writeBigInt64BE(cell, at)
      to.writeInt32BE(Math.floor((cell as number) / 4_294_967_296), at)
      return to.writeUInt32BE((cell as number) >>> 0, at + 4)
    },
  },
  "double precision": { oid: 701, size: () => 8, write: (to, at, cell) => to.writeDoubleBE(cell as number, at) },
  boolean: { oid: 16, size: () => 1, write: (to, at, cell) => to.writeUInt8(cell === true ? 1 : 0, at) },
}

const headBytes = 20

/** One column of rows as a parameter: a one-dimensional array in PostgreSQL's binary format (array_send: dimensions, whether it
 * has nulls, the element's oid, count, lower bound; each element after its length, -1 for null). Neither side quotes or parses,
 * and each text is copied once. */
export function binaryArray(
  type: ColumnType,
  rows: readonly { readonly cells: readonly Cell[] }[],
  at: number,
): Buffer {
  const { oid, size, write } = wires[type]
  let bytes = headBytes
  let nulls = 0
  for (const { cells } of rows) {
    const cell = cells[at]!
    bytes += 4
    if (cell === null) nulls = 1
    else bytes += size(cell)
  }
  const array = Buffer.allocUnsafe(bytes)
  for (const [index, value] of [1, nulls, oid, rows.length, 1].entries()) array.writeInt32BE(value, index * 4)
  let end = headBytes
  for (const { cells } of rows) {
    const cell = cells[at]!
    const from = end + 4
    end = cell === null ? from : write(array, from, cell)
    array.writeInt32BE(cell === null ? -1 : end - from, from - 4)
  }
  return array
}
