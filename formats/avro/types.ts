import avro from "avsc"
import type { Type } from "avsc"

/** A `long` that is a bigint in JavaScript: the schema carries `"weir.bigint": true`, which other readers pass over. */
export const bigLong = { type: "long", "weir.bigint": true } as const

const asBigint = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer(value: bigint) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(value)
    return bytes
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint" && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
})

/** The type of an Avro JSON schema; records come out as plain objects without methods. */
export function typeOf(schema: unknown): Type {
  return avro.Type.forSchema(
    schema as avro.Schema,
    {
      omitRecordMethods: true,
      typeHook: (part: unknown) =>
        typeof part === "object" && (part as unknown as Record<string, unknown>)["weir.bigint"] === true
          ? asBigint
          : undefined,
    } as unknown as avro.ForSchemaOptions,
  )
}
