import type { ReviewBox, ReviewRow } from "../../core/ports/reviews.ts"

const shape = /^(\d{1,9}|\*),(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})$/

/** A box as the command line has it, `frame,x,y,width,height`: frames from 1, `*` for every one; undefined when it is none. */
export function boxFrom(text: string): ReviewBox | undefined {
  const found = shape.exec(text)
  if (found === null) return undefined
  const [, frame] = found
  const [x, y, width, height] = found.slice(2).map(Number) as [number, number, number, number]
  if (frame === "0" || width === 0 || height === 0) return undefined
  return { ...(frame === "*" ? {} : { frame: Number(frame) }), x, y, width, height }
}

/** What is wrong with boxes for the pictures that are held; a box that is not all inside meant another place. */
export function boxFault(boxes: readonly ReviewBox[], { facts }: ReviewRow): string | undefined {
  const { rows = Infinity, columns = Infinity, frames = 1 } = facts
  const at = boxes.findIndex(
    ({ frame = 1, x, y, width, height }) => frame > Math.max(1, frames) || x + width > columns || y + height > rows,
  )
  if (at < 0) return undefined
  return `box ${at + 1} is not inside of the pictures: ${Math.max(1, frames)} frames of ${columns} columns and ${rows} rows`
}

/** Pixels around what a reader found: its boxes end where the letters do. */
const margin = 2

/** The boxes that a reader found, with a margin, inside of the pictures. */
export function foundBoxes({ facts }: ReviewRow): readonly ReviewBox[] {
  const { rows = Infinity, columns = Infinity, boxes } = facts
  return boxes.map(({ frame, x, y, width, height }) => {
    const [left, top] = [Math.max(0, x - margin), Math.max(0, y - margin)]
    const right = Math.min(columns, x + width + margin)
    const bottom = Math.min(rows, y + height + margin)
    return { ...(frame === undefined ? {} : { frame }), x: left, y: top, width: right - left, height: bottom - top }
  })
}
