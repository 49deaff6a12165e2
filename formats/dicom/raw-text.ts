import type { Source } from "./source.ts"

/** Without spaces and NULs at the end; a loop, as a pattern would take quadratic time on hostile padding. */
export function withoutPadding(text: string): string {
  let end = text.length
  while (end > 0 && (text.charCodeAt(end - 1) === 0x20 || text.charCodeAt(end - 1) === 0)) end--
  return end === text.length ? text : text.slice(0, end)
}

/** Text of a value without padding, byte for byte. */
export function rawText(source: Source, element: { readonly valueStart: number; readonly valueEnd: number }): string {
  return withoutPadding(source.text(element.valueStart, element.valueEnd))
}
