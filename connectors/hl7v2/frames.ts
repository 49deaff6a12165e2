/** MLLP (HL7 Minimal Lower Layer Protocol, release 1, 2): a block is `VT data FS CR`. */
const [startBlock, endBlock] = [0x0b, 0x1c]
const isBlank = (byte: number): boolean => byte === 0x0d || byte === 0x0a || byte === 0x20 || byte === 0x00

/** What a stream of bytes brings: a message; the end of one that never came (`truncated`); bytes of no block; a block over the limit. */
export type Frame =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "truncated" }
  | { readonly kind: "not-framed" }
  | { readonly kind: "message-too-long" }

/** Cuts one connection's bytes into blocks, in whatever pieces they come. The CR after FS may be missing. */
export class Frames {
  readonly #most: number
  #pieces: Uint8Array[] = []
  #size = 0
  #inside = false

  /** @param most bytes of a message */
  constructor(most: number) {
    this.#most = most
  }

  /** Whether a block has begun and not ended. */
  get inside(): boolean {
    return this.#inside
  }

  *push(chunk: Uint8Array): Generator<Frame> {
    let at = 0
    while (at < chunk.length) {
      if (!this.#inside) {
        const byte = chunk[at++]!
        if (byte === startBlock) this.#inside = true
        else if (!isBlank(byte)) {
          yield { kind: "not-framed" }
          return
        }
        continue
      }
      const end = next(chunk, at)
      this.#keep(chunk.subarray(at, end))
      at = end
      if (this.#size > this.#most) {
        yield { kind: "message-too-long" }
        return
      }
      if (end === chunk.length) return
      at++
      if (chunk[end] === endBlock) yield { kind: "message", bytes: this.#take() }
      else {
        // A new block before the end of the last: the sender began again.
        this.#take()
        this.#inside = true
        yield { kind: "truncated" }
      }
    }
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return
    // The socket may use the memory of a chunk again.
    this.#pieces.push(Uint8Array.from(piece))
    this.#size += piece.length
  }

  #take(): Uint8Array {
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#size = 0
    this.#inside = false
    return bytes
  }
}

/** The next byte that begins or ends a block; the length when there is none. */
function next(chunk: Uint8Array, from: number): number {
  const [end, start] = [chunk.indexOf(endBlock, from), chunk.indexOf(startBlock, from)]
  if (end < 0 && start < 0) return chunk.length
  return end < 0 ? start : start < 0 ? end : Math.min(end, start)
}

/** A message as a block. */
export const framed = (text: string): Buffer => Buffer.from(`\x0b${text}\x1c\r`, "utf8")
