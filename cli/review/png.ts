import { crc32, deflateSync } from "node:zlib"

/** A picture of 8 bits: grey with 1 channel, red, green and blue with 3. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3
  readonly data: Uint8Array
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/** A picture as PNG (ISO/IEC 15948), without any text. */
export function pngOf({ width, height, channels, data }: Picture): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, channels === 1 ? 0 : 2, 0, 0, 0], 8)
  const line = width * channels
  const lines = Buffer.alloc((line + 1) * height)
  for (let row = 0; row < height; row++) lines.set(data.subarray(row * line, (row + 1) * line), row * (line + 1) + 1)
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(lines)), chunk("IEND", new Uint8Array(0))]
  return Buffer.concat([signature, ...parts])
}
