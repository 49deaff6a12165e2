import { badRecord, retryable } from "../errors.ts"
import type { Body, ObjectInfo, Objects } from "../ports/objects.ts"
import { beginning, between, cut } from "./chunks.ts"
import {
  ChunkCipher,
  brokenObject,
  headerBytes,
  isSealed,
  isUnder,
  lastChunk,
  plainChunk,
  plainSize,
  sealedChunk,
} from "./format.ts"

/** Keys of objects, one for each. */
export interface ObjectKeys {
  /** The data key of an object that is about to be put; made if there is none. */
  forPut(key: string): Promise<Uint8Array>
  /** What is known of an object's data key. `isOwned`: whose it is was known once, so that it was put sealed.
   * @param isRight whether a key that was remembered is still the right one; else it is read anew */
  find(
    key: string,
    isRight?: (dataKey: Uint8Array) => boolean,
  ): Promise<{ readonly dataKey: Uint8Array | undefined; readonly isOwned: boolean }>
}

/** Sealed chunks that are handed on at once. */
const atOnce = 16

interface Range {
  readonly from: number
  readonly to: number
}

/** A bucket whose objects are sealed when they are put, each under a key of its own, and opened when they are read; those that were put
 * before, plain, stay readable. Sizes and ranges are of the plain bytes, and a range reads the chunks that it touches. What does not open
 * rejects as a bad record: `object-broken`, `object-erased`, `object-unsealed`. */
export class SealedObjects implements Objects {
  readonly driver: string
  readonly #objects: Objects
  readonly #keys: ObjectKeys
  readonly #zone: string

  constructor(objects: Objects, keys: ObjectKeys, zone: string) {
    this.driver = objects.driver
    this.#objects = objects
    this.#keys = keys
    this.#zone = zone
  }

  async put(key: string, body: Body): Promise<ObjectInfo> {
    const { sealed, size } = await this.#seal(key, body)
    await this.#objects.put(key, sealed)
    return { key, size: size() }
  }

  async putIfAbsent(key: string, body: Body): Promise<boolean> {
    return this.#objects.putIfAbsent(key, (await this.#seal(key, body)).sealed)
  }

  async get(key: string, range?: Range): Promise<AsyncIterable<Uint8Array>> {
    if (range !== undefined) return this.#range(key, range)
    const [begin, rest] = await beginning(await this.#objects.get(key), headerBytes)
    if (!isSealed(begin)) return this.#plain(key, begin, rest)
    return opened(await this.#cipher(key, begin, rest), rest)
  }

  async bytes(key: string): Promise<Uint8Array> {
    const bytes = await this.#objects.bytes(key)
    const [begin, rest] = await beginning(whole(bytes), headerBytes)
    const pieces: Uint8Array[] = []
    if (!isSealed(begin)) await this.#refuseUnsealed(key)
    if (!isSealed(begin)) return bytes
    for await (const piece of opened(await this.#cipher(key, begin, rest), rest)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const info = await this.#objects.head(key)
    return info === undefined ? undefined : this.#sized(info)
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo> {
    for await (const info of this.#objects.list(prefix)) {
      const sized = await this.#sized(info).catch((error: { code?: string }) => {
        // It was deleted since it was listed.
        if (error.code === "object-missing") return undefined
        throw error
      })
      if (sized !== undefined) yield sized
    }
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#objects.delete(keys)
  }

  close(): Promise<void> {
    return this.#objects.close()
  }

  async #seal(key: string, body: Body): Promise<{ readonly sealed: Body; readonly size: () => number }> {
    const cipher = ChunkCipher.fresh(await this.#keys.forPut(key), `${this.#zone} ${key}`)
    if (!(body instanceof Uint8Array)) return sealed(cipher, body)
    const pieces: Uint8Array[] = []
    for await (const piece of sealed(cipher, whole(body)).sealed) pieces.push(piece)
    return { sealed: Buffer.concat(pieces), size: () => body.length }
  }

  async #cipher(key: string, header: Uint8Array, rest?: AsyncGenerator<Uint8Array>): Promise<ChunkCipher> {
    try {
      if (header.length < headerBytes) throw brokenObject()
      const { dataKey } = await this.#keys.find(key, (known) => isUnder(header, known))
      if (dataKey === undefined) throw erased()
      if (!isUnder(header, dataKey)) throw brokenObject()
      return ChunkCipher.of(header, dataKey, `${this.#zone} ${key}`)
    } catch (error) {
      await rest?.next().then(() => rest.return(undefined))
      throw error
    }
  }

  async *#plain(key: string, begin: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    await this.#refuseUnsealed(key)
    if (begin.length > 0) yield begin
    yield* rest
  }

  async #refuseUnsealed(key: string): Promise<void> {
    const { isOwned } = await this.#keys.find(key)
    if (isOwned)
      throw badRecord("object-unsealed", "an object that was put sealed is plain: somebody replaced it", {
        hint: "find out who writes to the phi bucket; send what it was made of again",
      })
  }

