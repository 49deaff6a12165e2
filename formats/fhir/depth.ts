const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** Whether a JSON text nests deeper than `most` objects and lists. Nothing is parsed, and no stack is used, so that a text made to
 * exhaust either is found before anything reads it; a text that is not JSON gives any answer.
 * @param text UTF-8 */
export function isDeeper(text: Uint8Array, most: number): boolean {
  // Each level has a bracket at both ends.
  if (text.length <= 2 * most) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === quote) at = stringEnd(text, at)
    else if (byte === openBrace || byte === openBracket) {
      if (++depth > most) return true
    } else if (byte === closeBrace || byte === closeBracket) depth--
  }
  return false
}

/** The place of the quote that ends the string which begins at `from`. */
function stringEnd(text: Uint8Array, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === quote) return at
    if (text[at] === backslash) at++
  }
  return text.length
}
