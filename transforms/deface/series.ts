import { createHash } from "node:crypto"
import { DicomFormatError } from "../../formats/dicom/index.ts"
import { cutOf } from "./cut.ts"
import { Grid, slabsOf } from "./grid.ts"
import type { Slab } from "./grid.ts"
import { findHead } from "./head.ts"
import type { Head } from "./head.ts"
import { Judge } from "./judge.ts"
import type { Judgement, Question } from "./judge.ts"
import { findLandmarks } from "./landmarks.ts"
import type { Landmarks } from "./landmarks.ts"
import { nativeOf } from "./native.ts"
import { held, imageOf, valuesOf } from "./pixels.ts"
import type { DecodeFrame, Held, Image } from "./pixels.ts"
import { airOfCt, replaced } from "./replace.ts"
import type { Slice } from "./slices.ts"

/** The bytes of one file of a series, wherever they are. */
export interface Bytes {
  readonly size: number
  read(from: number, to: number): Promise<Uint8Array>
  stream(from: number, to: number): AsyncIterable<Uint8Array>
}

/** A file of a series: opened as often as it is needed, so that no more than one is in memory. */
export interface Member {
  /** SOP Instance UID: the order of members is by it. */
  readonly id: string
  use<T>(act: (bytes: Bytes) => Promise<T>): Promise<T>
}

/** What defacing depends on besides the series: the same gives the same bytes. */
export interface DefaceGiven {
  /** A text of the series that only who has the project's key can make. */
  readonly secret: string
  /** For encapsulated pixel data; without it such series are held. */
  readonly decode?: DecodeFrame
}

/** How the faces of a series are taken out. */
export interface Defacing {
  readonly kind: "defacing"
  readonly judgement: Judgement
  readonly landmarks: Landmarks
  /** The file with the face taken out, of the same size unless it was encapsulated. */
  deface(bytes: Bytes): Promise<Bytes | Held>
}

/** How far behind the original skin the surface must lie, at how many of the rays: what the judge asks (mm of a head of 190 mm). */
export const demanded = { distance: 4, rays: 0.95 } as const
/** Most bytes of one file. */
const mostHeld = 512 << 20

async function imageIn(bytes: Bytes, { decode }: DefaceGiven): Promise<Image | Held> {
  if (bytes.size > mostHeld) return held("too-large")
  try {
    const file = await bytes.read(0, bytes.size)
    const native = await nativeOf(file, decode)
    return native instanceof Uint8Array ? imageOf(native) : native
  } catch (thrown) {
    if (thrown instanceof DicomFormatError) return held("unreadable-pixels")
    throw thrown
  }
}

/** Lets others have their turn: a series takes seconds. */
const pause = (): Promise<void> => new Promise((resume) => setImmediate(resume))

/** All slices of a series with their reach, by member. */
interface Known {
  readonly modality: "CT" | "MR"
  readonly slabs: readonly (readonly Slab[])[]
}

async function slabsIn(members: readonly Member[], given: DefaceGiven): Promise<Known | Held> {
  const slices: (readonly Slice[])[] = []
  const modalities = new Set<"CT" | "MR">()
  for (const member of members) {
    const image = await member.use((bytes) => imageIn(bytes, given))
    if (image.kind === "held") return image
    slices.push(image.slices)
    modalities.add(image.modality)
    await pause()
  }
  const [modality, other] = [...modalities]
  if (modality === undefined || other !== undefined) return held("mixed-modalities")
  const all = new Map(slabsOf(slices.flat()).map((slab) => [slab.slice, slab]))
  return { modality, slabs: slices.map((own) => own.map((slice) => all.get(slice)!)) }
}

/** A file that changed between two readings. */
class Changed extends Error {}

async function eachImage(
  members: readonly Member[],
  given: DefaceGiven,
  act: (image: Image, at: number) => void,
): Promise<void> {
  for (const [at, member] of members.entries()) {
    const image = await member.use((bytes) => imageIn(bytes, given))
    if (image.kind === "held") throw new Changed()
    act(image, at)
    await pause()
  }
}

const questionOf = ({ threshold }: Head, { middle, breadth, length, nasion, front }: Landmarks): Question => ({
  threshold,
  x: [middle - 0.38 * breadth, middle + 0.38 * breadth],
  z: [nasion.low - 0.6 * length, nasion.high + 0.1 * length],
  back: front + 0.3 * length,
})

const seedOf = ({ secret }: DefaceGiven): number => createHash("sha256").update(secret).digest().readUInt32LE(0)

/** Finds the face in a series and how to take it out, and lets a judge look at the result before anything is written. Three readings
 * of each file, one in memory at a time, and a grid of the patient's body. Held is what cannot be done, or was not done well enough. */
export async function planDefacing(members: readonly Member[], given: DefaceGiven): Promise<Defacing | Held> {
  try {
    // Sums of floating point numbers depend on their order.
    return await plan(
      [...members].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
      given,
    )
  } catch (thrown) {
    if (thrown instanceof Changed) return held("unreadable-pixels")
    throw thrown
  }
}

async function plan(members: readonly Member[], given: DefaceGiven): Promise<Defacing | Held> {
  const known = await slabsIn(members, given)
  if ("kind" in known) return known
  const { modality, slabs } = known
  const grid = Grid.around(slabs.flat())
  if (grid === undefined) return held("too-large")
  await eachImage(members, given, (image, at) => {
    for (const slab of slabs[at]!) grid.add(slab, valuesOf(image, slab.slice))
  })
  const head = findHead(grid, modality)
  if (head === undefined) return held("not-a-head")
  const landmarks = findLandmarks(head)
  if (typeof landmarks === "string") return held(landmarks)
  await pause()
  const seed = seedOf(given)
  const mask = cutOf(head, landmarks, seed)
  const filling = modality === "CT" ? airOfCt : head.air
  const make = (image: Image): Buffer => replaced(image, mask, grid, filling, seed)
  const judge = new Judge(questionOf(head, landmarks))
  await eachImage(members, given, (image, at) => {
    const after: Image = { ...image, file: make(image) }
    for (const { slice, before: from, after: to } of slabs[at]!)
      judge.see(slice, [from, to], valuesOf(image, slice), valuesOf(after, slice))
  })
  const judgement = judge.judgement((demanded.distance * landmarks.length) / 190)
  if (judgement.moved < demanded.rays) return held("face-left")
  return {
    kind: "defacing",
    judgement,
    landmarks,
    async deface(bytes) {
      const image = await imageIn(bytes, given)
      return image.kind === "held" ? image : inMemory(make(image))
    },
  }
}

function inMemory(file: Uint8Array): Bytes {
  return {
    size: file.length,
    read: (from, to) => Promise.resolve(file.subarray(from, to)),
    async *stream(from, to) {
      yield file.subarray(from, to)
    },
  }
}
