import type { Frame } from "./frame.ts"

/** One row of a byte plane in PackBits (PS3.5 G.3.1). */
function packRow(row: Uint8Array, out: number[]): void {
  let at = 0
  while (at < row.length) {
    let run = 1
    while (run < 128 && row[at + run] === row[at] && at + run < row.length) run++
    if (run > 1) {
      out.push(257 - run, row[at]!)
      at += run
      continue
    }
    const from = at
    while (at < row.length && at - from < 128 && row[at] !== row[at + 1]) at++
    out.push(at - from - 1, ...row.subarray(from, at))
  }
}

function segment(frame: Frame, high: boolean): Uint8Array {
  const out: number[] = []
  const { rows, columns, samples } = frame
  for (let row = 0; row < rows; row++) {
    const line = samples.subarray(row * columns, (row + 1) * columns)
    packRow(
      Uint8Array.from(line, (sample) => (high ? sample >> 8 : sample & 0xff)),
      out,
    )
  }
  if (out.length % 2 === 1) out.push(0)
  return Uint8Array.from(out)
}

/** A frame in RLE Lossless (PS3.5 annex G): a segment for each byte of a sample, the high one first. */
export function encodeRle(frame: Frame): Uint8Array {
  const segments = frame.bits === 8 ? [segment(frame, false)] : [segment(frame, true), segment(frame, false)]
  const header = Buffer.alloc(64)
  header.writeUInt32LE(segments.length, 0)
  let offset = 64
  for (const [at, { length }] of segments.entries()) {
    header.writeUInt32LE(offset, 4 + at * 4)
    offset += length
  }
  return Buffer.concat([header, ...segments])
}
