/** What de-identification does to a field: identifier (keyed pseudonym), uid (mapped), date (shifted), text (dropped), quasi
 * (kept in `limited`, dropped in `clean`), keep. */
export type Mark = "identifier" | "uid" | "date" | "text" | "quasi" | "keep"

/** An Avro type with the TypeScript type of its values. */
export interface FieldType<T> {
  readonly avro: unknown
  /** Fields of a nested record; marks are on them, not on the field that holds it. */
  readonly fields?: Fields
  readonly item?: FieldType<unknown>
  readonly optional?: true
  readonly _type?: T
}

/** A field with its privacy mark. */
export interface Field<T> {
  readonly type: FieldType<T>
  readonly mark: Mark | "nested"
  readonly doc: string
}

/** Fields of a record by name, in the order of the schema. */
export type Fields = Readonly<Record<string, Field<unknown>>>
type TypeOf<F> = F extends Field<infer T> ? T : never
type ValueOfFields<F extends Fields> = { readonly [K in keyof F]: TypeOf<F[K]> }

/** A record type: an Avro record schema whose every field carries a privacy mark. `id` names the fields that, joined by `/` and
 * percent-encoded, make the row id, so that an id is de-identified by the marks of its parts. */
export interface RecordType<V = unknown> {
  readonly name: string
  readonly doc: string
  readonly fields: Fields
  readonly id: readonly string[]
  /** Its rows are made of many arrivals: the origin of one is only what changed it last. */
  readonly aggregate?: true
  /** Avro JSON schema; fields carry `weir.mark`. */
  readonly avro: unknown
  readonly _value?: V
}

/** The value type of a record type. */
export type ValueOf<R> = R extends RecordType<infer V> ? V : never

/** Text. */
export const string: FieldType<string> = { avro: "string" }
/** A whole number of 32 bits. */
export const int: FieldType<number> = { avro: "int" }
/** 64 bits in Avro, a safe integer here. */
export const long: FieldType<number> = { avro: "long" }
/** A floating-point number of 64 bits. */
export const double: FieldType<number> = { avro: "double" }
/** True or false. */
export const boolean: FieldType<boolean> = { avro: "boolean" }

/** A value or null; null is the default. */
export const optional = <T>(type: FieldType<T>): FieldType<T | null> => ({
  avro: ["null", type.avro],
  item: type as FieldType<unknown>,
  ...(type.fields === undefined ? {} : { fields: type.fields }),
  optional: true,
})

/** A list of values of one type. */
export const array = <T>(type: FieldType<T>): FieldType<readonly T[]> => ({
  avro: { type: "array", items: type.avro },
  item: type as FieldType<unknown>,
  ...(type.fields === undefined ? {} : { fields: type.fields }),
})

/** A nested record; `name` is unique within the record type. */
export const nested = <F extends Fields>(name: string, fields: F): FieldType<ValueOfFields<F>> => ({
  avro: { type: "record", name, fields: avroFields(fields) },
  fields,
})

const marked =
  (mark: Mark) =>
  <T>(type: FieldType<T>, doc: string): Field<T> => ({ type, mark, doc })

/** Something that points at a person or an order of theirs: becomes a keyed pseudonym. */
export const identifier = marked("identifier")
/** A DICOM UID: mapped to another one. */
export const uid = marked("uid")
/** A `long` (ms since 1970, UTC) or a string: YYYY[-MM[-DD[Thh:mm:ss…]]] or YYYYMMDD. */
export const date = marked("date")
/** Free text: dropped below `phi`. */
export const text = marked("text")
/** What singles a person out only together with other things: kept in `limited`, dropped in `clean`. */
export const quasi = marked("quasi")
/** What says nothing of who a person is: kept. */
export const keep = marked("keep")
/** A field that holds nested records, whose own fields carry the marks. */
export const group = <T>(type: FieldType<T>, doc: string): Field<T> => ({ type, mark: "nested", doc })

function avroFields(fields: Fields): unknown[] {
  return Object.entries(fields).map(([name, field]) => ({
    name,
    type: field.type.avro,
    doc: field.doc,
    "weir.mark": field.mark,
    ...(field.type.optional === true ? { default: null } : {}),
  }))
}

/** Declares a record type; its value type follows from the fields. */
export function recordType<F extends Fields>(declaration: {
  readonly name: string
  readonly doc: string
  readonly fields: F
  readonly id: readonly (keyof F & string)[]
  readonly aggregate?: true
}): RecordType<ValueOfFields<F>> {
  const { name, doc, fields, id, aggregate } = declaration
  for (const [field, { type, mark }] of Object.entries(fields))
    if ((mark === "nested") !== (type.fields !== undefined))
      throw new TypeError(`record type ${name}: field ${field} holds nested records exactly when it is made by group()`)
  const avro = {
    type: "record",
    name: avroName(name),
    namespace: "weir",
    doc,
    fields: avroFields(fields),
    "weir.id": id,
  }
  return { name, doc, fields, id, avro, ...(aggregate === true ? { aggregate } : {}) }
}

const avroName = (name: string): string =>
  name.replace(/(^|-)([a-z0-9])/g, (_, _dash, letter: string) => letter.toUpperCase())

/** The row id of a value, from the parts that its record type names. */
export const rowId = (parts: readonly string[]): string => parts.map(encodeURIComponent).join("/")

/** The parts of a row id. */
export const rowIdParts = (id: string): string[] => id.split("/").map(decodeURIComponent)
