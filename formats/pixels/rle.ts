import { undecodable } from "./unreadable.ts"

/** Bytes planes of a frame, the most significant of each sample first (PS3.5 G.2). */
export type Planes = readonly Uint8Array[]

function decodeSegment(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size)
  let [at, made] = [0, 0]
  while (made < size) {
    if (at >= bytes.length) throw undecodable("an RLE segment ends early")
    const run = (bytes[at++]! << 24) >> 24
    if (run >= 0) {
      // Encoders may write a run past the end.
      const count = Math.min(run + 1, size - made)
      if (at + count > bytes.length) throw undecodable("an RLE segment ends early")
      out.set(bytes.subarray(at, at + count), made)
      at += run + 1
      made += count
    } else if (run !== -128) {
      if (at >= bytes.length) throw undecodable("an RLE segment ends early")
      const count = Math.min(1 - run, size - made)
      out.fill(bytes[at++]!, made, made + count)
      made += count
    }
  }
  return out
}

/** Decodes an RLE frame (PS3.5 annex G) to its byte planes of `size` bytes each. Throws PixelsUnreadable `undecodable`. */
export function decodeRle(bytes: Uint8Array, size: number, planes: number): Planes {
  if (bytes.length < 64) throw undecodable("an RLE frame is shorter than its header")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0, true) !== planes)
    throw undecodable("an RLE frame has another number of segments than described")
  const starts = Array.from({ length: planes }, (_, at) => view.getUint32(4 + 4 * at, true))
  return starts.map((start, at) => {
    const end = starts[at + 1] ?? bytes.length
    if (start < 64 || end > bytes.length || start > end) throw undecodable("an RLE segment lies outside its frame")
    return decodeSegment(bytes.subarray(start, end), size)
  })
}

/** Packs one row: replicate runs of three and more, or two that stand between runs; literal runs of up to 128. */
function packRow(row: Uint8Array, out: number[]): void {
  let at = 0
  const runAt = (from: number): number => {
    let to = from + 1
    while (to < row.length && to - from < 128 && row[to] === row[from]) to++
    return to - from
  }
  while (at < row.length) {
    const run = runAt(at)
    if (run > 1) {
      out.push(257 - run, row[at]!)
      at += run
      continue
    }
    let to = at + 1
    while (to < row.length && to - at < 128 && runAt(to) < 3) to++
    out.push(to - at - 1)
    for (let from = at; from < to; from++) out.push(row[from]!)
    at = to
  }
}

/** Encodes byte planes as an RLE frame of even length; runs do not cross rows of `columns` bytes (PS3.5 G.3.1). */
export function encodeRle(planes: Planes, columns: number): Uint8Array {
  const segments = planes.map((plane) => {
    const out: number[] = []
    for (let at = 0; at < plane.length; at += columns) packRow(plane.subarray(at, at + columns), out)
    if (out.length % 2 === 1) out.push(0)
    return Uint8Array.from(out)
  })
  const header = Buffer.alloc(64)
  header.writeUInt32LE(segments.length, 0)
  let start = 64
  for (const [at, segment] of segments.entries()) {
    header.writeUInt32LE(start, 4 + 4 * at)
    start += segment.length
  }
  return Buffer.concat([header, ...segments])
}
