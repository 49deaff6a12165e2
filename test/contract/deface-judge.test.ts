import { describe, expect, it } from "vitest"
import { Judge } from "../../transforms/deface/judge.ts"
import type { Slice } from "../../transforms/deface/slices.ts"

const size = 60
/** An axial slice of 60 by 60 voxels of 3 mm, in which everything behind a row is tissue. */
const slice: Slice = {
  frame: 0,
  rows: size,
  columns: size,
  origin: [-90, -90, 0],
  across: [3, 0, 0],
  down: [0, 3, 0],
  normal: [0, 0, 1],
  thickness: 3,
  slope: 1,
  intercept: 0,
}
const body = (skinAt: (column: number) => number): Float32Array =>
  Float32Array.from({ length: size * size }, (_, at) => (Math.floor(at / size) >= skinAt(at % size) ? 40 : -1000))

const judged = (before: Float32Array, after: Float32Array) => {
  const judge = new Judge({ threshold: -300, x: [-60, 60], z: [-1, 2], back: 60 })
  judge.see(slice, [1.5, 1.5], before, after)
  return judge.judgement(4)
}

describe("the judge of a face that was taken out", () => {
  const face = body(() => 10)

  it("sees a face that is still there", () => {
    expect(judged(face, face)).toEqual({ rays: 40, moved: 0 })
  })

  it("is not content with skin that lies a voxel deeper, and is with two", () => {
    expect(
      judged(
        face,
        body(() => 11),
      ).moved,
    ).toBe(0)
    expect(
      judged(
        face,
        body(() => 12),
      ).moved,
    ).toBe(1)
  })

  it("counts each ray: half of a face that is left is half", () => {
    expect(
      judged(
        face,
        body((column) => (column < 30 ? 10 : 20)),
      ).moved,
    ).toBeCloseTo(0.5, 1)
  })

  it("does not take a mask in front of the face for its absence", () => {
    const masked = Float32Array.from(face)
    for (let column = 0; column < size; column++) masked[4 * size + column] = 40
    expect(judged(face, masked).moved).toBe(0)
  })
})
