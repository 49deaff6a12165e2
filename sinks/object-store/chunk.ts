import { createHash } from "node:crypto"
import { WeirError, retryable, systemic } from "../../core/index.ts"
import type { Objects, SinkInput } from "../../core/index.ts"
import { compressed, hashed, inflated } from "./gzip.ts"
import { dataFrom, dataKey, dataPrefix, manifestKey, manifestPrefix } from "./layout.ts"
import type { Place } from "./layout.ts"
import { manifestBytes } from "./manifest.ts"
import type { FileEntry, Manifest, OffsetLine } from "./manifest.ts"

/** Files of an open chunk above which they are joined. */
const mostFiles = 100

const lineHash = (line: string): string => createHash("sha256").update(line).digest("hex")

async function* textOf(lines: readonly OffsetLine[]): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < lines.length; from += 100)
    yield Buffer.from(
      lines
        .slice(from, from + 100)
        .map(({ line }) => `${line}\n`)
        .join(""),
    )
}

/** What this writer read of a chunk may be gone because another one went on; the next claim sees how far. */
const goneElsewhere = (error: unknown): unknown =>
  error instanceof WeirError && error.code === "object-missing"
    ? retryable("chunk-changed", "an object of a chunk is gone: another writer went on with it")
    : error

async function manifestAt(objects: Objects, key: string): Promise<Manifest> {
  try {
    return JSON.parse(Buffer.from(await objects.bytes(key)).toString("utf8")) as Manifest
  } catch (error) {
    throw goneElsewhere(error)
  }
}

/** One chunk of a partition: the records of offsets [from, to). Everything it says is durable once the call resolves. */
export class Chunk {
  readonly from: bigint
  readonly to: bigint
  readonly #objects: Objects
  readonly #place: Place
  readonly #input: SinkInput
  #manifest: Manifest | undefined

  private constructor(
    objects: Objects,
    place: Place,
    input: SinkInput,
    from: bigint,
    to: bigint,
    manifest: Manifest | undefined,
  ) {
    this.#objects = objects
    this.#place = place
    this.#input = input
    this.from = from
    this.to = to
    this.#manifest = manifest
  }

  /** What is stored of a chunk: the manifest record that reaches farthest. */
  static async open(objects: Objects, place: Place, input: SinkInput, from: bigint, to: bigint): Promise<Chunk> {
    let newest: string | undefined
    for await (const { key } of objects.list(manifestPrefix(place, from))) newest = key
    const manifest = newest === undefined ? undefined : await manifestAt(objects, newest)
    return new Chunk(objects, place, input, from, to, manifest)
  }

  /** Stores the lines that are not stored yet; a chunk that was read to its end is sealed.
   * @param read the offset up to which the partition was read
   * @throws systemic `topic-recreated` when a stored line is another now */
  async add(lines: readonly OffsetLine[], read: bigint): Promise<void> {
    this.#check(lines)
    if (this.#manifest?.sealed === true) return
    const covered = this.#next
    const fresh = lines.filter(({ offset }) => offset >= covered)
    if (read >= this.to) return this.#seal(fresh)
    if (fresh.length === 0) return
    const next = fresh.at(-1)!.offset + 1n
    const file = await this.#store(covered, next, () => textOf(fresh), fresh.length)
    await this.#name([...this.#files, file], next, false, fresh)
    if (this.#files.length >= mostFiles) await this.join()
  }

  /** Joins the files of an open chunk, so that equal records give equal objects. The files that were joined stay until the chunk
   * is sealed: another owner of the partition may just name them. */
  async join(): Promise<void> {
    if (this.#manifest === undefined || this.#files.length < 2) return
    const { sealed, records } = this.#manifest
    const file = await this.#store(this.from, this.#next, () => this.#stored(), records)
    await this.#name([file], this.#next, sealed, [])
  }

  get #files(): readonly FileEntry[] {
    return this.#manifest?.files ?? []
  }

  get #next(): bigint {
    return this.#manifest === undefined ? this.from : BigInt(this.#manifest.next)
  }

  async #seal(fresh: readonly OffsetLine[]): Promise<void> {
    const records = (this.#manifest?.records ?? 0) + fresh.length
    if (records === 0) return
    const both = async function* (stored: AsyncIterable<Uint8Array>) {
      yield* stored
      yield* textOf(fresh)
    }
    const file = await this.#store(this.from, this.to, () => both(this.#stored()), records)
    await this.#name([file], this.to, true, fresh)
    await this.#sweep(file.key)
  }

  /** The text of the files that count, in offset order. */
  async *#stored(): AsyncGenerator<Uint8Array> {
    for (const { key } of this.#files) {
      try {
        yield* inflated(await this.#objects.get(key))
      } catch (error) {
        throw goneElsewhere(error)
      }
    }
  }

  async #store(from: bigint, next: bigint, text: () => AsyncIterable<Uint8Array>, records: number): Promise<FileEntry> {
    const { sha256, bytes, body } = await hashed(() => compressed(text()))
    const key = dataKey(this.#place, from, next, sha256)
    await this.#objects.put(key, body)
    return { key, from: String(from), next: String(next), records, bytes, sha256 }
  }

  /** Makes files count. */
  async #name(files: readonly FileEntry[], next: bigint, sealed: boolean, fresh: readonly OffsetLine[]): Promise<void> {
    const before = this.#manifest
    const newest = fresh.at(-1)
    const last = newest === undefined ? before!.last : { offset: String(newest.offset), sha256: lineHash(newest.line) }
    const { zone, type, privacy = [] } = this.#input
    const manifest: Manifest = {
      format: "weir-chunk-1",
      topic: this.#place.topic,
      partition: this.#place.partition,
      zone,
      type: type.name,
      ...(privacy.length === 0 ? {} : { privacy }),
      from: String(this.from),
      next: String(next),
      sealed,
      records: files.reduce((sum, file) => sum + file.records, 0),
      files,
      last,
    }
    await this.#objects.put(manifestKey(this.#place, this.from, next), manifestBytes(manifest))
    this.#manifest = manifest
    // A record that reaches less far never counts again, whoever writes it.
    if (before !== undefined && before.next !== manifest.next)
      await this.#objects.delete([manifestKey(this.#place, this.from, BigInt(before.next))])
  }

  /** Removes what a sealed chunk leaves behind. */
  async #sweep(kept: string): Promise<void> {
    const stale: string[] = []
    const sealed = manifestKey(this.#place, this.from, this.to)
    for await (const { key } of this.#objects.list(manifestPrefix(this.#place, this.from)))
      if (key !== sealed) stale.push(key)
    for await (const { key } of this.#objects.list(dataPrefix(this.#place, this.from, this.to))) {
      const from = dataFrom(key)
      if (key !== kept && from >= this.from && from < this.to) stale.push(key)
    }
    if (stale.length > 0) await this.#objects.delete(stale)
  }

  #check(lines: readonly OffsetLine[]): void {
    if (this.#manifest === undefined) return
    const { offset, sha256 } = this.#manifest.last
    const again = lines.find((line) => String(line.offset) === offset)
    if (again !== undefined && lineHash(again.line) !== sha256)
      throw systemic("topic-recreated", "the topic holds another record where one was stored: it was made anew", {
        hint: "move the objects of the topic away, or name a new topic",
      })
  }
}
