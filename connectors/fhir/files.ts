import { open, readdir, stat } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import { badRecord, fatal, retryable } from "../../core/index.ts"
import { after, notABomb } from "../../formats/fhir/lines.ts"

/** What is read: a folder and the paths under it, with `/`. */
export interface Listing {
  readonly folder: string
  readonly files: readonly string[]
  /** Files under the folder that are passed over for their names. */
  readonly others: number
}

const isNdjson = (name: string): boolean => /\.ndjson(\.gz)?$/i.test(name)
const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

async function* walk(folder: string, under: string): AsyncGenerator<string> {
  const entries = await readdir(join(folder, under), { withFileTypes: true })
  for (const entry of entries.sort(byName)) {
    const path = under === "" ? entry.name : `${under}/${entry.name}`
    if (entry.isDirectory()) yield* walk(folder, path)
    else if (entry.isFile()) yield path
  }
}

/** The NDJSON files under a folder in name order, or the one file that `path` names. Links are not followed: what they point to
 * is either outside, or read where it stands. Throws fatal `path-missing`, retryable `folder-unreadable`. */
export async function listNdjson(path: string): Promise<Listing> {
  try {
    if ((await stat(path)).isFile()) return { folder: dirname(path), files: [basename(path)], others: 0 }
    const files: string[] = []
    let others = 0
    for await (const file of walk(path, ""))
      if (isNdjson(file)) files.push(file)
      else others++
    return { folder: path, files, others }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ENOTDIR")
      throw fatal("path-missing", "the folder of the source does not exist", { path: "path", cause })
    throw retryable("folder-unreadable", `the folder of the source cannot be read (${code ?? "unknown"})`, { cause })
  }
}

const pieceSize = 256 * 1024

const bomb = (mostRatio: number) =>
  badRecord("gzip-bomb", `the file inflates to more than ${mostRatio} times its size`, {
    hint: "if it is a real export, hand it over inflated",
  })

/** The text of an open file from an offset on; .gz files are inflated, so there the offset counts inflated bytes. */
export function textFrom(file: FileHandle, name: string, offset: number): AsyncIterable<Buffer> {
  if (!/\.gz$/i.test(name)) return file.createReadStream({ start: offset, highWaterMark: pieceSize, autoClose: false })
  const read = file.createReadStream({ start: 0, highWaterMark: pieceSize, autoClose: false })
  const gunzip = createGunzip({ chunkSize: pieceSize })
  // The reader of `gunzip` sees every failure; the callback is there because pipeline demands one.
  pipeline(read, gunzip, () => {})
  return after(
    notABomb(gunzip, () => read.bytesRead, bomb),
    offset,
  )
}

/** Opens a file; undefined when it is gone. Throws retryable `file-unreadable`. */
export async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r")
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT") return undefined
    throw retryable("file-unreadable", `a file cannot be opened (${code ?? "unknown"})`, { cause })
  }
}
