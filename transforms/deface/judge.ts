import type { Slice, Vector } from "./slices.ts"

/** What a judge asks: nothing of how the face was cut, only where it is. */
export interface Question {
  /** Values above it are tissue. */
  readonly threshold: number
  /** The window of the face seen from the front, and how far back it reaches, mm in the patient's axes. */
  readonly x: readonly [number, number]
  readonly z: readonly [number, number]
  readonly back: number
}

/** What a face looks like from the front afterwards. */
export interface Judgement {
  /** Rays that met skin before. */
  readonly rays: number
  /** Parts of them, 0 to 1, that meet nothing nearer than so far behind the skin that they met. */
  readonly moved: number
}

/** Edge of a ray's square, mm. */
const pixel = 3

/** Renders the outermost surface from the front, before and after, by throwing every voxel at a screen, as a renderer of points does
 * (a z-buffer), and compares the two. It sees voxels alone: not the grid, the mask or the surface by which a face was cut. */
export class Judge {
  readonly #question: Question
  readonly #width: number
  readonly #height: number
  readonly #before: Float32Array
  readonly #after: Float32Array

  constructor(question: Question) {
    this.#question = question
    this.#width = Math.ceil((question.x[1] - question.x[0]) / pixel)
    this.#height = Math.ceil((question.z[1] - question.z[0]) / pixel)
    this.#before = new Float32Array(this.#width * this.#height).fill(Infinity)
    this.#after = new Float32Array(this.#width * this.#height).fill(Infinity)
  }

  /** Shows a slice; `reach` is how far it stands for its surroundings along its normal, mm on either side. */
  see(slice: Slice, reach: readonly [number, number], before: Float32Array, after: Float32Array): void {
    const { origin, across, down, normal, rows, columns } = slice
    const layers = Math.max(1, Math.ceil((reach[0] + reach[1]) / pixel))
    for (let layer = 0; layer < layers; layer++) {
      const off = layers === 1 ? 0 : -reach[0] + ((reach[0] + reach[1]) * (layer + 0.5)) / layers
      for (let j = 0; j < rows; j++) {
        const start = origin.map((from, axis) => from + down[axis]! * j + normal[axis]! * off) as unknown as Vector
        for (let i = 0; i < columns; i++) {
          const voxel = j * columns + i
          const [was, is] = [before[voxel]!, after[voxel]!]
          if (was > this.#question.threshold || is > this.#question.threshold)
            this.#hit(start[0] + across[0] * i, start[1] + across[1] * i, start[2] + across[2] * i, was, is)
        }
      }
    }
  }

  #hit(x: number, y: number, z: number, was: number, is: number): void {
    const { threshold, x: across, z: up, back } = this.#question
    if (y > back) return
    const [i, k] = [Math.floor((x - across[0]) / pixel), Math.floor((z - up[0]) / pixel)]
    if (i < 0 || k < 0 || i >= this.#width || k >= this.#height) return
    const at = k * this.#width + i
    if (was > threshold && y < this.#before[at]!) this.#before[at] = y
    if (is > threshold && y < this.#after[at]!) this.#after[at] = y
  }

  /** @param distance mm that the surface must lie behind the original one */
  judgement(distance: number): Judgement {
    let [rays, moved] = [0, 0]
    for (const [at, before] of this.#before.entries()) {
      if (before === Infinity) continue
      rays++
      if (this.#after[at]! - before >= distance) moved++
    }
    return { rays, moved: rays === 0 ? 1 : moved / rays }
  }

  /** Depths in front of the back, mm, for a picture: rows from the head down; Infinity where nothing is. */
  picture(of: "before" | "after"): { readonly width: number; readonly height: number; readonly depths: Float32Array } {
    const from = of === "before" ? this.#before : this.#after
    const depths = new Float32Array(from.length)
    for (let k = 0; k < this.#height; k++)
      for (let i = 0; i < this.#width; i++)
        depths[(this.#height - 1 - k) * this.#width + i] = from[k * this.#width + i]!
    return { width: this.#width, height: this.#height, depths }
  }
}
