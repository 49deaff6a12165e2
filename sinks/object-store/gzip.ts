import { createHash } from "node:crypto"
import { Readable, pipeline } from "node:stream"
import { createGunzip, createGzip } from "node:zlib"

const blockSize = 64 * 1024
/** Compressed bytes that are kept in memory rather than made twice. */
const mostKept = 8 * 1024 * 1024

/** Pieces of one size, the last one excepted: what deflate makes must not depend on how its input was cut. */
async function* blocks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let size = 0
  for await (const piece of pieces) {
    held.push(piece)
    size += piece.length
    if (size < blockSize) continue
    const whole = held.length === 1 ? piece : Buffer.concat(held)
    let at = 0
    for (; size - at >= blockSize; at += blockSize) yield whole.subarray(at, at + blockSize)
    held = at < size ? [whole.subarray(at)] : []
    size -= at
  }
  if (size > 0) yield Buffer.concat(held)
}

/** Gzip (RFC 1952) whose bytes depend on the content alone: no name, no time. */
export function compressed(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gzip = createGzip({ level: 6 })
  // The reader of `gzip` sees every failure; the callback is there because pipeline demands one.
  pipeline(Readable.from(blocks(pieces), { objectMode: false }), gzip, () => {})
  return gzip
}

/** The content of a gzip file. */
export function inflated(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip()
  pipeline(Readable.from(pieces, { objectMode: false }), gunzip, () => {})
  return gunzip
}

/** A body whose hash is known before it is stored. */
export interface Hashed {
  readonly sha256: string
  readonly bytes: number
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
}

/** Hashes a body that can be made again: a small one is kept, a large one is made twice, so that memory stays flat. */
export async function hashed(make: () => AsyncIterable<Uint8Array>): Promise<Hashed> {
  const hash = createHash("sha256")
  let kept: Uint8Array[] = []
  let bytes = 0
  for await (const piece of make()) {
    hash.update(piece)
    bytes += piece.length
    if (bytes <= mostKept) kept.push(piece)
    else kept = []
  }
  return { sha256: hash.digest("hex"), bytes, body: bytes <= mostKept ? Buffer.concat(kept) : make() }
}
