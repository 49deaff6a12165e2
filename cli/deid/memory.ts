/** Files larger than this are read into memory of their own. */
const mostLent = 8 << 20
/** Bytes that are kept for the next file. */
const mostKept = 32 << 20
/** Sizes are rounded up to this, so that files of about one size share memory. */
const step = 64 << 10

/** Gives memory of a size, whose bytes are undefined. */
export type Take = (bytes: number) => Uint8Array

/** Memory that can be taken back (ECMAScript 2024), which Node 20 lacks. */
interface Movable extends ArrayBuffer {
  readonly detached: boolean
  transfer(): Movable
}

const fresh: Take = (bytes) => Buffer.allocUnsafe(bytes)

/** Memory for the bytes of files, used for one after another: memory that is new for each costs as much as reading into it. What still
 * refers to it when it is taken back has no bytes any more, so that nobody ever sees those of another file. */
export class Memory {
  readonly #kept: Movable[] = []
  #bytes = 0

  /** Does work with memory that is taken back when it succeeded; after a failure something may still read into it. */
  async lend<T>(work: (take: Take) => Promise<T>): Promise<T> {
    const lent: Movable[] = []
    const result = await work((bytes) => {
      if (!canTakeBack || bytes > mostLent) return fresh(bytes)
      const memory = this.#find(bytes) ?? (new ArrayBuffer(Math.ceil(Math.max(bytes, 1) / step) * step) as Movable)
      lent.push(memory)
      return Buffer.from(memory, 0, bytes)
    })
    // What was handed to another thread is not ours any more.
    for (const memory of lent) if (!memory.detached) this.#keep(memory.transfer())
    return result
  }

  #find(bytes: number): Movable | undefined {
    const at = this.#kept.findIndex(({ byteLength }) => byteLength >= bytes)
    if (at < 0) return undefined
    const [found] = this.#kept.splice(at, 1)
    this.#bytes -= found!.byteLength
    return found
  }

  /** Keeps the latest: files of other sizes than before push theirs out. */
  #keep(memory: Movable): void {
    this.#kept.push(memory)
    this.#bytes += memory.byteLength
    while (this.#bytes > mostKept) this.#bytes -= this.#kept.shift()!.byteLength
  }
}

const canTakeBack = "transfer" in ArrayBuffer.prototype
