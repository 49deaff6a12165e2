import { createHash } from "node:crypto"
import type { FileHandle } from "node:fs/promises"
import type { Objects } from "../../core/index.ts"
import type { Stored } from "./instance.ts"

const pieceSize = 1024 * 1024

/** The bytes did not stay the same while they were read. */
export class Changing extends Error {}

const keyOf = (sha256: string): string => `instances/${sha256.slice(0, 2)}/${sha256}`

/** Stores a file under the hash of its bytes. One that is not at hand whole is read twice, with flat memory, so that its key is
 * known before a byte is stored. Throws {@link Changing} when the two readings differ; nothing is stored then. */
export async function store(
  objects: Objects,
  file: FileHandle,
  size: number,
  whole: Buffer | undefined,
): Promise<Stored> {
  if (whole !== undefined) {
    const sha256 = createHash("sha256").update(whole).digest("hex")
    await objects.put(keyOf(sha256), whole)
    return { key: keyOf(sha256), size, sha256 }
  }
  const hash = createHash("sha256")
  for await (const piece of pieces(file, size)) hash.update(piece)
  const sha256 = hash.digest("hex")
  await objects.put(keyOf(sha256), checked(pieces(file, size), sha256))
  return { key: keyOf(sha256), size, sha256 }
}

async function* pieces(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  let at = 0
  while (at < size) {
    const piece = Buffer.allocUnsafe(Math.min(pieceSize, size - at))
    const { bytesRead } = await file.read(piece, 0, piece.length, at)
    if (bytesRead === 0) throw new Changing()
    yield piece.subarray(0, bytesRead)
    at += bytesRead
  }
}

async function* checked(body: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Buffer> {
  const hash = createHash("sha256")
  for await (const piece of body) {
    hash.update(piece)
    yield piece
  }
  if (hash.digest("hex") !== sha256) throw new Changing()
}
