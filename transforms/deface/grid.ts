import type { Slice, Vector } from "./slices.ts"
import { dot } from "./slices.ts"

/** Edge of a cell, mm, unless voxels are larger or the body is. */
const usualStep = 2
const mostStep = 4
/** Cells of a grid; some 25 bytes each while the head is looked for. */
const mostCells = 12_000_000
/** Samples that lie this part of a step apart, in any direction, miss no cell: 1 / sqrt(3). */
const dense = 0.57
/** Slices further apart leave cells between them that nobody saw. */
const widest = 12

/** A slice and how far it reaches along its normal on either side, mm. */
export interface Slab {
  readonly slice: Slice
  readonly before: number
  readonly after: number
}

/** Slices of a series with the room between them shared out, so that they leave no gap. */
export function slabsOf(slices: readonly Slice[]): readonly Slab[] {
  const groups = new Map<string, Slice[]>()
  for (const slice of slices) {
    const key = slice.normal.map((value) => Math.round(value * 20)).join()
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [slice])
    else group.push(slice)
  }
  const placeOf = ({ origin, normal }: Slice) => Math.round(dot(origin, normal) * 50) / 50
  return [...groups.values()].flatMap((group) => {
    const distinct = [...new Set(group.map(placeOf))].sort((a, b) => a - b)
    const indices = new Map(distinct.map((place, index) => [place, index]))
    return group.map((slice) => {
      const index = indices.get(placeOf(slice))!
      const [left, right] = [distinct[index - 1], distinct[index + 1]]
      const before = left === undefined ? undefined : distinct[index]! - left
      const after = right === undefined ? undefined : right - distinct[index]!
      const half = (one: number | undefined, other: number | undefined) =>
        Math.min(one ?? other ?? slice.thickness, widest) / 2
      return { slice, before: half(before, after), after: half(after, before) }
    })
  })
}

/** Values of a series on cells along the patient's axes, whatever the orientation of its slices. Cell i of an axis covers
 * [origin + i * step, origin + (i + 1) * step). */
export class Grid {
  readonly step: number
  readonly size: Vector
  readonly origin: Vector
  readonly #sum: Float32Array
  readonly #count: Uint16Array

  private constructor(step: number, origin: Vector, size: Vector) {
    this.step = step
    this.origin = origin
    this.size = size
    this.#sum = new Float32Array(size[0] * size[1] * size[2])
    this.#count = new Uint16Array(this.#sum.length)
  }

  /** A grid around all slices; undefined when they span more than can be held. */
  static around(slabs: readonly Slab[]): Grid | undefined {
    const low = [Infinity, Infinity, Infinity]
    const high = [-Infinity, -Infinity, -Infinity]
    let step = usualStep
    for (const { slice, before, after } of slabs) {
      const { origin, across, down, rows, columns, normal } = slice
      step = Math.max(step, Math.sqrt(dot(across, across)), Math.sqrt(dot(down, down)))
      for (const [i, j] of [
        [0, 0],
        [columns - 1, 0],
        [0, rows - 1],
        [columns - 1, rows - 1],
      ] as const)
        for (let axis = 0; axis < 3; axis++) {
          const place = origin[axis]! + across[axis]! * i + down[axis]! * j
          low[axis] = Math.min(low[axis]!, place - normal[axis]! * before, place + normal[axis]! * after)
          high[axis] = Math.max(high[axis]!, place - normal[axis]! * before, place + normal[axis]! * after)
        }
    }
    const sizeFor = (edge: number) => low.map((from, axis) => Math.ceil((high[axis]! - from) / edge) + 3)
    const cells = (edge: number) => sizeFor(edge).reduce((product, count) => product * count, 1)
    while (cells(step) > mostCells && step < mostStep) step += 0.25
    if (!(cells(step) <= mostCells) || step > mostStep) return undefined
    const origin = low.map((from) => from - step) as unknown as Vector
    return new Grid(step, origin, sizeFor(step) as unknown as Vector)
  }

  /** Adds a slice's values, row after row as they are stored. */
  add({ slice, before, after }: Slab, values: Float32Array): void {
    const { step, size, origin } = this
    const { across, down, rows, columns, normal } = slice
    const stride = (along: Vector) => Math.max(1, Math.floor((step * dense) / Math.sqrt(dot(along, along))))
    const [di, dj] = [stride(across), stride(down)]
    const layers = Math.max(1, Math.ceil((before + after) / (step * dense)))
    const [nx, ny] = size
    const [ax, ay, az] = [across[0] / step, across[1] / step, across[2] / step]
    for (let layer = 0; layer < layers; layer++) {
      const offset = -before + ((before + after) * (layer + 0.5)) / layers
      const at = (axis: 0 | 1 | 2) => (slice.origin[axis] + normal[axis] * offset - origin[axis]) / step
      const [x0, y0, z0] = [at(0), at(1), at(2)]
      for (let j = 0; j < rows; j += dj) {
        const x = x0 + (down[0] * j) / step
        const y = y0 + (down[1] * j) / step
        const z = z0 + (down[2] * j) / step
        for (let i = 0; i < columns; i += di) {
          const cell = ((z + az * i) | 0) * nx * ny + ((y + ay * i) | 0) * nx + ((x + ax * i) | 0)
          if (this.#count[cell] === 0xffff) continue
          this.#sum[cell]! += values[j * columns + i]!
          this.#count[cell]!++
        }
      }
    }
  }

  /** The mean value of each cell; NaN where nothing was seen. The grid is not to be added to afterwards. */
  means(): Float32Array {
    for (let cell = 0; cell < this.#sum.length; cell++) this.#sum[cell]! /= this.#count[cell]!
    return this.#sum
  }
}
