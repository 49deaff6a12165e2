import { LineCounter, isMap, isPair, isScalar, parseDocument, visit } from "yaml"
import type { Document } from "yaml"
import type { Fault } from "./faults.ts"

/** A path in the document: keys and indexes. */
export type Path = readonly (string | number)[]

/** A parsed YAML file that knows where each value stands. */
export interface Source {
  readonly file: string
  readonly value: unknown
  readonly faults: Fault[]
  /** Reports a fault at a value, or at its key. */
  fault(path: Path, message: string, at?: "key" | "value"): void
}

export const formatPath = (path: Path): string =>
  path.map((part, at) => (typeof part === "number" ? `[${part}]` : at === 0 ? part : `.${part}`)).join("")

/** Parses YAML 1.2 and puts the environment's values in place of `${NAME}` in strings; what is unset is a fault. */
export function parseSource(
  file: string,
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const faults: Fault[] = []
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  for (const error of [...document.errors, ...document.warnings])
    faults.push({ file, ...place(error.pos[0]), path: "", message: error.message })
  const source: Source = {
    file,
    faults,
    value: undefined,
    fault: (path, message, at = "value") =>
      void faults.push({ file, ...place(offsetOf(document, path, at)), path: formatPath(path), message }),
  }
  if (document.errors.length > 0) return source
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== "string") return
      node.value = node.value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, name: string) => {
        const value = environment[name]
        if (value === undefined)
          faults.push({
            file,
            ...place(node.range?.[0] ?? 0),
            path: "",
            message: `environment variable ${name} is not set`,
          })
        return value ?? ""
      })
    },
  })
  return { ...source, value: document.toJS() as unknown }
}

/** The offset of the nearest node that exists on the path. */
function offsetOf(document: Document, path: Path, at: "key" | "value"): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true)
    const last = path[depth - 1]
    const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined
    if (pair !== undefined && isPair(pair) && (at === "key" || depth < path.length)) {
      const key = pair.key as { range?: [number, number, number] }
      if (key.range) return key.range[0]
    }
    const node = document.getIn(path.slice(0, depth), true) as { range?: [number, number, number] } | undefined
    if (node?.range) return node.range[0]
  }
  return 0
}
