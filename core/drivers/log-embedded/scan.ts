import type { FileHandle } from "node:fs/promises"
import { type BlockInfo, BLOCK_HEADER, blockAt } from "./block.ts"
import { blocksOf, type Changes, changesAt, FRAME_HEADER, FRAME_MAGIC, frameAt, type FrameInfo } from "./frame.ts"

/** A frame as it is found in a file; `bytes` is good until the visit ends. */
export interface FoundFrame extends FrameInfo {
  readonly position: number
  readonly bytes: Buffer
  readonly changes: Changes
  readonly blocks: readonly { readonly at: number; readonly info: BlockInfo }[]
}

const WINDOW = 4 << 20

/** A piece of a file in memory that moves along. */
class Window {
  readonly #file: FileHandle
  readonly #size: number
  #bytes = Buffer.alloc(0)
  #from = 0

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
  }

  /** The bytes from `position`, as many as are asked for unless the file ends before. */
  async at(position: number, length: number): Promise<Buffer> {
    const end = Math.min(this.#size, position + length)
    if (position < this.#from || end > this.#from + this.#bytes.length) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(this.#size - position, Math.max(WINDOW, length))))
      this.#bytes = bytes.subarray(0, await readAll(this.#file, bytes, position))
      this.#from = position
    }
    return this.#bytes.subarray(position - this.#from, Math.max(position, end) - this.#from)
  }
}

/** Fills `bytes` from the file; resolves how many there were. */
export async function readAll(file: FileHandle, bytes: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** Visits the frames of a file from `from` on; resolves where the first begins that is not whole, or `size`. */
export async function scan(
  file: FileHandle,
  from: number,
  size: number,
  salt: number,
  visit: (frame: FoundFrame) => void | Promise<void>,
): Promise<number> {
  const window = new Window(file, size)
  let position = from
  while (position < size) {
    const header = frameAt(await window.at(position, FRAME_HEADER), 0, salt)
    if (header === undefined || position + header.length > size) return position
    const bytes = await window.at(position, header.length)
    const changes = changesAt(bytes, 0, header)
    const blocks = changes === undefined ? undefined : blocksOf(bytes, header)
    if (changes === undefined || blocks === undefined) return position
    await visit({
      ...header,
      position,
      bytes,
      changes,
      blocks: blocks.map((at) => ({ at, info: blockAt(bytes, at)! })),
    })
    position += header.length
  }
  return position
}

/** Whether a frame behind a place that does not hold says that the place was durable when it was written: then it is no torn
 * tail but damage. */
export async function provesDamage(file: FileHandle, broken: number, size: number, salt: number): Promise<boolean> {
  const magic = Buffer.alloc(8)
  magic.writeUInt32LE(FRAME_MAGIC, 0)
  magic.writeUInt32LE(salt, 4)
  const window = new Window(file, size)
  for (let position = broken + 1; position < size;) {
    const piece = await window.at(position, WINDOW)
    const at = piece.indexOf(magic)
    if (at < 0) {
      position += Math.max(1, piece.length - magic.length)
      continue
    }
    position += at
    const header = frameAt(await window.at(position, FRAME_HEADER), 0, salt)
    if (header !== undefined && header.durable > broken && header.durable <= position) {
      const changes = changesAt(await window.at(position, FRAME_HEADER + header.changesLength), 0, header)
      if (changes !== undefined) return true
    }
    position += 1
  }
  return false
}

/** Bytes of a block with its header. */
export const blockBytes = ({ length }: BlockInfo): number => BLOCK_HEADER + length
