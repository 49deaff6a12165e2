import { createHash } from "node:crypto"
import { envelopeCodec, keyCodec } from "../formats/avro/index.ts"
import type { Envelope } from "../formats/avro/index.ts"
import { fatal } from "./errors.ts"
import type { Fetched, Message } from "./ports/log.ts"
import type { Objects } from "./ports/objects.ts"
import type { Draft, Position, Rec, Zone } from "./record.ts"
import type { RecordType } from "./record-type.ts"

/** Values above this many encoded bytes go to the zone's bucket, and the message holds a claim check. */
export const claimLimit = 512 * 1024

/** A note between tasks in a topic, beside its records: not data, and every subscriber passes over it (op `control`).
 * end: the writer has no more for now; `mark` names all that it ended with. open: it writes again. complete: a feed is complete
 * to a clinical time. */
export interface Control {
  readonly kind: "end" | "open" | "complete"
  /** `source/<name>` or `stage/<name>/<partition>`. */
  readonly writer: string
  /** Of `end`. */
  readonly mark?: string
  /** Of `complete`: the feed, `<source>/<what>`, and ms since 1970, UTC. */
  readonly feed?: string
  readonly through?: number
  readonly at: Position
}

const claims = new WeakMap<object, string>()

/** The key of the object that holds a record's value, where that is too large for a message; of the very record that was decoded. */
export const claimOf = (record: Rec): string | undefined => claims.get(record)

export type Decoded = { readonly record: Rec } | { readonly control: Control }

/** Encodes and decodes one topic's messages: Avro in the Confluent wire format. */
export interface TopicCodec {
  readonly topic: string
  readonly zone: Zone
  readonly type: RecordType
  encode(draft: Draft, origin: Position): Message | Promise<Message>
  control(control: Omit<Control, "at">): Message
  decode(message: Fetched, partition: number): Decoded | Promise<Decoded>
  /** The origin of a record, without its value; undefined for a control. */
  originOf(message: Fetched, partition: number): Position | undefined
}

/** The Avro schema under which a topic's messages are registered. */
export const topicSchema = (type: RecordType): unknown => envelopeCodec(type.avro).schema

/** What seals the values of a topic's records. */
export interface ValueSealing {
  /** Names what a value is sealed for. */
  about(draft: Draft): string
  /** Told of an object that holds a value which is too large for a message.
   * @param key of the record */
  claimed(key: string, object: string): Promise<void>
}

/** @param schemaId the registry's id of the topic's schema
 * @param schemas all that the registry holds, by id: what was written with an older one is still read
 * @param sealing absent where values are not sealed */
