import type { Coding } from "./element.ts"
import { shortVrs, UN } from "./vr.ts"

/** Bytes of a data set being written; grows by doubling, hands out one view at the end. */
export class Output {
  private buffer: Buffer
  private used = 0

  constructor(capacity: number) {
    this.buffer = Buffer.allocUnsafe(Math.max(capacity, 1024))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.used
  }

  private room(bytes: number): void {
    if (this.used + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + bytes))
    this.buffer.copy(larger, 0, 0, this.used)
    this.buffer = larger
  }

  append(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.buffer.set(bytes, this.used)
    this.used += bytes.length
  }

  private u16(value: number, bigEndian: boolean): void {
    this.used = bigEndian ? this.buffer.writeUInt16BE(value, this.used) : this.buffer.writeUInt16LE(value, this.used)
  }

  private u32(value: number, bigEndian: boolean): void {
    this.used = bigEndian ? this.buffer.writeUInt32BE(value, this.used) : this.buffer.writeUInt32LE(value, this.used)
  }

  /** Tag, VR and length of an element (PS3.5 7.1); a value too long for its VR is written as UN (PS3.5 6.2.2). */
  header(tag: number, vr: number, length: number, coding: Coding): void {
    this.room(12)
    this.u16(tag >>> 16, coding.bigEndian)
    this.u16(tag & 0xffff, coding.bigEndian)
    if (!coding.explicit || tag >>> 16 === 0xfffe) return this.u32(length, coding.bigEndian)
    const short = shortVrs.has(vr)
    const written = short && length > 0xfffe ? UN : vr
    this.u16(written, true)
    if (short && written === vr) return this.u16(length, coding.bigEndian)
    this.u16(0, coding.bigEndian)
    this.u32(length, coding.bigEndian)
  }

  /** Overwrites the 32-bit length that ends at an offset, of a sequence or item whose value is all that follows it. */
  patchLength(valueStart: number, bigEndian: boolean): void {
    const length = this.used - valueStart
    if (bigEndian) this.buffer.writeUInt32BE(length, valueStart - 4)
    else this.buffer.writeUInt32LE(length, valueStart - 4)
  }

  /** A view of all that was written. */
  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.used)
  }
}
