import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import type { Durable } from "./segments.ts"

/** A file of 16 bytes that says how far the log is known to be on the disk. It is written after each sync and not synced itself:
 * it may lag, and never leads. A tail that does not hold is torn behind that place, and damage before it. */
export class DurableMark {
  readonly #file: number
  readonly #bytes = Buffer.alloc(16)

  private constructor(file: number) {
    this.#file = file
  }

  static open(folder: string): { readonly mark: DurableMark; readonly durable: Durable | undefined } {
    const path = join(folder, "durable")
    let durable: Durable | undefined
    try {
      durable = decode(readFileSync(path))
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error
    }
    const file = openSync(path, durable === undefined ? "w+" : "r+", 0o600)
    return { mark: new DurableMark(file), durable }
  }

  set({ segment, position }: Durable): void {
    this.#bytes.writeUInt32LE(segment, 0)
    this.#bytes.writeDoubleLE(position, 4)
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(0, 12)), 12)
    try {
      writeSync(this.#file, this.#bytes, 0, 16, 0)
    } catch {
      // An older mark is as true.
    }
  }

  close(): void {
    try {
      fsyncSync(this.#file)
    } finally {
      closeSync(this.#file)
    }
  }
}

function decode(bytes: Buffer): Durable | undefined {
  if (bytes.length < 16 || crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) return undefined
  return { segment: bytes.readUInt32LE(0), position: bytes.readDoubleLE(4) }
}
