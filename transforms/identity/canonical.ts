/** JSON text with sorted keys and no spaces: one text for one content; text that is not JSON, or too deep, stays as it is. */
export function canonical(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text, (_key, value: unknown) => (isObject(value) ? sorted(value) : value)))
  } catch {
    return text
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const sorted = (value: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
