import avro from "avsc"
import type { Type } from "avsc"

/** A `long` that is a bigint in JavaScript: the schema carries `"weir.bigint": true`, which other readers pass over. */
export const bigLong = { type: "long", "weir.bigint": true } as const

/** Where avsc reads (avsc 5.7.9, lib/utils.js). */
interface Tap {
  readonly buf: Uint8Array
  pos: number
}

/** A zigzag VARINT of up to 64 bits (Avro 1.12, Binary Encoding); those below 2^49 come by way of a double, which is exact there. */
function readBigint(tap: Tap): bigint {
  const { buf } = tap
  let value = 0
  let factor = 1
  for (let at = tap.pos; at < tap.pos + 7; at++, factor *= 128) {
    const byte = buf[at]!
    value += (byte & 0x7f) * factor
    if (byte >= 0x80) continue
    tap.pos = at + 1
    return BigInt(value % 2 === 0 ? value / 2 : -(value + 1) / 2)
  }
  return readLongBigint(tap)
}

function readLongBigint(tap: Tap): bigint {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = tap.buf[tap.pos++]!
    value |= BigInt(byte & 0x7f) << shift
    // Past the end of the bytes there is nothing, which avsc sees by `pos`.
    if (!(byte >= 0x80)) break
  }
  return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
}

const viaBytes = avro.types.LongType.__with({
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

/** avsc makes two buffers for each bigint that it reads; every record has two of them. */
const asBigint = Object.create(viaBytes, { _read: { value: readBigint } }) as typeof viaBytes

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
