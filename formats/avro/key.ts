import { typeOf } from "./types.ts"
import { encodeAfter } from "./wire.ts"

/** What identifies a row. */
export interface RowKey {
  readonly key: string
  readonly id: string
}

const type = typeOf({
  type: "record",
  name: "RowKey",
  namespace: "weir",
  fields: [
    { name: "key", type: "string" },
    { name: "id", type: "string" },
  ],
})

/** The message key: the bare Avro datum of (key, id), so that compaction keeps rows. */
export const keyCodec = {
  encode: (row: RowKey): Uint8Array => encodeAfter(type, row, 0),
  decode: (bytes: Uint8Array): RowKey =>
    type.fromBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) as RowKey,
}
