import { squaredDistance } from "./distance.ts"
import type { Head } from "./head.ts"
import { dilated, eroded } from "./morphology.ts"
import type { Landmarks } from "./landmarks.ts"

/** Lengths of the cut, mm of a head that is 190 mm long; others in proportion. The brain lies under at least 9 mm of scalp and bone at
 * the forehead and temples (scalp 4 to 6, bone 5 to 8), and nowhere in front of and below a plane that slopes by 45 degrees from
 * the nasion to the back: the pole of the temporal lobe is 35 mm behind the nasion and 28 below, the brain stem 75 and 50. */
export const cutLengths = {
  /** Beneath the skin where brain may be. */
  forehead: 7,
  /** Beneath the skin where none can be. */
  face: 13,
  /** Behind the nasion's skin, everything in front of it goes: nose, mouth, chin. */
  plane: 14,
  /** Beneath the skin at the sides, and all of the ears. */
  ears: 4,
} as const

/** Parts of the head's length: the window from above (hair) to below (neck), and how far back the cut may go. */
const window = { above: 0.2, below: 0.85, back: 0.55, earsFrom: 0.3, earsTo: 0.78, earsAbove: 0.15, earsBelow: 0.42 }
/** Opening with it takes ears and nose off a head. */
const opening = 9
/** The keyed unevenness of the cut, so that what is left does not follow the skin: parts of the depth. */
const unevenness = 0.22
/** mm over which the unevenness changes. */
const lattice = 14

/** Depth of the middle of the head's cells beneath its skin, mm; cells that nobody saw are no outside. */
const depths = ({ grid, seen, inside }: Head): Float32Array => {
  const squared = squaredDistance((cell) => seen[cell] === 1 && inside[cell] === 0, grid.size)
  // The skin is between the last cell outside and the first inside.
  for (let cell = 0; cell < squared.length; cell++) squared[cell] = (Math.sqrt(squared[cell]!) - 0.5) * grid.step
  return squared
}

/** Numbers from 0 to 1 that change smoothly over a plane, made of a key. */
export function unevenBy(seed: number): (a: number, b: number) => number {
  const at = (i: number, j: number): number => {
    let hash = (seed ^ Math.imul(i, 0x9e3779b1) ^ Math.imul(j, 0x85ebca6b)) >>> 0
    hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d) >>> 0
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b) >>> 0
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
  }
  return (a, b) => {
    const [x, y] = [a / lattice, b / lattice]
    const [i, j] = [Math.floor(x), Math.floor(y)]
    const [u, v] = [x - i, y - j]
    const low = at(i, j) * (1 - u) + at(i + 1, j) * u
    return low * (1 - v) + (at(i, j + 1) * (1 - u) + at(i + 1, j + 1) * u) * v
  }
}

/** 1 for each cell whose voxels are replaced: from the front to some mm beneath the skin of the face, from the sides the ears. Whatever
 * is in front of the face goes with it, as the edge of a layer over the skin would have the skin's shape. */
export function cutOf(head: Head, marks: Landmarks, seed: number): Uint8Array {
  const removed = new Uint8Array(head.inside.length)
  cutFront(head, marks, unevenBy(seed), removed)
  cutSides(head, marks, removed)
  return removed
}

function cutFront(head: Head, marks: Landmarks, uneven: (a: number, b: number) => number, removed: Uint8Array): void {
  const { grid, inside } = head
  const { step, origin, size } = grid
  const [nx, ny, nz] = size
  const { length, middle, nasion, front } = marks
  const scale = length / 190
  const depth = depths(head)
  const half = marks.breadth / 2 + 20
  const [top, bottom] = [nasion.high + window.above * length, nasion.low - window.below * length]
  const back = front + window.back * length
  for (let k = 0; k < nz; k++) {
    const z = origin[2] + (k + 0.5) * step
    if (z > top || z < bottom) continue
    // The plane that no brain is in front of; a part of the face's height is left to errors of the nasion.
    const slope = front + (nasion.low - 3 * scale - z)
    for (let i = 0; i < nx; i++) {
      const x = origin[0] + (i + 0.5) * step
      if (Math.abs(x - middle) > half) continue
      const less = 1 - unevenness * uneven(x, z)
      const limits = {
        back,
        slope,
        plane: Math.min(slope, front + cutLengths.plane * scale),
        // Voxels of a cell reach half a step further than its middle.
        forehead: Math.min(cutLengths.forehead * scale * less, (cutLengths.forehead + 1) * scale - step / 2),
        face: cutLengths.face * scale * less,
      }
      for (let j = 0; j < ny; j++) {
        const cell = (k * ny + j) * nx + i
        if (inside[cell] === 1 && !goes(origin[1] + (j + 0.5) * step, depth[cell]!, limits)) break
        if (inside[cell] === 0 && origin[1] + j * step > back) break
        removed[cell] = 1
      }
    }
  }
}

interface Limits {
  readonly back: number
  readonly slope: number
  readonly plane: number
  readonly forehead: number
  readonly face: number
}

function goes(y: number, depth: number, { back, slope, plane, forehead, face }: Limits): boolean {
  if (y > back) return false
  return y < plane || depth < (y < slope ? face : forehead)
}

function cutSides(head: Head, marks: Landmarks, removed: Uint8Array): void {
  const { grid, inside, seen } = head
  const { step, origin, size } = grid
  const [nx, ny, nz] = size
  const { length, middle, nasion, front } = marks
  const reach = Math.round(opening / step)
  const core = dilated(eroded(inside, seen, size, reach), size, reach)
  const kept = eroded(core, seen, size, Math.max(1, Math.round((cutLengths.ears * (length / 190)) / step)))
  const nearest = 0.3 * marks.breadth
  for (let k = 0; k < nz; k++) {
    const z = origin[2] + (k + 0.5) * step
    if (z > nasion.high + window.earsAbove * length || z < nasion.low - window.earsBelow * length) continue
    for (let j = 0; j < ny; j++) {
      const y = origin[1] + (j + 0.5) * step
      if (y < front + window.earsFrom * length || y > front + window.earsTo * length) continue
      const row = (k * ny + j) * nx
      for (const [from, by] of [
        [0, 1],
        [nx - 1, -1],
      ] as const)
        for (let i = from; i >= 0 && i < nx; i += by) {
          if (Math.abs(origin[0] + (i + 0.5) * step - middle) < nearest) break
          if (kept[row + i] === 1) break
          removed[row + i] = 1
        }
    }
  }
}
