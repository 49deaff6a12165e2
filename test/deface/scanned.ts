import { planDefacing } from "../../transforms/deface/index.ts"
import type { Bytes, DefaceGiven, Held, Member } from "../../transforms/deface/index.ts"
import { phantom, skinAt, toWorld, usual } from "./phantom.ts"
import type { Person, PhantomSlice, Point, Scan } from "./phantom.ts"

export const bytesOf = (file: Uint8Array): Bytes => ({
  size: file.length,
  read: async (from, to) => file.subarray(from, to),
  async *stream(from, to) {
    yield file.subarray(from, to)
  },
})

export const memberOf = (file: Uint8Array, id: string): Member => ({ id, use: (act) => act(bytesOf(file)) })

/** A phantom after its face was taken out: the files, or why not. */
export async function defaced(
  slices: readonly PhantomSlice[],
  given: Partial<DefaceGiven> = {},
): Promise<readonly Uint8Array[] | Held> {
  const members = slices.map(({ file }, at) => memberOf(file, `1.2.3.${at}`))
  const plan = await planDefacing(members, { secret: "made of a key", ...given })
  if (plan.kind === "held") return plan
  const files: Uint8Array[] = []
  for (const { file } of slices) {
    const made = await plan.deface(bytesOf(file))
    if ("kind" in made) return made
    files.push(await made.read(0, made.size))
  }
  return files
}

/** What became of a phantom's voxels. */
export interface Findings {
  /** Voxels of the brain, and how many of them changed. */
  readonly brain: number
  readonly brainChanged: number
  readonly changed: number
  /** Whether everything before the pixel data is as it was. */
  readonly headersKept: boolean
  /** Rays from the front that met a face, and those that meet nothing where the skin was nor the given depth behind it. */
  readonly rays: number
  readonly gone: number
}

/** Compares by the phantom's own anatomy, known without looking at voxels: where its brain is, and where the skin of its face. */
export function compare(
  scan: Scan,
  person: Person,
  slices: readonly PhantomSlice[],
  files: readonly Uint8Array[],
  depth: number,
): Findings {
  let [brain, brainChanged, changed, headersKept] = [0, 0, 0, true]
  for (const [at, { file, brain: isBrain }] of slices.entries()) {
    const after = files[at]!
    const from = file.length - isBrain.length * 2
    headersKept &&=
      Buffer.compare(file.subarray(0, from), after.subarray(0, from)) === 0 && file.length === after.length
    for (let voxel = 0; voxel < isBrain.length; voxel++) {
      const [a, b] = [from + voxel * 2, from + voxel * 2 + 1]
      const isChanged = file[a] !== after[a] || file[b] !== after[b]
      if (isChanged) changed++
      if (isBrain[voxel] === 1) {
        brain++
        if (isChanged) brainChanged++
      }
    }
  }
  return { brain, brainChanged, changed, headersKept, ...raysOf(scan, person, slices, files, depth) }
}

function raysOf(
  scan: Scan,
  person: Person,
  slices: readonly PhantomSlice[],
  files: readonly Uint8Array[],
  depth: number,
): Pick<Findings, "rays" | "gone"> {
  const world = toWorld(person)
  const tissueAt = sampler(scan, slices, files)
  let [rays, gone] = [0, 0]
  // Eyes to chin, from one outer canthus to the other and somewhat more.
  for (let z = -138; z <= -8; z += 4)
    for (let x = -48; x <= 48; x += 4) {
      const skin = skinAt(x, z)
      // The sides of the cheeks are seen from the side.
      if (skin === undefined || skin > -50 || tissueAt(world([x, skin + 1, z])) === undefined) continue
      rays++
      let free = true
      for (let y = skin - 10; y <= skin + depth && free; y += 1) free = tissueAt(world([x, y, z])) !== true
      if (free) gone++
    }
  return { rays, gone }
}

/** Whether the voxel nearest to a point is tissue; undefined outside the slices. */
function sampler(
  scan: Scan,
  slices: readonly PhantomSlice[],
  files: readonly Uint8Array[],
): (p: Point) => boolean | undefined {
  const { row, column, spacing, rows, columns, step, modality, signed, transferSyntax } = scan
  const normal: Point = [
    row[1] * column[2] - row[2] * column[1],
    row[2] * column[0] - row[0] * column[2],
    row[0] * column[1] - row[1] * column[0],
  ]
  const dot = (a: Point, b: Point) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
  const apart = Math.abs(dot(step, normal))
  const threshold = modality === "CT" ? (signed === true ? -300 : 724) : 100
  return (p) => {
    const at = slices.findIndex(({ origin }) => Math.abs(dot(p, normal) - dot(origin, normal)) <= apart / 2 + 1e-6)
    if (at < 0) return undefined
    const { origin } = slices[at]!
    const d: Point = [p[0] - origin[0], p[1] - origin[1], p[2] - origin[2]]
    const [i, j] = [Math.round(dot(d, row) / spacing[1]), Math.round(dot(d, column) / spacing[0])]
    if (i < 0 || j < 0 || i >= columns || j >= rows) return undefined
    const bytes = Buffer.from(files[at]!.buffer, files[at]!.byteOffset, files[at]!.length)
    const offset = bytes.length - rows * columns * 2 + (j * columns + i) * 2
    const isBig = transferSyntax === "1.2.840.10008.1.2.2"
    return (isBig ? bytes.readInt16BE(offset) : bytes.readInt16LE(offset)) > threshold
  }
}

export { phantom, usual }
