import { isAlias, isCollection, isMap, isPair, isScalar, LineCounter, parseDocument } from "yaml"

/** Lines and columns from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface YamlFault extends Place {
  readonly message: string
}

/** A YAML document and where its parts stand. */
export interface Yaml {
  /** Plain data; undefined when there are faults. */
  readonly value: unknown
  readonly faults: readonly YamlFault[]
  /** The place of the value at a path, of the nearest part around it that is written, or the start.
   * @param key the place of the key that names it instead */
  at(path: readonly (string | number)[], key?: boolean): Place
}

/** Reads one YAML 1.2 document; a repeated key is a fault, aliases are refused. */
export function parseYaml(text: string): Yaml {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const place = (offset: number | undefined): Place => {
    const { line, col } = lines.linePos(offset ?? 0)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const faults = [...document.errors, ...document.warnings].map((error) => ({
    ...place(error.pos[0]),
    message: error.message,
  }))
  if (faults.length === 0 && text.includes("*")) faults.push(...aliases(document.contents, place))
  return {
    value: faults.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 }),
    faults,
    at: (path, key = false) => place(find(document.contents, path, key)),
  }
}

function aliases(node: unknown, place: (offset: number | undefined) => Place): YamlFault[] {
  if (isAlias(node)) return [{ ...place(node.range?.[0]), message: "aliases are not read" }]
  if (isPair(node)) return aliases(node.value, place)
  return isCollection(node) ? node.items.flatMap((item) => aliases(item, place)) : []
}

function find(root: unknown, path: readonly (string | number)[], key: boolean): number | undefined {
  let node = root
  let offset = start(root)
  for (const [depth, step] of path.entries()) {
    if (!isCollection(node)) return offset
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && item.key.value === step) : undefined
    if (pair === undefined && isMap(node)) return offset
    const child = pair === undefined ? node.items[Number(step)] : pair.value
    const wanted = key && depth === path.length - 1 && pair !== undefined ? pair.key : child
    offset = start(wanted) ?? start(pair?.key) ?? offset
    node = child
  }
  return offset
}

const start = (node: unknown): number | undefined =>
  (node as { readonly range?: readonly number[] | null } | null)?.range?.[0]
