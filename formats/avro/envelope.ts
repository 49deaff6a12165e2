import type { Type } from "avsc"
import { bigLong, typeOf } from "./types.ts"
import { AvroFault, decodeMessage, encodeMessage, schemaIdOf } from "./wire.ts"

/** What a message holds: a record, or a note between tasks (op `control`). */
export interface Envelope {
  readonly key: string
  readonly id: string
  readonly op: "upsert" | "retract" | "control"
  readonly version: bigint
  /** Event time, ms since 1970, UTC. */
  readonly time: number
  /** Where the record's chain began; an empty topic in what a source wrote. */
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: bigint }
  readonly headers: Readonly<Record<string, string>>
  /** Where a value is that is too large for a message. */
  readonly claim: { readonly key: string; readonly size: number; readonly sha256: string } | null
  readonly value: unknown
}

/** Encodes and decodes envelopes of one record type. */
export interface EnvelopeCodec {
  /** Avro JSON schema, to be registered. */
  readonly schema: unknown
  encode(envelope: Envelope, schemaId: number): Uint8Array
  /** Throws AvroFault for what is not a message of a known schema. */
  decode(bytes: Uint8Array): Envelope
}

const schemaOf = (value: unknown): unknown => ({
  type: "record",
  name: "Envelope",
  namespace: "weir",
  doc: "A change of one row; see the record type of `value`.",
  fields: [
    { name: "key", type: "string" },
    { name: "id", type: "string" },
    { name: "op", type: { type: "enum", name: "Op", symbols: ["upsert", "retract", "control"] } },
    { name: "version", type: bigLong },
    { name: "time", type: "long" },
    {
      name: "origin",
      type: {
        type: "record",
        name: "Position",
        fields: [
          { name: "topic", type: "string" },
          { name: "partition", type: "int" },
          { name: "offset", type: bigLong },
        ],
      },
    },
    { name: "headers", type: { type: "map", values: "string" } },
    {
      name: "claim",
      type: [
        "null",
        {
          type: "record",
          name: "Claim",
          fields: [
            { name: "key", type: "string" },
            { name: "size", type: "long" },
            { name: "sha256", type: "string" },
          ],
        },
      ],
      default: null,
    },
    { name: "value", type: ["null", value], default: null },
  ],
})

/** @param value Avro JSON schema of the record type
 * @param schemas the schemas that messages may have been written with, by id; another than the codec's own is resolved by Avro's
 * rules. Without it every message is taken for the codec's own. */
export function envelopeCodec(value: unknown, schemas?: ReadonlyMap<number, unknown>): EnvelopeCodec {
  const { schema, type, text } = builtOf(value)
  const resolvers = new Map<number, unknown>()
  return {
    schema,
    encode: (envelope, schemaId) => encodeMessage(type, envelope, schemaId),
    decode(bytes) {
      const id = schemaIdOf(bytes)
      if (schemas !== undefined && !resolvers.has(id)) resolvers.set(id, resolverOf(type, text, schemas.get(id), id))
      return decodeMessage(type, bytes, resolvers.get(id)) as Envelope
    },
  }
}

interface Built {
  readonly schema: unknown
  readonly type: Type
  readonly text: string
}

/** By the record type's schema object: making a type compiles code, and each topic asks for it several times at a start. */
const built = new WeakMap<object, Built>()

function builtOf(value: unknown): Built {
  const known = typeof value === "object" && value !== null ? built.get(value) : undefined
  if (known !== undefined) return known
  const schema = schemaOf(value)
  const fresh = { schema, type: typeOf(schema), text: JSON.stringify(schema) }
  if (typeof value === "object" && value !== null) built.set(value, fresh)
  return fresh
}

function resolverOf(type: Type, own: string, writer: unknown, id: number): unknown {
  if (writer === undefined) throw new AvroFault(`schema ${id} is not in the registry`)
  return JSON.stringify(writer) === own ? undefined : type.createResolver(typeOf(writer))
}
