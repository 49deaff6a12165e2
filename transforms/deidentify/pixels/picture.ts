import type { Picture } from "../../../formats/pixels/index.ts"

/** Bilinear sample of one channel at a place between pixels; the edge goes on outside. */
function sample({ width, height, channels, data }: Picture, x: number, y: number, channel: number): number {
  const [cx, cy] = [Math.min(width - 1, Math.max(0, x)), Math.min(height - 1, Math.max(0, y))]
  const [left, top] = [Math.floor(cx), Math.floor(cy)]
  const [right, bottom] = [Math.min(width - 1, left + 1), Math.min(height - 1, top + 1)]
  const [fx, fy] = [cx - left, cy - top]
  const at = (px: number, py: number): number => data[(py * width + px) * channels + channel]!
  const above = at(left, top) * (1 - fx) + at(right, top) * fx
  return above * (1 - fy) + (at(left, bottom) * (1 - fx) + at(right, bottom) * fx) * fy
}

/** A rectangle in pixels; it may pass the edge. */
export interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export type Turn = "none" | "left" | "right"

/** A part of a picture, turned and scaled, as planes of blue, green and red from 0 to 1: what PaddleOCR's models take. `padded` is the
 * size of the planes, black beside the part. */
export function planesOf(
  picture: Picture,
  area: Area,
  size: { readonly width: number; readonly height: number },
  padded: { readonly width: number; readonly height: number } = size,
  turn: Turn = "none",
): Float32Array {
  const plane = padded.width * padded.height
  const out = new Float32Array(3 * plane)
  const [sx, sy] = turn === "none" ? [size.width, size.height] : [size.height, size.width]
  const [kx, ky] = [area.width / sx, area.height / sy]
  for (let y = 0; y < size.height; y++)
    for (let x = 0; x < size.width; x++) {
      const [u, v] = turn === "none" ? [x, y] : turn === "left" ? [size.height - 1 - y, x] : [y, size.width - 1 - x]
      const [px, py] = [area.x + (u + 0.5) * kx - 0.5, area.y + (v + 0.5) * ky - 0.5]
      const at = y * padded.width + x
      if (picture.channels === 1) {
        const grey = sample(picture, px, py, 0) / 255
        out[at] = out[plane + at] = out[2 * plane + at] = grey
      } else for (let c = 0; c < 3; c++) out[(2 - c) * plane + at] = sample(picture, px, py, c) / 255
    }
  return out
}
