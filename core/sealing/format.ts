import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto"
import { badRecord } from "../errors.ts"

// A sealed object: magic with the format's number, an id of its data key, a salt, then chunks. Each chunk is AES-256-GCM (NIST SP
// 800-38D) under a key of this very object (HKDF-SHA256 of the data key and the salt), its nonce the chunk's number and whether it is
// the last: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015), so that no chunk can be cut off, moved, doubled or changed.
const magic = Buffer.from([0xd7, 0x57, 0x45, 0x49, 0x52, 0x0d, 0x0a, 0x01])
const [idBytes, saltBytes, tagBytes] = [8, 24, 16]

/** Bytes before the first chunk. */
export const headerBytes = magic.length + idBytes + saltBytes
/** Plain bytes of every chunk but the last, which may have fewer. */
export const plainChunk = 64 * 1024
/** The bytes that such a chunk has once it is sealed. */
export const sealedChunk = plainChunk + tagBytes

export const isSealed = (begin: Uint8Array): boolean =>
  begin.length >= magic.length && magic.equals(begin.subarray(0, magic.length))

export const brokenObject = () =>
  badRecord("object-broken", "a sealed object does not open: it was cut, put in another's place or changed", {
    hint: "find out who writes to the phi bucket; send what it was made of again",
  })

/** The plain bytes of a sealed object of `size` bytes. Throws bad record `object-broken` where no object has that size. */
export function plainSize(size: number): number {
  const body = size - headerBytes
  const chunks = Math.max(1, Math.ceil(body / sealedChunk))
  const last = body - (chunks - 1) * sealedChunk
  if (last < tagBytes || (last === tagBytes && chunks > 1)) throw brokenObject()
  return body - chunks * tagBytes
}

/** Number of the chunk that holds the last plain byte. */
export const lastChunk = (plain: number): number => Math.max(0, Math.ceil(plain / plainChunk) - 1)

/** Seals and opens the chunks of one object. */
export class ChunkCipher {
  readonly header: Uint8Array
  readonly #key: Uint8Array

  private constructor(header: Uint8Array, dataKey: Uint8Array, context: string) {
    this.header = header
    const salt = header.subarray(magic.length + idBytes)
    this.#key = new Uint8Array(hkdfSync("sha256", dataKey, salt, `weir-object ${context}`, 32))
  }

  /** For an object that is about to be written: no other has its key, whatever else the data key sealed.
   * @param context names the object; it opens under no other name */
  static fresh(dataKey: Uint8Array, context: string): ChunkCipher {
    return new ChunkCipher(Buffer.concat([magic, idOf(dataKey), randomBytes(saltBytes)]), dataKey, context)
  }

  /** For an object that begins with `header`. */
  static of(header: Uint8Array, dataKey: Uint8Array, context: string): ChunkCipher {
    return new ChunkCipher(Uint8Array.from(header), dataKey, context)
  }

  seal(number: number, last: boolean, plain: Uint8Array): readonly Uint8Array[] {
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce(number, last))
    const text = cipher.update(plain)
    cipher.final()
    return [text, cipher.getAuthTag()]
  }

  /** Throws bad record `object-broken`. */
  open(number: number, last: boolean, sealed: Uint8Array): Uint8Array {
    const end = sealed.length - tagBytes
    // An object of several chunks has no empty one.
    if (end < 0 || (end === 0 && number > 0)) throw brokenObject()
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce(number, last), { authTagLength: tagBytes })
    decipher.setAuthTag(sealed.subarray(end))
    const plain = decipher.update(sealed.subarray(0, end))
    try {
      decipher.final()
    } catch {
      throw brokenObject()
    }
    return plain
  }
}

function nonce(number: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUIntBE(number, 5, 6)
  bytes[11] = last ? 1 : 0
  return bytes
}

/** Tells data keys apart, and nothing of them. */
const idOf = (dataKey: Uint8Array): Uint8Array =>
  createHash("sha256").update("weir-object-key").update(dataKey).digest().subarray(0, idBytes)

/** Whether an object that begins so is sealed under this data key. */
export const isUnder = (header: Uint8Array, dataKey: Uint8Array): boolean =>
  Buffer.from(idOf(dataKey)).equals(header.subarray(magic.length, magic.length + idBytes))
