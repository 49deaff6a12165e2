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
import type { Contrast, Display, Frame, Picture, PixelDescription, Rectangle } from "../../../formats/pixels/index.ts"
import { look } from "./look.ts"
import type { Seen, View } from "./look.ts"
import { NoEngine } from "./ocr-engine.ts"
import type { ReadText } from "./read-text.ts"
import { regionsOf } from "./regions.ts"

/** What reading the pictures of an instance came to: `read`, with nothing found; `changed`, with the file without what was found; or
 * why it may not pass. */
export type PixelResult =
  | { readonly kind: "read" }
  | { readonly kind: "changed"; readonly bytes: Uint8Array; readonly areas: readonly Rectangle[] }
  | {
      readonly kind: "refused"
      readonly reason: "burned-in-text-risk" | "burned-in-text-unsure" | "pixels-unreadable"
      readonly detail: string
    }

const refused = (reason: (PixelResult & { kind: "refused" })["reason"], detail: string): PixelResult => ({
  kind: "refused",
  reason,
  detail,
})

/** What is filled around the letters, in pixels. */
const margin = 2
/** Times that a picture is read again after it was changed. */
const mostRounds = 3

const MODEL = 0x00081090

/** Everything of a person that a picture may say, as far as the object and its caller know. */
function personIn(parsed: Parsed, summary: Summary, identifiers: readonly string[]): TextPerson {
  const { patientId, patientName, accessionNumber } = summary
  const all = [patientId, patientName, accessionNumber, ...namesIn(parsed), ...identifiers]
  return { identifiers: all.filter((one) => one !== "") }
}

function headerOf(parsed: Parsed, summary: Summary) {
  const element = parsed.dataSet.elements.find(({ tag }) => tag === MODEL)
  const bytes = element === undefined ? [] : parsed.source.bytes(element.valueStart, element.valueEnd)
  return { ...summary, model: Buffer.from(bytes).toString("latin1") }
}

/** Reads every frame, the first, the middle and the last well; with `again` these alone, once. One with the same bytes as the one
 * before counts as read. */
async function readFrames(parsed: Parsed, person: TextPerson, reader: ReadText, again: boolean): Promise<Seen> {
  const its = describe(parsed)
  const display = displayOf(parsed, its)
  const frames = frameBytes(parsed, its)
  const well = new Set([0, frames.length >> 1, frames.length - 1])
  const redacted: Rectangle[] = []
  const unsure: Rectangle[] = []
  let previous: Buffer | undefined
  for (const [at, bytes] of frames.entries()) {
    if (previous?.equals(bytes) === true || (again && !well.has(at))) continue
    previous = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const view = viewOf(await decodeFrame(bytes, its), its, display)
    const seen = await look(view, person, reader, again ? "once" : well.has(at) ? "well" : "briefly")
    redacted.push(...seen.redact)
    unsure.push(...seen.unsure)
  }
  return { redact: redacted, unsure }
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

/** Rectangles without those that lie in others. */
const distinct = (areas: readonly Rectangle[]): readonly Rectangle[] =>
  areas.filter((a, at) => !areas.some((b, other) => other !== at && holds(b, a) && (!holds(a, b) || other < at)))

const holds = (a: Rectangle, b: Rectangle): boolean =>
  a.x <= b.x && a.y <= b.y && a.x + a.width >= b.x + b.width && a.y + a.height >= b.y + b.height

const parsedOf = (bytes: Uint8Array): Parsed => {
  const parsed = parse({ header: bytes, size: bytes.length }, { skipPrivate: true })
  if (parsed.kind === "more") throw new DicomFormatError("truncated", "", bytes.length)
  return parsed
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
   * @param identifiers of the person, besides those in the object */
  async clean(bytes: Uint8Array, identifiers: readonly string[]): Promise<PixelResult> {
    try {
      return await this.#clean(parsedOf(bytes), identifiers)
    } catch (thrown) {
      if (thrown instanceof NoEngine) return refused("burned-in-text-risk", "no-text-reader")
      if (thrown instanceof PixelsUnreadable) return refused("pixels-unreadable", thrown.code)
      if (thrown instanceof DicomFormatError) return refused("pixels-unreadable", thrown.code)
      throw thrown
    }
  }

  async #clean(original: Parsed, identifiers: readonly string[]): Promise<PixelResult> {
    const summary = summaryOf(original)
    const person = personIn(original, summary, identifiers)
    const size = describe(original)
    let areas: readonly Rectangle[] = regionsOf(headerOf(original, summary)).map((area) => around(area, 0, size))
    let current = original
    if (areas.length > 0) current = parsedOf((await redact(original, areas)).bytes)
    for (let round = 0; round < mostRounds; round++) {
      const seen = await readFrames(current, person, this.#reader, round > 0)
      if (seen.unsure.length > 0) return refused("burned-in-text-unsure", "text-or-tissue")
      if (seen.redact.length === 0) return this.#result(original, current, areas)
      areas = distinct([...areas, ...seen.redact.map((area) => around(area, margin, size))])
      current = parsedOf((await redact(original, areas)).bytes)
    }
    return refused("burned-in-text-unsure", "text-comes-again")
  }

  #result(original: Parsed, current: Parsed, areas: readonly Rectangle[]): PixelResult {
    if (current === original) return { kind: "read" }
    const { header } = current.metaSource
    return { kind: "changed", bytes: header, areas }
  }
}
