import { createHash, randomBytes } from "node:crypto"
import type { Hash } from "node:crypto"
import * as fs from "node:fs"
import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { classify, fatal } from "../../core/index.ts"
import type { ReleasedObject } from "../../transforms/deidentify/dicom-original.ts"

/** The disk refused the output: the run ends, as every other file would fail as well. */
const outputError = (thrown: unknown) => {
  const { code, syscall } = thrown as NodeJS.ErrnoException
  if (syscall === undefined || ["ENOSPC", "EDQUOT", "EROFS"].includes(code ?? "")) return classify(thrown)
  return fatal("output-unwritable", `the output cannot be written (${code ?? "unknown"})`, {
    path: "output",
    cause: thrown,
  })
}

const onDisk = <T>(work: Promise<T>): Promise<T> => work.catch((thrown: unknown) => Promise.reject(outputError(thrown)))

/** What is written: in pieces that are at hand, or as a stream. */
export type Written = Pick<ReleasedObject, "pieces" | "stream">

/** Writes released objects into a folder, as `<study>/<sha256>.dcm`: whole or not at all, with a constant time of change. */
export class Folder {
  readonly #root: string
  readonly #made = new Map<string, Promise<unknown>>()
  /** No other run has temporary files of this name. */
  readonly #name = randomBytes(8).toString("hex")
  #written = 0

  constructor(root: string) {
    this.#root = root
  }

  /** Gives the path under the folder. */
  async write(study: string, object: Written, extension = "dcm"): Promise<string> {
    const folder = join(this.#root, study)
    const made = this.#made.get(study) ?? onDisk(mkdir(folder, { recursive: true }))
    this.#made.set(study, made)
    await made
    const temporary = join(folder, `.${this.#name}-${this.#written++}.part`)
    let named = false
    try {
      const sha256 = await writeHashed(temporary, object)
      await onDisk(rename(temporary, join(folder, `${sha256}.${extension}`)))
      named = true
      return `${study}/${sha256}.${extension}`
    } finally {
      if (!named) await rm(temporary, { force: true })
    }
  }
}

// A file handle costs more than the calls that it makes.
const [open, close, rename, utimes] = [
  promisify(fs.open),
  promisify(fs.close),
  promisify(fs.rename),
  promisify(fs.futimes),
]
const writev = promisify(fs.writev)

async function writeHashed(path: string, object: Written): Promise<string> {
  const hash = createHash("sha256")
  const file = await onDisk(open(path, "wx"))
  try {
    if (object.pieces !== undefined) await writeAll(file, object.pieces, hash)
    else for await (const piece of object.stream()) await writeAll(file, [piece], hash)
    // When it was written is nobody's business, and beside it dates would tell the shift.
    await onDisk(utimes(file, 0, 0))
    return hash.digest("hex")
  } finally {
    await close(file)
  }
}

/** Writes pieces in as few calls as the disk takes, and hashes them meanwhile. */
async function writeAll(file: number, pieces: readonly Uint8Array[], hash: Hash): Promise<void> {
  let writing = onDisk(writev(file, pieces))
  for (const piece of pieces) hash.update(piece)
  for (let left = after(pieces, (await writing).bytesWritten); left.length > 0;) {
    writing = onDisk(writev(file, left))
    left = after(left, (await writing).bytesWritten)
  }
}

/** What is left of pieces when so many of their bytes are done. */
function after(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let done = bytes
  return pieces.flatMap((piece) => {
    const skipped = Math.min(done, piece.length)
    done -= skipped
    return skipped === piece.length ? [] : [piece.subarray(skipped)]
  })
}
