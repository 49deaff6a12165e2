import { createHash } from "node:crypto"
import { fatal } from "../../core/index.ts"

/** How far a file was read. */
export interface Progress {
  /** Ordinal for arrival versions; a block of 2^24 lines has one of its own. */
  readonly ordinal: number
  /** Lines done. */
  readonly line: number
  /** Offset of the last line that was done. */
  readonly start: number
  /** Of its bytes: a file whose text there is another is not the file that was read. */
  readonly hash: string
  /** Size of the file when its end was reached, -1 before. */
  readonly size: number
}

/** Lines that share an ordinal; the arrival version has 24 bits for them. */
export const linesPerOrdinal = 2 ** 24
const ordinals = 2 ** 16

/** Of a line, for {@link Progress}. */
export const lineHash = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? "long" : createHash("sha256").update(bytes).digest("base64url").slice(0, 16)

/** A checkpoint's text. */
export const written = ({ ordinal, line, start, hash, size }: Progress): string =>
  [ordinal, line, start, hash, size].join(":")

/** A checkpoint read back; undefined for none. */
export function read(text: string | undefined): Progress | undefined {
  if (text === undefined) return undefined
  const [ordinal, line, start, hash, size] = text.split(":")
  return { ordinal: Number(ordinal), line: Number(line), start: Number(start), hash: hash ?? "", size: Number(size) }
}

/** Hands out ordinals in the order in which files are first seen, across runs. */
export class Ordinals {
  #next: number

  constructor(checkpoints: Iterable<string>) {
    this.#next = Array.from(checkpoints, (text) => read(text)!.ordinal + 1).reduce((a, b) => Math.max(a, b), 0)
  }

  /** Throws fatal `too-many-files` beyond 2^16. */
  take(): number {
    if (this.#next >= ordinals)
      throw fatal("too-many-files", `a source reads at most ${ordinals} files`, {
        hint: "join files, or start another source for the new ones",
      })
    return this.#next++
  }
}
