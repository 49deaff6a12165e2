import type { DicomFormatCode } from "./errors.ts"
import { Unread } from "./source.ts"
import type { Source } from "./source.ts"

/** A place in the bytes of a file, and numbers read there. Offsets are absolute, whichever part of the file holds them. */
export abstract class Cursor {
  protected readonly source: Source
  protected pos = 0
  private bytes: Uint8Array
  private base = 0

  constructor(source: Source) {
    this.source = source
    this.bytes = source.header
  }

  /** First offset that is not at hand. */
  protected get available(): number {
    return this.base + this.bytes.length
  }

  /** Throws a DicomFormatError with the path of where reading is. */
  protected abstract fail(code: DicomFormatCode, tag?: number): never

  protected overrun(bound: number): never {
    return this.fail(bound >= this.source.size ? "truncated" : "length-overflow")
  }

  /** Makes [pos, to) readable, moving to the tail when the header ends. */
  protected require(to: number, bound: number): void {
    if (to > bound) this.overrun(bound)
    if (to <= this.base + this.bytes.length) return
    if (this.base === 0 && this.source.tail.length > 0 && this.pos >= this.source.tailStart) {
      this.bytes = this.source.tail
      this.base = this.source.tailStart
      return
    }
    throw new Unread({ kind: "more", part: "header", from: 0, to: Math.min(this.source.size, to) })
  }

  protected u16(at: number, bigEndian: boolean): number {
    const i = at - this.base
    const a = this.bytes[i]!
    const b = this.bytes[i + 1]!
    return bigEndian ? (a << 8) | b : (b << 8) | a
  }

  protected u32(at: number, bigEndian: boolean): number {
    const low = this.u16(bigEndian ? at + 2 : at, bigEndian)
    return this.u16(bigEndian ? at : at + 2, bigEndian) * 0x10000 + low
  }

  protected readTag(at: number, bigEndian: boolean): number {
    return this.u16(at, bigEndian) * 0x10000 + this.u16(at + 2, bigEndian)
  }

  /** Whether the bytes from here to the end of the file are all zero: some writers fill the last block so. */
  protected zerosFollow(): boolean {
    this.require(this.source.size, this.source.size)
    for (let at = this.pos - this.base; at < this.bytes.length; at++) if (this.bytes[at] !== 0) return false
    return true
  }
}
