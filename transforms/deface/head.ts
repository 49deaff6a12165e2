import type { Grid } from "./grid.ts"
import { dilated, eroded } from "./morphology.ts"

/** Cells of a grid by what they are. */
export interface Head {
  readonly grid: Grid
  /** Values above it are tissue. */
  readonly threshold: number
  /** Mean and spread of what is in front of the face. */
  readonly air: { readonly mean: number; readonly spread: number }
  /** 1 where the head is, its cavities filled. */
  readonly inside: Uint8Array
  /** 1 where a slice is. */
  readonly seen: Uint8Array
}

/** Hounsfield units between air and skin; fat is about -100, the edge of a skin voxel half of air and skin. */
const skinUnits = -300
/** Openings up to twice this are closed: nostrils, ears, sinuses that break a slice's edge, mm. */
const closing = 5

/** Otsu's threshold (IEEE Trans. SMC 9, 1979) over the values up to the 99.5th percentile, as vessels and artefacts are few and
 * bright. */
function otsu(values: Float32Array): number {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  if (!(high > low)) return high
  const bins = 512
  const fill = (top: number) => {
    const counts = new Float64Array(bins)
    for (const value of values)
      if (value >= low) counts[Math.min(bins - 1, Math.floor(((value - low) / (top - low)) * bins))]!++
    return counts
  }
  const total = fill(high)
  const all = total.reduce((sum, count) => sum + count, 0)
  let [kept, last] = [0, 0]
  while (last < bins - 1 && kept + total[last]! < all * 0.995) kept += total[last++]!
  const top = low + ((high - low) * (last + 1)) / bins
  return low + ((top - low) * (bestSplit(fill(top)) + 1)) / bins
}

function bestSplit(counts: Float64Array): number {
  const all = counts.reduce((sum, count) => sum + count, 0)
  const moment = counts.reduce((sum, count, bin) => sum + count * bin, 0)
  let [below, belowMoment, best, bestBin] = [0, 0, -1, 0]
  for (const [bin, count] of counts.entries()) {
    below += count
    belowMoment += count * bin
    if (below === 0 || below === all) continue
    const apart = belowMoment / below - (moment - belowMoment) / (all - below)
    const between = below * (all - below) * apart * apart
    if (between > best) [best, bestBin] = [between, bin]
  }
  return bestBin
}

/** The largest set of cells that touch by their faces, of those that are 1 in a mask; undefined when there are none. */
function largest(mask: Uint8Array, { size: [nx, ny] }: Grid): Uint8Array | undefined {
  const label = new Uint8Array(mask.length)
  const queue = new Int32Array(mask.length)
  let best: Int32Array | undefined
  for (let seed = 0; seed < mask.length; seed++) {
    if (mask[seed] === 0 || label[seed] !== 0) continue
    const count = flood(queue, seed, nx, nx * ny, (cell) => {
      if (mask[cell] !== 1 || label[cell] !== 0) return false
      label[cell] = 1
      return true
    })
    if (count > (best?.length ?? 0)) best = queue.slice(0, count)
  }
  if (best === undefined) return undefined
  const out = new Uint8Array(mask.length)
  for (const cell of best) out[cell] = 1
  return out
}

/** Cells reached from a seed; `enter` says whether one is new and belongs. The outermost layer of a grid is empty, so rows do not run
 * into each other. */
function flood(
  queue: Int32Array,
  seed: number,
  rowLength: number,
  layerLength: number,
  enter: (cell: number) => boolean,
): number {
  let [head, tail] = [0, 0]
  if (enter(seed)) queue[tail++] = seed
  const steps = [1, -1, rowLength, -rowLength, layerLength, -layerLength]
  while (head < tail) {
    const cell = queue[head++]!
    for (const step of steps) if (enter(cell + step)) queue[tail++] = cell + step
  }
  return tail
}

function closed(mask: Uint8Array, seen: Uint8Array, { size, step }: Grid): Uint8Array {
  const reach = Math.round(closing / step)
  return eroded(dilated(mask, size, reach), seen, size, reach)
}

/** Air that can be reached from the sides, the front, the back and the top of what was seen: not from below, where the airway opens. */
function outsideAir(closedMask: Uint8Array, seen: Uint8Array, { size: [nx, ny, nz] }: Grid): Uint8Array {
  const layer = nx * ny
  const out = new Uint8Array(seen.length)
  const queue = new Int32Array(seen.length)
  const enter = (cell: number): boolean => {
    if (seen[cell] === 0 || closedMask[cell] === 1 || out[cell] === 1) return false
    out[cell] = 1
    return true
  }
  const isEdge = (cell: number) =>
    seen[cell - 1] === 0 ||
    seen[cell + 1] === 0 ||
    seen[cell - nx] === 0 ||
    seen[cell + nx] === 0 ||
    seen[cell + layer] === 0
  for (let k = 1; k < nz - 1; k++)
    for (let j = 1; j < ny - 1; j++)
      for (let i = 1; i < nx - 1; i++) {
        const cell = k * layer + j * nx + i
        if (seen[cell] === 1 && out[cell] === 0 && closedMask[cell] === 0 && isEdge(cell))
          flood(queue, cell, nx, layer, enter)
      }
  return out
}

/** Finds the largest body in a grid, filled; undefined when there is none. */
export function findHead(grid: Grid, modality: "CT" | "MR"): Head | undefined {
  const means = grid.means()
  const seen = new Uint8Array(means.length)
  for (let cell = 0; cell < means.length; cell++) seen[cell] = Number.isNaN(means[cell]!) ? 0 : 1
  // Between noise and Otsu's split, which lies in the middle of tissue: skin at the edge of a coil is dark.
  const threshold = modality === "CT" ? skinUnits : halfWay(means, otsu(means))
  const tissue = new Uint8Array(means.length)
  for (let cell = 0; cell < means.length; cell++) tissue[cell] = means[cell]! > threshold ? 1 : 0
  const body = largest(tissue, grid)
  if (body === undefined) return undefined
  const air = outsideAir(closed(body, seen, grid), seen, grid)
  const inside = new Uint8Array(means.length)
  for (let cell = 0; cell < inside.length; cell++) inside[cell] = seen[cell] === 1 && air[cell] === 0 ? 1 : 0
  const found = largest(inside, grid)
  return found === undefined ? undefined : { grid, threshold, air: airOf(means, air, threshold), inside: found, seen }
}

function halfWay(means: Float32Array, split: number): number {
  let [sum, count] = [0, 0]
  for (const mean of means)
    if (mean < split) {
      sum += mean
      count++
    }
  const dark = count === 0 ? 0 : sum / count
  return dark + (split - dark) / 2
}

function airOf(means: Float32Array, air: Uint8Array, threshold: number): Head["air"] {
  let [sum, squares, count] = [0, 0, 0]
  for (let cell = 0; cell < air.length; cell++)
    if (air[cell] === 1 && means[cell]! < threshold) {
      sum += means[cell]!
      squares += means[cell]! ** 2
      count++
    }
  if (count === 0) return { mean: 0, spread: 0 }
  const mean = sum / count
  return { mean, spread: Math.sqrt(Math.max(0, squares / count - mean * mean)) }
}
