/** The bytes of a file that the caller holds: its start, and optionally its end. What lies between is native pixel data. */
export interface Input {
  /** The first bytes of the file; all of them when `header.length === size`. */
  readonly header: Uint8Array
  /** Bytes of the whole file. */
  readonly size: number
  /** The last bytes of the file, when they were asked for. */
  readonly tail?: Uint8Array
}

/** More bytes are needed: `header` the bytes [0, to), `tail` the bytes [from, to), where `to` is the size of the file. */
export interface NeedMore {
  readonly kind: "more"
  readonly part: "header" | "tail"
  readonly from: number
  readonly to: number
}

/** Thrown inside the reader to unwind, never passed on. */
export class Unread extends Error {
  readonly need: NeedMore
  constructor(need: NeedMore) {
    super("more bytes are needed")
    this.need = need
  }
}

/** Reads of an input by absolute offset. */
export class Source {
  readonly header: Uint8Array
  readonly tail: Uint8Array
  readonly tailStart: number
  readonly size: number
  /** The header once more, as what makes texts without a view for each. */
  private readonly texts: Buffer

  constructor(input: Input) {
    const { header } = input
    this.header = header
    this.texts = Buffer.from(header.buffer, header.byteOffset, header.byteLength)
    this.size = input.size
    this.tail = input.tail ?? new Uint8Array(0)
    this.tailStart = input.size - this.tail.length
  }

  /** A view of [from, to), which must lie in one of the two parts. */
  bytes(from: number, to: number): Uint8Array {
    if (to <= this.header.length) return this.header.subarray(from, to)
    if (from < this.tailStart) throw new Unread({ kind: "more", part: "header", from: 0, to })
    return this.tail.subarray(from - this.tailStart, to - this.tailStart)
  }

  /** The bytes [from, to) as ISO 8859-1: a character for each. */
  text(from: number, to: number): string {
    if (to <= this.header.length) return this.texts.toString("latin1", from, to)
    const bytes = this.bytes(from, to)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
  }
}
