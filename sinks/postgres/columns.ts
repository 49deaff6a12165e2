import { badRecord, fatal } from "../../core/index.ts"
import type { Fields, FieldType, RecordType } from "../../core/index.ts"
import type { Cell, ColumnType } from "./arrays.ts"

/** A column of a topic's table. */
export interface Column {
  readonly name: string
  readonly doc: string
  readonly type: ColumnType
  /** The field's value as the column takes it; throws bad-record. */
  cell(value: unknown): Cell
}

/** The column of a field: `studyInstanceUid` becomes `study_instance_uid`, so that SQL needs no quotes. */
export const columnName = (field: string): string =>
  field
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()

/** A text as a cell; throws bad-record for U+0000, which no text can hold. */
export function textCell(text: string, path: string): string {
  if (text.includes("\0"))
    throw badRecord("nul-character", `${path} holds U+0000, which PostgreSQL cannot store`, { path })
  return text
}

const wrong = (path: string, type: string): never => {
  throw badRecord("wrong-type", `${path} is not of its type, ${type}`, { path })
}

const tooLarge = (path: string): never => {
  throw badRecord("out-of-range", `${path} holds a number that does not fit its column`, { path })
}

type Kind = readonly [type: ColumnType, cell: (value: unknown, path: string) => Cell]

function intCell(value: unknown, path: string): Cell {
  if (!Number.isInteger(value)) return wrong(path, "int")
  return (value as number) === ((value as number) | 0) ? (value as number) : tooLarge(path)
}

function longCell(value: unknown, path: string): Cell {
  if (Number.isSafeInteger(value)) return value as number
  if (typeof value !== "bigint") return wrong(path, "long")
  return BigInt.asIntN(64, value) === value ? value : tooLarge(path)
}

const kinds: Readonly<Record<string, Kind>> = {
  string: ["text", (value, path) => (typeof value === "string" ? textCell(value, path) : wrong(path, "string"))],
  int: ["integer", intCell],
  long: ["bigint", longCell],
  double: ["double precision", (value, path) => (typeof value === "number" ? value : wrong(path, "double"))],
  boolean: ["boolean", (value, path) => (typeof value === "boolean" ? value : wrong(path, "boolean"))],
}

/** JSON has no NaN and no infinities: JSON.stringify would make null of them. */
const jsonItem = (path: string) => (_: string, item: unknown) =>
  typeof item === "number" && !Number.isFinite(item) ? wrong(path, "JSON") : item

const hasDoubles = ({ avro, item, fields }: FieldType<unknown>): boolean =>
  avro === "double" ||
  (item !== undefined && hasDoubles(item)) ||
  (fields !== undefined && Object.values(fields).some(({ type }) => hasDoubles(type)))

function jsonCell(value: unknown, path: string, replacer: ReturnType<typeof jsonItem> | undefined): Cell {
  try {
    return textCell(JSON.stringify(value, replacer), path)
  } catch (thrown) {
    if (thrown instanceof TypeError) return wrong(path, "JSON")
    throw thrown
  }
}

function kindOf(type: FieldType<unknown>, path: string): Kind {
  const { avro } = type
  if (typeof avro === "string" && kinds[avro] !== undefined) return kinds[avro]
  const name = (avro as { readonly type?: unknown } | null)?.type
  if (name !== "array" && name !== "record")
    throw fatal("field-type", `no column can be made of field ${path}: its Avro type is not known to the sink`, {
      path,
    })
  const replacer = hasDoubles(type) ? jsonItem(path) : undefined
  return [
    "jsonb",
    (value) =>
      typeof value !== "object" || Array.isArray(value) !== (name === "array")
        ? wrong(path, name)
        : jsonCell(value, path, replacer),
  ]
}

function column(field: string, type: FieldType<unknown>, doc: string): Column {
  const inner = type.optional === true ? type.item! : type
  const [sql, cell] = kindOf(inner, field)
  const missing = (): Cell => {
    if (type.optional === true) return null
    throw badRecord("missing-field", `${field} has no value`, { path: field })
  }
  return {
    name: columnName(field),
    doc,
    type: sql,
    cell: (value) => (value === null || value === undefined ? missing() : cell(value, field)),
  }
}

/** The columns of a record type, one for each field, in the order of the fields, and the field that each is made from.
 * @throws fatal `column-name` when two fields would share a column, or one could be taken for a column of the sink's own */
export function columnsOf(type: RecordType): readonly (readonly [field: string, column: Column])[] {
  const seen = new Map<string, string>()
  return Object.entries(type.fields as Fields).map(([field, { type: fieldType, doc }]) => {
    const made = column(field, fieldType, doc)
    const other = seen.get(made.name)
    if (other !== undefined)
      throw fatal("column-name", `fields ${other} and ${field} of ${type.name} would share column ${made.name}`, {
        path: field,
      })
    if (made.name.startsWith("_") || Buffer.byteLength(made.name) > 63)
      throw fatal(
        "column-name",
        `field ${field} of ${type.name} cannot be a column: its name is longer than 63 bytes or begins with _`,
        { path: field },
      )
    seen.set(made.name, field)
    return [field, made] as const
  })
}
