/** One thing wrong with a pipeline file. */
export interface Fault {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** Path in the document, as `stages.images.through[0].use`. */
  readonly path: string
  readonly message: string
}

/** One line a fault, as compilers print them. */
export const formatFault = (fault: Fault): string =>
  `${fault.file}:${fault.line}:${fault.column}: ${fault.path === "" ? "" : `${fault.path}: `}${fault.message}`

/** Every fault of a pipeline file at once. */
export class PipelineFaults extends Error {
  override readonly name = "PipelineFaults"
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    super(faults.map(formatFault).join("\n"))
    this.faults = faults
  }
}

/** The name among `known` that a mistyped one most likely means, if any is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/** "unknown X; did you mean Y?" or the list of what is known. */
export function unknownName(kind: string, name: string, known: Iterable<string>): string {
  const names = [...known]
  const near = nearest(name, names)
  return `unknown ${kind} ${JSON.stringify(name)}${near === undefined ? `; known: ${names.sort().join(", ") || "none"}` : `; did you mean ${JSON.stringify(near)}?`}`
}
