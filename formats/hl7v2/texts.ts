import { spliced, unescape } from "./escape.ts"
import type { Replaced, Unescaped } from "./escape.ts"
import type { Message, Segment } from "./message.ts"

/** A text of a message: which segment and field it is, and its words. */
interface Line {
  readonly segment: Segment
  readonly field: number
  readonly raw: string
  readonly read: Unescaped
}

/** Types of OBX-5 that are text. */
export const textTypes: ReadonlySet<string> = new Set(["TX", "FT", "ST", ""])

function linesOf(message: Message): readonly Line[] {
  return message.segments.flatMap((segment) => {
    const { name, fields } = segment
    const isText = name === "NTE" || (name === "OBX" && textTypes.has((fields[2] ?? "").trim()))
    const field = name === "NTE" ? 3 : 5
    const raw = fields[field] ?? ""
    return isText && raw !== "" && raw !== '""' ? [{ segment, field, raw, read: unescape(raw, message, true) }] : []
  })
}

/** A text as it may be told, and what was replaced in it. */
export interface CleanLine {
  readonly text: string
  readonly found: readonly Replaced[]
}

/** The lines of a message's report (OBX-5 of text, NTE-3), cleaned as one text: a name that one line announces is found in the others,
 * and what goes over the end of a line is found whole. By segment.
 * @param clean the replacements of a text, in order */
export function cleanLines(
  message: Message,
  clean: (text: string) => readonly Replaced[],
): ReadonlyMap<Segment, CleanLine> {
  const lines = linesOf(message)
  const found = clean(lines.map(({ read }) => read.text).join("\n"))
  const cleaned = new Map<Segment, CleanLine>()
  let [start, next] = [0, 0]
  for (const { segment, raw, read } of lines) {
    const end = start + read.text.length
    const own: Replaced[] = []
    for (; next < found.length && found[next]!.start < end; next++) {
      const each = found[next]!
      const [from, to] = [Math.max(each.start, start), Math.min(each.end, end)]
      // What goes over the end of a line is told in the line in which it begins.
      if (to > from)
        own.push(
          each.start < start
            ? { start: from - start, end: to - start, surrogate: "" }
            : { ...each, start: from - start, end: to - start },
        )
      if (each.end > end) break
    }
    cleaned.set(segment, {
      text: own.length === 0 ? raw : spliced(raw, read, own, message.delimiters),
      found: own,
    })
    start = end + 1
  }
  return cleaned
}
