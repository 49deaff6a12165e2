/** Draws docs/faces.svg: a phantom's head before and after its face is taken out, seen from the front, and cut in the middle.
 *
 *     node scripts/face-picture.ts */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { coronal, phantom, sagittal, usual } from "../test/deface/phantom.ts"
import type { Scan } from "../test/deface/phantom.ts"
import { defaced } from "../test/deface/scanned.ts"
import { Judge } from "../transforms/deface/judge.ts"
import { imageOf, valuesOf } from "../transforms/deface/pixels.ts"

/** Grey levels, 0 black, row after row. */
interface Picture {
  readonly width: number
  readonly height: number
  readonly levels: Uint8Array
}

const shades = 7

function image(file: Uint8Array) {
  const read = imageOf(file)
  if (read.kind === "held") throw new Error(read.why)
  return read
}

/** A picture as one path for each grey. */
function drawn({ width, height, levels }: Picture, x: number, y: number, caption: string): string {
  const runs = new Map<number, string>()
  for (let row = 0; row < height; row++)
    for (let from = 0; from < width;) {
      const level = levels[row * width + from]!
      let to = from
      while (to < width && levels[row * width + to] === level) to++
      if (level > 0) runs.set(level, `${runs.get(level) ?? ""}M${from} ${row}h${to - from}v1h-${to - from}z`)
      from = to
    }
  const paths = [...runs].map(([level, d]) => {
    const grey = Math.round((level / shades) * 255)
    return `<path fill="rgb(${grey},${grey},${grey})" d="${d}"/>`
  })
  const label = `<text x="${width / 2}" y="${height + 9}" text-anchor="middle" font-size="7" font-family="sans-serif" fill="#555">${caption}</text>`
  const ground = `<rect width="${width}" height="${height}"/>`
  return `<g transform="translate(${x},${y})" shape-rendering="crispEdges">${ground}${paths.join("")}${label}</g>`
}

/** A surface lit from the front and above. */
function lit({ width, height, depths }: ReturnType<Judge["picture"]>): Picture {
  const levels = new Uint8Array(width * height)
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const at = row * width + column
      const here = depths[at]!
      if (here === Infinity) continue
      const slope = (by: number) => {
        const other = depths[at + by]
        return other === undefined || other === Infinity ? 0 : Math.max(-6, Math.min(6, other - here)) / 3
      }
      const [dx, dz] = [slope(1) - slope(-1), slope(width) - slope(-width)]
      const light = (1 - 0.25 * dx - 0.45 * dz) / Math.sqrt(1 + dx * dx + dz * dz)
      levels[at] = Math.max(1, Math.min(shades, Math.round(shades * (0.15 + 0.75 * light))))
    }
  return { width, height, levels }
}

/** The middle slice, as a window of soft tissue shows it; the mean of neighbours, as noise would make the file large. */
function cutOpen(file: Uint8Array, { rows, columns }: Scan): Picture {
  const read = image(file)
  const values = valuesOf(read, read.slices[0]!)
  const levels = values.map((_, at) => {
    const near = [0, 1, -1, columns, -columns].map((by) => Math.max(-250, Math.min(250, values[at + by] ?? -250)))
    const mean = near.reduce((sum, value) => sum + value, 0) / near.length
    return mean < -170 ? 0 : Math.max(1, Math.min(shades, Math.round(((mean + 200) / 450) * shades)))
  })
  return { width: columns, height: rows, levels: Uint8Array.from(levels) }
}

async function front(): Promise<readonly [Picture, Picture]> {
  const slices = phantom(coronal, usual)
  const files = await defaced(slices)
  if ("kind" in files) throw new Error(files.why)
  const judge = new Judge({ threshold: -300, x: [-105, 105], z: [-150, 100], back: 60 })
  for (const [at, { file }] of slices.entries()) {
    const [before, after] = [image(file), image(files[at]!)]
    const [slice] = before.slices
    judge.see(slice!, [1.25, 1.25], valuesOf(before, slice!), valuesOf(after, slice!))
  }
  return [lit(judge.picture("before")), lit(judge.picture("after"))]
}

async function middle(): Promise<readonly [Picture, Picture]> {
  const slices = phantom(sagittal, usual)
  const files = await defaced(slices)
  if ("kind" in files) throw new Error(files.why)
  const at = slices.length >> 1
  return [cutOpen(slices[at]!.file, sagittal), cutOpen(files[at]!, sagittal)]
}

const [[a, b], [c, d]] = [await front(), await middle()]
const gap = 8
const width = a.width * 2 + c.width * 2 + gap * 5
const height = Math.max(a.height, c.height) + 20
const parts = [
  drawn(a, gap, 6, "from the front"),
  drawn(b, a.width + gap * 2, 6, "its face taken out"),
  drawn(c, a.width * 2 + gap * 3, 6, "the middle slice"),
  drawn(d, a.width * 2 + c.width + gap * 4, 6, "its face taken out"),
]
const title = "<title>A phantom's head before and after its face is taken out</title>"
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width * 2}">${title}${parts.join("")}</svg>\n`
await writeFile(join(import.meta.dirname, "../docs/faces.svg"), svg)
