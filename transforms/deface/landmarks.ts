import type { Head } from "./head.ts"

/** Where the face is, mm in the patient's axes. */
export interface Landmarks {
  /** The mid-sagittal plane. */
  readonly middle: number
  /** From brow to occiput, and from side to side. */
  readonly length: number
  readonly breadth: number
  /** The root of the nose between the eyes; `high` and `low` are as far as what was measured leaves open. */
  readonly nasion: { readonly high: number; readonly low: number }
  /** Skin at the nasion. */
  readonly front: number
}

/** Why no face can be told in a body. */
export type NoFace = "not-a-head" | "head-cut-off" | "no-nose"

/** Sizes of heads from newborn to large adult, mm: length and breadth (WHO and ANSUR II, with room). */
const lengths = [95, 235] as const
const breadths = [75, 195] as const
/** Parts of the length of the head: vertex to sellion, sellion to tip of the nose, both from ANSUR II's means. */
const vertexToNasion = 0.56
const nasionToTip = 0.24

/** The outermost places of one axial layer. */
interface Layer {
  readonly area: number
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
  /** The layer ends where nobody looked further. */
  readonly cut: { readonly x: boolean; readonly y: boolean }
}

const noLayer: Layer = { area: 0, x: [0, 0], y: [0, 0], cut: { x: false, y: false } }

function layerAt({ grid, inside, seen }: Head, k: number): Layer {
  const [nx, ny] = grid.size
  let [x0, x1, y0, y1, count, cutX, cutY] = [nx, -1, ny, -1, 0, 0, 0]
  for (let j = 0; j < ny; j++)
    for (let i = 0; i < nx; i++) {
      const cell = (k * ny + j) * nx + i
      if (inside[cell] === 0) continue
      count++
      if (i < x0) x0 = i
      if (i > x1) x1 = i
      if (j < y0) y0 = j
      if (j > y1) y1 = j
      if (seen[cell - 1] === 0 || seen[cell + 1] === 0) cutX++
      if (seen[cell - nx] === 0 || seen[cell + nx] === 0) cutY++
    }
  if (count === 0) return noLayer
  const place = (axis: 0 | 1, at: number) => grid.origin[axis] + at * grid.step
  // A few cells at the edge are hair or noise; a stretch of them is a head that goes on.
  const few = 20 / grid.step
  return {
    area: count * grid.step ** 2,
    x: [place(0, x0), place(0, x1 + 1)],
    y: [place(1, y0), place(1, y1 + 1)],
    cut: { x: cutX > few, y: cutY > few },
  }
}

/** The skin furthest in front within some distance of the middle, for each layer; NaN where there is none or it is cut off. */
function profile({ grid, inside, seen }: Head, middle: number, width: number): Float64Array {
  const [nx, ny, nz] = grid.size
  const column = (x: number) => Math.min(nx - 1, Math.max(0, Math.floor((x - grid.origin[0]) / grid.step)))
  const [from, to] = [column(middle - width), column(middle + width)]
  return Float64Array.from({ length: nz }, (_, k) => {
    let first = ny
    let cut = false
    for (let i = from; i <= to; i++)
      for (let j = 0; j < first; j++) {
        const cell = (k * ny + j) * nx + i
        if (inside[cell] === 0) continue
        first = j
        cut = seen[cell - nx] === 0
      }
    return first === ny || cut ? Number.NaN : grid.origin[1] + first * grid.step
  })
}

/** The layer of the tip of the nose, if there is one: further in front than what is above and below it. */
function tipOfNose(front: Float64Array, step: number, scale: number, from: number, to: number): number | undefined {
  const mean = (k: number, low: number, high: number): number => {
    const [a, b] = [Math.round(k + (low * scale) / step), Math.round(k + (high * scale) / step)]
    let [sum, count] = [0, 0]
    for (let at = a; at <= b; at++)
      if (front[at] !== undefined && !Number.isNaN(front[at]!)) {
        sum += front[at]!
        count++
      }
    return count * 2 < b - a + 1 ? Number.NaN : sum / count
  }
  let [best, tip] = [prominence * scale, undefined as number | undefined]
  for (let k = Math.max(0, Math.floor(from)); k <= Math.min(front.length - 1, Math.ceil(to)); k++) {
    const above = mean(k, 28, 44) - front[k]!
    const below = mean(k, -36, -20) - front[k]!
    // Of a series that ends at the lip only what is above can be asked.
    const out = Number.isNaN(below) ? above : Math.min(above, below)
    if (out > best) [best, tip] = [out, k]
  }
  return tip
}

