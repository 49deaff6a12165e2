import { buildPart10 } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"

export type Point = readonly [x: number, y: number, z: number]

/** How a phantom differs from the usual one: size, tilt of the head, where it lies, how much noise. */
export interface Person {
  readonly scale: number
  /** Chin to the chest and shaking of the head, degrees. */
  readonly pitch: number
  readonly yaw: number
  readonly at: Point
  readonly seed: number
}

export const usual: Person = { scale: 1, pitch: 0, yaw: 0, at: [0, 0, 0], seed: 1 }

/** How slices are laid: the directions of rows and columns, the way from slice to slice, mm. */
export interface Scan {
  readonly modality: "CT" | "MR"
  readonly row: Point
  readonly column: Point
  readonly step: Point
  readonly spacing: readonly [between: number, along: number]
  readonly rows: number
  readonly columns: number
  readonly slices: number
  /** Centre of the middle of all slices. */
  readonly centre: Point
  readonly signed?: boolean
  readonly transferSyntax?: string
}

const inEllipsoid = (p: Point, c: Point, r: Point): boolean =>
  ((p[0] - c[0]) / r[0]) ** 2 + ((p[1] - c[1]) / r[1]) ** 2 + ((p[2] - c[2]) / r[2]) ** 2 <= 1

/** The base of the skull: the floor of the anterior, middle and posterior fossa, by how far back. */
const floorAt = (y: number): number => (y < -45 ? -14 : y < 0 ? -45 : -67)
const isBrain = (p: Point): boolean => inEllipsoid(p, [0, 0, 0], [65, 84, 79]) && p[2] > floorAt(p[1])
const isSkull = (p: Point): boolean =>
  inEllipsoid(p, [0, 0, 0], [71, 90, 85]) && !isBrain(p) && p[2] > floorAt(p[1]) - 6

/** Of a person 1 m wide in everything but mm: front is -y, up is +z; the vertex at 90, the nasion at -17, the chin at -141. */
const tissues = [
  ["eye", (p: Point) => [-31, 31].some((x) => inEllipsoid(p, [x, -82, -24], [12, 12, 12]))],
  ["air", (p: Point) => inEllipsoid(p, [0, -86, -1], [17, 4, 7])],
  ["air", (p: Point) => [-25, 25].some((x) => inEllipsoid(p, [x, -64, -52], [11, 14, 14]))],
  ["air", (p: Point) => Math.hypot(p[0], p[1] + 12) < 8 && p[2] < -62],
  ["air", (p: Point) => [-6, 6].some((x) => Math.hypot(p[0] - x, p[1] + 100) < 3) && p[2] < -58 && p[2] > -78],
  ["brain", isBrain],
  ["bone", isSkull],
  ["bone", (p: Point) => inEllipsoid(p, [0, -48, -110], [45, 38, 28]) && !inEllipsoid(p, [0, -36, -104], [38, 34, 26])],
  ["scalp", (p: Point) => inEllipsoid(p, [0, 0, 0], [76, 95, 90])],
  ["soft", (p: Point) => inEllipsoid(p, [0, -45, -75], [58, 51, 66])],
  ["soft", (p: Point) => inEllipsoid(p, [0, -96, -54], [15, 23, 22])],
  ["soft", (p: Point) => inEllipsoid(p, [0, -95, -92], [24, 8, 9])],
  ["soft", (p: Point) => inEllipsoid(p, [0, -84, -124], [20, 14, 16])],
  ["soft", (p: Point) => [-79, 79].some((x) => inEllipsoid(p, [x, 6, -32], [13, 10, 31]))],
  ["soft", (p: Point) => Math.hypot(p[0], p[1] - 18) < 54 && p[2] < -60],
] as const

type Tissue = (typeof tissues)[number][0] | "table" | "nothing"

