import { createHash } from "node:crypto"
import { badRecord } from "../../core/index.ts"
import type { Objects } from "../../core/index.ts"
import type { Original, ReleasedObject } from "./dicom-original.ts"

const changed = () =>
  badRecord("object-changed", "the object's bytes are not those that its claim check names", {
    hint: "find out who writes to the phi bucket; send the instance again",
  })

/** Objects up to this many bytes may be kept between the reading of their header and the verdict. */
const mostKept = 8 << 20

/** Bytes of originals that one step keeps, so that small objects are read once; a bounded number of bytes in all. */
export class Kept {
  readonly #bytes = new Map<string, Uint8Array>()
  #room: number

  /** @param room bytes */
  constructor(room: number) {
    this.#room = room
  }

  hasRoom(size: number): boolean {
    return size <= mostKept && size <= this.#room
  }

  keep(key: string, bytes: Uint8Array): void {
    if (this.#bytes.has(key)) return
    this.#bytes.set(key, bytes)
    this.#room -= bytes.length
  }

  get(key: string): Uint8Array | undefined {
    return this.#bytes.get(key)
  }

  forget(key: string): void {
    this.#room += this.#bytes.get(key)?.length ?? 0
    this.#bytes.delete(key)
  }
}

/** An original in a bucket; reads that come out shorter than the claim check says reject with bad record `object-changed`. */
export function originalIn(objects: Objects, key: string, size: number, kept: Kept): Original {
  const whole = async (): Promise<Uint8Array> => {
    const bytes = kept.get(key) ?? (await objects.bytes(key))
    if (bytes.length !== size) throw changed()
    if (kept.hasRoom(size)) kept.keep(key, bytes)
    return bytes
  }
  return {
    size,
    async read(from, to) {
      if (kept.get(key) !== undefined || kept.hasRoom(size) || (from === 0 && to === size))
        return (await whole()).subarray(from, to)
      const bytes = await collect(objects, key, from, to)
      if (bytes.length !== to - from) throw changed()
      return bytes
    },
    async *stream(from, to) {
      let length = 0
      for await (const piece of await objects.get(key, { from, to })) {
        length += piece.length
        yield piece
      }
      if (length !== to - from) throw changed()
    },
  }
}

async function collect(objects: Objects, key: string, from: number, to: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of await objects.get(key, { from, to })) pieces.push(piece)
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

/** Hex SHA-256 of a released object. */
export async function hashOf(object: ReleasedObject): Promise<string> {
  const hash = createHash("sha256")
  if (object.pieces !== undefined) for (const piece of object.pieces) hash.update(piece)
  else for await (const piece of object.stream()) hash.update(piece)
  return hash.digest("hex")
}

/** The bytes of a released object for a second time; rejects at their end when they are not those that were hashed. */
export async function* checked(object: ReleasedObject, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256")
  for await (const piece of object.stream()) {
    hash.update(piece)
    yield piece
  }
  if (hash.digest("hex") !== sha256) throw changed()
}
