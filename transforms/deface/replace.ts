import type { Grid } from "./grid.ts"
import type { Head } from "./head.ts"
import type { Slice } from "./slices.ts"
import { writer } from "./pixels.ts"
import type { Image } from "./pixels.ts"

/** Value and spread of what takes the place of a face. */
export type Filling = Head["air"]

/** Air has this value in CT by definition (PS3.3 C.11.1.1.2), and noise of some units around it. */
export const airOfCt: Filling = { mean: -1000, spread: 12 }

/** A sequence of numbers that looks like noise, made of a seed: xorshift32 (Marsaglia 2003). */
function noise(seed: number): () => number {
  let state = seed >>> 0 || 0x9e3779b9
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** Calls back for each voxel of a slice whose centre lies in a cell of a mask. */
export function eachIn(mask: Uint8Array, grid: Grid, slice: Slice, found: (voxel: number) => void): void {
  const { step, origin, size } = grid
  const [nx, ny, nz] = size
  const { across, down, rows, columns } = slice
  const [ax, ay, az] = [across[0] / step, across[1] / step, across[2] / step]
  for (let j = 0; j < rows; j++) {
    const at = (axis: 0 | 1 | 2) => (slice.origin[axis] + down[axis] * j - origin[axis]) / step
    const [x, y, z] = [at(0), at(1), at(2)]
    for (let i = 0; i < columns; i++) {
      const [cx, cy, cz] = [(x + ax * i) | 0, (y + ay * i) | 0, (z + az * i) | 0]
      if (cx < 0 || cy < 0 || cz < 0 || cx >= nx || cy >= ny || cz >= nz) continue
      if (mask[(cz * ny + cy) * nx + cx] === 1) found(j * columns + i)
    }
  }
}

/** The file of an image with the voxels of a mask filled: the same bytes everywhere else. The same seed gives the same file. */
export function replaced(image: Image, mask: Uint8Array, grid: Grid, { mean, spread }: Filling, seed: number): Buffer {
  const file = Buffer.from(image.file)
  for (const slice of image.slices) {
    const write = writer(image, slice, file)
    // By place, not by order: who sees the slices in another order gets the same bytes.
    const place = slice.origin.reduce((hash, value) => Math.imul(hash ^ Math.round(value * 100), 0x01000193), seed)
    const next = noise(place ^ slice.frame)
    eachIn(mask, grid, slice, (voxel) => write(voxel, mean + spread * next()))
  }
  return file
}