export function topicCodec(
  topic: string,
  zone: Zone,
  type: RecordType,
  schemaId: number,
  schemas: ReadonlyMap<number, unknown>,
  objects: Objects,
  sealing?: ValueSealing,
): TopicCodec {
  const envelopes = envelopeCodec(type.avro, schemas)
  const message = (envelope: Envelope): Message => ({
    key: keyCodec.encode(envelope),
    value: encodeEnvelope(envelopes, envelope, schemaId, topic),
    timestamp: envelope.time,
  })
  const check = async (envelope: Envelope): Promise<Message> => {
    const bytes = Buffer.from(JSON.stringify(envelope.value))
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const key = `values/${sha256.slice(0, 2)}/${sha256}`
    await objects.put(key, bytes)
    await sealing?.claimed(envelope.key, key)
    return message({ ...envelope, value: null, claim: { key, size: bytes.length, sha256 } })
  }
  const fetch = async (envelope: Envelope, claim: NonNullable<Envelope["claim"]>): Promise<unknown> => {
    const bytes = await objects.bytes(claim.key)
    if (createHash("sha256").update(bytes).digest("hex") !== claim.sha256)
      throw fatal("claim-mismatch", `object ${claim.key} is not what the record in ${topic} claims`, {
        hint: "restore the object from a backup",
      })
    return JSON.parse(Buffer.from(bytes).toString()) as unknown
  }
  return {
    topic,
    zone,
    type,
    encode(draft, origin) {
      const { key, id, op, version, time, value } = draft
      const envelope: Envelope = {
        key,
        id,
        op,
        version,
        time,
        value,
        origin,
        headers: draft.headers ?? {},
        claim: null,
      }
      const encoded = message(envelope)
      const ready = encoded.value!.length > claimLimit && draft.value !== null ? check(envelope) : encoded
      // What has no value stays readable: who lags behind must learn that a row is gone, whoever was erased meanwhile.
      if (sealing === undefined || draft.value === null) return ready
      const sealed = (one: Message): Message => ({ ...one, about: sealing.about(draft) })
      return ready instanceof Promise ? ready.then(sealed) : sealed(ready)
    },
    control({ kind, writer, mark, feed, through }) {
      const headers: Record<string, string> = { kind, writer }
      if (mark !== undefined) headers.mark = mark
      if (feed !== undefined) headers.feed = feed
      if (through !== undefined) headers.through = String(through)
      const id = `~${kind === "complete" ? `complete/${feed}` : "end"}/${writer}`
      const origin = { topic: "", partition: 0, offset: 0n }
      return message({ key: "", id, op: "control", version: 0n, time: 0, origin, headers, claim: null, value: null })
    },
    originOf({ value, offset }, partition) {
      const at = { topic, partition, offset }
      const { op, origin } = decodeEnvelope(envelopes, value!, at)
      if (op === "control") return undefined
      return origin.topic === "" ? at : origin
    },
    decode({ value, offset }, partition) {
      const at = { topic, partition, offset }
      if (value === null)
        throw fatal("null-message", `${place(at)}: a message without a value`, {
          hint: "only Weir may write this topic",
        })
      const envelope = decodeEnvelope(envelopes, value, at)
      const { key, id, op, version, time, headers, claim } = envelope
      if (op === "control") {
        const { kind, writer, mark, feed, through } = headers
        return {
          control: {
            kind: kind as Control["kind"],
            writer: writer ?? "",
            ...(mark === undefined ? {} : { mark }),
            ...(feed === undefined ? {} : { feed }),
            ...(through === undefined ? {} : { through: Number(through) }),
            at,
          },
        }
      }
      // `origin.topic` is empty in what a source wrote: its chain begins here.
      const origin = envelope.origin.topic === "" ? at : envelope.origin
      const rec = (content: unknown): Decoded => ({
        record: { key, id, op, version, time, value: content, headers, at, origin, zone, type: type.name },
      })
      if (claim === null) return rec(envelope.value)
      return fetch(envelope, claim).then((content) => {
        const decoded = rec(content)
        if ("record" in decoded) claims.set(decoded.record, claim.key)
        return decoded
      })
    },
  }
}

/** What a source writes has no origin yet: the place where it is first read is its origin. */
export const noOrigin: Position = { topic: "", partition: 0, offset: 0n }

export const place = (at: Position): string => `${at.topic}[${at.partition}]@${at.offset}`

function encodeEnvelope(
  codec: ReturnType<typeof envelopeCodec>,
  envelope: Envelope,
  schemaId: number,
  topic: string,
): Uint8Array {
  try {
    return codec.encode(envelope, schemaId)
  } catch (cause) {
    const path = (cause as { path?: string }).path ?? ""
    throw fatal("not-of-schema", `a record for ${topic} is not of the topic's record type`, {
      cause,
      path,
      hint: "the plugin that made it is wrong: compare with the record type's fields",
    })
  }
}

function decodeEnvelope(codec: ReturnType<typeof envelopeCodec>, value: Uint8Array, at: Position): Envelope {
  try {
    return codec.decode(value)
  } catch (cause) {
    throw fatal("undecodable", `${place(at)}: not a message of this topic's schema`, {
      cause,
      hint: "something else wrote to the topic, or its schema changed: see `weir topic read`",
    })
  }
}
