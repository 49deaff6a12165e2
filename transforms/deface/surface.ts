import type { Parsed } from "../../formats/dicom/index.ts"
import { Header, dot, sliceModality, slicesOf } from "./slices.ts"

/** Where parallel slices of one instance lie along their normal, mm; `count` distinct places from first to last. */
export interface Stack {
  /** The normal to a tenth, its sign such that the first number that is not 0 is positive. */
  readonly normal: string
  readonly from: number
  readonly to: number
  readonly count: number
}

/** What an instance adds to the question whether a surface can be made of its series: as small as a row of state. */
export interface SliceEvidence {
  readonly stacks: readonly Stack[]
  /** How many images the series or acquisition has, as the header says (0020,1209; 0020,1002); 0 when it does not. */
  readonly stated: number
}

/** When slices allow no reconstruction of a face. Each figure is about half of what the anatomy would allow, as an error here lets a
 * face pass: the nose is some 50 mm high and 35 mm wide and deep 20 mm (Farkas, Anthropometry of the Head and Face, 1994), so a slab
 * of 15 mm shows no face in any plane, four slices are no surface, and slices a centimetre apart cut the nose two or three times.
 * Usual 2D protocols (5 mm with a gap) and everything finer count as a face: 3D renderings of those were recognised (Budin 2008,
 * doi:10.1016/j.media.2007.10.008; Schwarz 2021, doi:10.1016/j.neuroimage.2021.117845). A scout has up to three directions; slices in
 * more of them turn around an axis, and make a surface however far they are apart. */
export const surfaceLimits = { slices: 5, extent: 15, spacing: 10, directions: 3 } as const

const tenth = (value: number): number => Math.round(value * 10) / 10 + 0

function normalKey(normal: readonly [number, number, number]): { readonly key: string; readonly sign: number } {
  const rounded = normal.map(tenth)
  const sign = (rounded.find((value) => value !== 0) ?? 1) < 0 ? -1 : 1
  return { key: rounded.map((value) => value * sign + 0).join(","), sign }
}

/** The evidence of an instance; undefined when it is no CT or MR, or does not say where its slices are. */
export function sliceEvidence(parsed: Parsed, sopClass: string): SliceEvidence | undefined {
  if (sliceModality(sopClass) === undefined) return undefined
  const header = new Header(parsed)
  const slices = slicesOf(header)
  if (slices === undefined) return undefined
  const groups = new Map<string, Set<number>>()
  for (const { normal, origin } of slices) {
    const { key, sign } = normalKey(normal)
    const places = groups.get(key) ?? new Set()
    places.add(tenth(dot(origin, normal) * sign))
    groups.set(key, places)
  }
  const stacks = [...groups].map(([normal, places]) => {
    const sorted = [...places].sort((a, b) => a - b)
    return { normal, from: sorted[0]!, to: sorted.at(-1)!, count: sorted.length }
  })
  const counts = [0x00201209, 0x00201002].map((tag) => header.numbers(tag, 1)?.[0] ?? 0)
  return { stacks, stated: Math.max(...counts) }
}

/** What the slices of a series are together. */
export class SeriesSlices {
  readonly #stacks = new Map<string, Map<string, Stack>>()
  #stated = 0

  add({ stacks, stated }: SliceEvidence): void {
    this.#stated = Math.max(this.#stated, stated)
    for (const stack of stacks) {
      const same = this.#stacks.get(stack.normal) ?? new Map<string, Stack>()
      same.set(`${stack.from}:${stack.to}`, stack)
      this.#stacks.set(stack.normal, same)
    }
  }

  /** Whether a surface could be made of them, by {@link surfaceLimits}; also when the header says that there are more of them. */
  get allowSurface(): boolean {
    const directions = [...this.#stacks].map(([normal, stacks]) => ({ normal, stacks: [...stacks.values()] }))
    const groups: { readonly normal: string; readonly stacks: Stack[] }[] = []
    for (const { normal, stacks } of directions) {
      const parallel = groups.find((group) => isParallel(group.normal, normal))
      if (parallel === undefined) groups.push({ normal, stacks })
      else parallel.stacks.push(...stacks)
    }
    return (
      this.#stated >= surfaceLimits.slices ||
      groups.length > surfaceLimits.directions ||
      groups.some(({ stacks }) => isVolume(stacks))
    )
  }
}

/** Normals that differ by what rounding or a small tilt makes, some 15 degrees. */
function isParallel(a: string, b: string): boolean {
  const [first, second] = [a.split(",").map(Number), b.split(",").map(Number)]
  return Math.abs(first.reduce((sum, value, axis) => sum + value * second[axis]!, 0)) > 0.96
}

function isVolume(stacks: readonly Stack[]): boolean {
  const count = stacks.reduce((sum, stack) => sum + stack.count, 0)
  if (count < surfaceLimits.slices) return false
  const ends = stacks.flatMap(({ from, to }) => [from, to])
  const length = Math.max(...ends) - Math.min(...ends)
  const extent = length + length / (count - 1)
  return extent >= surfaceLimits.extent && typicalGap(stacks, count) <= surfaceLimits.spacing
}

/** The median distance of neighbours. Of an instance with many slices only the mean one is known. */
function typicalGap(stacks: readonly Stack[], count: number): number {
  const sorted = [...stacks].sort((a, b) => a.from - b.from)
  const gaps = sorted.flatMap((stack, at) => {
    const own = Array.from({ length: stack.count - 1 }, () => (stack.to - stack.from) / (stack.count - 1))
    const next = sorted[at + 1]
    return next === undefined ? own : [...own, Math.max(0, next.from - stack.to)]
  })
  return gaps.sort((a, b) => a - b)[(count - 1) >> 1] ?? 0
}
