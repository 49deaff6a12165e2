import type { Vector } from "./slices.ts"

/** Marks what lies within so many cells of what is marked, along one axis. */
function spread(mask: Uint8Array, start: number, stride: number, count: number, reach: number): void {
  let last = -Infinity
  let next = 0
  for (let at = 0; at < count; at++) {
    // The next marked cell, looked for once: cells are marked behind it only.
    if (next < at) next = at
    while (next < count && mask[start + next * stride] !== 1) next++
    if (next === at) last = at
    else if (at - last <= reach || next - at <= reach) mask[start + at * stride] = 2
  }
  for (let at = 0; at < count; at++) if (mask[start + at * stride] === 2) mask[start + at * stride] = 1
}

/** A mask grown by a cube that reaches so many cells in each direction. */
export function dilated(mask: Uint8Array, [nx, ny, nz]: Vector, reach: number): Uint8Array {
  const out = Uint8Array.from(mask)
  for (let k = 0; k < nz; k++) for (let j = 0; j < ny; j++) spread(out, (k * ny + j) * nx, 1, nx, reach)
  for (let k = 0; k < nz; k++) for (let i = 0; i < nx; i++) spread(out, k * ny * nx + i, nx, ny, reach)
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) spread(out, j * nx + i, nx * ny, nz, reach)
  return out
}

/** A mask shrunk by such a cube, from where something else was seen: what goes on beyond the slices is not shrunk there. */
export function eroded(mask: Uint8Array, seen: Uint8Array, size: Vector, reach: number): Uint8Array {
  const other = new Uint8Array(mask.length)
  for (let cell = 0; cell < mask.length; cell++) other[cell] = seen[cell] === 1 && mask[cell] === 0 ? 1 : 0
  const grown = dilated(other, size, reach)
  for (let cell = 0; cell < mask.length; cell++) grown[cell] = mask[cell] === 1 && grown[cell] === 0 ? 1 : 0
  return grown
}
