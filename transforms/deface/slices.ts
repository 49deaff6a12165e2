import { find } from "../../formats/dicom/element.ts"
import type { DataSet } from "../../formats/dicom/element.ts"
import { lookup } from "../../formats/dicom/dictionary.ts"
import type { Parsed } from "../../formats/dicom/index.ts"
import { Values } from "../../formats/dicom/index.ts"

/** A place or direction in the patient: x to the left, y to the back, z to the head, mm (PS3.3 C.7.6.2.1.1). */
export type Vector = readonly [x: number, y: number, z: number]

/** One plane of voxels: a single-frame image, or a frame. */
export interface Slice {
  /** From 0. */
  readonly frame: number
  readonly rows: number
  readonly columns: number
  /** Centre of the first voxel. */
  readonly origin: Vector
  /** From a voxel to the next in its row, mm. */
  readonly across: Vector
  /** From a voxel to the next in its column, mm. */
  readonly down: Vector
  /** Of both, a unit vector. */
  readonly normal: Vector
  /** (0018,0050), mm; 0 when not told. */
  readonly thickness: number
  /** Stored value to the value that it stands for (PS3.3 C.11.1, C.7.6.16.2.9). */
  readonly slope: number
  readonly intercept: number
}

/** Classes whose slices are read: CT and MR, enhanced and converted ones too (PS3.4 table B.5-1). */
const sliceClasses: ReadonlyMap<string, "CT" | "MR"> = new Map([
  ["1.2.840.10008.5.1.4.1.1.2", "CT"],
  ["1.2.840.10008.5.1.4.1.1.2.1", "CT"],
  ["1.2.840.10008.5.1.4.1.1.2.2", "CT"],
  ["1.2.840.10008.5.1.4.1.1.4", "MR"],
  ["1.2.840.10008.5.1.4.1.1.4.1", "MR"],
  ["1.2.840.10008.5.1.4.1.1.4.4", "MR"],
])

/** Whether a class has slices of CT or MR, and which. */
export const sliceModality = (sopClass: string): "CT" | "MR" | undefined => sliceClasses.get(sopClass)

const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
]
export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
export const scaled = (a: Vector, by: number): Vector => [a[0] * by, a[1] * by, a[2] * by]

/** Reads numbers of one data set, or of the first that has them: functional groups of a frame, then shared ones, then the top. */
export class Header {
  readonly #top: DataSet
  readonly #values: Values

  constructor({ source, dataSet }: Parsed) {
    this.#top = dataSet
    this.#values = new Values(source, dataSet)
  }

  texts(tag: number, within: DataSet = this.#top): readonly string[] {
    const element = find(within, tag)
    if (element === undefined || element.items !== undefined || element.valueEnd === element.valueStart) return []
    return this.#values.texts(element, lookup(tag)?.vr ?? element.vr)
  }

  numbers(tag: number, count: number, within: DataSet = this.#top): readonly number[] | undefined {
    const numbers = this.texts(tag, within).map(Number)
    return numbers.length >= count && numbers.slice(0, count).every(Number.isFinite) ? numbers : undefined
  }

  u16(tag: number): number | undefined {
    const element = find(this.#top, tag)
    return element === undefined ? undefined : this.#values.u16(element, this.#top.coding.bigEndian)
  }

  items(tag: number, within: DataSet = this.#top): readonly DataSet[] {
    return find(within, tag)?.items ?? []
  }

  /** Data sets that may hold an attribute of a frame, the nearest first. */
  holders(frame: number, macro: number): readonly DataSet[] {
    const own = this.items(0x52009230)[frame]
    const groups = [...(own === undefined ? [] : [own]), ...this.items(0x52009229)]
    return [...groups.flatMap((group) => this.items(macro, group)), this.#top]
  }

  ofFrame(frame: number, macro: number, tag: number, count: number): readonly number[] | undefined {
    for (const holder of this.holders(frame, macro)) {
      const found = this.numbers(tag, count, holder)
      if (found !== undefined) return found
    }
    return undefined
  }
}

const planePosition = 0x00209113
const planeOrientation = 0x00209116
const pixelMeasures = 0x00289110
const valueTransformation = 0x00289145

function sliceOf(header: Header, frame: number, rows: number, columns: number): Slice | undefined {
  const origin = header.ofFrame(frame, planePosition, 0x00200032, 3)
  const directions = header.ofFrame(frame, planeOrientation, 0x00200037, 6)
  const spacing = header.ofFrame(frame, pixelMeasures, 0x00280030, 2)
  if (origin === undefined || directions === undefined || spacing === undefined) return undefined
  const [between, along] = spacing as [number, number]
  const row = directions.slice(0, 3) as unknown as Vector
  const column = directions.slice(3, 6) as unknown as Vector
  const normal = cross(row, column)
  const isOrthonormal =
    Math.abs(dot(row, row) - 1) < 0.02 && Math.abs(dot(column, column) - 1) < 0.02 && Math.abs(dot(row, column)) < 0.02
  if (!(between > 0) || !(along > 0) || !isOrthonormal) return undefined
  return {
    frame,
    rows,
    columns,
    origin: origin.slice(0, 3) as unknown as Vector,
    across: scaled(row, along),
    down: scaled(column, between),
    normal: scaled(normal, 1 / Math.sqrt(dot(normal, normal))),
    thickness: header.ofFrame(frame, pixelMeasures, 0x00180050, 1)?.[0] ?? 0,
    slope: header.ofFrame(frame, valueTransformation, 0x00281053, 1)?.[0] || 1,
    intercept: header.ofFrame(frame, valueTransformation, 0x00281052, 1)?.[0] ?? 0,
  }
}

/** The slices of an image, in the order of its frames; undefined when one of them does not say where it is. */
export function slicesOf(header: Header): readonly Slice[] | undefined {
  const rows = header.u16(0x00280010)
  const columns = header.u16(0x00280011)
  const frames = header.numbers(0x00280008, 1)?.[0] ?? 1
  if (!rows || !columns || !Number.isInteger(frames) || frames < 1 || frames > 100_000) return undefined
  const isPlaced = frames === 1 || header.items(0x52009230).length === frames
  if (!isPlaced) return undefined
  const slices: Slice[] = []
  for (let frame = 0; frame < frames; frame++) {
    const slice = sliceOf(header, frame, rows, columns)
    if (slice === undefined) return undefined
    slices.push(slice)
  }
  return slices
}