  async #sized(info: ObjectInfo): Promise<ObjectInfo> {
    const header = await this.#header(info.key)
    return isSealed(header) ? { key: info.key, size: plainSize(info.size) } : info
  }

  async #header(key: string): Promise<Uint8Array> {
    return collect(await this.#objects.get(key, { from: 0, to: headerBytes }))
  }

  async #range(key: string, { from, to }: Range): Promise<AsyncIterable<Uint8Array>> {
    const header = await this.#header(key)
    if (to <= from) return nothing()
    if (!isSealed(header)) {
      await this.#refuseUnsealed(key)
      return this.#objects.get(key, { from, to })
    }
    const first = Math.floor(from / plainChunk)
    const plain = this.#chunks(key, header, first, lastChunk(to) + 1)
    return between(plain, from - first * plainChunk, to - first * plainChunk)
  }

  /** The plain bytes of chunks [first, end), as far as there are any; that there are no more is seen by the last one's mark. */
  async *#chunks(key: string, header: Uint8Array, first: number, end: number): AsyncGenerator<Uint8Array> {
    const cipher = await this.#cipher(key, header)
    const at = (chunk: number) => headerBytes + chunk * sealedChunk
    try {
      // One byte more tells whether the last of them is the object's last.
      const sealed = await this.#objects.get(key, { from: at(first), to: at(end) + 1 })
      let next = first
      for await (const { chunks, last } of cut(sealed, sealedChunk)) {
        if (last && next === end) return
        if (last && next === first && chunks[0]!.length === 0) return await this.#checkEnd(key, cipher, first)
        for (const chunk of chunks) yield cipher.open(next++, last, chunk)
      }
    } catch (error) {
      const now = await this.#header(key)
      if (Buffer.compare(now, header) === 0) throw error
      throw retryable("object-replaced", "the object was replaced while it was read")
    }
  }

  /** Of an object that ends before `chunk`: whether its end is the one that it was sealed with. */
  async #checkEnd(key: string, cipher: ChunkCipher, chunk: number): Promise<void> {
    const info = await this.#objects.head(key)
    const last = lastChunk(info === undefined ? 0 : plainSize(info.size))
    if (last >= chunk) throw brokenObject()
    const from = headerBytes + last * sealedChunk
    cipher.open(last, true, await collect(await this.#objects.get(key, { from, to: from + sealedChunk })))
  }
}

function sealed(cipher: ChunkCipher, body: AsyncIterable<Uint8Array>) {
  let size = 0
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield cipher.header
    let number = 0
    for await (const { chunks, last } of cut(body, plainChunk))
      for (let from = 0; from < chunks.length; from += atOnce) {
        const some = chunks.slice(from, from + atOnce)
        for (const { length } of some) size += length
        yield Buffer.concat(some.flatMap((chunk) => cipher.seal(number++, last, chunk)))
      }
  }
  return { sealed: pieces(), size: () => size }
}

async function* opened(cipher: ChunkCipher, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let number = 0
  for await (const { chunks, last } of cut(body, sealedChunk))
    for (const chunk of chunks) {
      const plain = cipher.open(number++, last, chunk)
      if (plain.length > 0) yield plain
    }
}

const erased = () =>
  badRecord("object-erased", "the key of a sealed object is gone: whose it was is erased, or nothing referred to it", {
    hint: "if nobody was erased, the Store is not the one that the bucket belongs to",
  })

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}
