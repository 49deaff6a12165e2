import { DicomFormatError, namesIn, parse, readingOf, summaryOf } from "../../../formats/dicom/index.ts"
import type { Parsed, Reading, Summary, TextPerson } from "../../../formats/dicom/index.ts"
import {
  PixelsUnreadable,
  around,
  decodeFrame,
  describe,
  displayOf,
  frameBytes,
  redact,
  render,
} from "../../../formats/pixels/index.ts"
import type { FoundBox } from "../../../core/index.ts"
import type { Contrast, Display, Frame, FrameArea, Picture, PixelDescription } from "../../../formats/pixels/index.ts"
import { look } from "./look.ts"
import type { Scored, View } from "./look.ts"
import { NoEngine } from "./ocr-engine.ts"
import type { ReadText } from "./read-text.ts"
import { regionsOf } from "./regions.ts"

/** What reading the pictures of an instance came to: `read`, with nothing found; `changed`, with the file without what was found; or
 * why it may not pass. */
export type PixelResult =
  | { readonly kind: "read" }
  | { readonly kind: "changed"; readonly bytes: Uint8Array; readonly areas: readonly FrameArea[] }
  | PixelsHeld

/** Pictures that may not pass. */
export interface PixelsHeld {
  readonly kind: "refused"
  readonly reason: "burned-in-text-risk" | "burned-in-text-unsure" | "pixels-unreadable"
  readonly detail: string
  /** What was found, where something was. */
  readonly boxes?: readonly FoundBox[]
}

const refused = (reason: PixelsHeld["reason"], detail: string, boxes: readonly FoundBox[] = []): PixelsHeld => ({
  kind: "refused",
  reason,
  detail,
  ...(boxes.length === 0 ? {} : { boxes }),
})

/** What a person decided on the pictures of an instance: reasons that hold them no more, and what is to be made black. */
export interface ReviewedPixels {
  readonly lifts: ReadonlySet<string>
  readonly areas: readonly FrameArea[]
}

const notReviewed: ReviewedPixels = { lifts: new Set(), areas: [] }

/** What is filled around the letters, in pixels. */
const margin = 2
/** Boxes that people are told of. */
const mostBoxes = 200
/** Times that a picture is read again after it was changed. */
const mostRounds = 3

const MODEL = 0x00081090

/** Everything of a person that a picture may say, as far as the object and its caller know. */
function personIn(parsed: Parsed, summary: Summary, identifiers: readonly string[]): TextPerson {
  const { patientId, patientName, accessionNumber } = summary
  const all = [patientId, patientName, accessionNumber, ...Object.values(namesIn(parsed)).flat(), ...identifiers]
  return { identifiers: all.filter((one) => one !== "") }
}

function headerOf(parsed: Parsed, summary: Summary) {
  const element = parsed.dataSet.elements.find(({ tag }) => tag === MODEL)
  const bytes = element === undefined ? [] : parsed.source.bytes(element.valueStart, element.valueEnd)
  return { ...summary, model: Buffer.from(bytes).toString("latin1") }
}

/** Boxes of an instance with their frame, from 0. */
interface Found {
  readonly redact: (Scored & { readonly frame: number })[]
  readonly unsure: (Scored & { readonly frame: number })[]
}

/** Reads every frame, the first, the middle and the last well; with `again` these alone, once. One with the same bytes as the one
 * before counts as read. */
async function readFrames(parsed: Parsed, person: TextPerson, reader: ReadText, again: boolean): Promise<Found> {
  const its = describe(parsed)
  const display = displayOf(parsed, its)
  const frames = frameBytes(parsed, its)
  const well = new Set([0, frames.length >> 1, frames.length - 1])
  const found: Found = { redact: [], unsure: [] }
  let previous: Buffer | undefined
  for (const [frame, bytes] of frames.entries()) {
    if (previous?.equals(bytes) === true || (again && !well.has(frame))) continue
    previous = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const view = viewOf(await decodeFrame(bytes, its), its, display)
    const seen = await look(view, person, reader, again ? "once" : well.has(frame) ? "well" : "briefly")
    found.redact.push(...seen.redact.map((box) => ({ ...box, frame })))
    found.unsure.push(...seen.unsure.map((box) => ({ ...box, frame })))
  }
  return found
}

/** Boxes as people are told of them: nothing of the text. */
const told = ({ redact: sure, unsure }: Found): readonly FoundBox[] => {
  const box = (judgement: FoundBox["judgement"]) => (each: Found["unsure"][number]) => {
    const { frame, x, y, width, height, score } = each
    const [left, top, wide, high] = [x, y, width, height].map(Math.round) as [number, number, number, number]
    const rounded = Math.round(score * 100) / 100
    return { frame: frame + 1, x: left, y: top, width: wide, height: high, score: rounded, judgement }
  }
  return [...unsure.map(box("unsure")), ...sure.map(box("redact"))].slice(0, mostBoxes)
}

function viewOf(frame: Frame, its: PixelDescription, display: Display): View {
  const pictures = new Map<Contrast, Picture>()
  return {
    picture(contrast) {
      const made = pictures.get(contrast) ?? render(frame, its, display, contrast)
      pictures.set(contrast, made)
      return made
    },
  }
}

