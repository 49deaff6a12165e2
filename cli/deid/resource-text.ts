import { Readable, pipeline } from "node:stream"
import { createGunzip, createGzip } from "node:zlib"
import { linesOf, notABomb } from "../../formats/fhir/lines.ts"
import type { Original } from "../../transforms/deidentify/dicom-original.ts"

/** A file that is refused whole, with its reason, a code. */
export class FileRefused extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(`the file is refused: ${reason}`)
    this.reason = reason
  }
}

/** Most bytes of a resource or a Bundle, and of a line. */
export const mostResource = 64 << 20

const isZipped = (name: string): boolean => /\.gz$/i.test(name)

/** The lines of a file of resources as they are read; undefined stands for one that is too long. Throws FileRefused `gzip-bomb`,
 * `gzip-truncated`, `gzip-corrupt`. */
export async function* linesIn(name: string, original: Original): AsyncGenerator<readonly (Buffer | undefined)[]> {
  try {
    for await (const lines of linesOf(textOf(name, original), 0, mostResource)) yield lines.map(({ bytes }) => bytes)
  } catch (thrown) {
    const { code } = thrown as { readonly code?: unknown }
    if (code === "Z_BUF_ERROR") throw new FileRefused("gzip-truncated")
    if (typeof code === "string" && code.startsWith("Z_")) throw new FileRefused("gzip-corrupt")
    throw thrown
  }
}

function textOf(name: string, original: Original): AsyncIterable<Buffer> {
  let read = 0
  const pieces = async function* () {
    for await (const piece of original.stream(0, original.size)) {
      read += piece.length
      yield piece as Buffer
    }
  }
  if (!isZipped(name)) return pieces()
  const gunzip = createGunzip({ chunkSize: 256 << 10 })
  // The reader of `gunzip` sees every failure; the callback is there because pipeline demands one.
  pipeline(Readable.from(pieces()), gunzip, () => {})
  return notABomb(
    gunzip,
    () => read,
    () => new FileRefused("gzip-bomb"),
  )
}

/** Compresses a text where the file that it came from was. */
export function zippedAs(name: string, text: AsyncGenerator<Uint8Array>): AsyncIterable<Uint8Array> {
  if (!isZipped(name)) return text
  const gzip = createGzip()
  pipeline(Readable.from(text), gzip, () => {})
  return gzip
}
