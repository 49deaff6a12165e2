import { Schema, defineSink, fatal } from "../../core/index.ts"
import type { Context, Objects, Rec, SinkInput, SinkInstance, Span } from "../../core/index.ts"
import { Chunk } from "./chunk.ts"
import { layoutKey, manifestFrom, manifestsPrefix } from "./layout.ts"
import type { Place } from "./layout.ts"
import type { OffsetLine } from "./manifest.ts"

const options = Schema.Struct({
  "chunk-records": Schema.optionalKey(
    Schema.Int.annotate({ description: "offsets in a chunk, 1 or more; fixed with the first record (default 10000)" }),
  ),
})

/** Keys come in one order and 64-bit numbers as texts, so that a record is one line, byte for byte. */
const lineOf = ({ key, id, op, version, time, value }: Rec): string =>
  JSON.stringify({ key, id, op, version: String(version), time, value }, (_, item: unknown) =>
    typeof item === "bigint" ? String(item) : item,
  )

interface Open {
  /** Where the partition was read to when the chunk was last touched. */
  readonly next: bigint
  readonly chunk: Chunk
}

/** Writes partitions as chunks; keeps the open chunk of each in mind between writes. */
class ObjectStore {
  readonly delivery = "idempotent"
  readonly #inputs: ReadonlyMap<string, { readonly input: SinkInput; readonly objects: Objects }>
  readonly #size: bigint
  readonly #open = new Map<string, Open>()
  /** Nothing was written since it was flushed. */
  readonly #flushed = new Set<string>()
  readonly #laid = new Set<string>()

  constructor(inputs: ReadonlyMap<string, { readonly input: SinkInput; readonly objects: Objects }>, size: number) {
    this.#inputs = inputs
    this.#size = BigInt(size)
  }

  async write(batch: readonly Rec[], at: Span): Promise<void> {
    const slot = `${at.topic}/${at.partition}`
    await this.#layOut(at.topic)
    this.#flushed.delete(slot)
    const known = this.#open.get(slot)
    // Anything but the next step (a redelivery, another owner in between, a failure) is read back from the store.
    this.#open.delete(slot)
    let chunk = known?.next === at.from ? known.chunk : undefined
    for (const [from, records] of this.#byChunk(batch, at.from)) {
      if (chunk?.from !== from) chunk = await this.#chunk(at, from)
      const lines: OffsetLine[] = records.map((record) => ({ offset: record.at.offset, line: lineOf(record) }))
      await chunk.add(lines, at.next)
    }
    if (chunk !== undefined) this.#open.set(slot, { next: at.next, chunk })
  }

  /** A topic through which rows come again is empty as a rule, and has a layout once something comes. */
  async #layOut(topic: string): Promise<void> {
    const bound = this.#inputs.get(topic)
    if (bound?.input.of === undefined || this.#laid.has(topic)) return
    await checkLayout(bound.objects, bound.input, Number(this.#size))
    this.#laid.add(topic)
  }

  /** Joins the files of the open chunk, also when an earlier run wrote them. */
  async flush(topic: string, partition: number): Promise<void> {
    const slot = `${topic}/${partition}`
    if (this.#flushed.has(slot)) return
    const open = this.#open.get(slot)
    await (open === undefined ? await this.#lastChunk({ topic, partition }) : open.chunk)?.join()
    this.#flushed.add(slot)
  }

  async close(): Promise<void> {
    this.#open.clear()
  }

  /** The records by the chunk that they are in, in order; that of `from` is always there, as it may have come to its end. */
  #byChunk(batch: readonly Rec[], from: bigint): ReadonlyMap<bigint, readonly Rec[]> {
    const start = (offset: bigint): bigint => offset - (offset % this.#size)
    const chunks = new Map<bigint, Rec[]>([[start(from), []]])
    for (const record of batch) {
      const chunk = start(record.at.offset)
      const records = chunks.get(chunk)
      if (records === undefined) chunks.set(chunk, [record])
      else records.push(record)
    }
    return chunks
  }

  async #lastChunk(place: Place): Promise<Chunk | undefined> {
    let last: string | undefined
    for await (const { key } of this.#bound(place).objects.list(manifestsPrefix(place))) last = key
    return last === undefined ? undefined : this.#chunk(place, manifestFrom(last))
  }

  #chunk(place: Place, from: bigint): Promise<Chunk> {
    const { objects, input } = this.#bound(place)
    return Chunk.open(objects, { topic: place.topic, partition: place.partition }, input, from, from + this.#size)
  }

  #bound({ topic }: Place) {
    const bound = this.#inputs.get(topic)
    if (bound === undefined) throw fatal("topic-not-bound", "the sink was given a topic that it is not bound to")
    return bound
  }
}

/** Chunks of another size would overlap the ones that are there. */
async function checkLayout(objects: Objects, { topic, type }: SinkInput, size: number): Promise<void> {
  const layout = Buffer.from(`${JSON.stringify({ format: "weir-layout-1", type: type.name, chunkRecords: size })}\n`)
  if (await objects.putIfAbsent(layoutKey(topic), layout)) return
  if (Buffer.compare(await objects.bytes(layoutKey(topic)), layout) !== 0)
    throw fatal(
      "layout-changed",
      `what is stored of topic ${topic} has chunks of another size or another record type`,
      {
        path: "chunk-records",
        hint: "keep chunk-records as it was, or name a new topic",
      },
    )
}

async function create(size: number, context: Context, inputs: readonly SinkInput[]): Promise<SinkInstance> {
  if (size < 1) throw fatal("chunk-records", "chunk-records must be 1 or more", { path: "chunk-records" })
  const bound = new Map(inputs.map((input) => [input.topic, { input, objects: context.objects(input.zone) }]))
  for (const { input, objects } of bound.values()) if (input.of === undefined) await checkLayout(objects, input, size)
  return new ObjectStore(bound, size)
}

/** Writes topics to the bucket of their zone as gzip JSON lines (`key`, `id`, `op`, `version`, `time`, `value`; retracts included),
 * in chunks whose bounds are fixed by offsets. A file counts when the newest manifest record of its chunk names it
 * (docs/decisions/0013-object-store-chunks.md). */
export const objectStore = defineSink({
  name: "object-store",
  summary: "Writes records as gzip JSON lines to the object store, in chunks with a manifest",
  delivery: "idempotent",
  options,
  create: (given, context, inputs) => create(given["chunk-records"] ?? 10_000, context, inputs),
})
