import type { TextPerson } from "../../../formats/dicom/index.ts"
import type { Contrast, Picture, Rectangle } from "../../../formats/pixels/index.ts"
import { agree, judge, leastScore, sureScore } from "./judge.ts"
import type { ReadText, TextBox } from "./read-text.ts"

/** A frame as it can be looked at. */
export interface View {
  readonly picture: (contrast: Contrast) => Picture
}

/** A place, and how sure the reader was that text stands there, 0 to 1. */
export interface Scored extends Rectangle {
  readonly score: number
}

/** What was found in a frame: boxes that have to go, and boxes that nobody can tell text or tissue of. */
export interface Seen {
  readonly redact: readonly Scored[]
  readonly unsure: readonly Scored[]
}

/** Longest side, in pixels, that a picture is enlarged to. */
const longest = 1300
const mostScale = 4

/** How often a picture is enlarged for the first look. */
const scaleFor = ({ width, height }: Picture): number =>
  Math.max(1, Math.min(mostScale, Math.floor(longest / Math.max(width, height))))

/** For the second look: twice where the first was at its own size and it is not too large for that. */
const closerScale = (picture: Picture): number =>
  Math.max(scaleFor(picture), Math.max(picture.width, picture.height) * 2 > 2200 ? 1 : 2)

const areaOf = ({ width, height }: Rectangle): number => width * height

function overlap(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  return width <= 0 || height <= 0 ? 0 : (width * height) / Math.min(areaOf(a), areaOf(b))
}

/** The part of a picture around a box, with a margin as high as the box is. */
function cut(
  { width, height, channels, data }: Picture,
  box: Rectangle,
): { readonly part: Picture; x: number; y: number } {
  const margin = Math.ceil(Math.min(box.width, box.height))
  const x = Math.max(0, Math.floor(box.x) - margin)
  const y = Math.max(0, Math.floor(box.y) - margin)
  const right = Math.min(width, Math.ceil(box.x + box.width) + margin)
  const bottom = Math.min(height, Math.ceil(box.y + box.height) + margin)
  const rows = Array.from({ length: bottom - y }, (_, at) =>
    data.subarray(((y + at) * width + x) * channels, ((y + at) * width + right) * channels),
  )
  return { part: { width: right - x, height: bottom - y, channels, data: Buffer.concat(rows) }, x, y }
}

/** Reads one place again, closer, in both contrasts. */
async function closer(view: View, box: Rectangle, reader: ReadText): Promise<readonly TextBox[]> {
  const found: TextBox[] = []
  for (const contrast of ["full", "window"] as const) {
    const { part, x, y } = cut(view.picture(contrast), box)
    for (const one of await reader.read(part, mostScale)) found.push({ ...one, x: one.x + x, y: one.y + y })
  }
  return found.filter((one) => overlap(one, box) > 0.5)
}

/** What becomes of a box of which one look was not sure: what a surer look says, that it is text where two looks agree, that it is
 * none where the closer looks make nothing of it, else unsure. */
async function settle(
  box: TextBox,
  others: readonly TextBox[],
  view: View,
  person: TextPerson,
  reader: ReadText,
): Promise<"redact" | "keep" | "unsure"> {
  const near = others.filter((other) => other !== box && overlap(other, box) > 0.5)
  const said = (looks: readonly TextBox[]): "redact" | "keep" | undefined => {
    const sure = looks.filter(({ score }) => score >= sureScore)
    if (sure.length > 0) return sure.some((look) => judge(look, person) === "redact") ? "redact" : "keep"
    return looks.some(({ text }) => agree(text, box.text)) ? "redact" : undefined
  }
  const known = said(near)
  if (known !== undefined) return known
  const looks = await closer(view, box, reader)
  return said(looks) ?? (looks.some(({ score }) => score >= leastScore) ? "unsure" : "keep")
}

/** How well a frame is looked at: `well` twice, in both contrasts; `once`; or `briefly`, at half the scale, where frames around it are
 * looked at well. */
export type Care = "well" | "once" | "briefly"

/** Looks at a frame. Rejects when the reader fails. */
export async function look(view: View, person: TextPerson, reader: ReadText, care: Care): Promise<Seen> {
  const full = view.picture("full")
  const scale = care === "briefly" ? Math.ceil(scaleFor(full) / 2) : scaleFor(full)
  const boxes = [...(await reader.read(full, scale))]
  if (care === "well") boxes.push(...(await reader.read(view.picture("window"), closerScale(full))))
  const redact: Scored[] = []
  const unsure: Scored[] = []
  for (const box of boxes) {
    const first = judge(box, person)
    if (first === "keep") continue
    const judgement = first === "unsure" ? await settle(box, boxes, view, person, reader) : first
    if (judgement === "redact") redact.push(box)
    if (judgement === "unsure") unsure.push(box)
  }
  return { redact, unsure }
}
