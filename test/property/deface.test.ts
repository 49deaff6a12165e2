import { describe, expect, it } from "vitest"
import { axial, coronal, phantom, sagittal, usual } from "../deface/phantom.ts"
import type { Person, Point, Scan } from "../deface/phantom.ts"
import { compare, defaced } from "../deface/scanned.ts"

const degrees = (angle: number) => [Math.sin((angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)] as const
const [s20, c20] = degrees(20)
const [s15, c15] = degrees(15)

/** Turned around the axis from ear to ear, as along the line from the eye's corner to the ear's canal. */
const oblique: Scan = { ...axial, column: [0, c20, s20], step: [0, -2.5 * s20, 2.5 * c20], slices: 112 }
/** Slices are tilted, and follow each other along the table all the same. */
const gantry: Scan = { ...axial, column: [0, c15, -s15], step: [0, 0, 2.6], slices: 112 }
const thick: Scan = { ...axial, spacing: [1.4, 1.4], rows: 192, columns: 172, step: [0, 0, 5], slices: 53 }
const feetFirst: Scan = { ...axial, step: [0, 0, -2.5] }
const bigEndian: Scan = { ...axial, signed: true, transferSyntax: "1.2.840.10008.1.2.2" }
const implicit: Scan = { ...coronal, signed: true, transferSyntax: "1.2.840.10008.1.2" }
/** Ends inside the head on both sides. */
const slab: Scan = { ...sagittal, slices: 50 }

const mr = (scan: Scan): Scan => ({ ...scan, modality: "MR" })
const cases = Object.entries({
  "CT, axial": axial,
  "CT, coronal, implicit, signed": implicit,
  "CT, oblique": oblique,
  "CT, tilted gantry": gantry,
  "CT, axial, 5 mm": thick,
  "CT, feet first": feetFirst,
  "CT, big endian, signed": bigEndian,
  "MR, axial": mr(axial),
  "MR, coronal": mr(coronal),
  "MR, sagittal": mr(sagittal),
  "MR, sagittal, without the sides": mr(slab),
  "MR, oblique": mr(oblique),
})

async function check(scan: Scan, person: Person): Promise<void> {
  const slices = phantom(scan, person)
  const files = await defaced(slices)
  if ("kind" in files) throw new Error(`held: ${files.why}`)
  const found = compare(scan, person, slices, files, 4 * person.scale)
  expect(found.brain).toBeGreaterThan(20_000)
  expect(found.brainChanged).toBe(0)
  expect(found.headersKept).toBe(true)
  expect(found.rays).toBeGreaterThan(300)
  expect(found.gone / found.rays).toBeGreaterThanOrEqual(0.95)
}

describe("a face that is taken out of a phantom's head", () => {
  it.each(cases)(
    "%s: nothing is left at the skin of 19 in 20 rays nor 4 mm behind it, and no voxel of the brain changed",
    (_, scan) => check(scan, usual),
    240_000,
  )

  const seeds = Number(process.env["WEIR_FACE_SEEDS"] ?? 3)
  it.each(Array.from({ length: seeds }, (_, at) => at + Number(process.env["WEIR_FACE_FROM"] ?? 1)))(
    "whoever lies however in the scanner (seed %i)",
    async (seed) => {
      let state = seed * 7919
      const next = (from: number, to: number) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        return from + ((to - from) * (state >>> 8)) / 2 ** 24
      }
      const at: Point = [next(-12, 12), next(-8, 8), next(-8, 8)]
      const person: Person = { scale: next(0.82, 1.08), pitch: next(-10, 10), yaw: next(-10, 10), at, seed }
      const scan = [axial, coronal, sagittal, oblique, gantry][Math.floor(next(0, 5))]!
      await check({ ...scan, modality: next(0, 1) < 0.5 ? "CT" : "MR" }, person)
    },
    240_000,
  )
})