/** Areas without those that lie in others. */
const distinct = (areas: readonly FrameArea[]): readonly FrameArea[] =>
  areas.filter((a, at) => !areas.some((b, other) => other !== at && holds(b, a) && (!holds(a, b) || other < at)))

const holds = (a: FrameArea, b: FrameArea): boolean =>
  (a.frame === undefined || a.frame === b.frame) &&
  a.x <= b.x &&
  a.y <= b.y &&
  a.x + a.width >= b.x + b.width &&
  a.y + a.height >= b.y + b.height

const parsedOf = (bytes: Uint8Array): Parsed => {
  const parsed = parse({ header: bytes, size: bytes.length }, { skipPrivate: true })
  if (parsed.kind === "more") throw new DicomFormatError("truncated", "", bytes.length)
  return parsed
}

/** A file with areas black. Throws PixelsUnreadable when one of them is not in the pictures: who named it meant another place. */
async function blackened(original: Parsed, areas: readonly FrameArea[]): Promise<Parsed> {
  if (areas.length === 0) return original
  const its = describe(original)
  for (const area of areas) {
    const { width, height } = around(area, 0, its)
    if (width < 1 || height < 1 || (area.frame ?? 0) >= its.frames) throw new PixelsUnreadable("unsupported", "outside")
  }
  return parsedOf((await redact(original, areas)).bytes)
}

function resultOf(original: Parsed, current: Parsed, areas: readonly FrameArea[]): PixelResult {
  if (current === original) return { kind: "read" }
  const { header } = current.metaSource
  return { kind: "changed", bytes: header, areas }
}

/** What failed as why pictures may not pass. */
function heldBy(thrown: unknown): PixelsHeld {
  if (thrown instanceof NoEngine) return refused("burned-in-text-risk", "no-text-reader")
  if (thrown instanceof PixelsUnreadable) return refused("pixels-unreadable", thrown.code)
  if (thrown instanceof DicomFormatError) return refused("pixels-unreadable", thrown.code)
  throw thrown
}

/** Makes black what a person named, and reads nothing. */
export async function redactReviewed(bytes: Uint8Array, { areas }: ReviewedPixels): Promise<PixelResult> {
  try {
    const original = parsedOf(bytes)
    return resultOf(original, await blackened(original, areas), areas)
  } catch (thrown) {
    return heldBy(thrown)
  }
}

/** Reads the pictures of instances, and takes text that identifies out of them (PS3.15 E.3.1). */
export class PixelCleaner {
  readonly #reader: ReadText

  constructor(reader: ReadText) {
    this.#reader = reader
  }

  /** How the instance of a whole file is to be read; undefined for what cannot be parsed. */
  reading(bytes: Uint8Array): Reading | undefined {
    try {
      const parsed = parsedOf(bytes)
      return readingOf(parsed, summaryOf(parsed))
    } catch (thrown) {
      if (thrown instanceof DicomFormatError) return undefined
      throw thrown
    }
  }

  /** Reads each frame of a whole file, fills what identifies, and reads the result again until nothing is found in it.
   * @param identifiers of the person, besides those in the object
   * @param reviewed what a person let through, and wants black: what is found with certainty goes all the same */
  async clean(bytes: Uint8Array, identifiers: readonly string[], reviewed = notReviewed): Promise<PixelResult> {
    try {
      return await this.#clean(parsedOf(bytes), identifiers, reviewed)
    } catch (thrown) {
      return heldBy(thrown)
    }
  }

  async #clean(original: Parsed, identifiers: readonly string[], reviewed: ReviewedPixels): Promise<PixelResult> {
    const summary = summaryOf(original)
    const person = personIn(original, summary, identifiers)
    const lifted = reviewed.lifts.has("burned-in-text-unsure")
    const regions = regionsOf(headerOf(original, summary))
    let areas = reviewed.areas
    if (regions.length > 0) areas = [...regions.map((area) => around(area, 0, describe(original))), ...areas]
    let current = await this.#withRegions(original, areas, reviewed.areas)
    for (let round = 0; round < mostRounds; round++) {
      const seen = await this.#read(current, person, round > 0, reviewed)
      if (seen.unsure.length > 0 && !lifted) return refused("burned-in-text-unsure", "text-or-tissue", told(seen))
      if (seen.redact.length === 0) return resultOf(original, current, areas)
      const size = describe(original)
      // Consoles write in the same place of every frame.
      areas = distinct([...areas, ...seen.redact.map((area) => around(area, margin, size))])
      current = parsedOf((await redact(original, areas)).bytes)
    }
    if (lifted) return resultOf(original, current, areas)
    return refused("burned-in-text-unsure", "text-comes-again")
  }

  /** Where a device writes by its rule may lie outside of this picture; what a person named may not. */
  async #withRegions(original: Parsed, all: readonly FrameArea[], named: readonly FrameArea[]): Promise<Parsed> {
    if (named.length > 0) await blackened(original, named)
    return all.length === 0 ? original : parsedOf((await redact(original, all)).bytes)
  }

  /** Nothing is found where nobody can read, if a person has looked instead. */
  async #read(current: Parsed, person: TextPerson, again: boolean, { lifts }: ReviewedPixels): Promise<Found> {
    try {
      return await readFrames(current, person, this.#reader, again)
    } catch (thrown) {
      if (lifts.has(heldBy(thrown).reason)) return { redact: [], unsure: [] }
      throw thrown
    }
  }
}
