const escape = "\\"

/** The place after the quote that ends the string which begins at `from`. */
function afterString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  for (; end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text[before] === escape) before--
    if ((end - before) % 2 === 1) return end + 1
  }
  return text.length
}

const isBlank = (char: string | undefined): boolean => char === " " || char === "\n" || char === "\r" || char === "\t"

/** Whether an object of a JSON text states a name twice: what such a text says depends on who reads it.
 * @param text valid JSON */
export function hasDuplicateKeys(text: string): boolean {
  // Of each object or list that is open; lists have none.
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === "{") open.push(new Set())
    else if (char === "[") open.push(undefined)
    else if (char === "}" || char === "]") open.pop()
    else if (char === '"') {
      const end = afterString(text, at)
      let next = end
      while (isBlank(text[next])) next++
      const names = text[next] === ":" ? open.at(-1) : undefined
      if (names !== undefined) {
        const raw = text.slice(at, end)
        const name = raw.includes(escape) ? (JSON.parse(raw) as string) : raw.slice(1, -1)
        if (names.has(name)) return true
        names.add(name)
      }
      at = end - 1
    }
  }
  return false
}
