import { badRecord, fatal } from "../../core/index.ts"
import type { Fields, FieldType, RecordType } from "../../core/index.ts"

/** A column of a topic's table. */
export interface Column {
  readonly name: string
  readonly doc: string
  readonly type: "text" | "integer" | "bigint" | "double precision" | "boolean" | "jsonb"
  /** The field's value as an element of a PostgreSQL array literal; throws bad-record. */
  cell(value: unknown): string
}

/** The column of a field: `studyInstanceUid` becomes `study_instance_uid`, so that SQL needs no quotes. */
export const columnName = (field: string): string =>
  field
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()

// oxlint-disable no-control-regex -- U+0000 is what is looked for, and what JSON escapes
const special = /["\\\0]/
/** What JSON.stringify escapes in another way than array literals: there a backslash stands for the next character. */
const escapedElsewise = /[\0-\x1f\ud800-\udfff]/
// oxlint-enable no-control-regex

/** A text as an element of an array literal (PostgreSQL 18, 8.15.2); throws bad-record for U+0000, which no text can hold. */
export function textCell(text: string, path: string): string {
  if (!special.test(text)) return `"${text}"`
  // Five times as fast as String.replace, and most of what has quotes is JSON.
  if (!escapedElsewise.test(text)) return JSON.stringify(text)
  if (text.includes("\0"))
    throw badRecord("nul-character", `${path} holds U+0000, which PostgreSQL cannot store`, { path })
  return `"${text.replace(/["\\]/g, "\\$&")}"`
}

const wrong = (path: string, type: string): never => {
  throw badRecord("wrong-type", `${path} is not of its type, ${type}`, { path })
}

type Cell = (value: unknown, path: string) => string
type Kind = readonly [type: Column["type"], cell: Cell]

const kinds: Readonly<Record<string, Kind>> = {
  string: ["text", (value, path) => (typeof value === "string" ? textCell(value, path) : wrong(path, "string"))],
  int: ["integer", (value, path) => (Number.isInteger(value) ? String(value) : wrong(path, "int"))],
  long: [
    "bigint",
    (value, path) => (Number.isSafeInteger(value) || typeof value === "bigint" ? String(value) : wrong(path, "long")),
  ],
  double: ["double precision", (value, path) => (typeof value === "number" ? String(value) : wrong(path, "double"))],
  boolean: ["boolean", (value, path) => (typeof value === "boolean" ? (value ? "t" : "f") : wrong(path, "boolean"))],
}

/** JSON has no NaN and no infinities: JSON.stringify would make null of them. */
const jsonItem = (path: string) => (_: string, item: unknown) =>
  typeof item === "number" && !Number.isFinite(item) ? wrong(path, "JSON") : item

const hasDoubles = ({ avro, item, fields }: FieldType<unknown>): boolean =>
  avro === "double" ||
  (item !== undefined && hasDoubles(item)) ||
  (fields !== undefined && Object.values(fields).some(({ type }) => hasDoubles(type)))

function jsonCell(value: unknown, path: string, replacer: ReturnType<typeof jsonItem> | undefined): string {
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
  const missing = (): string => {
    if (type.optional === true) return "NULL"
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
