/** A line of a text, without its end. */
export interface Line {
  /** Offset of its first byte in the (inflated) text. */
  readonly start: number
  /** Undefined when the line is longer than was allowed. */
  readonly bytes: Buffer | undefined
}

/** Cuts a stream of bytes into lines, as many at a time as a piece of the stream completes. Lines end with LF or CRLF; bytes after
 * the last end are a line. A line over `most` bytes is passed over without being kept.
 * @param start offset of the stream's first byte in the text */
export async function* linesOf(
  pieces: AsyncIterable<Buffer>,
  start: number,
  most: number,
): AsyncGenerator<readonly Line[]> {
  let head: Buffer[] = []
  let headLength = 0
  let at = start
  for await (const piece of pieces) {
    const found: Line[] = []
    let from = 0
    for (let end = piece.indexOf(10); end !== -1; end = piece.indexOf(10, from)) {
      const length = headLength + end - from
      const whole = length > most ? undefined : join(head, piece.subarray(from, end))
      found.push({ start: at, bytes: whole?.at(-1) === 13 ? whole.subarray(0, -1) : whole })
      at += length + 1
      head = []
      headLength = 0
      from = end + 1
    }
    headLength += piece.length - from
    if (headLength > most) head = []
    else if (from < piece.length) head.push(piece.subarray(from))
    if (found.length > 0) yield found
  }
  if (headLength > 0) yield [{ start: at, bytes: headLength > most ? undefined : join(head, Buffer.alloc(0)) }]
}

const join = (head: readonly Buffer[], last: Buffer): Buffer =>
  head.length === 0 ? last : Buffer.concat([...head, last])

/** Passes over the first bytes of a stream. */
export async function* after(pieces: AsyncIterable<Buffer>, skip: number): AsyncGenerator<Buffer> {
  let left = skip
  for await (const piece of pieces) {
    if (left >= piece.length) left -= piece.length
    else {
      yield left === 0 ? piece : piece.subarray(left)
      left = 0
    }
  }
}

/** Inflating that gives more than this many times what was read ... */
const mostRatio = 250
/** ... is refused once it gave this many bytes: real NDJSON shrinks 10 to 50 times, a bomb 1,000 times. */
const ratioCounts = 16 * 1024 * 1024

/** Ends the stream with an error when far more comes out of it than went in.
 * @param read bytes of the compressed file that were read so far
 * @param bomb makes the error */
export async function* notABomb(
  pieces: AsyncIterable<Buffer>,
  read: () => number,
  bomb: (mostRatio: number) => Error,
): AsyncGenerator<Buffer> {
  let inflated = 0
  for await (const piece of pieces) {
    inflated += piece.length
    if (inflated > ratioCounts && inflated > mostRatio * read()) throw bomb(mostRatio)
    yield piece
  }
}
