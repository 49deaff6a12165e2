/** Reads the types of Kafka's protocol from a buffer, in order (kafka.apache.org/protocol, "Protocol Primitive Types"). */
export class Bytes {
  readonly buffer: Buffer
  at: number

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer
    this.at = at
  }

  get left(): number {
    return this.buffer.length - this.at
  }

  int8(): number {
    return this.buffer.readInt8(this.at++)
  }

  int16(): number {
    const value = this.buffer.readInt16BE(this.at)
    this.at += 2
    return value
  }

  int32(): number {
    const value = this.buffer.readInt32BE(this.at)
    this.at += 4
    return value
  }

  int64(): bigint {
    const value = this.buffer.readBigInt64BE(this.at)
    this.at += 8
    return value
  }

  /** An INT64 that is a time or a size: exact below 2^53. */
  number64(): number {
    const value = this.buffer.readInt32BE(this.at) * 4_294_967_296 + this.buffer.readUInt32BE(this.at + 4)
    this.at += 8
    return value
  }

  string(): string {
    return this.take(this.int16()).toString("utf8")
  }

  take(length: number): Buffer {
    const from = this.at
    this.at += length
    return this.buffer.subarray(from, this.at)
  }

  /** VARINT: zigzag, at most 32 bits. */
  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer[this.at++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
  }

  /** VARLONG: zigzag, exact below 2^53; longer ones only as far as doubles go. */
  varlong(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.buffer[this.at++]!
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  /** Bytes of a record: a VARINT length, -1 for null. */
  nullable(): Buffer | null {
    const length = this.varint()
    return length < 0 ? null : this.take(length)
  }
}
