import { type FileHandle, open } from "node:fs/promises"
import type { Body } from "../../ports/objects.ts"
import { fileError } from "./errors.ts"

/** Writes a body to a new file, gives it `mtime` (ms since 1970) if there is one, and makes it durable; resolves its bytes.
 * A failure of the body itself is rethrown as it is, a failure of the disk as what it means. */
export async function writeFile(path: string, body: Body, mtime: number | undefined): Promise<number> {
  const file = await open(path, "wx").catch((error: unknown) => Promise.reject(fileError(error)))
  try {
    const size = body instanceof Uint8Array ? await writeAll(file, body) : await writePieces(file, body)
    if (mtime !== undefined) await onDisk(file.utimes(mtime / 1000, mtime / 1000))
    await onDisk(file.sync())
    return size
  } finally {
    await file.close()
  }
}

const onDisk = <T>(work: Promise<T>): Promise<T> => work.catch((error: unknown) => Promise.reject(fileError(error)))

async function writePieces(file: FileHandle, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0
  for await (const piece of pieces) size += await writeAll(file, piece)
  return size
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<number> {
  let done = 0
  while (done < bytes.length) done += (await onDisk(file.write(bytes, done))).bytesWritten
  return bytes.length
}
