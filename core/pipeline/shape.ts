import type { Path, Source } from "./document.ts"
import { unknownName } from "./faults.ts"

/** A mapping of the document, checked: unknown keys are reported, `get` reports a wrong type. */
export interface Shape {
  readonly path: Path
  readonly keys: readonly string[]
  has(key: string): boolean
  string(key: string): string | undefined
  integer(key: string, minimum: number): number | undefined
  strings(key: string): readonly string[] | undefined
  map(key: string, known?: readonly string[]): Shape | undefined
  list(key: string): readonly unknown[] | undefined
  raw(key: string): unknown
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** @param known the keys that may stand here; undefined: names of the user's own */
export function shape(source: Source, path: Path, value: unknown, known?: readonly string[]): Shape | undefined {
  if (!isMapping(value)) {
    source.fault(path, "expected a mapping")
    return undefined
  }
  if (known !== undefined)
    for (const key of Object.keys(value))
      if (!known.includes(key)) source.fault([...path, key], unknownName("key", key, known), "key")
  const wrong = (key: string, expected: string): undefined =>
    source.fault([...path, key], `expected ${expected}`) as undefined
  const self: Shape = {
    path,
    keys: Object.keys(value),
    has: (key) => value[key] !== undefined,
    raw: (key) => value[key],
    string(key) {
      const item = value[key]
      return item === undefined ? undefined : typeof item === "string" && item !== "" ? item : wrong(key, "a text")
    },
    integer(key, minimum) {
      const item = value[key]
      if (item === undefined) return undefined
      return Number.isSafeInteger(item) && (item as number) >= minimum
        ? (item as number)
        : wrong(key, `a whole number of at least ${minimum}`)
    },
    strings(key) {
      const item = value[key]
      if (item === undefined) return undefined
      if (typeof item === "string") return [item]
      return Array.isArray(item) && item.every((one) => typeof one === "string")
        ? (item as string[])
        : wrong(key, "a text or a list of texts")
    },
    map: (key, keys) => (value[key] === undefined ? undefined : shape(source, [...path, key], value[key], keys)),
    list(key) {
      const item = value[key]
      return item === undefined ? undefined : Array.isArray(item) ? (item as unknown[]) : wrong(key, "a list")
    },
  }
  return self
}

/** A duration such as `30s`, `15m`, `12h`, `90d`, in milliseconds; `forever` is undefined in `ms`. */
export function duration(text: string): { readonly ms: number | undefined } | undefined {
  if (text === "forever") return { ms: undefined }
  const parts = /^(\d+)(ms|s|m|h|d)$/.exec(text)
  if (parts === null) return undefined
  return { ms: Number(parts[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[parts[2] as "ms"] }
}