/** How far the tip of a nose stands out, at least, of an adult, mm. */
const prominence = 6

interface Size {
  readonly middle: number
  readonly length: number
  readonly breadth: number
}

/** Length and breadth of the upper head, at its largest layers within so many mm of the top. */
function sizeOf(layers: readonly Layer[], top: number, step: number): Size | NoFace {
  const upper = layers.slice(Math.max(0, top - Math.round(110 / step)), top + 1).filter(({ area }) => area > 0)
  const cut = upper.reduce((sum, layer) => [sum[0]! + Number(layer.cut.x), sum[1]! + Number(layer.cut.y)], [0, 0])
  const half = upper.length / 2
  const extent = ([from, to]: readonly [number, number]) => to - from
  const byX = [...upper].sort((a, b) => extent(b.x) - extent(a.x))
  const breadth = extent(byX[byX.length >> 3]!.x)
  // A few layers with ears or a nose are not the head's size.
  const byY = [...upper].sort((a, b) => extent(b.y) - extent(a.y))
  const long = extent(byY[byY.length >> 3]!.y)
  const widest = byX[byX.length >> 3]!
  const middle = (widest.x[0] + widest.x[1]) / 2
  if (cut[1]! > half) return "head-cut-off"
  if (cut[0]! > half) {
    // Slices side by side, of which the outer ones are missing.
    if (long < lengths[0] || long > lengths[1]) return "not-a-head"
    return { middle, length: long, breadth: Math.max(breadth, long * 0.8) }
  }
  const length = Math.min(Math.max(long, breadth * 1.1), breadth * 1.45)
  const fits = length >= lengths[0] && length <= lengths[1] && breadth >= breadths[0] && breadth <= breadths[1]
  return fits ? { middle, length, breadth } : "not-a-head"
}

/** Finds the face of a head: by the height of its top, by its nose, or by both; where they disagree there is no face that we know. */
export function findLandmarks(head: Head): Landmarks | NoFace {
  const { grid, seen } = head
  const { step, origin } = grid
  const [nx, ny, nz] = grid.size
  const layers = Array.from({ length: nz }, (_, k) => layerAt(head, k))
  const top = layers.findLastIndex(({ area }) => area > 0)
  if (top < 0) return "not-a-head"
  const size = sizeOf(layers, top, step)
  if (typeof size === "string") return size
  const { middle, length } = size
  const scale = length / 190
  const layerLength = nx * ny
  const goesOn = (k: number): boolean => {
    let count = 0
    for (let cell = k * layerLength; cell < (k + 1) * layerLength; cell++)
      if (head.inside[cell] === 1 && seen[cell + layerLength] === 0) count++
    return count * step ** 2 > Math.PI * (32 * scale) ** 2
  }
  const place = (k: number) => origin[2] + (k + 0.5) * step
  const front = profile(head, middle, 16 * scale)
  const noseAt = (from: number, to: number) =>
    tipOfNose(front, step, scale, (from - origin[2]) / step, (to - origin[2]) / step)
  const isCutAbove = goesOn(top)
  const byTop = place(top) + step / 2 - vertexToNasion * length
  const bottom = place(layers.findIndex(({ area }) => area > 0))
  const tip = isCutAbove ? noseAt(-Infinity, Infinity) : noseAt(byTop - 100 * scale, byTop - 5 * scale)
  const byNose = tip === undefined ? undefined : place(tip) + nasionToTip * length
  const skin = (z: number): number => {
    const near = [0, 1, -1, 2, -2, 3, -3].map((off) => front[Math.floor((z - origin[2]) / step) + off])
    return near.find((value) => value !== undefined && !Number.isNaN(value)) ?? Number.NaN
  }
  if (byNose === undefined) {
    if (isCutAbove) return "head-cut-off"
    // Above the nose there is nothing else to find it by; with a nose in view it must show.
    if (bottom < byTop - 30 * scale) return "no-nose"
  }
  const known = [...(isCutAbove ? [] : [byTop]), ...(byNose === undefined ? [] : [byNose])]
  const [high, low] = [Math.max(...known), Math.min(...known)]
  if (high - low > 36 * scale) return "no-nose"
  const firstSkin = Number.isNaN(skin(low)) ? frontOf(front) : skin(low)
  if (Number.isNaN(firstSkin)) return "head-cut-off"
  return { ...size, nasion: { high, low }, front: firstSkin }
}

/** Skin of the lowest layer, where the nasion is below what was seen. */
const frontOf = (front: Float64Array): number => front.find((value) => !Number.isNaN(value)) ?? Number.NaN
