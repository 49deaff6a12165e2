import type { Yaml } from "../../formats/yaml/index.ts"

export type Path = readonly (string | number)[]
export interface Fault {
  readonly place: string
  readonly path: string
  readonly message: string
}

/** Reads plain data by shape and gathers every fault with its place in the file. */
export class Checker {
  readonly faults: Fault[] = []
  readonly file: string
  readonly yaml: Yaml

  constructor(file: string, yaml: Yaml) {
    this.file = file
    this.yaml = yaml
  }

  fault(path: Path, message: string, key = false): undefined {
    const { line, column } = this.yaml.at(path, key)
    this.faults.push({ place: `${this.file}:${line}:${column}`, path: shown(path), message })
  }

  /** A mapping with known keys; each other key is a fault. */
  map(value: unknown, path: Path, keys: readonly string[]): Readonly<Record<string, unknown>> | undefined {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.fault(path, `expected a mapping with ${keys.join(", ")}`)
    for (const key of Object.keys(value))
      if (!keys.includes(key)) this.fault([...path, key], `unknown key; known here: ${keys.join(", ")}`, true)
    return value as Record<string, unknown>
  }

  list(value: unknown, path: Path): readonly unknown[] {
    if (Array.isArray(value) && value.length > 0) return value
    this.fault(path, "expected a list with at least one item")
    return []
  }

  text(value: unknown, path: Path): string {
    if (typeof value === "string" && value.length > 0) return value
    this.fault(path, "expected a text")
    return ""
  }

  number(value: unknown, path: Path, fits: (value: number) => boolean, wanted: string): number {
    if (typeof value === "number" && Number.isFinite(value) && fits(value)) return value
    this.fault(path, `expected ${wanted}`)
    return 1
  }

  oneOf<T extends string>(value: unknown, path: Path, names: readonly T[]): T | undefined {
    if (names.includes(value as T)) return value as T
    return this.fault(path, `expected one of ${names.join(", ")}`)
  }
}

const shown = (path: Path): string =>
  path.map((step, at) => (typeof step === "number" ? `[${step}]` : at === 0 ? step : `.${step}`)).join("") || "(file)"