const values: Readonly<Record<"CT" | "MR", Readonly<Record<Tissue, readonly [mean: number, spread: number]>>>> = {
  CT: {
    nothing: [-1000, 15],
    air: [-1000, 15],
    table: [-50, 30],
    scalp: [-20, 30],
    soft: [40, 20],
    bone: [900, 80],
    brain: [35, 8],
    eye: [10, 8],
  },
  MR: {
    nothing: [8, 8],
    air: [8, 8],
    table: [8, 8],
    scalp: [420, 40],
    soft: [190, 30],
    bone: [25, 12],
    brain: [260, 25],
    eye: [340, 20],
  },
}

/** Where a point of the world lies in the usual person. */
export function toPerson({ scale, pitch, yaw, at }: Person): (p: Point) => Point {
  const [sp, cp] = [Math.sin((pitch * Math.PI) / 180), Math.cos((pitch * Math.PI) / 180)]
  const [sy, cy] = [Math.sin((yaw * Math.PI) / 180), Math.cos((yaw * Math.PI) / 180)]
  return (p) => {
    const [x, y, z] = [p[0] - at[0], p[1] - at[1], p[2] - at[2]]
    const [a, b] = [cy * x + sy * y, -sy * x + cy * y]
    return [a / scale, (cp * b + sp * z) / scale, (-sp * b + cp * z) / scale]
  }
}

/** Where the skin of the usual person's face is, seen from the front at a place across and up; undefined where there is none. */
export function skinAt(x: number, z: number): number | undefined {
  for (let y = -140; y < 0; y += 0.5) if (tissues.some(([name, holds]) => name !== "air" && holds([x, y, z]))) return y
  return undefined
}

/** Where a point of the usual person lies in the world. */
export function toWorld({ scale, pitch, yaw, at }: Person): (p: Point) => Point {
  const [sp, cp] = [Math.sin((pitch * Math.PI) / 180), Math.cos((pitch * Math.PI) / 180)]
  const [sy, cy] = [Math.sin((yaw * Math.PI) / 180), Math.cos((yaw * Math.PI) / 180)]
  return (p) => {
    const [x, b, z] = [p[0] * scale, (cp * p[1] - sp * p[2]) * scale, (sp * p[1] + cp * p[2]) * scale]
    return [cy * x - sy * b + at[0], sy * x + cy * b + at[1], z + at[2]]
  }
}

const tissueAt = (world: Point, p: Point, modality: "CT" | "MR"): Tissue => {
  // Most of what is scanned is air.
  const isNear = Math.abs(p[0]) < 95 && p[1] > -122 && p[1] < 96 && p[2] < 91
  const found = isNear ? tissues.find(([, holds]) => holds(p))?.[0] : undefined
  if (found !== undefined) return found
  return modality === "CT" && world[1] > 112 && world[1] < 124 && Math.abs(world[0]) < 110 ? "table" : "nothing"
}

/** Numbers from -1 to 1. */
function noise(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** A slice of a phantom: its file, and which of its voxels are brain. */
export interface PhantomSlice {
  readonly file: Uint8Array
  readonly brain: Uint8Array
  readonly origin: Point
}

export const axial: Scan = {
  modality: "CT",
  row: [1, 0, 0],
  column: [0, 1, 0],
  step: [0, 0, 2.5],
  spacing: [2.5, 2.5],
  rows: 108,
  columns: 96,
  slices: 104,
  centre: [0, -4, -34],
}

export const sagittal: Scan = {
  ...axial,
  row: [0, 1, 0],
  column: [0, 0, -1],
  step: [2.5, 0, 0],
  slices: 86,
  rows: 104,
  columns: 108,
}

export const coronal: Scan = {
  ...axial,
  row: [1, 0, 0],
  column: [0, 0, -1],
  step: [0, 2.5, 0],
  slices: 104,
  rows: 104,
}

const add = (a: Point, b: Point, by: number): Point => [a[0] + b[0] * by, a[1] + b[1] * by, a[2] + b[2] * by]

/** The slices of a phantom as files, with what is changed in their headers. */
export function phantom(
  scan: Scan,
  person: Person = usual,
  ...changes: readonly DataElement[]
): readonly PhantomSlice[] {
  const inside = toPerson(person)
  const next = noise(person.seed)
  const { modality, rows, columns, slices, spacing, row, column, step } = scan
  const table = values[modality]
  return Array.from({ length: slices }, (_, at) => {
    let origin = add(scan.centre, step, at - (slices - 1) / 2)
    origin = add(add(origin, row, (-spacing[1] * (columns - 1)) / 2), column, (-spacing[0] * (rows - 1)) / 2)
    const samples = new Int16Array(rows * columns)
    const brain = new Uint8Array(rows * columns)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++) {
        const world = add(add(origin, row, i * spacing[1]), column, j * spacing[0])
        const p = inside(world)
        const tissue = tissueAt(world, p, modality)
        const [mean, spread] = table[tissue]
        const value = Math.round(mean + spread * next())
        samples[j * columns + i] =
          modality === "CT" ? (scan.signed === true ? value : value + 1024) : Math.max(0, value)
        brain[j * columns + i] = tissue === "brain" ? 1 : 0
      }
    return { file: fileOf(scan, at, origin, samples, changes), brain, origin }
  })
}

function fileOf(
  scan: Scan,
  at: number,
  origin: Point,
  samples: Int16Array,
  changes: readonly DataElement[],
): Uint8Array {
  const { modality, row, column, rows, columns, spacing, transferSyntax = "1.2.840.10008.1.2.1" } = scan
  const ds = (numbers: readonly number[]) => numbers.map((value) => String(Number(value.toFixed(5))))
  const pixels = Buffer.from(samples.buffer)
  const elements: readonly DataElement[] = [
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "AXIAL"] },
    { tag: "00080016", vr: "UI", value: `1.2.840.10008.5.1.4.1.1.${modality === "CT" ? 2 : 4}` },
    { tag: "00080018", vr: "UI", value: `1.2.3.4.5.${at + 1}` },
    { tag: "00080060", vr: "CS", value: modality },
    { tag: "00100010", vr: "PN", value: "Testperson^Alva" },
    { tag: "00100020", vr: "LO", value: "MRN-471147" },
    { tag: "00180015", vr: "CS", value: "HEAD" },
    { tag: "00180050", vr: "DS", value: ds([Math.hypot(...scan.step)])[0]! },
    { tag: "0020000D", vr: "UI", value: "1.2.3.4.100.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.3.4.100.2" },
    { tag: "00200013", vr: "IS", value: String(at + 1) },
    { tag: "00200032", vr: "DS", value: ds(origin) },
    { tag: "00200037", vr: "DS", value: ds([...row, ...column]) },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: rows },
    { tag: "00280011", vr: "US", value: columns },
    { tag: "00280030", vr: "DS", value: ds(spacing) },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "00280101", vr: "US", value: scan.signed === true ? 16 : 12 },
    { tag: "00280102", vr: "US", value: scan.signed === true ? 15 : 11 },
    { tag: "00280103", vr: "US", value: scan.signed === true ? 1 : 0 },
    ...(modality === "CT"
      ? [
          { tag: "00281052", vr: "DS", value: scan.signed === true ? "0" : "-1024" },
          { tag: "00281053", vr: "DS", value: "1" },
        ]
      : []),
    { tag: "7FE00010", vr: "OW", value: transferSyntax.endsWith(".2.2") ? Buffer.from(pixels).swap16() : pixels },
  ]
  const changed = new Set(changes.map(({ tag }) => tag))
  const kept = [
    ...elements.filter(({ tag }) => !changed.has(tag)),
    ...changes.filter(({ value, items }) => (value ?? items) !== undefined),
  ]
  return buildPart10(
    kept.sort((a, b) => (a.tag < b.tag ? -1 : 1)),
    { transferSyntax },
  )
}
